/**
 * Reads arrays of numbers out of any HDF5 file: calibrations and the like.
 *
 * @module
 */
import * as h5wasm from "h5wasm";
import { File } from "../os/mod.ts";
import type { AttributeValue } from "./_attributes.ts";
import { h5Module, reasonOf } from "./_h5wasm.ts";
import { mount } from "./_mount.ts";

/** Thrown when a file is not HDF5, or has not the dataset that is asked for. */
export class ArrayFileError extends Error {
  /** The class's name. */
  override name = "ArrayFileError";
}

/** Numbers as HDF5 files hold them, but for those of 64 bit. */
type NumberArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

const CLASSES = [
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
];

/** What the values of a dataset are. */
export type ValueKind = "integer" | "float" | "text" | "boolean" | "other";

/** The same, by the class of their type: H5T_INTEGER, H5T_FLOAT, H5T_STRING. */
const KINDS: Readonly<Record<number, ValueKind>> = { 0: "integer", 1: "float", 3: "text" };

/** Filters that the library has, by their numbers: deflate, shuffle, Fletcher32, n-bit, scale-offset. */
const FILTERS: readonly number[] = [1, 2, 3, 5, 6];

/** Whether a file begins as HDF5 files do. */
export function isHdf5(file: File): boolean {
  const signature = new Uint8Array(8);
  file.readAt(signature, 0);
  return String.fromCharCode(...signature) === "\x89HDF\r\n\x1a\n";
}

/** An HDF5 file of any size, open for reading; what is not asked for is not loaded. */
export class ArrayFile implements Disposable {
  /** Where it is. */
  readonly path: string;
  readonly #file: File;
  readonly #mounted: string;
  readonly #h5: h5wasm.File;
  #open = true;

  /**
   * Opens a file.
   *
   * @throws {OsError} ENOENT, EACCES, …
   * @throws {ArrayFileError} If it is not HDF5.
   */
  constructor(path: string) {
    this.path = path;
    const file = File.open(path);
    let mounted: string | undefined;
    try {
      mounted = mount(file);
      this.#h5 = new h5wasm.File(mounted, "r");
    } catch (cause) {
      if (mounted !== undefined) h5Module.FS.unlink(mounted);
      file.close();
      throw new ArrayFileError(`${path} is not a readable HDF5 file: ${reasonOf(cause)}`, {
        cause,
      });
    }
    this.#file = file;
    this.#mounted = mounted;
  }

  /** Dimensions of a dataset; undefined if there is none of this name. */
  shape(dataset: string): readonly number[] | undefined {
    const found = this.#get(dataset);
    return found instanceof h5wasm.Dataset ? found.shape ?? [] : undefined;
  }

  /**
   * Numbers of a dataset, in row order.
   *
   * @param range For each dimension where to begin and where to end, or [] for all of it.
   * @throws {ArrayFileError} If there is no such dataset, or it is not made of numbers.
   */
  numbers(dataset: string, range?: [number, number][]): Float64Array<ArrayBuffer> {
    const values = this.#values(dataset, range);
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      return Float64Array.from(values, Number);
    }
    if (typeof values === "number" || typeof values === "bigint") {
      return Float64Array.of(Number(values));
    }
    if (isNumbers(values)) return new Float64Array(values);
    throw new ArrayFileError(`${this.path}: ${dataset} is not made of numbers`);
  }

  /** Names of what is in a group; none if it is no group. */
  names(group: string): readonly string[] {
    const found = this.#get(group);
    return found instanceof h5wasm.Group ? found.keys() : [];
  }

  /** A dataset that is one text; undefined if it is none. */
  text(dataset: string): string | undefined {
    const found = this.#get(dataset);
    const value: unknown = found instanceof h5wasm.Dataset && (found.shape ?? []).length === 0
      ? found.value
      : undefined;
    return typeof value === "string" ? value : undefined;
  }

  /** What the values of a dataset are; undefined if there is none of this name. */
  kind(dataset: string): ValueKind | undefined {
    const found = this.#get(dataset);
    if (!(found instanceof h5wasm.Dataset)) return undefined;
    const { type, enum_type: names } = found.metadata;
    // What h5py makes of numpy's bool.
    if (Object.keys(names?.members ?? {}).sort().join() === "FALSE,TRUE") return "boolean";
    return KINDS[type] ?? "other";
  }

  /** The numbers of an attribute of a group or dataset; undefined if it is not there or has others. */
  attributeNumbers(path: string, name: string): readonly number[] | undefined {
    const owner = this.#get(path);
    const has = owner instanceof h5wasm.Group || owner instanceof h5wasm.Dataset;
    const value: unknown = has ? owner.attrs[name]?.value : undefined;
    if (typeof value === "number" || typeof value === "bigint") return [Number(value)];
    if (value instanceof BigInt64Array || value instanceof BigUint64Array) {
      return Array.from(value, Number);
    }
    return isNumbers(value) ? Array.from(value) : undefined;
  }

  /** Names of all attributes of a group or dataset; none if it is not there. */
  attributeNames(path: string): readonly string[] {
    const owner = this.#get(path);
    const has = owner instanceof h5wasm.Group || owner instanceof h5wasm.Dataset;
    return has ? Object.keys(owner.attrs) : [];
  }

  /** Scalar attributes of a group or dataset; none if it is not there. */
  attributes(path: string): Record<string, AttributeValue> {
    const owner = this.#get(path);
    const values: Record<string, AttributeValue> = {};
    if (!(owner instanceof h5wasm.Group || owner instanceof h5wasm.Dataset)) return values;
    for (const [name, attribute] of Object.entries(owner.attrs)) {
      const value = attribute.value;
      if (typeof value === "string" || typeof value === "number" || typeof value === "bigint") {
        values[name] = value;
      }
    }
    return values;
  }

  /** Closes the file; further calls do nothing. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#h5.close();
    h5Module.FS.unlink(this.#mounted);
    this.#file.close();
  }

  /** Same as {@link ArrayFile.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #values(dataset: string, range: [number, number][] | undefined): unknown {
    const found = this.#get(dataset);
    if (!(found instanceof h5wasm.Dataset)) throw new ArrayFileError(this.#lacks(dataset, found));
    try {
      return range === undefined ? found.value : found.slice(range);
    } catch (cause) {
      const missing = found.filters.filter(({ id }) => !FILTERS.includes(id));
      const reason = missing.length === 0 ? reasonOf(cause) : describeFilters(missing);
      throw new ArrayFileError(`${this.path}: ${dataset} cannot be read: ${reason}`, { cause });
    }
  }

  #lacks(dataset: string, found: unknown): string {
    if (found instanceof h5wasm.Group) {
      return `${this.path}: ${dataset} is a group, a dataset is needed; it has: ` +
        (found.keys().join(", ") || "nothing");
    }
    const there = this.#h5.paths().map((path) => `/${path}`);
    return there.includes(dataset)
      ? `${this.path}: ${dataset} is a link that leads to no dataset`
      : `${this.path} has no dataset ${dataset}, only: ${there.join(", ") || "none"}`;
  }

  /** What is at a path; the library throws where it leads nowhere. */
  #get(path: string): unknown {
    let found: unknown = this.#h5;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (!(found instanceof h5wasm.Group) || !found.keys().includes(name)) return undefined;
      found = found.get(name);
    }
    return found;
  }
}

function describeFilters(filters: readonly { id: number; name: string }[]): string {
  const named = filters.map(({ id, name }) => name === "" ? `${id}` : `${id} (${name})`).join(", ");
  return `it is compressed by filter ${named}, which is not read here: compress it by deflate (gzip), ` +
    "or not at all";
}

function isNumbers(values: unknown): values is NumberArray {
  return CLASSES.some((Class) => values instanceof Class);
}
