/**
 * The image file writer: image bytes go from a ring to the file without passing through JavaScript,
 * and the file is a valid HDF5 file at every instant from {@link ImageFile.create} on.
 *
 * @module
 */
import { addressOf, type File, OsError } from "../os/mod.ts";
import type { AttributeValue } from "./_attributes.ts";
import { ChunkIndex } from "./_chunk_index.ts";
import { GroupAttributes } from "./_group_attributes.ts";
import { LateParts, type LateTexts } from "./_late_parts.ts";
import { checkCounterNames, checkGroupName, checkWhole, groupPath } from "./_options.ts";
import { recordBytes, RecordEncoder } from "./_record_encoder.ts";
import { Records } from "./_records.ts";
import { alignUp, FileSpace, PAGE_BYTES } from "./_space.ts";
import {
  buildStructure,
  type DatasetAttributes,
  type Structure,
  writeStructure,
} from "./_structure.ts";
import { Superblock } from "./_superblock.ts";
import type { ImageCompression } from "./compression.ts";
import type { FileTree } from "./file_tree.ts";
import { PIXEL_BYTES, type PixelType } from "./pixel_type.ts";
import type { RecordFields, RecordValues } from "./record_type.ts";

export type { AttributeValue } from "./_attributes.ts";
export type { DatasetAttributes } from "./_structure.ts";
export type { LateTexts } from "./_late_parts.ts";

/** What a file is closed with. */
export interface LastOfFile {
  /** Attributes of the group to add to, or to replace among, those that the file was made with. */
  attributes?: Readonly<Record<string, AttributeValue>>;
  /** Texts of fields of the tree that are set later, by path. */
  texts?: LateTexts;
}

/** What to write. */
export interface ImageFileOptions {
  /** Name of the group that holds the datasets. */
  detector: string;
  /** Absolute path of that group, which ends with its name; default `/<detector>`. */
  group?: string;
  /** What is in the file besides; links in it may lead to the group and its datasets. */
  tree?: FileTree;
  /** Attributes of the datasets, such as `units`. */
  datasetAttributes?: DatasetAttributes;
  /** Rows of an image, px. */
  height: number;
  /** Columns of an image, px. */
  width: number;
  /** Type of a pixel, little-endian in file and memory. */
  pixelType: PixelType;
  /** How many images will come; 0 when that is not known. More may come than that. */
  expectedImages: number;
  /** Attributes of the group: texts, numbers (float64) and bigints (uint64, or int64 if negative). */
  attributes: Readonly<Record<string, AttributeValue>>;
  /** Names of uint64 attributes of the group that {@link ImageFile.setCounters} changes. */
  counters?: readonly string[];
  /** How images are compressed; default not at all. */
  compression?: ImageCompression;
  /** Fields of `image_info`, a dataset with a record for each image; default none, and no dataset. */
  info?: RecordFields;
  /**
   * Multiple of which images start in the file, bytes; default 4096, of compressed ones smaller than 128 KiB
   * 8, so that little space is left between them.
   */
  alignBytes?: number;
  /** {@link ImageFile.appendImage} publishes by itself after this many images; default 32. */
  publishEvery?: number;
  /**
   * Reserve blocks ahead of writing, up to 512 MiB: 1.3 times as fast on ext4, 0.9 times on /dev/shm.
   * Default: yes, unless the file's path starts with `/dev/shm/`.
   */
  preallocate?: boolean;
}

/** An image, or the place of one. */
export interface ImageRecord {
  /** The image's id, u64. */
  imageId: bigint;
  /** Its status: 1 good, 2 missing packets, 3 id mismatch; 0 if there are no pixels. */
  status: number;
  /** Values of the fields of {@link ImageFileOptions.info}. */
  info?: RecordValues;
}

/** Where an image's bytes are in memory. */
export interface ImageBytes {
  /** The image's id, for complaints. */
  imageId: bigint;
  /** Address of its first byte. */
  address: bigint;
  /** Its size, bytes: height × width × bytes per pixel, or that of the compressed chunk. */
  bytes: number;
  /**
   * In a file of compressed images: whether it is a chunk, compressed; default yes. If not, it is stored
   * as it is, and readers are told that its filter was left out.
   */
  compressed?: boolean;
  /**
   * Asked after its bytes were written: whether they were whole all the time. If not, the image is not
   * taken.
   */
  isIntact?: () => boolean;
}

/** Whether a file is in memory, not on a disk: one by a path below `/dev/shm`. */
export function isInMemory(path: string): boolean {
  return path.startsWith("/dev/shm/");
}

/** An image to append. */
export interface ImageToAppend extends ImageRecord, ImageBytes {
  /** Its id. */
  imageId: bigint;
}

/** Where an image's bytes are in the file. */
export interface WrittenImage {
  /** The first of them, from the start of the file. */
  readonly at: number;
  /** How many they are. */
  readonly bytes: number;
  /** Whether they are a chunk, compressed. */
  readonly compressed: boolean;
}

/** Thrown when an image file is asked for something it cannot do. */
export class ImageFileError extends Error {
  /** The class's name. */
  override name = "ImageFileError";
}

/** Images for which the indices have what they need, ahead of them; at most a node's entries. */
const ROWS_AHEAD = 32;
/** Most metadata records per chunk. */
const METADATA_CHUNK = 16384;
const MIN_METADATA_CHUNK = 1024;
const METADATA_BYTES = 16;
/** What is between two images that are written with one call. */
const ZEROS = new Uint8Array(PAGE_BYTES);
/** Compressed images of so many bytes start at pages: what is left between two is 3 % of them at most. */
const LARGE_CHUNK = 32 * PAGE_BYTES;
/** HDF5's limit: a chunk's size is a u32. */
const MAX_CHUNK_BYTES = 2 ** 32 - 1;

/**
 * An HDF5 file of images, being written.
 *
 * | path | type | shape |
 * |---|---|---|
 * | `/<detector>/data` | pixel | (n, height, width), one chunk per image |
 * | `/<detector>/metadata` | {u64 image_id, u64 status} | (n) |
 * | `/<detector>/image_info` | {fields of the options} | (n), if there are any |
 *
 * Appended images become visible by {@link ImageFile.publish}, which orders its writes so that the
 * file opens after the writer was killed at any instant, each image that it shows is complete, and
 * `metadata` is at least as long as `data`. (Against loss of power there is no such promise.)
 *
 * All methods are synchronous: this is for a Worker.
 */
export class ImageFile {
  readonly #file: File;
  readonly #options: ImageFileOptions;
  readonly #structure: Structure;
  readonly #space: FileSpace;
  readonly #superblock: Superblock;
  readonly #dataIndex: ChunkIndex;
  readonly #metadata: Records;
  readonly #info: Records | undefined;
  readonly #infoEncoder: RecordEncoder;
  readonly #attributes: GroupAttributes;
  readonly #late: LateParts;
  readonly #imageBytes: number;
  /** Address of {@link ZEROS}. */
  readonly #zeros = addressOf(ZEROS);
  readonly #publishEvery: number;
  readonly #word = new DataView(new ArrayBuffer(8));
  /** Roots of the indices as the file has them, by the place of the field. */
  readonly #roots = new Map<number, number>();
  /** Images and places of images. */
  #rows = 0;
  #skipped = 0;
  /** Rows for which the indices have all that they need. */
  #reserved = 0;
  #published = 0;
  #publishedSkipped = 0;
  #storedEnd = 0;
  #open = true;

  /**
   * Writes an empty, valid file.
   *
   * @param file Empty, opened for reading and writing. It stays the caller's: close it after
   * {@link ImageFile.close}.
   * @throws {OsError} ENOSPC, EIO, …
   * @throws {RangeError} If an option is out of range.
   * @throws {ImageFileError} If the file is not empty.
   */
  static create(file: File, options: ImageFileOptions): ImageFile {
    checkOptions(options);
    const size = file.size();
    if (size !== 0) {
      throw new ImageFileError(
        `${file.path} already holds ${size} bytes, an empty file is needed: choose another name.`,
      );
    }
    return new ImageFile(file, options);
  }

  private constructor(file: File, options: ImageFileOptions) {
    const { height, width, pixelType, expectedImages } = options;
    const { compression = "none", info = {}, publishEvery = 32 } = options;
    this.#file = file;
    this.#options = options;
    this.#imageBytes = height * width * PIXEL_BYTES[pixelType];
    this.#publishEvery = publishEvery;
    // No larger than needed, no smaller than what one publication writes.
    const metadataChunk = Math.max(
      MIN_METADATA_CHUNK,
      publishEvery,
      Math.min(METADATA_CHUNK, expectedImages || METADATA_CHUNK),
    );
    const shape = { height, width, pixelType };
    this.#structure = buildStructure({
      ...{ ...shape, metadataChunk, compression, info },
      group: groupPath(options),
      tree: options.tree,
      datasetAttributes: options.datasetAttributes,
    });
    const { attributes, counters = [] } = options;
    this.#attributes = new GroupAttributes(file, this.#structure, attributes, counters);
    this.#late = new LateParts(file, this.#structure);

    // Valid from here on: the structure alone is an empty image file. One that is longer than a page is
    // no HDF5 file until its first page is written, which comes last.
    const { bytes, metadata, info: infoFields } = this.#structure;
    this.#superblock = new Superblock(bytes);
    bytes.set(this.#superblock.growing(bytes.byteLength));
    writeStructure(file, this.#structure);
    const preallocate = options.preallocate ?? !isInMemory(file.path);
    this.#space = new FileSpace(file, bytes.byteLength, preallocate);
    this.#attributes.start(this.#space, () => this.#putEnd());
    this.#late.start(this.#space, () => this.#putEnd());
    this.#dataIndex = new ChunkIndex([1, height, width], PIXEL_BYTES[pixelType], this.#space);
    const records = { chunk: metadataChunk, mostPending: publishEvery };
    this.#metadata = new Records(file, this.#space, {
      ...records,
      fields: metadata,
      recordBytes: METADATA_BYTES,
    });
    this.#infoEncoder = new RecordEncoder(info);
    this.#info = infoFields && new Records(file, this.#space, {
      ...records,
      fields: infoFields,
      recordBytes: recordBytes(info),
    });
  }

  /** Images appended so far. */
  get appendedImages(): number {
    return this.#rows - this.#skipped;
  }

  /** Images appended so far and places of images left out. */
  get rows(): number {
    return this.#rows;
  }

  /** Rows that a reader of the file sees. */
  get publishedImages(): number {
    return this.#published;
  }

  /** Images that a reader of the file sees. */
  get visibleImages(): number {
    return this.#published - this.#publishedSkipped;
  }

  /** Size of one image that is not compressed, bytes. */
  get imageBytes(): number {
    return this.#imageBytes;
  }

  /** End of what the file holds, bytes. */
  get endBytes(): number {
    return this.#space.end;
  }

  /**
   * Appends one image, straight from memory.
   *
   * @returns Whether the image was taken.
   * @throws {OsError} ENOSPC, EDQUOT, EIO, … If the image count did not grow the image was not
   * taken; either way what was appended before can still be published and the file closed.
   * @throws {RangeError} If the size is wrong, or there are not as many values as fields.
   * @throws {ImageFileError} If the file is closed.
   */
  appendImage(image: ImageToAppend): boolean {
    const [written] = this.writeImages([image]);
    if (written !== undefined) this.addImage(image, written);
    return written !== undefined;
  }

  /**
   * The first half of {@link ImageFile.appendImage}, for several images at once: writes their bytes. Each
   * that was whole all the time is to be {@link ImageFile.addImage | added}, in this order.
   *
   * @returns Where they are, undefined for one that was not whole: for the first of them, at least one.
   * The others are still to be written: one of them cannot be, or they cannot be written with these.
   * @throws As {@link ImageFile.appendImage}, for the first of them.
   */
  writeImages(images: readonly ImageBytes[]): (WrittenImage | undefined)[] {
    this.#requireOpen();
    this.#reserve();
    const { written, pieces, bytes } = this.#lineUp(images);
    const { at } = written[0]!; // there is one at least
    const { expectedImages } = this.#options;
    const ahead = expectedImages === 0 ? Infinity : Math.max(1, expectedImages - this.#rows);
    this.#space.place(bytes, this.#alignment(written[0]!.bytes), ahead * written[0]!.bytes);
    try {
      if (written.length === 1) this.#file.writeFrom(pieces[0]!, bytes, at);
      else this.#file.writeAllFrom(BigUint64Array.from(pieces), at);
    } catch (error) {
      if (written.length === 1 || !(error instanceof OsError)) throw error;
      return this.writeImages(images.slice(0, 1)); // it may be another one that cannot be written
    }
    return written.map((each, i) => {
      if (images[i]!.isIntact?.() === false) return undefined;
      this.#space.commit(each.at, each.bytes);
      return each;
    });
  }

  /**
   * The second half: the image counts from now on, and is published with the others.
   *
   * @throws As {@link ImageFile.appendImage}.
   */
  addImage(record: ImageRecord, { at, bytes, compressed }: WrittenImage): void {
    this.#requireOpen();
    this.#infoEncoder.check(record.info ?? []);
    this.#reserve();
    // Nothing below can fail before the image counts.
    this.#addRecords(record);
    this.#dataIndex.append(at, bytes, compressed);
    this.#rows++;
    this.#publishIfDue();
  }

  /**
   * Leaves the place of one image: a row whose pixels read as 0, with its records.
   *
   * @throws {OsError} As {@link ImageFile.appendImage}.
   * @throws {RangeError} If there are not as many values as fields.
   * @throws {ImageFileError} If the file is closed.
   */
  skipImage(image: ImageRecord): void {
    this.#requireOpen();
    this.#infoEncoder.check(image.info ?? []);
    this.#reserve();
    this.#addRecords(image);
    this.#dataIndex.skip();
    this.#rows++;
    this.#skipped++;
    this.#publishIfDue();
  }

  /**
   * Makes all rows visible to readers. About ten small writes, however long the file is.
   *
   * @throws {OsError} EIO, …; it can be called again.
   * @throws {ImageFileError} If the file is closed.
   */
  publish(): void {
    this.#requireOpen();
    if (this.#published === this.#rows) return;
    const { data } = this.#structure;
    const records = this.#info === undefined ? [this.#metadata] : [this.#info, this.#metadata];
    // A reader trusts, in this order: the lengths, the index roots, the nodes, the end of file. So
    // they are written in the opposite order, and the length of `data` very last.
    this.#putEnd();
    const roots = records.map((each) => [each.fields.indexAt, each.write()] as const);
    for (
      const [at, root] of [...roots, [data.indexAt, this.#dataIndex.publish(this.#file)]] as const
    ) {
      if (root === undefined || this.#roots.get(at) === root) continue;
      this.#put(at, BigInt(root));
      this.#roots.set(at, root);
    }
    for (const { lengthAt } of [...records.map(({ fields }) => fields), data]) {
      this.#put(lengthAt, BigInt(this.#rows));
    }
    this.#published = this.#rows;
    this.#publishedSkipped = this.#skipped;
    for (const each of records) each.published();
  }

  /**
   * Sets counter attributes in the file. Each value is changed atomically, all of them are not.
   *
   * @param values New values by name, u64.
   * @throws {RangeError} If a name was not given to {@link ImageFile.create} or a value is not u64.
   * @throws {OsError} EIO, …
   * @throws {ImageFileError} If the file is closed.
   */
  setCounters(values: Readonly<Record<string, bigint>>): void {
    this.#requireOpen();
    this.#attributes.setCounters(values);
  }

  /**
   * Publishes what was appended, adds the last attributes and texts, gives back reserved space. Needs no
   * new space, so that it works on a full disk. The descriptor stays open, it is the caller's.
   *
   * @throws {RangeError} If the attributes do not fit or name a counter, or there is no such text;
   * nothing was changed then.
   * @throws {OsError} EIO, …
   * @throws {ImageFileError} If the file is closed already.
   */
  close({ attributes, texts = {} }: LastOfFile = {}): void {
    this.#requireOpen();
    const putTexts = this.#late.prepareTexts(texts);
    const putLast = attributes && this.#attributes.prepareLast(attributes);
    this.publish();
    putLast?.(() => this.#putEnd());
    putTexts();
    // The last readers that follow it have what they need in memory.
    this.#file.writeAt(this.#superblock.finished(this.#space.end), 0);
    this.#file.truncate(this.#space.end);
    this.#open = false;
  }

  /** Where the first images go, and in which pieces: those of which one may follow the other. */
  #lineUp(
    images: readonly ImageBytes[],
  ): { written: WrittenImage[]; pieces: bigint[]; bytes: number } {
    const begin = alignUp(this.#space.end, this.#alignment(images[0]!.bytes));
    const written: WrittenImage[] = [], pieces: bigint[] = [];
    let end = begin;
    for (const { imageId, address, bytes, compressed = true } of images) {
      const at = alignUp(end, this.#alignment(bytes));
      if (written.length === 0) this.#checkSize(imageId, bytes, compressed);
      else if (at - end > PAGE_BYTES || !this.#isSize(bytes, compressed)) break;
      if (at > end) pieces.push(this.#zeros, BigInt(at - end));
      pieces.push(address, BigInt(bytes));
      written.push({ at, bytes, compressed });
      end = at + bytes;
    }
    return { written, pieces, bytes: end - begin };
  }

  /** Multiple at which an image of so many bytes starts. The kernel copies whole pages fastest. */
  #alignment(bytes: number): number {
    const { alignBytes, compression = "none" } = this.#options;
    return alignBytes ?? (compression === "none" || bytes >= LARGE_CHUNK ? PAGE_BYTES : 8);
  }

  #isSize(bytes: number, compressed: boolean): boolean {
    const { compression = "none" } = this.#options;
    const isChunk = compression !== "none" && compressed;
    return isChunk ? bytes <= MAX_CHUNK_BYTES : bytes === this.#imageBytes;
  }

  #checkSize(imageId: bigint, bytes: number, compressed: boolean): void {
    if (this.#isSize(bytes, compressed)) return;
    throw new RangeError(
      `Image ${imageId} has ${bytes} bytes, ${this.#imageBytes} are needed: ` +
        "check bit depth and image size of the detector config.",
    );
  }

  /** Allocates what the next rows need of all indices, so that only an image's own bytes can fail. */
  #reserve(): void {
    // Full only when the last publication failed: try it again rather than lose records.
    if (this.#rows - this.#published === this.#publishEvery) this.publish();
    if (this.#rows < this.#reserved) return;
    const { expectedImages } = this.#options;
    const rows = Math.max(1, Math.min(ROWS_AHEAD, (expectedImages || Infinity) - this.#rows));
    const records = this.#info === undefined ? [this.#metadata] : [this.#info, this.#metadata];
    const pages = records.map((each) => each.pagesForNext(rows));
    this.#space.ensurePages(pages.reduce((a, b) => a + b, this.#dataIndex.pagesForNext(rows)));
    for (const each of records) each.reserve(rows);
    this.#reserved = this.#rows + rows;
  }

  #addRecords({ imageId, status, info = [] }: ImageRecord): void {
    if (this.#info !== undefined) {
      this.#infoEncoder.encode(this.#info.pending, this.#info.add(), info);
    }
    const { pending } = this.#metadata;
    const at = this.#metadata.add();
    pending.setBigUint64(at, imageId, true);
    pending.setUint32(at + 8, status, true);
    pending.setUint32(at + 12, 0, true);
  }

  #publishIfDue(): void {
    if (this.#rows - this.#published === this.#publishEvery) this.publish();
  }

  /** Stores the end of file: a reader refuses a file shorter than that, and addresses behind it. */
  #putEnd(): void {
    if (this.#storedEnd === this.#space.end) return;
    this.#file.writeAt(this.#superblock.growing(this.#space.end), 0);
    this.#storedEnd = this.#space.end;
  }

  #put(at: number, value: bigint): void {
    this.#word.setBigUint64(0, value, true);
    this.#file.writeAt(new Uint8Array(this.#word.buffer), at);
  }

  #requireOpen(): void {
    if (!this.#open) {
      throw new ImageFileError(`${this.#file.path} is closed: create another file.`);
    }
  }
}

function checkOptions(options: ImageFileOptions): void {
  const { detector, height, width, pixelType, expectedImages, counters = [] } = options;
  const { alignBytes = PAGE_BYTES, publishEvery = 32 } = options;
  checkGroupName(detector);
  groupPath(options);
  checkCounterNames(counters);
  checkWhole("height", height, 1, 2 ** 31);
  checkWhole("width", width, 1, 2 ** 31);
  checkWhole("expectedImages", expectedImages, 0, Number.MAX_SAFE_INTEGER);
  checkWhole("alignBytes", alignBytes, 1, 2 ** 40);
  checkWhole("publishEvery", publishEvery, 1, METADATA_CHUNK);
  checkWhole("bytes per image", height * width * PIXEL_BYTES[pixelType], 1, MAX_CHUNK_BYTES);
}
