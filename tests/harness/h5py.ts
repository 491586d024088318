import assert from "node:assert/strict";

const SCRIPT = new URL("h5_read.py", import.meta.url).pathname;
/** What HDF5 says of a file that grew while it was opened; it is opened once more then. */
const GREW = /truncated file|addr overflow/;
const MOST_OPENINGS = 3;
const PYTHON = "/usr/bin/python3";

/** An image file as h5py sees it. */
export interface H5File {
  /** Every object below the root, with its kind. */
  objects: Record<string, "group" | "dataset">;
  /** Of `/<detector>/data`. */
  data: { shape: number[]; dtype: string; chunks: number[]; sha256: string[] };
  /** Of `/<detector>/metadata`: its fields with their types, and its records. */
  metadata: { dtype: [name: string, type: string][]; records: [imageId: number, status: number][] };
  /** Of `/<detector>/image_info`: values of each field, as text, so that all 64 bits survive. */
  image_info: Record<string, string[]>;
  /** Attributes of `/<detector>`: integers as text, so that all 64 bits survive. */
  attributes: Record<string, string | number>;
}

/** Reads an image file with h5py, every image included. */
export async function readWithH5py(path: string): Promise<H5File> {
  return await run(path);
}

/** An image file with all its pixels, image after image, as h5py reads them; kept in `<path>.raw`. */
export async function readWithPixels(path: string): Promise<{ file: H5File; pixels: Uint8Array }> {
  const file = await run(path, `${path}.raw`);
  return { file, pixels: await Deno.readFile(`${path}.raw`) };
}

/** All pixels of an image file. */
export async function readPixels(path: string): Promise<Uint8Array> {
  return (await readWithPixels(path)).pixels;
}

async function run(...args: string[]): Promise<H5File> {
  const command = new Deno.Command(PYTHON, { args: [SCRIPT, ...args] });
  for (let opened = 1;; opened++) {
    const { success, stdout, stderr } = await command.output();
    if (success) return JSON.parse(new TextDecoder().decode(stdout));
    const reason = new TextDecoder().decode(stderr);
    if (GREW.test(reason) && opened < MOST_OPENINGS) continue;
    assert.fail(`h5py cannot read ${args[0]}: ${reason}`);
  }
}

/** The attributes of a file that are whole numbers. */
export function counters(file: H5File): Record<string, bigint> {
  return Object.fromEntries(
    Object.entries(file.attributes).flatMap(([name, value]) =>
      typeof value === "string" && /^\d+$/.test(value) ? [[name, BigInt(value)]] : []
    ),
  );
}

/** Image ids in a file, in the order of its images. */
export function imageIds(file: H5File): number[] {
  return file.metadata.records.map(([id]) => id);
}
