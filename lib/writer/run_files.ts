/**
 * The file, or the files, that one writer makes of one run.
 *
 * @module
 */
import { basename } from "node:path";
import {
  firstFileParts,
  lastPart,
  MAX_FILE_PARTS,
  partCount,
  partPath,
  writerShare,
} from "../acquisition/file_split.ts";
import { REASON_FILE_MOVED, REASON_FILE_REMOVED } from "../acquisition/writer_reasons.ts";
import {
  type AttributeValue,
  type ImageBytes,
  ImageFile,
  type ImageFileOptions,
  type ImageRecord,
  type LastOfFile,
  MasterFile,
  type MasterPart,
  type WrittenImage,
} from "../hdf5/mod.ts";
import { Errno, type File, OsError } from "../os/mod.ts";
import type { CreateFileAction, FsyncPolicy } from "../protocol/mod.ts";
import type { NewFileOptions, OutputFiles } from "./data_roots.ts";
import { filesOfEarlierRun } from "./earlier_run.ts";

/** What the files of a run are made with. */
export interface RunFilesOptions {
  /** The order: where, how many images, shared with whom. */
  action: CreateFileAction;
  /** Makes and removes files. */
  output: OutputFiles;
  /** How files are made; their names are forced to the disk as `fsync` says. */
  newFile: Omit<NewFileOptions, "sync" | "sweep">;
  /** When files are forced to the disk. */
  fsync: FsyncPolicy;
  /** What all files have in common. */
  common: Omit<ImageFileOptions, "expectedImages" | "counters">;
  /** What a file of this name holds beside the images; left out: nothing. */
  layout?: ((fileName: string) => FileLayout) | undefined;
  /** Counters that tell of the file's own images. */
  fileCounters: readonly string[];
  /** Counters that tell of the whole run; the master file has only these. */
  runCounters: readonly string[];
  /** Most files of the run, in all; default as many as a master file is to show. */
  mostFiles?: number;
}

/** A file was removed while it was written. */
export class FileRemovedError extends Error {
  override name = "FileRemovedError";

  constructor(path: string) {
    super(
      `${REASON_FILE_REMOVED}: ${path}, or its folder. Its images are gone. Find out who removes ` +
        "files there.",
    );
  }
}

/** A file, or its folder, got another name while it was written. */
export class FileMovedError extends Error {
  override name = "FileMovedError";

  constructor(path: string) {
    super(
      `${REASON_FILE_MOVED}: ${path} is not there any more. Where it is now it is whole. Find out who ` +
        "renames files or folders there.",
    );
  }
}

/** Counters by name, u64. */
export type Counters = Readonly<Record<string, bigint>>;

/** Where a file's images are, and what is beside them. */
export type FileLayout = Pick<ImageFileOptions, "group" | "tree" | "datasetAttributes">;

/** What a file is closed with. */
export interface LastOfRunFile extends LastOfFile {
  /** Further attributes, of the file itself: not the master file's. */
  fileAttributes: Readonly<Record<string, AttributeValue>>;
  /** Last values of the counters. */
  counters: Counters;
}

/** How a run is closed. */
export interface CloseRunOptions {
  /** Remove the file if there is no image in it and it is the first, and the master file with it. */
  discardEmpty?: boolean;
  /** Attributes that only the master file has. */
  masterAttributes?: Readonly<Record<string, AttributeValue>> | undefined;
  /** Texts of the master file in place of the last file's own. */
  masterTexts?: LastOfFile["texts"] | undefined;
}

/** How a run is spread. */
type Split = NonNullable<CreateFileAction["split"]>;

/** A file on disk and what writes it. */
interface Output<Writer> {
  readonly file: File;
  readonly writer: Writer;
}

/** One that does not have its name yet; it goes when it is disposed of before {@link place}. */
interface UnplacedOutput<Writer> extends Output<Writer>, Disposable {
  place(): void;
}

/** Rounds of files that a master file shows at first when nobody knows how many there will be. */
const FIRST_ROUNDS = 16;

/**
 * Writes images into one file, or into one after the other. The first of several writers also makes the
 * master file, at the start.
 *
 * A file has its name from the moment on that it is a whole, empty image file. One that is to take the
 * place of another one waits for {@link RunFiles.begin}.
 */
export class RunFiles {
  readonly #options: RunFilesOptions;
  #current: Output<ImageFile>;
  readonly #master: Output<MasterFile> | undefined;
  /** First files that do not have their names yet. */
  readonly #unplaced: UnplacedOutput<unknown>[];
  /** Files of the former run that go when these take their names. */
  readonly #surplus: string[];
  /** Files begun before the current one, and their images. */
  #earlierFiles = 0;
  #earlierImages = 0;
  #isRemoved = false;
  /** Files that the master file shows, whether they are there or not. */
  #filesShown = 0;
  /** The last one that there may be, counted from 0. */
  readonly #lastPart: number;

  /**
   * Creates the first file, and the master file. They have their names then, unless they may take the place
   * of others.
   *
   * @throws {OsError} EEXIST, ENOSPC, …; nothing is left behind then.
   * @throws {RangeError} If the attributes do not fit, or the writer's number.
   */
  constructor(options: RunFilesOptions) {
    this.#options = options;
    const { action, newFile: { overwrite = false }, mostFiles = MAX_FILE_PARTS } = options;
    const { split, writerId } = action;
    this.#lastPart = split === undefined ? 0 : lastPart(split, mostFiles);
    if (split !== undefined && (writerId < 0 || writerId >= split.writers)) {
      throw new RangeError(`There is no writer ${writerId} of ${split.writers}, from 0.`);
    }
    const isFirst = split === undefined || writerId === 0;
    this.#surplus = isFirst && overwrite ? this.#surplusFiles() : [];
    using made = new DisposableStack();
    const part = made.use(this.#createPart(0));
    const master = split !== undefined && isFirst ? made.use(this.#createMaster(split)) : undefined;
    this.#current = part;
    this.#master = master;
    this.#unplaced = master === undefined ? [part] : [part, master];
    if (!overwrite) {
      try {
        this.begin();
      } catch (error) {
        this.#discard();
        throw error;
      }
    }
    made.move();
  }

  /**
   * Gives the first files their names, if they do not have them yet; to be called before the first image. Up
   * to then the files whose place they take are there, and stay if the run is closed.
   *
   * The further files of the former run go first: a new master file shows no images of another run, and a
   * former one tells, as long as it is there, which files are its own.
   *
   * @throws {OsError} EISDIR, EPERM, EIO, …; close the run then.
   */
  begin(): void {
    for (let path = this.#surplus[0]; path !== undefined; path = this.#surplus[0]) {
      this.#removeIfThere(path);
      this.#surplus.shift();
    }
    for (let next = this.#unplaced[0]; next !== undefined; next = this.#unplaced[0]) {
      next.place();
      next[Symbol.dispose]();
      this.#unplaced.shift();
    }
  }

  /** Images written. */
  get appendedImages(): number {
    return this.#earlierImages + this.#current.writer.appendedImages;
  }

  /** Those of them that are in files that have not been removed, as far as {@link requireThere} found. */
  get keptImages(): number {
    return this.#isRemoved ? this.#earlierImages : this.appendedImages;
  }

  /** Images that readers of the files see. */
  get visibleImages(): number {
    return this.#earlierImages + this.#current.writer.visibleImages;
  }

  /** Images in the current file. */
  get imagesInFile(): number {
    return this.#current.writer.appendedImages;
  }

  /** Path of the current file. */
  get path(): string {
    return this.#current.file.path;
  }

  /** Size of an image, bytes. */
  get imageBytes(): number {
    return this.#current.writer.imageBytes;
  }

  /**
   * How many more images the current file may have; with 0, {@link RunFiles.beginNext} is due before the
   * next one.
   */
  get imagesLeft(): number {
    const { imagesPerFile = 0 } = this.#options.action.split ?? {};
    const isLimited = imagesPerFile > 0 && !this.isLast;
    return isLimited ? imagesPerFile - this.#current.writer.rows : Infinity;
  }

  /** Whether no further file may follow: this one takes all images to come, however many. */
  get isLast(): boolean {
    return this.#earlierFiles === this.#lastPart;
  }

  /**
   * Goes on in another file.
   *
   * @param last What the full one is closed with.
   * @throws {OsError} EEXIST, ENOSPC, …; the full one stays open then.
   */
  beginNext(last: LastOfRunFile): void {
    using next = this.#createPart(this.#earlierFiles + 1);
    this.#showRound(this.#earlierFiles + 1);
    next.place();
    const full = this.#current;
    this.#earlierFiles++;
    this.#earlierImages += full.writer.appendedImages;
    this.#current = next;
    try {
      full.writer.publish();
      full.writer.setCounters(last.counters);
      full.writer.close(ofFile(last));
      if (this.#options.fsync !== "none") full.file.sync();
    } finally {
      full.file.close();
    }
  }

  /** Writes the bytes of images to the current file; see {@link ImageFile.writeImages}. */
  writeImages(images: readonly ImageBytes[]): (WrittenImage | undefined)[] {
    return this.#current.writer.writeImages(images);
  }

  /** Has an image count whose bytes were written; see {@link ImageFile.addImage}. */
  addImage(image: ImageRecord, place: WrittenImage): void {
    this.#current.writer.addImage(image, place);
  }

  /**
   * Leaves an image out. Where files are shown together, its place is kept, so that those behind it do
   * not move.
   */
  leaveOut(image: ImageRecord): void {
    if (this.#options.action.split !== undefined) this.#current.writer.skipImage(image);
  }

  /** Makes all images visible, with counters; those of the file itself are not the master file's. */
  publish(counters: Counters): void {
    this.#current.writer.publish();
    this.#current.writer.setCounters(counters);
    this.#master?.writer.setCounters(this.#ofRun(counters));
  }

  /**
   * Makes sure that nobody has removed the files: what is written to them would be gone.
   *
   * @throws {FileRemovedError} If one was.
   * @throws {OsError} ESTALE, EIO, …
   */
  requireThere(): void {
    this.#isRemoved ||= this.#current.file.linkCount() === 0;
    for (const { file } of this.#outputs()) {
      if (file.linkCount() === 0) throw new FileRemovedError(file.path);
    }
  }

  /**
   * Makes sure, in the end, that the files are where they were asked for.
   *
   * @throws {FileMovedError} If one is not.
   */
  requireInPlace(): void {
    for (const { file } of this.#outputs()) {
      if (!this.#options.output.isInPlace(file)) throw new FileMovedError(file.path);
    }
  }

  /**
   * Waits until all that is in the files is on the disk, if that is to be every second.
   *
   * @throws {OsError} EIO, …
   */
  sync(): void {
    if (this.#options.fsync === "every_second") this.#syncAll();
  }

  /** Closes everything; if the run has not begun, nothing is left of it. */
  close(last: LastOfRunFile, options: CloseRunOptions = {}): void {
    const { discardEmpty = false, masterAttributes, masterTexts = last.texts } = options;
    const { writer } = this.#current;
    const isEmpty = this.#earlierFiles === 0 && writer.rows === 0;
    if (this.#unplaced.length > 0 || (discardEmpty && isEmpty)) return this.#discard();
    try {
      this.publish(last.counters);
      writer.close(ofFile(last));
      const attributes = { ...last.attributes, ...masterAttributes };
      this.#master?.writer.close({ attributes, ...(masterTexts && { texts: masterTexts }) });
      if (this.#options.fsync !== "none") this.#syncAll();
    } finally {
      for (const { file } of this.#outputs()) file.close();
    }
  }

  /** The files that are open. */
  #outputs(): Output<unknown>[] {
    return this.#master === undefined ? [this.#current] : [this.#current, this.#master];
  }

  /** Their contents; their names are on the disk since they were made. */
  #syncAll(): void {
    for (const { file } of this.#outputs()) file.sync();
  }

  #createPart(part: number): UnplacedOutput<ImageFile> {
    const { action, common, fileCounters, runCounters } = this.#options;
    const { split, writerId, nImages } = action;
    const writers = split?.writers ?? 1, limit = split?.imagesPerFile || Infinity;
    const number = part * writers + writerId;
    const share = nImages === 0
      ? Infinity
      : writerShare(nImages, writers, writerId) - (part === 0 ? 0 : part * limit);
    const expected = part === this.#lastPart ? share : Math.min(limit, share);
    const place: Record<string, AttributeValue> = split === undefined ? {} : {
      file_number: BigInt(number),
      first_image: BigInt((part === 0 ? 0 : part * limit * writers) + writerId),
      image_step: BigInt(writers),
      master_file: basename(split.outputFile),
    };
    const path = part === 0 ? action.path : partPath(split?.outputFile ?? action.path, number);
    return this.#create(path, (file) =>
      ImageFile.create(file, {
        ...{ ...common, ...this.#layout(path) },
        attributes: { ...common.attributes, ...place },
        expectedImages: expected === Infinity ? 0 : Math.max(1, expected),
        counters: [...fileCounters, ...runCounters],
      }), part === 0);
  }

  #createMaster(split: Split): UnplacedOutput<MasterFile> {
    const { common, runCounters } = this.#options;
    const { detector, height, width, pixelType, info, attributes } = common;
    const shown = this.#filesShown = this.#filesToShow();
    return this.#create(split.outputFile, (file) =>
      MasterFile.create(file, {
        ...{ detector, height, width, pixelType, attributes },
        parts: masterParts(shown, split),
        ...this.#layout(split.outputFile),
        ...(info !== undefined && { info }),
        counters: runCounters,
      }));
  }

  /** Files that the master file shows from the start: all of them, if it is known how many there will be. */
  #filesToShow(): number {
    const { nImages, split } = this.#options.action;
    if (split === undefined) return 0;
    const isEndless = nImages === 0 && split.imagesPerFile > 0;
    const files = isEndless ? FIRST_ROUNDS * split.writers : partCount(nImages, split);
    return Math.min(this.#mostFiles(split), files);
  }

  /** Files that the run may have: whole rounds. */
  #mostFiles({ writers }: Split): number {
    return (this.#lastPart + 1) * writers;
  }

  /**
   * Has the master file, if it is ours, show all files up to the end of a round: twice as many as before,
   * so that it does not grow with the square of their number. Files that never come harm nobody.
   */
  #showRound(round: number): void {
    const { split, nImages } = this.#options.action;
    // All are shown from the start if it is known how many there will be.
    if (split === undefined || nImages > 0) return;
    const needed = (round + 1) * split.writers;
    if (needed <= this.#filesShown) return;
    const shown = Math.min(this.#mostFiles(split), Math.max(needed, 2 * this.#filesShown));
    this.#master?.writer.extend(masterParts(shown, split));
    this.#filesShown = shown;
  }

  /** Files of the run whose place this one takes that it does not take itself, one by one. */
  #surplusFiles(): string[] {
    const { action: { split, path }, output } = this.#options;
    const outputFile = split?.outputFile ?? path;
    // The others are replaced, by us and the other writers, if they are not yet.
    const own = Array.from(
      { length: split?.writers ?? 0 },
      (_, number) => partPath(outputFile, number),
    );
    return output.asUser(() => filesOfEarlierRun(outputFile))
      .filter((file) => !own.includes(file));
  }

  #layout(path: string): FileLayout {
    return this.#options.layout?.(basename(path)) ?? {};
  }

  /** @param sweep Whether to look for what killed writers left: once a run, a folder may have many files. */
  #create<Writer>(
    path: string,
    make: (file: File) => Writer,
    sweep = false,
  ): UnplacedOutput<Writer> {
    const { output, newFile, fsync } = this.#options;
    const made = output.create(path, { ...newFile, sync: fsync !== "none", sweep });
    const { file } = made;
    const dispose = (): void => made[Symbol.dispose]();
    try {
      return { file, writer: make(file), place: () => made.place(), [Symbol.dispose]: dispose };
    } catch (error) {
      dispose();
      throw error;
    }
  }

  /** Removes and closes the first files: they are ours. */
  #discard(): void {
    const unplaced = new Set<Output<unknown>>(this.#unplaced);
    for (const output of this.#unplaced.splice(0)) output[Symbol.dispose]();
    for (const output of this.#outputs()) {
      if (!unplaced.has(output)) this.#options.output.remove(output.file.path);
      output.file.close();
    }
  }

  #removeIfThere(path: string): void {
    try {
      this.#options.output.remove(path);
    } catch (error) {
      if (!(error instanceof OsError && error.errno === Errno.ENOENT)) throw error;
    }
  }

  #ofRun(counters: Counters): Counters {
    return Object.fromEntries(
      Object.entries(counters).filter(([name]) => this.#options.runCounters.includes(name)),
    );
  }
}

/** With what a file with images is closed. */
function ofFile({ attributes, fileAttributes, texts }: LastOfRunFile): LastOfFile {
  return { attributes: { ...attributes, ...fileAttributes }, ...(texts && { texts }) };
}

/** The first `count` files of a run, as its master file has them. */
function masterParts(count: number, split: Split): MasterPart[] {
  return firstFileParts(count, split).map(({ number, firstImage }) => ({
    file: basename(partPath(split.outputFile, number)),
    firstImage,
    step: split.writers,
  }));
}
