import assert from "node:assert/strict";

const PYTHON = "/usr/bin/python3";
const SCRIPT = new URL("h5_arrays.py", import.meta.url).pathname;

/** A dataset as h5py reads it. */
export interface H5Array {
  /** Such as `<f4`. */
  dtype: string;
  shape: number[];
  /** Its values, little endian. */
  buffer: ArrayBuffer;
}

/** Attributes by object, then by name; and datasets by path. */
export interface H5Arrays {
  attributes: Record<string, Record<string, string | number>>;
  datasets: Record<string, H5Array>;
}

/** Reads any HDF5 file with h5py, all of it. */
export async function readArraysWithH5py(path: string): Promise<H5Arrays> {
  const folder = await Deno.makeTempDir({ prefix: "h5_arrays_" });
  try {
    const command = new Deno.Command(PYTHON, { args: [SCRIPT, path, folder] });
    const { success, stdout, stderr } = await command.output();
    assert.ok(success, `h5py cannot read ${path}: ${new TextDecoder().decode(stderr)}`);
    const { attributes, datasets } = JSON.parse(new TextDecoder().decode(stdout));
    const arrays: Record<string, H5Array> = {};
    for (const [name, { number, dtype, shape }] of Object.entries<NumberedDataset>(datasets)) {
      const { buffer } = await Deno.readFile(`${folder}/${number}.bin`);
      arrays[name] = { dtype, shape, buffer };
    }
    return { attributes, datasets: arrays };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface NumberedDataset {
  number: number;
  dtype: string;
  shape: number[];
}
