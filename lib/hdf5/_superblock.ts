/**
 * The first bytes of a file, in two versions: one for readers that follow it while it grows, one for
 * all readers.
 *
 * A reader that has opened a file knows where it ended, and reads nothing behind that; unless it has
 * opened it with SWMR (h5py: `swmr=True`), for which the superblock must be of version 3. Libraries
 * before 1.10 know version 2 at most. So a file has version 3 while it is written, and version 0, as
 * the library made it, when it is closed. Both refer to the same objects.
 *
 * Source: HDF5 File Format Specification 3.0, II.A ("Disk Format: Level 0A - Format Signature and
 * Superblock").
 *
 * @module
 */
import { lookup3 } from "./_lookup3.ts";
import { UnexpectedStructureError } from "./_object_header.ts";

/** Version 0: u64 end of file; u64 address of the root group's object header. */
const V0 = { $bytes: 96, version: 8, end: 40, root: 64 } as const;

/** Version 3: u8 bytes of addresses and of lengths, u8 flags, u64 base, extension, end, root, u32 checksum. */
const V3 = {
  $bytes: 48,
  version: 8,
  offsetBytes: 9,
  lengthBytes: 10,
  base: 12,
  extension: 20,
  end: 28,
  root: 36,
  checksum: 44,
} as const;

const UNDEFINED_ADDRESS = 0xffff_ffff_ffff_ffffn;

/** Makes the superblocks of one file; each is written by one write within one page. */
export class Superblock {
  readonly #finished: DataView<ArrayBuffer>;
  readonly #growing: DataView<ArrayBuffer>;

  /**
   * @param file The file as the library made it.
   * @throws {UnexpectedStructureError} If its superblock is not of version 0.
   */
  constructor(file: Uint8Array) {
    const template = file.slice(0, V0.$bytes);
    if (template[V0.version] !== 0) {
      throw new UnexpectedStructureError(
        `superblock version ${template[V0.version]} instead of 0`,
      );
    }
    this.#finished = new DataView(template.buffer);
    // What is left of version 0 behind version 3 is not looked at.
    const bytes = template.slice();
    bytes.fill(0, V3.version, V3.$bytes);
    const view = this.#growing = new DataView(bytes.buffer);
    view.setUint8(V3.version, 3);
    view.setUint8(V3.offsetBytes, 8);
    view.setUint8(V3.lengthBytes, 8);
    view.setBigUint64(V3.extension, UNDEFINED_ADDRESS, true);
    view.setBigUint64(V3.root, this.#finished.getBigUint64(V0.root, true), true);
  }

  /** The superblock of a file that is being written and ends there. */
  growing(end: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.#growing.buffer);
    this.#growing.setBigUint64(V3.end, BigInt(end), true);
    this.#growing.setUint32(V3.checksum, lookup3(bytes.subarray(0, V3.checksum)), true);
    return bytes;
  }

  /** The superblock of a file that is complete and ends there. */
  finished(end: number): Uint8Array<ArrayBuffer> {
    this.#finished.setBigUint64(V0.end, BigInt(end), true);
    return new Uint8Array(this.#finished.buffer);
  }
}
