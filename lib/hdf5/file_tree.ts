/**
 * What an image file holds beside its images: groups, fields, attributes and links, told as data.
 *
 * @module
 */

/** Values of an attribute: text (UTF-8), number (float64), integer (int64), or several numbers. */
export type TreeAttribute = string | number | bigint | readonly number[];

/** Attributes by name. */
export type TreeAttributes = Readonly<Record<string, TreeAttribute>>;

/** A dataset with a value that is known when the file is made. */
export interface ValueField {
  /** Text (UTF-8), number (float64), integer (int64), boolean (uint8, 0 or 1), or several of one kind. */
  readonly value: string | number | bigint | boolean | readonly number[] | readonly bigint[];
  /** Its attributes. */
  readonly attributes?: TreeAttributes;
}

/** A text that is set later; empty until then. */
export interface LaterField {
  /** Longest text, bytes of UTF-8. */
  readonly textBytes: number;
  /** What it is until then; default empty. */
  readonly text?: string;
  /** Its attributes. */
  readonly attributes?: TreeAttributes;
}

/** A large array of uint32, compressed: HDF5's deflate filter, which every reader has. */
export interface DeflatedField {
  /** Rows and columns. */
  readonly shape: readonly [rows: number, columns: number];
  /** The values, little endian, row by row, as a zlib stream. */
  readonly deflated: Uint8Array;
  /** Its attributes. */
  readonly attributes?: TreeAttributes;
}

/** A dataset. */
export type TreeField = ValueField | LaterField | DeflatedField;

/** A group, and all that is in it. */
export interface FileTree {
  /** Its attributes. */
  readonly attributes?: TreeAttributes;
  /** Its datasets by name. */
  readonly fields?: Readonly<Record<string, TreeField>>;
  /** Its groups by name. */
  readonly groups?: Readonly<Record<string, FileTree>>;
  /** Hard links by name, to absolute paths in the same file: to any other part of it, or the images. */
  readonly links?: Readonly<Record<string, string>>;
}
