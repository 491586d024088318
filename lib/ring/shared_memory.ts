/**
 * A WebAssembly memory into which files are mapped: the place where rings, tables and kernels meet.
 *
 * @module
 */
import { KERNEL_MEMORY_END, WASM_PAGE } from "../kernels/mod.ts";
import { addressOf, type File, mapFixed, PAGE_BYTES } from "../os/mod.ts";

/** Largest memory that kernels work in, bytes: almost 4 GiB. */
export const LARGEST_MEMORY: number = KERNEL_MEMORY_END;

/** How to map a file into a {@link SharedMemory}. */
export interface MapFileOptions {
  /** First byte of the file to map, a multiple of 4096. */
  fileOffset?: number;
  /** Map for writing; default read-only, where a stray write kills the process instead of corrupting. */
  writable?: boolean;
  /** Fault the pages in now, so that the first packets do not pay for it; default true. */
  populate?: boolean;
}

/**
 * A fixed-size shared WebAssembly memory with a simple allocator. Nothing is ever freed: a memory
 * belongs to one service and lives as long as it.
 */
export class SharedMemory {
  /** The memory, for {@link instantiateKernels}. */
  readonly memory: WebAssembly.Memory;
  /** Address of byte 0 in this process. */
  readonly base: bigint;
  /** The whole memory as bytes. */
  readonly u8: Uint8Array;
  /** The whole memory as u32 (index = byte / 4). */
  readonly u32: Uint32Array;
  /** The whole memory as u64 (index = byte / 8). */
  readonly u64: BigUint64Array;
  /** The whole memory, any type at any place. */
  readonly dv: DataView;
  #next = WASM_PAGE; // low addresses stay unused, so that 0 is never a valid address

  /**
   * Reserves the address space; pages are taken when they are used.
   *
   * @param bytes Room for everything that will be allocated and mapped, alignment included.
   * @throws {RangeError} If it were larger than {@link LARGEST_MEMORY}.
   */
  constructor(bytes: number) {
    const pages = Math.ceil((bytes + WASM_PAGE) / WASM_PAGE) + 1;
    if (pages * WASM_PAGE > LARGEST_MEMORY) {
      throw new RangeError(
        `A memory for kernels has at most ${LARGEST_MEMORY} bytes, ${bytes} and a margin were asked for`,
      );
    }
    this.memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const buffer = this.memory.buffer;
    this.u8 = new Uint8Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.u64 = new BigUint64Array(buffer);
    this.dv = new DataView(buffer);
    this.base = addressOf(this.u8);
  }

  /** Takes `bytes` zeroed bytes; returns their place.
   *
   * @throws {RangeError} If the memory is used up.
   */
  allocate(bytes: number, align = 64): number {
    const at = Math.ceil(this.#next / align) * align;
    if (at + bytes > this.u8.byteLength) {
      throw new RangeError(
        `This memory of ${this.u8.byteLength} bytes has ${
          this.u8.byteLength - at
        } left, ${bytes} were asked for`,
      );
    }
    this.#next = at + bytes;
    return at;
  }

  /**
   * Maps `bytes` bytes of a file; returns where they appear. The file must be long enough: touching
   * pages past its end kills the process (SIGBUS).
   *
   * @throws {RangeError} If the file is too short or the memory used up.
   * @throws {OsError} If mmap fails.
   */
  map(file: File, bytes: number, options: MapFileOptions = {}): number {
    const { fileOffset = 0 } = options;
    if (file.size() < fileOffset + bytes) {
      throw new RangeError(
        `${file.path} has ${file.size()} bytes, ${fileOffset + bytes} are to be mapped: ` +
          "it is being made right now, or is no ring of this size",
      );
    }
    const at = this.allocate(Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES, PAGE_BYTES);
    this.remap(at, file, bytes, options);
    return at;
  }

  /** Maps a file over a place that {@link map} returned before. */
  remap(at: number, file: File, bytes: number, options: MapFileOptions = {}): void {
    const { fileOffset = 0, writable = false, populate = true } = options;
    mapFixed({
      address: this.base + BigInt(at),
      bytes,
      fd: file.fd,
      fileOffset,
      writable,
      populate,
    });
  }
}
