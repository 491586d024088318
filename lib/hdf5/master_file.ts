/**
 * The master file of images that are spread over several files: it shows them all, in order, and
 * holds none.
 *
 * @module
 */
import type { File } from "../os/mod.ts";
import type { AttributeValue } from "./_attributes.ts";
import { GroupAttributes } from "./_group_attributes.ts";
import { LateParts } from "./_late_parts.ts";
import { checkCounterNames, checkGroupName, checkWhole, groupPath } from "./_options.ts";
import { FileSpace } from "./_space.ts";
import {
  buildStructure,
  type DatasetAttributes,
  type DatasetFields,
  END_OF_FILE_AT,
  writeStructure,
} from "./_structure.ts";
import {
  encodeGlobalHeap,
  encodeMappings,
  isPartName,
  type RowMapping,
  VIRTUAL_LAYOUT,
  VIRTUAL_LAYOUT_CLASS,
  VIRTUAL_LAYOUT_VERSION,
} from "./_virtual.ts";
import type { FileTree } from "./file_tree.ts";
import { ImageFileError, type LastOfFile } from "./image_file.ts";
import type { PixelType } from "./pixel_type.ts";
import type { RecordFields } from "./record_type.ts";

/** One of the files that a master file shows. */
export interface MasterPart {
  /** Its name, in the same folder as the master file. */
  file: string;
  /** Place of its first image among all images. */
  firstImage: number;
  /** Images from one of its images to the next. */
  step: number;
}

/** What a master file shows. */
export interface MasterFileOptions {
  /** Name of the group that holds the datasets, here and in all parts. */
  detector: string;
  /** Absolute path of that group; default `/<detector>`. */
  group?: string;
  /** Absolute path of the group in all parts; default the same. */
  partGroup?: string;
  /** What is in the file besides; links in it may lead to the group and its datasets. */
  tree?: FileTree;
  /** Attributes of the datasets, as of an image file's. */
  datasetAttributes?: DatasetAttributes;
  /** Rows of an image, px. */
  height: number;
  /** Columns of an image, px. */
  width: number;
  /** Type of a pixel. */
  pixelType: PixelType;
  /** Fields of the parts' `image_info`; default none. */
  info?: RecordFields;
  /** The files, which may be created later, or never. */
  parts: readonly MasterPart[];
  /** Attributes of the group, as of an image file. */
  attributes: Readonly<Record<string, AttributeValue>>;
  /** Names of uint64 attributes of the group that {@link MasterFile.setCounters} changes. */
  counters?: readonly string[];
}

/** A virtual dataset of a master file. */
interface VirtualDataset {
  readonly name: string;
  /** Elements of a row along the further dimensions. */
  readonly rowShape: readonly number[];
  readonly fields: DatasetFields;
}

/**
 * A file of virtual datasets with the names and types of an image file's: all rows that the parts have
 * when it is opened, in order. It is written at the start, and grows with its parts by itself; further parts
 * are added by {@link MasterFile.extend}. The place of an image that is in no part reads as 0. Any HDF5
 * library since 1.10 reads it. It is valid at every instant from {@link MasterFile.create} on.
 */
export class MasterFile {
  readonly #file: File;
  readonly #partGroup: string;
  readonly #datasets: readonly VirtualDataset[];
  readonly #space: FileSpace;
  readonly #attributes: GroupAttributes;
  readonly #late: LateParts;
  readonly #word = new DataView(new ArrayBuffer(8));
  #open = true;

  /**
   * Writes the file.
   *
   * @param file Empty, opened for reading and writing. It stays the caller's: close it after
   * {@link MasterFile.close}.
   * @throws {OsError} ENOSPC, EIO, …
   * @throws {RangeError} If an option is out of range.
   * @throws {ImageFileError} If the file is not empty.
   */
  static create(file: File, options: MasterFileOptions): MasterFile {
    checkOptions(options);
    const size = file.size();
    if (size !== 0) {
      throw new ImageFileError(
        `${file.path} already holds ${size} bytes, an empty file is needed: choose another name.`,
      );
    }
    return new MasterFile(file, options);
  }

  private constructor(file: File, options: MasterFileOptions) {
    const { height, width, pixelType, parts, attributes, info = {} } = options;
    const group = groupPath(options);
    const { partGroup = group } = options;
    this.#file = file;
    // Chunked datasets without rows, for the time until their mappings are in the file.
    const structure = buildStructure({
      ...{ group, height, width, pixelType, info },
      tree: options.tree,
      datasetAttributes: options.datasetAttributes,
      metadataChunk: 1,
      compression: "none",
    });
    this.#attributes = new GroupAttributes(file, structure, attributes, options.counters ?? []);
    this.#late = new LateParts(file, structure);
    this.#partGroup = partGroup;
    this.#datasets = [
      { name: "data", rowShape: [height, width], fields: structure.data },
      { name: "metadata", rowShape: [], fields: structure.metadata },
      ...(structure.info === undefined
        ? []
        : [{ name: "image_info", rowShape: [], fields: structure.info }]),
    ];
    writeStructure(file, structure);
    this.#space = new FileSpace(file, structure.bytes.byteLength, false);
    this.#attributes.start(this.#space, () => this.#putEnd());
    this.#late.start(this.#space, () => this.#putEnd());
    this.#map(parts);
  }

  /**
   * Shows other files, too.
   *
   * @param parts All parts from now on, those that are shown already among them.
   * @throws {OsError} ENOSPC, EIO, …; those of before are shown then.
   * @throws {RangeError} If a part is out of range.
   * @throws {ImageFileError} If the file is closed.
   */
  extend(parts: readonly MasterPart[]): void {
    this.#requireOpen();
    checkParts(parts);
    this.#map(parts);
  }

  /**
   * Sets counter attributes in the file. Each value is changed atomically, all of them are not.
   *
   * @throws {RangeError} If a name was not given to {@link MasterFile.create} or a value is not u64.
   * @throws {OsError} EIO, …
   * @throws {ImageFileError} If the file is closed.
   */
  setCounters(values: Readonly<Record<string, bigint>>): void {
    this.#requireOpen();
    this.#attributes.setCounters(values);
  }

  /**
   * Adds the last attributes and texts. The descriptor stays open, it is the caller's.
   *
   * @throws {RangeError} If the attributes do not fit or name a counter, or there is no such text;
   * nothing was changed then.
   * @throws {OsError} EIO, …
   * @throws {ImageFileError} If the file is closed already.
   */
  close({ attributes, texts = {} }: LastOfFile = {}): void {
    this.#requireOpen();
    const putTexts = this.#late.prepareTexts(texts);
    if (attributes !== undefined) {
      this.#attributes.prepareLast(attributes)(() => this.#putEnd());
    }
    putTexts();
    this.#open = false;
  }

  /** Writes the mappings, then has each dataset refer to them, by a write that a kill cannot tear. */
  #map(parts: readonly MasterPart[]): void {
    const heap = encodeGlobalHeap(
      this.#datasets.map(({ name, rowShape }) =>
        encodeMappings(mappings(parts, this.#partGroup, name), rowShape)
      ),
    );
    const heapAt = this.#space.reserve(heap.byteLength);
    this.#file.writeAt(heap, heapAt);
    this.#putEnd();
    // `data` last: it is never longer than its records.
    const layouts = this.#datasets.map(({ fields }, i) => ({
      ...{ at: fields.layoutAt, layout: encodeLayout(heapAt, i + 1) },
    }));
    for (const { at, layout } of layouts.toReversed()) this.#file.writeAt(layout, at);
  }

  #putEnd(): void {
    this.#word.setBigUint64(0, BigInt(this.#space.end), true);
    this.#file.writeAt(new Uint8Array(this.#word.buffer), END_OF_FILE_AT);
  }

  #requireOpen(): void {
    if (!this.#open) {
      throw new ImageFileError(`${this.#file.path} is closed: create another file.`);
    }
  }
}

function mappings(parts: readonly MasterPart[], group: string, name: string): RowMapping[] {
  return parts.map(({ file, firstImage, step }) => ({
    file,
    dataset: `${group}/${name}`,
    first: firstImage,
    step,
  }));
}

function encodeLayout(heapAt: number, object: number): Uint8Array<ArrayBuffer> {
  const body = new DataView(new ArrayBuffer(VIRTUAL_LAYOUT.$bytes));
  body.setUint8(VIRTUAL_LAYOUT.version, VIRTUAL_LAYOUT_VERSION);
  body.setUint8(VIRTUAL_LAYOUT.class, VIRTUAL_LAYOUT_CLASS);
  body.setBigUint64(VIRTUAL_LAYOUT.heap, BigInt(heapAt), true);
  body.setUint32(VIRTUAL_LAYOUT.index, object, true);
  return new Uint8Array(body.buffer);
}

function checkOptions(options: MasterFileOptions): void {
  const { detector, height, width, parts, counters = [] } = options;
  checkGroupName(detector);
  groupPath(options);
  checkCounterNames(counters);
  checkWhole("height", height, 1, 2 ** 31);
  checkWhole("width", width, 1, 2 ** 31);
  checkParts(parts);
}

function checkParts(parts: readonly MasterPart[]): void {
  checkWhole("number of parts", parts.length, 1, 2 ** 20);
  for (const { file, firstImage, step } of parts) {
    if (!isPartName(file)) {
      throw new RangeError(
        `${JSON.stringify(file)} cannot name a part: give the name of a file in the same folder.`,
      );
    }
    checkWhole(`first image of ${file}`, firstImage, 0, Number.MAX_SAFE_INTEGER);
    checkWhole(`step of ${file}`, step, 1, Number.MAX_SAFE_INTEGER);
  }
}
