/**
 * What of a file's tree is written after the structure: large arrays, and texts known only later.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import { ChunkIndex } from "./_chunk_index.ts";
import type { FileSpace } from "./_space.ts";
import type { Structure } from "./_structure.ts";

/** Texts by the paths of their fields. */
export type LateTexts = Readonly<Record<string, string>>;

/** Completes a file that is valid already, in steps after each of which it is. */
export class LateParts {
  readonly #file: File;
  readonly #structure: Structure;

  constructor(file: File, structure: Structure) {
    this.#file = file;
    this.#structure = structure;
  }

  /**
   * Writes the large arrays.
   *
   * @param putEnd Stores the end of the space in use as the end of the file.
   * @throws {OsError} ENOSPC, …
   */
  start(space: FileSpace, putEnd: () => void): void {
    for (const { deflated, shape, indexAt } of this.#structure.deflated) {
      const index = new ChunkIndex(shape, Uint32Array.BYTES_PER_ELEMENT, space);
      space.ensurePages(index.pagesForNext(1));
      const at = space.reserve(deflated.byteLength);
      this.#file.writeAt(deflated, at);
      index.append(at, deflated.byteLength);
      const root = index.publish(this.#file)!; // there is a chunk
      putEnd();
      this.#file.writeAt(new Uint8Array(BigUint64Array.of(BigInt(root)).buffer), indexAt);
    }
  }

  /**
   * Checks texts.
   *
   * @returns Sets them, each with one write that a kill cannot tear. Needs no new space.
   * @throws {RangeError} If there is no such field, or no room for the text.
   */
  prepareTexts(texts: LateTexts): () => void {
    const writes = Object.entries(texts).map(([path, text]) => {
      const room = this.#structure.later.get(path);
      const bytes = new TextEncoder().encode(text);
      if (room === undefined || bytes.byteLength > room.bytes) {
        throw new RangeError(
          `${path} cannot become ${JSON.stringify(text)}: ` +
            (room === undefined ? "no such field is set later." : `it has ${room.bytes} bytes.`),
        );
      }
      const padded = new Uint8Array(room.bytes);
      padded.set(bytes);
      return { padded, at: room.at };
    });
    return () => {
      for (const { padded, at } of writes) this.#file.writeAt(padded, at);
    };
  }
}
