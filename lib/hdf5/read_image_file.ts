/**
 * Reads image files back, with the HDF5 library itself.
 *
 * @module
 */
import * as h5wasm from "h5wasm";
import { File } from "../os/mod.ts";
import { h5Module } from "./_h5wasm.ts";
import { mount } from "./_mount.ts";
import type { AttributeValue } from "./_attributes.ts";
import { PIXEL_BYTES, type PixelArray, type PixelType } from "./pixel_type.ts";

/** Thrown when a file is not an image file. */
export class NotAnImageFileError extends Error {
  /** The class's name. */
  override name = "NotAnImageFileError";
}

/** Records read at a time. */
const RECORDS_AT_A_TIME = 65536;

/**
 * Opens an image file of any size: HDF5's reads go to the file on disk, nothing is loaded ahead.
 *
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {NotAnImageFileError} If it is not HDF5 or has no `/<detector>/data` and `metadata`.
 */
export function readImageFile(path: string): ImageFileReader {
  const file = File.open(path);
  const mounted = mount(file);
  let h5: h5wasm.File | undefined;
  try {
    h5 = new h5wasm.File(mounted, "r");
    return new ImageFileReader(path, file, mounted, h5);
  } catch (cause) {
    h5?.close();
    h5Module.FS.unlink(mounted);
    file.close();
    if (cause instanceof NotAnImageFileError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NotAnImageFileError(`${path} is not a readable HDF5 file: ${reason}`, { cause });
  }
}

/** An open image file. */
export class ImageFileReader implements Disposable {
  /** Where it is. */
  readonly path: string;
  /** Name of the group with the datasets. */
  readonly detector: string;
  /** Paths of all datasets. */
  readonly datasets: readonly string[];
  /** Images, rows, columns. */
  readonly shape: readonly [images: number, height: number, width: number];
  /** Type of a pixel. */
  readonly pixelType: PixelType;
  readonly #file: File;
  readonly #mounted: string;
  readonly #h5: h5wasm.File;
  readonly #data: h5wasm.Dataset;
  readonly #metadata: h5wasm.Dataset;
  #open = true;

  /** Use {@link readImageFile}. */
  constructor(path: string, file: File, mounted: string, h5: h5wasm.File) {
    this.path = path;
    this.#file = file;
    this.#mounted = mounted;
    this.#h5 = h5;
    this.datasets = h5.paths().filter((name) => h5.get(name) instanceof h5wasm.Dataset);
    const detector = h5.keys().find((name) => h5.get(`${name}/data`) instanceof h5wasm.Dataset);
    const data = h5.get(`${detector}/data`);
    const metadata = h5.get(`${detector}/metadata`);
    if (
      detector === undefined || !(data instanceof h5wasm.Dataset) ||
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
    this.detector = detector;
    this.shape = [images, height, width];
    this.pixelType = pixelTypeOf(data, path);
    this.#data = data;
    this.#metadata = metadata;
  }

  /** The ids of all images, in file order. */
  imageIds(): BigUint64Array {
    return this.#column(0);
  }

  /** The status of each image, as a number of the protobuf enumeration: 1 good. */
  statuses(): BigUint64Array {
    return this.#column(1);
  }

  /** The group's scalar attributes. */
  attributes(): Record<string, AttributeValue> {
    const group = this.#h5.get(this.detector);
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
   * Pixels of image `index`, in row order.
   *
   * @throws {RangeError} If there is no such image.
   */
  image(index: number): PixelArray {
    const [images] = this.shape;
    if (!Number.isInteger(index) || index < 0 || index >= images) {
      throw new RangeError(`No image ${index} in ${this.path}: it holds ${images}, from 0.`);
    }
    const pixels = this.#data.slice([[index, index + 1], [], []]);
    if (
      pixels instanceof Uint8Array || pixels instanceof Uint16Array ||
      pixels instanceof Uint32Array || pixels instanceof Int16Array ||
      pixels instanceof Int32Array || pixels instanceof Float32Array
    ) return pixels;
    throw new NotAnImageFileError(`${this.path}: image ${index} is not made of pixels`);
  }

  /** Closes the file; further calls do nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#h5.close();
    h5Module.FS.unlink(this.#mounted);
    this.#file.close();
  }

  /** Same as {@link ImageFileReader.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #column(column: number): BigUint64Array {
    const records = this.#metadata.shape?.[0] ?? 0;
    const values = new BigUint64Array(records);
    for (let from = 0; from < records; from += RECORDS_AT_A_TIME) {
      const to = Math.min(records, from + RECORDS_AT_A_TIME);
      const rows = this.#metadata.slice([[from, to]]);
      if (!Array.isArray(rows)) break;
      rows.forEach((row, i) => {
        const value = Array.isArray(row) ? row[column] : undefined;
        if (typeof value !== "bigint") {
          throw new NotAnImageFileError(`${this.path}: record ${from + i} is not {u64, u64}`);
        }
        values[from + i] = value;
      });
    }
    return values;
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
