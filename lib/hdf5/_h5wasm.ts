/**
 * The HDF5 library (h5wasm), loaded once per thread, and files that exist only in its memory.
 *
 * @module
 */
import * as h5wasm from "h5wasm";

/** h5wasm's low-level functions; loading them takes about 0.1 s. */
export const h5Module = await h5wasm.ready;
h5Module.activate_throwing_error_handler();

let memoryFiles = 0;

/** A path in h5wasm's memory file system that nothing else uses. */
export function memoryPath(): string {
  return `/std_daq_${memoryFiles++}.h5`;
}

/**
 * Builds an HDF5 file in memory.
 *
 * The oldest format is asked for: a version-0 superblock and version-1 object headers and B-trees,
 * which every HDF5 library since 1.0 reads and which hold no checksums, so that fields can be
 * patched in place.
 *
 * @param build Fills the file and may return what it learnt (such as object addresses).
 * @returns The file's bytes, and what `build` returned.
 */
export function buildInMemory<T>(
  build: (file: h5wasm.File) => T,
): { bytes: Uint8Array<ArrayBuffer>; result: T } {
  const path = memoryPath();
  const file = new h5wasm.File(path, "w", { libver: ["earliest", "latest"] });
  try {
    let result: T;
    try {
      result = build(file);
      file.flush();
    } finally {
      file.close();
    }
    return { bytes: new Uint8Array(h5Module.FS.readFile(path)), result };
  } finally {
    h5Module.FS.unlink(path);
  }
}

/** Address of an object's header: an object reference of the oldest kind holds exactly that. */
export function objectAddress(file: h5wasm.File, path: string): number {
  const reference = Uint8Array.from(h5Module.create_object_reference(file.file_id, path));
  return Number(new DataView(reference.buffer).getBigUint64(0, true));
}

/** What went wrong; of the HDF5 library's report of all its calls, the innermost one's reason. */
export function reasonOf(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return [...text.matchAll(/^ +#\d+: .*? in \w+\(\): (.+)$/gm)].at(-1)?.[1] ?? text;
}
