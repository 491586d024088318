/**
 * The attributes of the detector's group, in a file that is being written.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import {
  type AttributeBlock,
  type AttributeValue,
  encodeAttributeBlock,
  LAST_ATTRIBUTES_BYTES,
  MESSAGE_SLOTS,
} from "./_attributes.ts";
import type { FileSpace } from "./_space.ts";
import type { Structure } from "./_structure.ts";

/** Attributes by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/**
 * Sets attributes, changes counters among them in place, and replaces all others once: in two blocks of
 * fixed size, of which one is valid at any instant.
 */
export class GroupAttributes {
  readonly #file: File;
  readonly #group: Structure["group"];
  /** The group's header up to its continuation message, as it was made. */
  readonly #header: Uint8Array<ArrayBuffer>;
  readonly #initial: Attributes;
  readonly #counters: Map<string, bigint>;
  readonly #word = new DataView(new ArrayBuffer(8));
  readonly #firstBlock: AttributeBlock;
  #spareBlock = 0;
  #counterAt = new Map<string, number>();

  /**
   * Writes nothing yet.
   *
   * @throws {RangeError} If the attributes do not fit, or a name is used twice or is empty.
   */
  constructor(
    file: File,
    structure: Structure,
    initial: Attributes,
    counters: readonly string[],
  ) {
    this.#file = file;
    this.#group = structure.group;
    this.#header = structure.bytes.slice(
      structure.group.messageCountAt,
      structure.group.continuationAt + 16,
    );
    this.#initial = initial;
    this.#counters = new Map(counters.map((name) => [name, 0n]));
    this.#firstBlock = this.#encode(initial, LAST_ATTRIBUTES_BYTES);
  }

  /**
   * Reserves space for both blocks and makes the first attributes visible.
   *
   * @param putEnd Stores the end of the space in use as the end of the file.
   * @throws {OsError} ENOSPC, …
   */
  start(space: FileSpace, putEnd: () => void): void {
    const blockBytes = this.#firstBlock.bytes.byteLength;
    const at = space.reserve(blockBytes);
    this.#spareBlock = space.reserve(blockBytes);
    this.#switchTo(this.#firstBlock, at, putEnd);
  }

  /**
   * Prepares the replacement of all attributes: the first ones, with `last` added or in their place.
   *
   * @throws {RangeError} If they do not fit or name a counter.
   * @returns Makes them visible. Needs no new space.
   */
  prepareLast(last: Attributes): (putEnd: () => void) => void {
    const block = this.#encode({ ...this.#initial, ...last }, 0, this.#firstBlock.bytes.byteLength);
    return (putEnd) => this.#switchTo(block, this.#spareBlock, putEnd);
  }

  /**
   * Changes counters. Each value is changed atomically, all of them are not.
   *
   * @throws {RangeError} If there is no such counter or a value is not u64.
   */
  setCounters(values: Readonly<Record<string, bigint>>): void {
    this.#check(values);
    for (const [name, value] of Object.entries(values)) {
      if (this.#counters.get(name) === value) continue;
      this.#word.setBigUint64(0, value, true);
      this.#file.writeAt(new Uint8Array(this.#word.buffer), this.#counterAt.get(name)!);
      this.#counters.set(name, value);
    }
  }

  #encode(attributes: Attributes, spare: number, blockBytes?: number): AttributeBlock {
    const { symbolTable } = this.#group;
    const entries = new Map(Object.entries(attributes));
    return encodeAttributeBlock(symbolTable, this.#counters, entries, spare, blockBytes);
  }

  /** Writes a whole block, then makes it the valid one. */
  #switchTo(block: AttributeBlock, at: number, putEnd: () => void): void {
    // What changed since the block was encoded.
    const view = new DataView(block.bytes.buffer);
    for (const [name, value] of this.#counters) {
      view.setBigUint64(block.counterAt.get(name)!, value, true);
    }
    this.#file.writeAt(block.bytes, at);
    putEnd();
    const { messageCountAt, continuationAt } = this.#group;
    // The count and the address are in one page: one write cannot be torn by a kill.
    const patch = this.#header.slice();
    const patchView = new DataView(patch.buffer);
    patchView.setUint16(0, 2 + MESSAGE_SLOTS, true); // continuation, symbol table, slots
    patchView.setBigUint64(continuationAt - messageCountAt, BigInt(at), true);
    patchView.setBigUint64(
      continuationAt - messageCountAt + 8,
      BigInt(block.bytes.byteLength),
      true,
    );
    this.#file.writeAt(patch, messageCountAt);
    this.#counterAt = new Map([...block.counterAt].map(([name, offset]) => [name, at + offset]));
  }

  #check(values: Readonly<Record<string, bigint>>): void {
    for (const [name, value] of Object.entries(values)) {
      if (!this.#counters.has(name)) {
        throw new RangeError(
          `No counter ${JSON.stringify(name)} in ${this.#file.path}, there are: ` +
            `${[...this.#counters.keys()].join(", ") || "none"}. Name it at creation.`,
        );
      }
      if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
        throw new RangeError(`Counter ${name} cannot be ${value}: 0 to 2^64 - 1.`);
      }
    }
  }
}
