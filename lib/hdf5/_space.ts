/**
 * Where things go in a growing file: images at the end, index pages in reserved runs.
 *
 * @module
 */
import { type File, OsError } from "../os/mod.ts";

/** Granularity of index pages and reserved runs, bytes; a write inside one is not torn by a kill. */
export const PAGE_BYTES = 4096;

/** Index pages taken at a time. */
const RUN_PAGES = 16;

/** Most that is preallocated ahead, bytes. */
const PREALLOCATION_BYTES = 512 * 2 ** 20;

/** Rounds up to a multiple of `unit`. */
export function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/**
 * Allocates space in a file from its end.
 *
 * What the index needs is really allocated before an image is accepted, so that publishing and
 * closing succeed on a full disk. (Copy-on-write file systems may still refuse; nothing can be
 * reserved there.)
 */
export class FileSpace {
  readonly #file: File;
  #end: number;
  #nextPage = 0;
  #pagesEnd = 0;
  #preallocate: boolean;
  #preallocated = 0;

  /**
   * @param file Open for writing.
   * @param end What the file holds already, bytes.
   * @param preallocate Whether to reserve blocks for images ahead of their writing.
   */
  constructor(file: File, end: number, preallocate: boolean) {
    this.#file = file;
    this.#end = end;
    this.#preallocate = preallocate;
  }

  /** End of what is in use, bytes. */
  get end(): number {
    return this.#end;
  }

  /**
   * Takes `bytes` at the end, page aligned and really allocated.
   *
   * @throws {OsError} ENOSPC, EDQUOT, …; nothing is taken then.
   */
  reserve(bytes: number): number {
    const at = alignUp(this.#end, PAGE_BYTES);
    try {
      this.#file.allocate(at, bytes);
    } catch (error) {
      if (!(error instanceof OsError) || !["EOPNOTSUPP", "ENOSYS"].includes(error.code)) {
        throw error;
      }
      this.#file.writeAt(new Uint8Array(bytes), at); // e.g. NFS before 4.2
    }
    this.#end = at + bytes;
    return at;
  }

  /**
   * Makes sure that {@link takePage} succeeds `pages` times.
   *
   * @param pages At most 16.
   * @throws {OsError} ENOSPC, EDQUOT, …
   */
  ensurePages(pages: number): void {
    if (this.#nextPage + pages * PAGE_BYTES <= this.#pagesEnd) return;
    this.#nextPage = this.reserve(RUN_PAGES * PAGE_BYTES);
    this.#pagesEnd = this.#nextPage + RUN_PAGES * PAGE_BYTES;
  }

  /** Address of a fresh index page. {@link ensurePages} came first. */
  takePage(): number {
    const at = this.#nextPage;
    if (at + PAGE_BYTES > this.#pagesEnd) throw new RangeError("no index page was reserved");
    this.#nextPage = at + PAGE_BYTES;
    return at;
  }

  /**
   * Where the next `bytes` bytes of image would go; they are taken by {@link commit}.
   *
   * @param align Multiple to start at, bytes.
   * @param ahead How much image data is still expected, this image included, bytes.
   */
  place(bytes: number, align: number, ahead: number): number {
    const at = alignUp(this.#end, align);
    if (this.#preallocate && at + bytes > this.#preallocated) {
      const from = Math.max(at, this.#preallocated);
      const step = Math.max(at + bytes - from, Math.min(ahead, PREALLOCATION_BYTES));
      try {
        this.#file.allocate(from, step, true);
        this.#preallocated = from + step;
      } catch (error) {
        if (!(error instanceof OsError)) throw error;
        // Only a convenience: the write itself says what is wrong, if anything.
        this.#preallocate = false;
      }
    }
    return at;
  }

  /** Takes `[at, at + bytes)`, given by {@link place}, after it was written. */
  commit(at: number, bytes: number): void {
    this.#end = at + bytes;
  }
}
