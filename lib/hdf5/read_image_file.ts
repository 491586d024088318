/**
 * Reads image files back, with the HDF5 library itself.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import * as h5wasm from "h5wasm";
import { BITSHUFFLE_FILTER } from "../kernels/bitshuffle.ts";
import { CompressedChunks, type StoredImage } from "./_compressed_chunks.ts";
import { objectAddress, reasonOf } from "./_h5wasm.ts";
import { type ImagePlace, MasterImages } from "./_master_images.ts";
import { Mounts } from "./_mounts.ts";
import { isPartName } from "./_virtual.ts";
import type { MasterPart } from "./master_file.ts";
import { Errno, OsError } from "../os/mod.ts";
import type { ImageCompression } from "./compression.ts";
import type { AttributeValue } from "./_attributes.ts";
import { PIXEL_BYTES, type PixelArray, pixelArray, type PixelType } from "./pixel_type.ts";

export type { StoredImage } from "./_compressed_chunks.ts";

/** Thrown when a file is not an image file. */
export class NotAnImageFileError extends Error {
  /** The class's name. */
  override name = "NotAnImageFileError";
}

/** Files of a master file that stay open. */
const MOST_OPEN_PARTS = 16;

/** Records read at a time. */
const RECORDS_AT_A_TIME = 8192;

/**
 * Opens an image file of any size: HDF5's reads go to the file on disk, nothing is loaded ahead. Of the files
 * that a master file shows a few are open at a time; no other file than those beside it is opened for it.
 *
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {NotAnImageFileError} If it is not HDF5, has no `/<detector>/data` and `metadata`, or shows a file of
 * another folder, or another master file.
 */
export function readImageFile(path: string): ImageFileReader {
  return openReader(path, true);
}

/** @param mayBeMaster Not for the files of a master file: one that shows itself would have no end. */
function openReader(path: string, mayBeMaster: boolean): ImageFileReader {
  const mounts = new Mounts(path);
  try {
    let h5 = mounts.open();
    const master = masterImages(mounts, h5);
    if (master !== undefined) checkParts(path, master, mayBeMaster);
    const parts = master === undefined ? partNames(h5) : [];
    if (parts.length > 0) {
      // Not one of ours. The library looks at a virtual dataset's sources when it opens it.
      for (const name of parts) mounts.addIfThere(name);
      h5 = mounts.open();
    }
    return new ImageFileReader(path, mounts, h5, master);
  } catch (cause) {
    mounts[Symbol.dispose]();
    if (cause instanceof NotAnImageFileError) throw cause;
    throw new NotAnImageFileError(`${path} is not a readable HDF5 file: ${reasonOf(cause)}`, {
      cause,
    });
  }
}

/** Names of the files that a master file shows; none for others. */
function partNames(h5: h5wasm.File): string[] {
  const names = h5.paths().flatMap((path) => {
    const item = h5.get(path);
    return item instanceof h5wasm.Dataset ? item.metadata.virtual_sources ?? [] : [];
  }).map(({ file_name }) => file_name);
  return [...new Set(names)];
}

/**
 * Whoever wrote the file may not be whoever reads it now: what it names must not lead anywhere else.
 *
 * @throws {NotAnImageFileError}
 */
function checkParts(path: string, { parts }: MasterImages, mayBeMaster: boolean): void {
  if (!mayBeMaster) {
    throw new NotAnImageFileError(
      `${path} is a master file, shown by another one: expected a file of images. ` +
        "Make the other one anew, of the files that this one shows.",
    );
  }
  const wrong = parts.find(({ file }) => !isPartName(file));
  if (wrong === undefined) return;
  throw new NotAnImageFileError(
    `${path} shows ${JSON.stringify(wrong.file)}, expected names of files in its own folder: ` +
      "put its files beside it, and make it anew.",
  );
}

/** What a master file of ours shows; undefined for other files. */
function masterImages(mounts: Mounts, h5: h5wasm.File): MasterImages | undefined {
  const group = imageGroup(h5.paths());
  const data = group === undefined ? undefined : h5.get(`${group}/data`);
  if (!(data instanceof h5wasm.Dataset) || data.metadata.virtual_sources === undefined) {
    return undefined;
  }
  return MasterImages.of(mounts.file, objectAddress(h5, `${group}/data`));
}

/**
 * Path of the group with `data` and `metadata`, at the root or in NeXus's collection.
 *
 * @internal
 */
export function imageGroup(datasets: readonly string[]): string | undefined {
  return datasets.filter((path) => path.endsWith("/metadata"))
    .map((path) => path.slice(0, -"/metadata".length))
    .filter((group) => datasets.includes(`${group}/data`))
    .sort((a, b) => a.length - b.length)[0];
}

/** A record of `image_info`, by the names of its fields. */
export type InfoRecord = Record<string, number | bigint>;

/** Rows of the datasets. */
interface Extents {
  images: number;
  metadata: number;
  info: number;
}

/** An open image file. */
export class ImageFileReader implements Disposable {
  /** Where it is. */
  readonly path: string;
  /** Name of the group with the datasets. */
  readonly detector: string;
  /** Its path, absolute; one of its paths where it has several. */
  readonly group: string;
  /** Paths of all datasets. */
  readonly datasets: readonly string[];
  /** Images, rows, columns. */
  readonly shape: readonly [images: number, height: number, width: number];
  /** Type of a pixel. */
  readonly pixelType: PixelType;
  /** How its images are compressed; `none` of a master file, which holds none. */
  readonly compression: ImageCompression;
  readonly #mounts: Mounts;
  readonly #h5: h5wasm.File;
  /** The files of a master file; undefined for others. */
  readonly parts: readonly MasterPart[] | undefined;
  /** Absolute path of the group in these files. */
  readonly partGroup: string | undefined;
  readonly #master: MasterImages | undefined;
  /** Files that images of a master file were read from, the latest last. */
  readonly #openParts = new Map<string, ImageFileReader | undefined>();
  /** Records of `image_info` in each of these files. */
  readonly #infoRows = new Map<MasterPart, number>();
  readonly #data: h5wasm.Dataset;
  readonly #metadata: h5wasm.Dataset;
  readonly #info: h5wasm.Dataset | undefined;
  readonly #extents: Extents;
  #metadataColumns: BigUint64Array[] | undefined;
  readonly #chunks: CompressedChunks | undefined;
  #open = true;

  /** @internal Use {@link readImageFile}. */
  constructor(path: string, mounts: Mounts, h5: h5wasm.File, master?: MasterImages) {
    this.path = path;
    this.#mounts = mounts;
    this.#h5 = h5;
    this.datasets = h5.paths().filter((name) => h5.get(name) instanceof h5wasm.Dataset);
    const group = imageGroup(this.datasets);
    const data = h5.get(`${group}/data`);
    const metadata = h5.get(`${group}/metadata`);
    if (
      group === undefined || !(data instanceof h5wasm.Dataset) ||
      !(metadata instanceof h5wasm.Dataset)
    ) {
      throw new NotAnImageFileError(
        `${path} holds no /<detector>/data and metadata, only: ${this.datasets.join(", ")}`,
      );
    }
    const [images, height, width, ...more] = data.shape ?? [];
    if (
      images === undefined || height === undefined || width === undefined || more.length > 0
    ) {
      throw new NotAnImageFileError(`${path}: data has the shape (${data.shape}), not (n, h, w)`);
    }
    this.group = `/${group}`;
    this.detector = basename(group);
    this.pixelType = pixelTypeOf(data, path);
    this.#data = data;
    this.#metadata = metadata;
    const info = this.datasets.includes(`${group}/image_info`)
      ? h5.get(`${group}/image_info`)
      : undefined;
    this.#info = info instanceof h5wasm.Dataset ? info : undefined;
    this.#master = master;
    this.parts = master?.parts;
    this.partGroup = master?.group;
    this.#extents = master === undefined
      ? { images, metadata: metadata.shape?.[0] ?? 0, info: this.#info?.shape?.[0] ?? 0 }
      : this.#extentsOfParts();
    this.shape = [this.#extents.images, height, width];
    const isCompressed = data.filters.some(({ id }) => id === BITSHUFFLE_FILTER);
    this.compression = isCompressed ? "bitshuffle-lz4" : "none";
    if (isCompressed) {
      const elementBytes = PIXEL_BYTES[this.pixelType];
      this.#chunks = new CompressedChunks(
        mounts.file,
        objectAddress(h5, `${group}/data`),
        elementBytes,
        height * width * elementBytes,
      );
    }
  }

  /** The ids of all images, in file order. */
  imageIds(): BigUint64Array {
    return this.#idsAndStatuses()[0]!;
  }

  /** The status of each image, as a number of the protobuf enumeration: 1 good. */
  statuses(): BigUint64Array {
    return this.#idsAndStatuses()[1]!;
  }

  /** A u64 field of each image's `image_info`; undefined where the file does not have it. */
  infoColumn(name: string): BigUint64Array | undefined {
    const column = this.#infoNames().indexOf(name);
    return column < 0 ? undefined : this.#columns("info", [column])[0];
  }

  /** How many records each dataset of records has. */
  recordCounts(): { metadata: number; image_info?: number } {
    const { metadata, info } = this.#extents;
    return { metadata, ...(this.#info !== undefined && { image_info: info }) };
  }

  /**
   * The records of `image_info`, in order, by the names of its fields; none where it is not there. They are
   * read as they are taken, some at a time.
   */
  *imageInfo(): Generator<InfoRecord, undefined, void> {
    if (this.#info === undefined) return;
    const { info: records } = this.#extents;
    for (let from = 0; from < records; from += RECORDS_AT_A_TIME) {
      yield* this.#infoRecords(from, Math.min(records, from + RECORDS_AT_A_TIME));
    }
  }

  /** The group's scalar attributes. */
  attributes(): Record<string, AttributeValue> {
    const group = this.#h5.get(this.group);
    if (!(group instanceof h5wasm.Group)) return {};
    const values: Record<string, AttributeValue> = {};
    for (const [name, attribute] of Object.entries(group.attrs)) {
      const value = attribute.value;
      if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
        values[name] = value;
      }
    }
    return values;
  }

  /**
   * Pixels of image `index`, in row order; zeros where there is none.
   *
   * @throws {RangeError} If there is no such image.
   * @throws {CompressedChunkError} If its compressed chunk is damaged.
   */
  image(index: number): PixelArray {
    const [images] = this.shape;
    if (!Number.isInteger(index) || index < 0 || index >= images) {
      throw new RangeError(`No image ${index} in ${this.path}: it holds ${images}, from 0.`);
    }
    if (this.#master !== undefined) return this.#imageOfPart(this.#master.place(index));
    const pixels = this.#chunks === undefined
      ? this.#data.slice([[index, index + 1], [], []])
      : pixelArray(this.#chunks.read(index).buffer, this.pixelType);
    if (
      pixels instanceof Uint8Array || pixels instanceof Uint16Array ||
      pixels instanceof Uint32Array || pixels instanceof Int16Array ||
      pixels instanceof Int32Array || pixels instanceof Float32Array
    ) return pixels;
    throw new NotAnImageFileError(`${this.path}: image ${index} is not made of pixels`);
  }

  /**
   * Image `index` as it is stored, to be stored elsewhere as it is.
   *
   * @returns Undefined where there is none.
   * @throws {RangeError} If there is no such row.
   */
  storedImage(index: number): StoredImage | undefined {
    if (this.#master !== undefined) {
      const place = this.#master.place(index);
      const part = place && this.#part(place.file);
      return part && place.row < part.shape[0] ? part.storedImage(place.row) : undefined;
    }
    if (this.#chunks !== undefined) return this.#chunks.stored(index);
    return { bytes: new Uint8Array(this.image(index).slice().buffer), compressed: false };
  }

  /** How {@link ImageFileReader.storedImage} finds images: of a master file, as its parts say. */
  get storedCompression(): ImageCompression {
    for (const { file } of this.parts ?? []) {
      const part = this.#part(file);
      if (part !== undefined) return part.compression;
    }
    return this.compression;
  }

  /** Closes the file; further calls do nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const part of this.#openParts.values()) part?.close();
    this.#mounts[Symbol.dispose]();
  }

  /** Same as {@link ImageFileReader.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** An image of a master file, out of the file that holds it. */
  #imageOfPart(place: ImagePlace | undefined): PixelArray {
    const part = place && this.#part(place.file);
    if (place !== undefined && part !== undefined && place.row < part.shape[0]) {
      return part.image(place.row);
    }
    const [, height, width] = this.shape;
    const bytes = height * width * PIXEL_BYTES[this.pixelType];
    return pixelArray(new ArrayBuffer(bytes), this.pixelType);
  }

  /** A part's reader; undefined if the file is not there. A few stay open. */
  #part(name: string): ImageFileReader | undefined {
    const known = this.#openParts.has(name);
    const part = known ? this.#openParts.get(name) : openPart(`${dirname(this.path)}/${name}`);
    this.#openParts.delete(name);
    this.#openParts.set(name, part);
    for (const [oldest, reader] of this.#openParts) {
      if (this.#openParts.size <= MOST_OPEN_PARTS) break;
      reader?.close();
      this.#openParts.delete(oldest);
    }
    return part;
  }

  /** The records `from` to `to` − 1, or those of them that are there. */
  #infoRecords(from: number, to: number): InfoRecord[] {
    const names = this.#infoNames();
    if (this.parts !== undefined) {
      const none = Object.fromEntries(names.map((name) => [name, 0]));
      const records = new Array<InfoRecord>(to - from).fill(none);
      for (const place of this.parts) {
        const { file, firstImage, step } = place;
        const rowOf = (image: number): number =>
          Math.max(0, Math.ceil((image - firstImage) / step));
        const first = rowOf(from), end = Math.min(rowOf(to), this.#infoRows.get(place) ?? 0);
        if (first >= end) continue; // it is not opened for nothing
        const part = this.#part(file);
        if (part === undefined) continue;
        part.#infoRecords(first, end).forEach((record, i) =>
          records[firstImage + (first + i) * step - from] = record
        );
      }
      return records;
    }
    const rows = this.#info?.slice([[from, Math.min(to, this.#extents.info)]]);
    if (!Array.isArray(rows)) return [];
    return rows.map((row, i) => {
      if (!Array.isArray(row)) {
        throw new NotAnImageFileError(`${this.path}: no record ${from + i}`);
      }
      return Object.fromEntries(names.flatMap((name, column) => {
        const value: unknown = row[column];
        return typeof value === "number" || typeof value === "bigint" ? [[name, value]] : [];
      }));
    });
  }

  #infoNames(): string[] {
    return this.#info?.metadata.compound_type?.members.map(({ name }) => name) ?? [];
  }

  /** Rows of a master file's datasets: up to the last one that a file has. */
  #extentsOfParts(): Extents {
    const extents = { images: 0, metadata: 0, info: 0 };
    this.#eachPart((place, part) => {
      const { firstImage, step } = place;
      const upTo = (rows: number): number => rows === 0 ? 0 : firstImage + (rows - 1) * step + 1;
      const { images, metadata, info } = part.#extents;
      extents.images = Math.max(extents.images, upTo(images));
      extents.metadata = Math.max(extents.metadata, upTo(metadata));
      extents.info = Math.max(extents.info, upTo(info));
      this.#infoRows.set(place, info);
    });
    return extents;
  }

  /** Does something with each file that a master file shows, if it is there. */
  #eachPart(use: (place: MasterPart, part: ImageFileReader) => void): void {
    for (const place of this.parts ?? []) {
      const part = this.#part(place.file);
      if (part !== undefined) use(place, part);
    }
  }

  /** Both at once: a master file's files are opened once less. */
  #idsAndStatuses(): BigUint64Array[] {
    return this.#metadataColumns ??= this.#columns("metadata", [0, 1]);
  }

  /** Columns of u64; 0 where a master file's row is in no file. */
  #columns(name: "metadata" | "info", columns: readonly number[]): BigUint64Array[] {
    const records = this.#extents[name];
    const values = columns.map(() => new BigUint64Array(records));
    if (this.parts !== undefined) {
      this.#eachPart(({ firstImage, step }, part) =>
        part.#columns(name, columns).forEach((ofPart, i) =>
          ofPart.forEach((value, row) => values[i]![firstImage + row * step] = value)
        )
      );
      return values;
    }
    const dataset = name === "metadata" ? this.#metadata : this.#info;
    for (let from = 0; from < records; from += RECORDS_AT_A_TIME) {
      const to = Math.min(records, from + RECORDS_AT_A_TIME);
      const rows = dataset?.slice([[from, to]]);
      if (!Array.isArray(rows)) break;
      rows.forEach((row, i) =>
        columns.forEach((column, j) => {
          const value = Array.isArray(row) ? row[column] : undefined;
          if (typeof value !== "bigint") {
            throw new NotAnImageFileError(`${this.path}: ${name} ${from + i} is not of u64`);
          }
          values[j]![from + i] = value;
        })
      );
    }
    return values;
  }
}

/** A file of a master file, if it is there. */
function openPart(path: string): ImageFileReader | undefined {
  try {
    return openReader(path, false);
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return undefined;
    throw error;
  }
}

function pixelTypeOf(data: h5wasm.Dataset, path: string): PixelType {
  const names: Readonly<Record<string, PixelType>> = {
    "<B": "uint8",
    "|B": "uint8",
    "<H": "uint16",
    "<I": "uint32",
    "<h": "int16",
    "<i": "int32",
    "<f": "float32",
  };
  const found = typeof data.dtype === "string" ? names[data.dtype] : undefined;
  if (found === undefined) {
    throw new NotAnImageFileError(
      `${path}: pixels are of type ${JSON.stringify(data.dtype)}, none of ${
        Object.keys(PIXEL_BYTES).join(", ")
      }`,
    );
  }
  return found;
}
