/**
 * The images that a master file shows, out of the files that hold them: h5wasm has no filter 32008, so
 * that it cannot read a virtual dataset of compressed images.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import type { MasterPart } from "./master_file.ts";
import { MessageType, onlyMessage, readObjectHeader } from "./_object_header.ts";
import {
  decodeMappings,
  findHeapObject,
  type RowMapping,
  VIRTUAL_LAYOUT,
  VIRTUAL_LAYOUT_CLASS,
  VIRTUAL_LAYOUT_VERSION,
} from "./_virtual.ts";

/** Bytes of a file in which its structure is. */
const STRUCTURE_BYTES = 65536;

/** Where an image is. */
export interface ImagePlace {
  /** Name of the file, in the master file's folder. */
  file: string;
  /** Row in it. */
  row: number;
}

/** Finds a virtual dataset's rows. */
export class MasterImages {
  readonly #mappings: readonly RowMapping[];

  private constructor(mappings: readonly RowMapping[]) {
    this.#mappings = mappings.toSorted((a, b) => b.first - a.first);
  }

  /**
   * Reads the mappings of a dataset.
   *
   * @param dataset Address of its object header.
   * @returns Undefined if it is not virtual, or maps its sources in another way than we do.
   */
  static of(file: File, dataset: number): MasterImages | undefined {
    const bytes = new Uint8Array(dataset + STRUCTURE_BYTES);
    file.readAt(bytes, 0);
    const { bodyAt } = onlyMessage(readObjectHeader(bytes, dataset), MessageType.layout);
    const view = new DataView(bytes.buffer, bodyAt, VIRTUAL_LAYOUT.$bytes);
    const version = view.getUint8(VIRTUAL_LAYOUT.version);
    const kind = view.getUint8(VIRTUAL_LAYOUT.class);
    if (version !== VIRTUAL_LAYOUT_VERSION || kind !== VIRTUAL_LAYOUT_CLASS) return undefined;
    const heapAt = Number(view.getBigUint64(VIRTUAL_LAYOUT.heap, true));
    const block = findHeapObject(
      (at, length) => {
        const part = new Uint8Array(length);
        file.readAt(part, heapAt + at);
        return part;
      },
      view.getUint32(VIRTUAL_LAYOUT.index, true),
    );
    const mappings = block && decodeMappings(block);
    return mappings && new MasterImages(mappings);
  }

  /** The files that are shown. */
  get parts(): readonly MasterPart[] {
    return this.#mappings.toReversed()
      .map(({ file, first, step }) => ({ file, firstImage: first, step }));
  }

  /** Path of the group in them. */
  get group(): string | undefined {
    return this.#mappings[0]?.dataset.replace(/\/[^/]*$/, "");
  }

  /** Where a row's image is, if its file is there and has so many. */
  place(row: number): ImagePlace | undefined {
    const found = this.#mappings.find(({ first, step }) =>
      first <= row && (row - first) % step === 0
    );
    return found && { file: found.file, row: (row - found.first) / found.step };
  }
}
