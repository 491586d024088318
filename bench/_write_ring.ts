/**
 * What the programs of the write row share: an image ring that they publish into themselves, and the file
 * writer of the service.
 *
 * @module
 */
import type { Accounting } from "../lib/accounting/mod.ts";
import { type File, unlink } from "../lib/os/mod.ts";
import { encodeImageMetadata, type RecordImageAction } from "../lib/protocol/mod.ts";
import { indexMemoryBytes, RingWriter, SharedMemory } from "../lib/ring/mod.ts";
import {
  type Compressors,
  DataRoots,
  FileWriter,
  ImageLocator,
  InlineCompressors,
} from "../lib/writer/mod.ts";

/** Pixels of a row, 16 bit each. */
export const WIDTH = 1024;

/** Files, and images of each, after which V8 has compiled all that is done for an image. */
const WARM_FILES = 10;
const WARM_IMAGES = 5000;

/** Makes a ring of images of so many rows; its slots are as they are found. */
export function makeRing(name: string, height: number, slots: number): RingWriter {
  return RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
    ...{ name, slotBytes: height * WIDTH * 2, slots },
    ...{ dtype: 2, height, width: WIDTH, geometry: 0n },
  });
}

/** Puts something into every slot of a ring. */
export function fillRing({ data, spec: { slotBytes, slots } }: RingWriter): void {
  const pixels = new Uint8Array(slotBytes).map((_, i) => i * 31 >> 3);
  for (let slot = 0; slot < slots; slot++) data.writeAt(pixels, slot * slotBytes);
}

/** Publishes the next image of a ring, whatever is in its slot; returns its entry. */
export function publishNext(ring: RingWriter): bigint {
  const imageId = ring.head + 1n;
  const slot = Number(imageId % BigInt(ring.spec.slots));
  ring.lockSlot(slot);
  return ring.publish({
    ...{ imageId, slot, status: 1, firstNs: 0n, completeNs: 0n, frameIndex: imageId },
    ...{ payloadBytes: ring.spec.slotBytes, missingPackets: 0, damagedPackets: 0, epoch: 0 },
    ...{ maskLow: 1n, maskHigh: 0n },
    metadata: encodeImageMetadata(record(ring, ring.head).metadata),
  });
}

/** The order to write an entry of such a ring. */
export function record(ring: RingWriter, entry: bigint): RecordImageAction {
  const { height, slotBytes } = ring.spec;
  return {
    action: "record_image",
    entry,
    metadata: {
      ...{ imageId: entry + 1n, height, width: WIDTH, size: slotBytes, dtype: "uint16" },
      ...{ status: "good_image", compression: "none" },
    },
  };
}

/** The file writer as the service has it; `onFile` gets the file that it makes. */
export function makeWriter(
  options: {
    height: number;
    images: ImageLocator;
    compressors: Compressors;
    compressedImages?: boolean;
    folder: string;
    onFile?: (file: File) => void;
  },
): FileWriter {
  const { height, images, compressors, compressedImages = false, folder, onFile } = options;
  const roots = new DataRoots([folder]);
  return new FileWriter({
    ...{ detector: "bench", detectorType: "jungfrau-raw", pixelType: "uint16" },
    ...{ height, width: WIDTH, images, compressors, compressedImages },
    output: {
      create: (path) => {
        const made = roots.create(path);
        onFile?.(made.file);
        return made;
      },
      remove: (path) => roots.remove(path),
      isInPlace: (file) => roots.isInPlace(file),
      asUser: (action) => action(),
      ofUser: (uid) => roots.ofUser(uid),
    },
    readAccounting: () => ({}) as Accounting, // nothing to count here
    attributes: {},
    clock: () => Date.now() / 1000,
  });
}

/** Orders a file. */
export function createFile(
  writer: FileWriter,
  path: string,
  nImages: number,
  compression: "none" | "bitshuffle-lz4" | undefined,
  threads = 0,
): void {
  check(writer.handle({
    ...{ action: "create_file", path, writerId: 0, nImages, acknowledgeImages: true },
    ...{ runId: 1n, request: "", compressionThreads: threads },
    ...(compression !== undefined && { compression }),
  }));
}

/** Orders an image of a writer that is behind its orders, and looks at the answers that come due. */
export function writeImage(writer: FileWriter, order: RecordImageAction): void {
  writer.handle(order);
  writer.settle();
  for (const answer of writer.takeAnswers()) check(answer);
}

/** Fails where the writer does. */
export function check(answer: { code: string; reason: string } | undefined): void {
  if (answer?.code !== "success") throw new Error(answer?.reason ?? "no answer");
}

/**
 * Writes many small images, so that what is measured is a writer that has run for a while: its first hundred
 * images cost 74 µs of JavaScript each, the first thousand 28, later ones less than 10. To several files: the
 * code that V8 has made for a first one takes for constant what is another value with the second, and is
 * thrown away.
 *
 * @param name Of a ring to make and to remove.
 */
export function warmUp(name: string, folder: string): void {
  const height = 1, slots = 64, path = `${folder}/${name}.h5`;
  using ring = makeRing(name, height, slots);
  const { slotBytes } = ring.spec;
  for (let file = 0; file < WARM_FILES; file++) {
    using images = new ImageLocator(ring.spec);
    using compressors = new InlineCompressors({ elementBytes: 2, imageBytes: slotBytes });
    using writer = makeWriter({ height, images, compressors, folder });
    createFile(writer, path, WARM_IMAGES, "none");
    for (let i = 0; i < WARM_IMAGES; i++) writeImage(writer, record(ring, publishNext(ring)));
    check(writer.handle({ action: "close_file" }));
    unlink(path);
  }
}
