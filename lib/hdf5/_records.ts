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
  readonly #pending: DataView<ArrayBuffer>;
  #added = 0;
  #published = 0;
  /** Where the chunk being filled is, and the one before. */
  #chunkAt = 0;
  #previousChunkAt = 0;

  constructor(file: File, space: FileSpace, layout: RecordsLayout) {
    this.#file = file;
    this.#space = space;
    this.#layout = layout;
    this.#index = new ChunkIndex([layout.chunk], layout.recordBytes, space);
    this.#pending = new DataView(new ArrayBuffer(layout.mostPending * layout.recordBytes));
  }

  /** Where the dataset keeps what grows. */
  get fields(): DatasetFields {
    return this.#layout.fields;
  }

  /** Most index pages that {@link reserve} takes. */
  get pagesForNext(): number {
    return this.#startsChunk ? this.#index.pagesForNext : 0;
  }

  /**
   * Allocates what the next record needs; index pages were ensured.
   *
   * @throws {OsError} ENOSPC, …; it can be called again.
   */
  reserve(): void {
    if (!this.#startsChunk) return;
    const bytes = this.#layout.chunk * this.#layout.recordBytes;
    const at = this.#space.reserve(bytes);
    this.#index.append(at, bytes);
    this.#previousChunkAt = this.#chunkAt;
    this.#chunkAt = at;
  }

  /** Adds a record; {@link reserve} came first. Returns where to put its fields, all zero. */
  add(): DataView<ArrayBuffer> {
    const { recordBytes } = this.#layout;
    const at = (this.#added++ - this.#published) * recordBytes;
    const record = new DataView(this.#pending.buffer, at, recordBytes);
    new Uint8Array(this.#pending.buffer, at, recordBytes).fill(0);
    return record;
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

  get #startsChunk(): boolean {
    return this.#added === this.#index.chunks * this.#layout.chunk;
  }

  #writeRange(from: number, to: number, chunkAt: number, chunkStart: number): void {
    if (from >= to) return;
    const { recordBytes } = this.#layout;
    const records = new Uint8Array(
      this.#pending.buffer,
      (from - this.#published) * recordBytes,
      (to - from) * recordBytes,
    );
    this.#file.writeAt(records, chunkAt + recordBytes * (from - chunkStart));
  }
}
