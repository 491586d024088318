/**
 * To which run a file belongs, and which other files do.
 *
 * @module
 */
import * as h5wasm from "h5wasm";
import { File } from "../os/mod.ts";
import { objectAddress } from "./_h5wasm.ts";
import { MasterImages } from "./_master_images.ts";
import { Mounts } from "./_mounts.ts";
import { isHdf5 } from "./read_array_file.ts";
import { imageGroup } from "./read_image_file.ts";

/** What a file says of its run. */
export interface RunOfFile {
  /** The run's number; undefined where it is not said. */
  readonly runId: bigint | undefined;
  /** Names of the files that it shows, in its folder; none unless it is a master file. */
  readonly parts: readonly string[];
}

/**
 * Reads what an image file says of its run, however many files it shows: they are not opened.
 *
 * @returns Undefined if it is no image file.
 * @throws {OsError} ENOENT, EACCES, …
 */
export function readRunOfFile(path: string): RunOfFile | undefined {
  {
    using file = File.open(path);
    if (!isHdf5(file)) return undefined;
  }
  using mounts = new Mounts(path);
  try {
    const h5 = mounts.open();
    const name = imageGroup(h5.paths());
    const group = name === undefined ? undefined : h5.get(name);
    const data = name === undefined ? undefined : h5.get(`${name}/data`);
    if (!(group instanceof h5wasm.Group) || !(data instanceof h5wasm.Dataset)) return undefined;
    const runId: unknown = group.attrs["run_id"]?.value;
    const master = MasterImages.of(mounts.file, objectAddress(h5, `${name}/data`));
    return {
      runId: typeof runId === "bigint" ? runId : undefined,
      parts: master?.parts.map(({ file }) => file) ?? [],
    };
  } catch {
    return undefined; // the library's errors: it is HDF5 of another kind, or damaged
  }
}
