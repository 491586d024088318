/**
 * Helpers for tests of image files.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  bitshuffleScratchBytes,
  bytesOf,
  compressChunk,
  compressedBound,
  type ElementBytes,
  kernelMemory,
} from "../kernels/mod.ts";
import { addressOf, File } from "../os/mod.ts";
import { ImageFile, type ImageFileOptions, type ImageToAppend } from "./image_file.ts";
import { MessageType, readObjectHeader } from "./_object_header.ts";
import type { PixelArray, PixelType } from "./pixel_type.ts";
import type { RecordValues } from "./record_type.ts";

/** Options of a small file; tests change what they are about. */
export const SMALL: ImageFileOptions = {
  detector: "DET",
  height: 3,
  width: 5,
  pixelType: "uint16",
  expectedImages: 0,
  attributes: {},
  alignBytes: 8,
};

/** A folder of its own that is removed with the scope. */
export class TestFolder implements Disposable {
  /** Where it is. */
  readonly path: string;

  /** @param dir Where to make it; default: where temporary folders are. */
  constructor(dir?: string) {
    this.path = Deno.makeTempDirSync({ prefix: `std_daq_hdf5_${Deno.pid}_`, ...(dir && { dir }) });
  }

  /** The path of a file in it. */
  file(name = "images.h5"): string {
    return `${this.path}/${name}`;
  }

  /** Removes it with all it holds. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

/** Creates a file to write. */
export function createFile(path: string): File {
  return File.open(path, { write: true, create: "exclusive" });
}

/** The pixels that tests give to image `id`: every one differs from its neighbours and ids. */
export function testImage(id: number, pixels: number, type: PixelType = "uint16"): PixelArray {
  const value = (i: number): number => id * 31 + i * 7 + 1;
  switch (type) {
    case "uint8":
      return Uint8Array.from({ length: pixels }, (_, i) => value(i) & 0xff);
    case "uint16":
      return Uint16Array.from({ length: pixels }, (_, i) => value(i) & 0xffff);
    case "uint32":
      return Uint32Array.from({ length: pixels }, (_, i) => value(i) * 65537);
    case "int16":
      return Int16Array.from({ length: pixels }, (_, i) => -(value(i) & 0x7fff));
    case "int32":
      return Int32Array.from({ length: pixels }, (_, i) => value(i) * -65537);
    case "float32":
      return Float32Array.from({ length: pixels }, (_, i) => value(i) / 8);
  }
}

const kernels = kernelMemory(new WebAssembly.Memory({ initial: 16, maximum: 16, shared: true }));

/** The chunk of a small image for filter 32008. */
export function compressed(image: PixelArray): Uint8Array<ArrayBuffer> {
  const elementBytes = ([1, 2, 4] as const).find((size) => size === image.BYTES_PER_ELEMENT)!;
  const { scratch, chunk, pixels } = rooms(image.length, elementBytes);
  bytesOf(kernels, pixels).set(new Uint8Array(image.buffer));
  const bytes = compressChunk(kernels, { from: pixels, elementBytes, to: chunk, scratch });
  return bytesOf(kernels, { at: chunk.at, bytes }).slice();
}

/** Regions of the kernels' memory, one behind the other. */
function rooms(
  elements: number,
  elementBytes: ElementBytes,
): Record<"scratch" | "chunk" | "pixels", { at: number; bytes: number }> {
  let end = 65536; // the kernels' own
  const room = (bytes: number): { at: number; bytes: number } => {
    const at = end;
    end += Math.ceil(bytes / 16) * 16;
    return { at, bytes };
  };
  return {
    scratch: room(bitshuffleScratchBytes(elements, elementBytes)),
    chunk: room(compressedBound(elements, elementBytes)),
    pixels: room(elements * elementBytes),
  };
}

/** The values that tests give to the fields of `image_info`: field i of image id is 100 id + i. */
export function testInfo(id: number, options: ImageFileOptions): RecordValues {
  return Object.keys(options.info ?? {}).map((_, i) => 100 * id + i);
}

/** Test image `id`, with status 1 + id % 3; its bytes are where `keep` has them as long as it lives. */
function testImageToAppend(
  id: number,
  options: ImageFileOptions,
  keep: Uint8Array[],
): ImageToAppend {
  const image = testImage(id, options.height * options.width, options.pixelType);
  const bytes = options.compression === "bitshuffle-lz4"
    ? compressed(image)
    : new Uint8Array(image.buffer);
  keep.push(bytes);
  return {
    imageId: BigInt(id),
    status: 1 + id % 3,
    info: testInfo(id, options),
    address: addressOf(bytes),
    bytes: bytes.byteLength,
  };
}

/** Appends test images `from` to `to` − 1, one by one. */
export function appendTestImages(
  images: ImageFile,
  options: ImageFileOptions,
  from: number,
  to: number,
): void {
  const keep: Uint8Array[] = [];
  for (let id = from; id < to; id++) {
    images.appendImage(testImageToAppend(id, options, keep));
    keep.pop();
  }
}

/**
 * Appends test images `from` to `to` − 1 in steps, or the first of them, whose bytes are written together;
 * returns how many.
 */
export function appendTestImagesTogether(
  images: Pick<ImageFile, "writeImages" | "addImage">,
  options: ImageFileOptions,
  from: number,
  to: number,
  step = 1,
): number {
  const keep: Uint8Array[] = [];
  const all = Array.from({ length: Math.ceil((to - from) / step) }, (_, i) => {
    return testImageToAppend(from + i * step, options, keep);
  });
  const written = images.writeImages(all);
  keep.length = 0; // not before
  written.forEach((place, i) => images.addImage(all[i]!, place!));
  return written.length;
}

/** Writes a whole file of `n` test images. */
export function writeTestFile(path: string, options: ImageFileOptions, n: number): void {
  using file = createFile(path);
  const images = ImageFile.create(file, options);
  appendTestImages(images, options, 0, n);
  images.close();
}

/** Highest versions of messages that HDF5 1.8 knows, by their type. */
const VERSIONS_OF_1_8 = new Map<number, number>([
  [MessageType.dataspace, 2],
  [MessageType.layout, 3],
  [MessageType.filters, 2],
  [MessageType.attribute, 3],
]);
/** Highest type of a message that it knows. */
const LAST_TYPE_OF_1_8 = 0x16;

/**
 * Asserts that a file is made of nothing that HDF5 1.8 does not know: superblock 0, object headers of
 * version 1, groups as symbol tables, and its versions of messages.
 *
 * @returns How many objects are in it, the root included.
 */
export function assertOldFormat(path: string): number {
  const file = Deno.readFileSync(path);
  const view = new DataView(file.buffer);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  assert.equal(file[8], 0, "version of the superblock");
  const seen = new Set<number>();
  const waiting = [u64(64)];
  for (let address = waiting.pop(); address !== undefined; address = waiting.pop()) {
    if (seen.has(address)) continue; // a second name
    seen.add(address);
    // Other headers than those of version 1 are refused.
    for (const { type, bodyAt } of readObjectHeader(file, address)) {
      assert.ok(type <= LAST_TYPE_OF_1_8, `message of type ${type}`);
      const version = VERSIONS_OF_1_8.get(type);
      if (version !== undefined) {
        assert.ok(file[bodyAt]! <= version, `version ${file[bodyAt]} of message type ${type}`);
      }
      if (type === MessageType.symbolTable) waiting.push(...members(u64(bodyAt)));
    }
  }
  return seen.size;

  /** Addresses of a group's members, by its B-tree of version 1 (specification, III.A.1 and III.B). */
  function members(node: number): number[] {
    const signature = new TextDecoder().decode(file.subarray(node, node + 4));
    const count = view.getUint16(node + 6, true);
    if (signature === "TREE") {
      return Array.from({ length: count }, (_, i) => members(u64(node + 32 + 16 * i))).flat();
    }
    assert.equal(signature, "SNOD");
    const softLink = 2;
    return Array.from({ length: count }, (_, i) => node + 8 + 40 * i)
      .filter((entry) => view.getUint32(entry + 16, true) !== softLink)
      .map((entry) => u64(entry + 8));
  }
}
