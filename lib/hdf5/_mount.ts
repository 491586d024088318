/**
 * Files on disk as files of the HDF5 library, without loading them.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import { h5Module, memoryPath } from "./_h5wasm.ts";

/**
 * Makes `file` appear in h5wasm's memory file system without loading it: an empty file there whose
 * size and reads are those of the descriptor.
 *
 * @param path Where it appears; default a path of its own.
 * @returns Its path there.
 */
export function mount(file: File, path = memoryPath()): string {
  const bytes = file.size();
  h5Module.FS.writeFile(path, new Uint8Array());
  // Emscripten's types leave out a node's operations (`stream_ops` and the size, `usedBytes`).
  const node = h5Module.FS.analyzePath(path).object;
  const operations: object = Reflect.get(node, "stream_ops");
  const read = (
    _stream: unknown,
    memory: Int8Array,
    offset: number,
    length: number,
    position: number,
  ): number =>
    file.readAt(new Uint8Array(memory.buffer, memory.byteOffset + offset, length), position);
  Object.defineProperty(node, "stream_ops", { value: { ...operations, read } });
  Object.defineProperty(node, "usedBytes", { get: () => bytes });
  return path;
}
