/**
 * The chunk index of a dataset that grows along its first dimension: a version-1 B-tree.
 *
 * Source: HDF5 File Format Specification 3.0, III.A.1 ("Version 1 B-trees", node type 1). Layout of
 * a node with K = 32, that is up to 64 entries (the value of a version-0 superblock):
 *
 * | offset | type | what |
 * |---|---|---|
 * | 0 | 4 bytes | `TREE` |
 * | 4 | u8 | 1: indexes raw data chunks |
 * | 5 | u8 | level, 0 for leaves |
 * | 6 | u16 | entries in use, n |
 * | 8 | u64 | address of the left sibling, all ones for none |
 * | 16 | u64 | address of the right sibling |
 * | 24 | | key 0, child 0, key 1, child 1, … child n−1, key n |
 *
 * A child is the u64 address of a node or a chunk. A key is u32 chunk bytes, u32 filter mask (bit 0 set: the chunk
 * was stored without its filter), then
 * one u64 per dimension (the chunk's first element) and one more for the element itself (0). Key n
 * is the upper bound of what lies below.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import { type FileSpace, PAGE_BYTES } from "./_space.ts";

/** Most entries of a node. */
export const FAN_OUT = 64;

/** "No address" in HDF5. */
export const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn;

/** Filter mask of a chunk that did not go through the dataset's one filter. */
export const UNFILTERED = 1;

const HEADER_BYTES = 24;
const ENTRIES_AT = 6;
const LEFT_AT = 8;
const RIGHT_AT = 16;

/** A node that may still change or has not been written yet. */
interface Node {
  address: number;
  entries: number;
  /** Row and size of the first chunk below it. */
  firstRow: number;
  firstBytes: number;
  view: DataView<ArrayBuffer>;
}

/**
 * Appends chunks and writes only the nodes that changed: the cost of {@link ChunkIndex.publish}
 * does not depend on the file's length, and memory holds one node per level.
 *
 * Safe against a kill at any instant: new nodes are complete before a node refers to them, an
 * existing node gets its new entries before its count, and the caller stores the root's address and
 * the dataset's length last.
 */
export class ChunkIndex {
  readonly #chunkShape: readonly number[];
  readonly #elementBytes: number;
  readonly #keyBytes: number;
  readonly #space: FileSpace;
  /** The rightmost node of each level, leaves first. */
  readonly #rightmost: Node[] = [];
  /** Full nodes of each level that have not been written since they changed, left to right. */
  readonly #retired: Node[][] = [];
  /** Pages of retired nodes that have been written, for new ones: long runs leave no garbage here. */
  readonly #spare: DataView<ArrayBuffer>[] = [];
  #chunks = 0;
  #rows = 0;
  #published = 0;

  /**
   * @param chunkShape Elements per chunk along each dimension.
   * @param elementBytes Size of one element, bytes.
   * @param space Where nodes come from: one page each.
   */
  constructor(chunkShape: readonly number[], elementBytes: number, space: FileSpace) {
    this.#chunkShape = chunkShape;
    this.#elementBytes = elementBytes;
    this.#space = space;
    this.#keyBytes = 8 + 8 * (chunkShape.length + 1);
    if (HEADER_BYTES + FAN_OUT * 8 + (FAN_OUT + 1) * this.#keyBytes > PAGE_BYTES) {
      throw new RangeError(`an index of ${chunkShape.length} dimensions does not fit in a page`);
    }
  }

  /**
   * Most pages that the next chunks can take: one per level and a new root.
   *
   * @param chunks How many, at most {@link FAN_OUT}.
   */
  pagesForNext(chunks: number): number {
    const leaf = this.#rightmost[0];
    return leaf && leaf.entries + chunks <= FAN_OUT ? 0 : this.#rightmost.length + 1;
  }

  /** Number of chunks appended. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Adds the next chunk along the first dimension.
   *
   * @param address Where the chunk is in the file.
   * @param bytes Its size there.
   * @param filtered Whether it went through the dataset's filter, if it has one.
   */
  append(address: number, bytes: number, filtered = true): void {
    this.#add(0, address, this.#rows, bytes, filtered ? 0 : UNFILTERED);
    this.#rows += this.#chunkShape[0]!;
    this.#chunks++;
  }

  /** Leaves out the next chunk: readers see the fill value there. */
  skip(): void {
    this.#rows += this.#chunkShape[0]!;
  }

  /**
   * Writes what changed since the last call. After an error it can be called again.
   *
   * @returns The root's address; `undefined` for an empty index.
   * @throws {OsError} EIO, …
   */
  publish(file: File): number | undefined {
    const root = this.#rightmost.at(-1);
    if (!root || this.#published === this.#chunks) return root?.address;
    // Children before parents, right siblings before left ones: nothing refers to an unwritten node.
    this.#rightmost.forEach((rightmost, level) => {
      this.#putEndKey(rightmost);
      this.#write(file, rightmost);
      for (const node of this.#retired[level]!.toReversed()) this.#write(file, node);
    });
    for (const nodes of this.#retired) this.#spare.push(...nodes.splice(0).map(({ view }) => view));
    this.#published = this.#chunks;
    return root.address;
  }

  #add(level: number, child: number, row: number, bytes: number, mask = 0): void {
    let node = this.#rightmost[level];
    if (!node) {
      const below = this.#rightmost[level - 1];
      node = this.#newNode(level, below ? below.firstRow : row, below ? below.firstBytes : bytes);
      this.#retired[level] = [];
      this.#rightmost[level] = node;
    } else if (node.entries === FAN_OUT) {
      const next = this.#newNode(level, row, bytes);
      node.view.setBigUint64(RIGHT_AT, BigInt(next.address), true);
      next.view.setBigUint64(LEFT_AT, BigInt(node.address), true);
      this.#putKey(node, FAN_OUT, row, bytes);
      // The first split of a level makes it the child of a new root.
      if (level + 1 === this.#rightmost.length) {
        this.#add(level + 1, node.address, node.firstRow, node.firstBytes);
      }
      this.#retired[level]!.push(node);
      this.#rightmost[level] = next;
      this.#add(level + 1, next.address, row, bytes);
      node = next;
    }
    putU64(node.view, this.#putKey(node, node.entries, row, bytes, mask), child);
    node.entries++;
    node.view.setUint16(ENTRIES_AT, node.entries, true);
  }

  #newNode(level: number, firstRow: number, firstBytes: number): Node {
    const view = this.#spare.pop() ?? new DataView(new ArrayBuffer(PAGE_BYTES));
    new Uint8Array(view.buffer).fill(0).set([0x54, 0x52, 0x45, 0x45, 1, level]); // "TREE"
    view.setBigUint64(LEFT_AT, UNDEFINED_ADDRESS, true);
    view.setBigUint64(RIGHT_AT, UNDEFINED_ADDRESS, true);
    return { address: this.#space.takePage(), entries: 0, firstRow, firstBytes, view };
  }

  /** Writes key `index`; returns where the child behind it goes. */
  #putKey(node: Node, index: number, row: number, bytes: number, mask = 0): number {
    const at = HEADER_BYTES + index * (this.#keyBytes + 8), end = at + this.#keyBytes;
    node.view.setUint32(at, bytes, true);
    node.view.setUint32(at + 4, mask, true);
    putU64(node.view, at + 8, row);
    for (let rest = at + 16; rest < end; rest += 8) putU64(node.view, rest, 0);
    return end;
  }

  /** The last key of the rightmost nodes: one chunk past the last one in every dimension. */
  #putEndKey(node: Node): void {
    this.#putKey(node, node.entries, this.#rows, 0);
    const at = HEADER_BYTES + node.entries * (this.#keyBytes + 8) + 8;
    [...this.#chunkShape.slice(1), this.#elementBytes].forEach((size, i) => {
      node.view.setBigUint64(at + 8 * (i + 1), BigInt(size), true);
    });
  }

  #write(file: File, node: Node): void {
    const bytes = new Uint8Array(node.view.buffer);
    file.writeAt(bytes.subarray(HEADER_BYTES), node.address + HEADER_BYTES);
    file.writeAt(bytes.subarray(0, HEADER_BYTES), node.address);
  }
}

/** A whole number from 0 to 2^53, without a bigint. */
function putU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value, true); // modulo 2^32
  view.setUint32(at + 4, value / 2 ** 32, true);
}
