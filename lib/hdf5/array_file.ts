/**
 * Small HDF5 files of arrays, written in one go: calibrations and the like.
 *
 * @module
 */
import type { AttributeValue } from "./_attributes.ts";
import { buildInMemory } from "./_h5wasm.ts";
import { groupAt, setAttributes } from "./_write_tree.ts";

/** Numbers of a dataset, in row order. */
export type ArrayData = Float32Array | Float64Array | Uint8Array | Uint32Array | BigUint64Array;

/** Attributes by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A dataset: contiguous, of its data's type. */
export interface ArrayDataset {
  /** Its values. */
  readonly data: ArrayData;
  /** Its dimensions; their product is the number of values. */
  readonly shape: readonly number[];
  /** Its attributes. */
  readonly attributes?: Attributes;
}

/** What is in a file of arrays. */
export interface ArrayFileContent {
  /** Attributes of the file, and of groups by path; a group is made for each. */
  readonly groups?: Readonly<Record<string, Attributes>>;
  /** Datasets by path, such as `/pedestal` or `/provenance/image_ids`. */
  readonly datasets: Readonly<Record<string, ArrayDataset>>;
}

/**
 * Encodes a whole HDF5 file, in the oldest format: every HDF5 library reads it.
 *
 * @returns The file's bytes.
 * @throws {RangeError} If a shape and the number of values differ, or a path is not absolute.
 */
export function encodeArrayFile(
  { groups = {}, datasets }: ArrayFileContent,
): Uint8Array<ArrayBuffer> {
  for (const [path, { data, shape }] of Object.entries(datasets)) {
    const values = shape.reduce((product, length) => product * length, 1);
    if (values !== data.length) {
      throw new RangeError(`${path} has ${data.length} values for a shape of ${shape.join(" × ")}`);
    }
  }
  const relative = [...Object.keys(groups), ...Object.keys(datasets)]
    .find((path) => !path.startsWith("/"));
  if (relative !== undefined) {
    throw new RangeError(`${relative} is no absolute path: write /${relative}`);
  }
  return buildInMemory((file) => {
    for (const [path, attributes] of Object.entries(groups)) {
      setAttributes(groupAt(file, path), attributes);
    }
    for (const [path, { data, shape, attributes = {} }] of Object.entries(datasets)) {
      const at = path.lastIndexOf("/");
      const dataset = groupAt(file, path.slice(0, at)).create_dataset({
        name: path.slice(at + 1),
        data,
        dtype: typeOf(data),
        shape: [...shape],
      });
      setAttributes(dataset, attributes);
    }
  }).bytes;
}

function typeOf(data: ArrayData): string {
  if (data instanceof Float32Array) return "<f";
  if (data instanceof Float64Array) return "<d";
  if (data instanceof Uint8Array) return "<B";
  if (data instanceof Uint32Array) return "<I";
  return "<Q";
}
