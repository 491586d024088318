/**
 * Reads compressed images back: h5wasm has no filter 32008.
 *
 * @module
 */
import {
  bitshuffleScratchBytes,
  bytesOf,
  decompressChunk,
  type ElementBytes,
  type KernelMemory,
  kernelMemory,
  readChunkHeader,
  type Region,
} from "../kernels/mod.ts";
import type { File } from "../os/mod.ts";
import { UNDEFINED_ADDRESS, UNFILTERED } from "./_chunk_index.ts";
import { MessageType, onlyMessage, readObjectHeader } from "./_object_header.ts";
import { PAGE_BYTES } from "./_space.ts";

const WASM_PAGE_BYTES = 65536;
const NODE_HEADER_BYTES = 24;
/** Key and child of a node's entry, in a dataset of three dimensions. */
const KEY_BYTES = 40;
const ENTRY_BYTES = KEY_BYTES + 8;
/** An object header of ours is within so many bytes of its start. */
const HEADER_BYTES = 65536;

/** Where a chunk is in a file. */
interface Chunk {
  at: number;
  bytes: number;
  /** Stored without its filter. */
  plain: boolean;
}

/** An image as its file stores it. */
export interface StoredImage {
  /** Its chunk, or its pixels. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Whether it is a chunk, compressed. */
  readonly compressed: boolean;
}

/** The images of a dataset of three dimensions, one chunk each. */
export class CompressedChunks {
  readonly #file: File;
  readonly #address: number;
  readonly #elementBytes: ElementBytes;
  readonly #imageBytes: number;
  #on: KernelMemory | undefined;

  /**
   * @param dataset Address of the dataset's object header.
   * @param elementBytes Size of a pixel, bytes.
   * @param imageBytes Size of an image, bytes.
   */
  constructor(file: File, dataset: number, elementBytes: ElementBytes, imageBytes: number) {
    this.#file = file;
    this.#address = dataset;
    this.#elementBytes = elementBytes;
    this.#imageBytes = imageBytes;
  }

  /**
   * The bytes of an image; zeros where it was left out.
   *
   * @throws {CompressedChunkError} If its chunk is damaged.
   */
  read(row: number): Uint8Array<ArrayBuffer> {
    const chunk = this.#find(row);
    if (chunk === undefined) return new Uint8Array(this.#imageBytes);
    if (chunk.plain) return this.#readAt(chunk.at, this.#imageBytes);
    const { blockBytes } = readChunkHeader(this.#readAt(chunk.at, Math.min(chunk.bytes, 12)));
    const elements = this.#imageBytes / this.#elementBytes;
    const block = blockBytes === 0 ? undefined : Math.ceil(blockBytes / this.#elementBytes);
    const scratch = bitshuffleScratchBytes(elements, this.#elementBytes, block);
    const { on, rooms: [scratchRoom, to, from] } = this.#rooms(
      scratch,
      this.#imageBytes,
      chunk.bytes,
    );
    bytesOf(on, from).set(this.#readAt(chunk.at, chunk.bytes));
    decompressChunk(on, { from, to, elementBytes: this.#elementBytes, scratch: scratchRoom });
    return bytesOf(on, to).slice();
  }

  /** A chunk as it is stored; undefined if there is none. */
  stored(row: number): StoredImage | undefined {
    const chunk = this.#find(row);
    return chunk && { bytes: this.#readAt(chunk.at, chunk.bytes), compressed: !chunk.plain };
  }

  /** Searches the index (`_chunk_index.ts` has its layout) from its root down. */
  #find(row: number): Chunk | undefined {
    const header = this.#readAt(0, this.#address + HEADER_BYTES);
    const { bodyAt } = onlyMessage(readObjectHeader(header, this.#address), MessageType.layout);
    let node = new DataView(header.buffer).getBigUint64(bodyAt + 3, true);
    while (node !== UNDEFINED_ADDRESS) {
      const view = new DataView(this.#readAt(Number(node), PAGE_BYTES).buffer);
      const level = view.getUint8(5);
      const keyRow = (i: number): number =>
        Number(view.getBigUint64(NODE_HEADER_BYTES + i * ENTRY_BYTES + 8, true));
      let entry = view.getUint16(6, true) - 1;
      while (entry > 0 && keyRow(entry) > row) entry--;
      const at = NODE_HEADER_BYTES + entry * ENTRY_BYTES;
      const child = view.getBigUint64(at + KEY_BYTES, true);
      if (level > 0) node = child;
      else if (keyRow(entry) !== row) return undefined;
      else {
        const plain = (view.getUint32(at + 4, true) & UNFILTERED) !== 0;
        return { at: Number(child), bytes: view.getUint32(at, true), plain };
      }
    }
    return undefined;
  }

  #readAt(at: number, bytes: number): Uint8Array<ArrayBuffer> {
    const buffer = new Uint8Array(bytes);
    this.#file.readAt(buffer, at);
    return buffer;
  }

  /** Regions of so many bytes, in a kernel memory that is large enough. */
  #rooms(...sizes: [number, number, number]): {
    on: KernelMemory;
    rooms: [Region, Region, Region];
  } {
    let end = WASM_PAGE_BYTES; // the kernels' own
    const room = (bytes: number): Region => {
      const at = end;
      end += Math.ceil(bytes / 16) * 16;
      return { at, bytes };
    };
    const rooms: [Region, Region, Region] = [room(sizes[0]), room(sizes[1]), room(sizes[2])];
    if (this.#on === undefined || this.#on.memory.buffer.byteLength < end) {
      const pages = Math.ceil(end / WASM_PAGE_BYTES);
      this.#on = kernelMemory(
        new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true }),
      );
    }
    return { on: this.#on, rooms };
  }
}
