/**
 * Makes the groups, fields and links of a file with the HDF5 library.
 *
 * @module
 */
import * as h5wasm from "h5wasm";
import type { FileTree, TreeAttribute, TreeAttributes, TreeField } from "./file_tree.ts";

/** Paths of the fields that are completed after the file was made. */
export interface UnfinishedFields {
  /** Texts that are set later, and their longest length, bytes. */
  later: Map<string, number>;
  /** Deflated arrays and what is in them. */
  deflated: Map<string, { deflated: Uint8Array; shape: readonly [number, number] }>;
}

/**
 * Writes a tree into a file; groups may be there already.
 *
 * @throws {RangeError} If a link leads nowhere, or a text is too long.
 */
export function writeTree(file: h5wasm.File, tree: FileTree): UnfinishedFields {
  const unfinished: UnfinishedFields = { later: new Map(), deflated: new Map() };
  writeGroup(file, "", tree, unfinished);
  writeLinks(file, "", tree); // last: to anything that is there by then
  return unfinished;
}

/** A group, made with all above it where it is not there. */
export function groupAt(file: h5wasm.File, path: string): h5wasm.Group {
  let group: h5wasm.Group = file;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const there = group.keys().includes(name) ? group.get(name) : group.create_group(name);
    if (!(there instanceof h5wasm.Group)) {
      throw new RangeError(`${path} leads through ${name}, which is no group`);
    }
    group = there;
  }
  return group;
}

/** Sets an attribute: texts have a fixed length, all numbers are little endian. */
export function setAttribute(
  owner: h5wasm.Group | h5wasm.Dataset,
  name: string,
  value: TreeAttribute,
): void {
  if (typeof value === "string") {
    owner.create_attribute(name, value, [], `S${textBytes(value)}`);
  } else if (typeof value === "number") {
    owner.create_attribute(name, new Float64Array([value]), [], "<d");
  } else if (typeof value === "bigint") {
    owner.create_attribute(name, new BigInt64Array([value]), [], "<q");
  } else {
    owner.create_attribute(name, Float64Array.from(value), [value.length], "<d");
  }
}

function writeGroup(
  file: h5wasm.File,
  path: string,
  { attributes = {}, fields = {}, groups = {} }: FileTree,
  unfinished: UnfinishedFields,
): void {
  const group = groupAt(file, path);
  setAttributes(group, attributes);
  for (const [name, field] of Object.entries(fields)) {
    setAttributes(writeField(group, name, field), field.attributes);
    if ("textBytes" in field) unfinished.later.set(`${path}/${name}`, field.textBytes);
    if ("deflated" in field) unfinished.deflated.set(`${path}/${name}`, field);
  }
  for (const [name, below] of Object.entries(groups)) {
    writeGroup(file, `${path}/${name}`, below, unfinished);
  }
}

function writeLinks(file: h5wasm.File, path: string, tree: FileTree): void {
  for (const [name, target] of Object.entries(tree.links ?? {})) {
    try {
      groupAt(file, path).create_hard_link(target, name);
    } catch (cause) {
      throw new RangeError(
        `${path}/${name} cannot be a link to ${target}: that is not in the file, or the name is taken.`,
        { cause },
      );
    }
  }
  for (const [name, below] of Object.entries(tree.groups ?? {})) {
    writeLinks(file, `${path}/${name}`, below);
  }
}

function writeField(group: h5wasm.Group, name: string, field: TreeField): h5wasm.Dataset {
  if ("textBytes" in field) {
    const { textBytes: room, text = "" } = field;
    if (textBytes(text) > room) {
      throw new RangeError(`${name}: ${JSON.stringify(text)} is longer than ${room} bytes`);
    }
    return group.create_dataset({ name, data: text, shape: [], dtype: `S${room}` });
  }
  if ("deflated" in field) {
    const [rows, columns] = field.shape;
    return group.create_dataset({
      ...{ name, data: new Uint32Array(), dtype: "<I" },
      // No rows yet, so that the library does not write any.
      ...{ shape: [0, columns], maxshape: [null, columns], chunks: [rows, columns] },
      ...{ compression: "gzip", compression_opts: 6 },
    });
  }
  const { value } = field;
  if (typeof value === "string") {
    return group.create_dataset({ name, data: value, shape: [], dtype: `S${textBytes(value)}` });
  }
  if (typeof value === "boolean") {
    return group.create_dataset({ name, data: Uint8Array.of(Number(value)), shape: [] });
  }
  const shape = typeof value === "object" ? [value.length] : [];
  const values: readonly (number | bigint)[] = typeof value === "object" ? value : [value];
  const whole = values.every((each) => typeof each === "bigint");
  return group.create_dataset(
    whole
      ? { name, data: BigInt64Array.from(values, BigInt), shape, dtype: "<q" }
      : { name, data: Float64Array.from(values, Number), shape, dtype: "<d" },
  );
}

/** Sets attributes as {@link setAttribute} does. */
export function setAttributes(
  owner: h5wasm.Group | h5wasm.Dataset,
  attributes: TreeAttributes = {},
): void {
  for (const [name, value] of Object.entries(attributes)) setAttribute(owner, name, value);
}

/** Bytes of a text in a file: at least one, HDF5 has no empty texts of fixed length. */
function textBytes(text: string): number {
  return Math.max(1, new TextEncoder().encode(text).byteLength);
}
