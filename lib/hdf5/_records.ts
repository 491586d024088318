/**
 * A dataset of fixed-size records, one for each image, that grows with them.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import { ChunkIndex } from "./_chunk_index.ts";
import type { FileSpace } from "./_space.ts";
import type { DatasetFields } from "./_structure.ts";

/** How a dataset of records is laid out. */
export interface RecordsLayout {
  /** Where its variable fields are. */
  fields: DatasetFields;
  /** Size of a record, bytes. */
  recordBytes: number;
  /** Records of a chunk; no fewer than `mostPending`. */
  chunk: number;
  /** Most records between two publications. */
  mostPending: number;
}

/** Collects records and writes them, in the steps of a publication. */
export class Records {
  readonly #file: File;
  readonly #space: FileSpace;
  readonly #layout: RecordsLayout;
  readonly #index: ChunkIndex;
  /** Records that have not been published yet. */
  readonly pending: DataView<ArrayBuffer>;
  #added = 0;
  #published = 0;
  /** Where the chunk being filled is, the one before, and the next one, once it is allocated. */
  #chunkAt = 0;
  #previousChunkAt = 0;
  #nextChunkAt: number | undefined;

  constructor(file: File, space: FileSpace, layout: RecordsLayout) {
    this.#file = file;
    this.#space = space;
    this.#layout = layout;
    this.#index = new ChunkIndex([layout.chunk], layout.recordBytes, space);
    this.pending = new DataView(new ArrayBuffer(layout.mostPending * layout.recordBytes));
  }

  /** Where the dataset keeps what grows. */
  get fields(): DatasetFields {
    return this.#layout.fields;
  }

  /** Most index pages that the next records take. */
  pagesForNext(records: number): number {
    return this.#reachNextChunk(records) ? this.#index.pagesForNext(1) : 0;
  }

  /**
   * Allocates what the next records need, no more of them than a chunk has; index pages were ensured.
   *
   * @throws {OsError} ENOSPC, …; it can be called again.
   */
  reserve(records: number): void {
    if (this.#nextChunkAt !== undefined || !this.#reachNextChunk(records)) return;
    this.#nextChunkAt = this.#space.reserve(this.#layout.chunk * this.#layout.recordBytes);
  }

  /** Adds a record, which was reserved. Returns where all its fields are to be put in {@link Records.pending}. */
  add(): number {
    const { chunk, recordBytes } = this.#layout;
    if (this.#reachNextChunk(1)) this.#beginChunk(chunk * recordBytes);
    return (this.#added++ - this.#published) * recordBytes;
  }

  /**
   * Writes the records not yet published and the index's nodes: nothing of it is visible yet.
   *
   * @returns Address of the index's root, `undefined` without records.
   * @throws {OsError} EIO, …; it can be called again.
   */
  write(): number | undefined {
    const currentStart = (this.#index.chunks - 1) * this.#layout.chunk;
    this.#writeRange(
      this.#published,
      Math.min(this.#added, currentStart),
      this.#previousChunkAt,
      currentStart - this.#layout.chunk,
    );
    this.#writeRange(
      Math.max(this.#published, currentStart),
      this.#added,
      this.#chunkAt,
      currentStart,
    );
    return this.#index.publish(this.#file);
  }

  /** To be told when a publication is complete. */
  published(): void {
    this.#published = this.#added;
  }

  /** Whether some of the next records are not in the chunk being filled. */
  #reachNextChunk(records: number): boolean {
    return this.#added + records > this.#index.chunks * this.#layout.chunk;
  }

  #beginChunk(bytes: number): void {
    const at = this.#nextChunkAt;
    if (at === undefined) throw new RangeError("no chunk of records was reserved");
    this.#index.append(at, bytes);
    this.#previousChunkAt = this.#chunkAt;
    this.#chunkAt = at;
    this.#nextChunkAt = undefined;
  }

  #writeRange(from: number, to: number, chunkAt: number, chunkStart: number): void {
    if (from >= to) return;
    const { recordBytes } = this.#layout;
    const records = new Uint8Array(
      this.pending.buffer,
      (from - this.#published) * recordBytes,
      (to - from) * recordBytes,
    );
    this.#file.writeAt(records, chunkAt + recordBytes * (from - chunkStart));
  }
}
