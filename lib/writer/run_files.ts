/**
 * The file, or the files, that one writer makes of one run.
 *
 * @module
 */
import { basename } from "node:path";
import { fileParts, partPath, writerShare } from "../acquisition/file_split.ts";
import {
  type AttributeValue,
  ImageFile,
  type ImageFileOptions,
  type ImageRecord,
  type ImageToAppend,
  type LastOfFile,
  MasterFile,
} from "../hdf5/mod.ts";
import type { File } from "../os/mod.ts";
import type { CreateFileAction, FsyncPolicy } from "../protocol/mod.ts";
import type { NewFileOptions, OutputFiles } from "./data_roots.ts";

/** What the files of a run are made with. */
export interface RunFilesOptions {
  /** The order: where, how many images, shared with whom. */
  action: CreateFileAction;
  /** Makes and removes files. */
  output: OutputFiles;
  /** How files are made; their names are forced to the disk as `fsync` says. */
  newFile: Omit<NewFileOptions, "sync">;
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
}

/** A file was removed while it was written. */
export class FileGoneError extends Error {
  override name = "FileGoneError";

  constructor(path: string) {
    super(
      `${path} was removed while it was written, or its folder: what is not kept cannot be read. ` +
        "Find out who removes files there.",
    );
  }
}

/** Counters by name, u64. */
export type Counters = Readonly<Record<string, bigint>>;

/** Where a file's images are, and what is beside them. */
export type FileLayout = Pick<ImageFileOptions, "group" | "tree" | "datasetAttributes">;

/** What a file is closed with. */
export interface LastOfRunFile extends LastOfFile {
  /** Last values of the counters. */
  counters: Counters;
}

/** A file on disk and what writes it. */
interface Output<Writer> {
  file: File;
  writer: Writer;
}

/**
 * Writes images into one file, or into one after the other. The first of several writers also makes the
 * master file, at the start.
 */
export class RunFiles {
  readonly #options: RunFilesOptions;
  #current: Output<ImageFile>;
  readonly #master: Output<MasterFile> | undefined;
  /** Files begun before the current one, and their images. */
  #earlierFiles = 0;
  #earlierImages = 0;

  /**
   * Creates the first file, and the master file.
   *
   * @throws {OsError} EEXIST, ENOSPC, …; nothing is left behind then.
   * @throws {RangeError} If the attributes do not fit, or the writer's number.
   */
  constructor(options: RunFilesOptions) {
    this.#options = options;
    const { action } = options;
    const { split, writerId } = action;
    if (split !== undefined && (writerId < 0 || writerId >= split.writers)) {
      throw new RangeError(`There is no writer ${writerId} of ${split.writers}, from 0.`);
    }
    this.#current = this.#createPart(0);
    if (split === undefined || writerId !== 0) return;
    try {
      this.#master = this.#createMaster(split);
    } catch (error) {
      this.#remove(this.#current.file);
      throw error;
    }
  }

  /** Images written. */
  get appendedImages(): number {
    return this.#earlierImages + this.#current.writer.appendedImages;
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
   * Whether the current file has all the images it may have, so that {@link RunFiles.beginNext} is due
   * before the next one.
   */
  get isFull(): boolean {
    const { imagesPerFile = 0 } = this.#options.action.split ?? {};
    return imagesPerFile > 0 && this.#current.writer.rows >= imagesPerFile;
  }

  /**
   * Goes on in another file.
   *
   * @param last What the full one is closed with.
   * @throws {OsError} EEXIST, ENOSPC, …; the full one stays open then.
   */
  beginNext({ counters, ...last }: LastOfRunFile): void {
    const next = this.#createPart(this.#earlierFiles + 1);
    const full = this.#current;
    this.#earlierFiles++;
    this.#earlierImages += full.writer.appendedImages;
    this.#current = next;
    try {
      full.writer.publish();
      full.writer.setCounters(counters);
      full.writer.close(last);
      if (this.#options.fsync !== "none") full.file.sync();
    } finally {
      full.file.close();
    }
  }

  /** Appends an image to the current file; see {@link ImageFile.appendImage}. */
  appendImage(image: ImageToAppend): boolean {
    return this.#current.writer.appendImage(image);
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
   * @throws {FileGoneError} If one was.
   * @throws {OsError} ESTALE, EIO, …
   */
  requireThere(): void {
    for (const { file } of this.#outputs()) {
      if (file.linkCount() === 0) throw new FileGoneError(file.path);
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

  /**
   * Closes everything.
   *
   * @param discardEmpty Remove the file if there is no image in it and it is the first, and the master
   * file with it.
   */
  close({ counters, ...last }: LastOfRunFile, discardEmpty = false): void {
    const { file, writer } = this.#current;
    const discard = discardEmpty && this.#earlierFiles === 0 && writer.rows === 0;
    try {
      if (!discard) {
        this.publish(counters);
        writer.close(last);
        this.#master?.writer.close(last);
        if (this.#options.fsync !== "none") this.#syncAll();
      }
    } finally {
      for (const each of [this.#master?.file, file]) {
        if (discard && each !== undefined) this.#options.output.remove(each.path); // it is ours
        each?.close();
      }
    }
  }

  /** The files that are open. */
  #outputs(): { file: File }[] {
    return this.#master === undefined ? [this.#current] : [this.#current, this.#master];
  }

  /** Their contents; their names are on the disk since they were made. */
  #syncAll(): void {
    for (const { file } of this.#outputs()) file.sync();
  }

  #createPart(part: number): Output<ImageFile> {
    const { action, common, fileCounters, runCounters } = this.#options;
    const { split, writerId, nImages } = action;
    const writers = split?.writers ?? 1, limit = split?.imagesPerFile || Infinity;
    const number = part * writers + writerId;
    const share = writerShare(nImages, writers, writerId) - (part === 0 ? 0 : part * limit);
    const place: Record<string, AttributeValue> = split === undefined ? {} : {
      file_number: BigInt(number),
      first_image: BigInt((part === 0 ? 0 : part * limit * writers) + writerId),
      image_step: BigInt(writers),
    };
    const path = part === 0 ? action.path : partPath(split?.outputFile ?? action.path, number);
    return this.#create(path, (file) =>
      ImageFile.create(file, {
        ...{ ...common, ...this.#layout(path) },
        attributes: { ...common.attributes, ...place },
        expectedImages: nImages === 0 ? 0 : Math.max(1, Math.min(limit, share)),
        counters: [...fileCounters, ...runCounters],
      }));
  }

  #createMaster(split: NonNullable<CreateFileAction["split"]>): Output<MasterFile> {
    const { action, common, runCounters } = this.#options;
    const { detector, height, width, pixelType, info, attributes } = common;
    const parts = fileParts(action.nImages, split).map(({ number, firstImage }) => ({
      file: basename(partPath(split.outputFile, number)),
      firstImage,
      step: split.writers,
    }));
    return this.#create(split.outputFile, (file) =>
      MasterFile.create(file, {
        ...{ detector, height, width, pixelType, parts, attributes },
        ...this.#layout(split.outputFile),
        ...(info !== undefined && { info }),
        counters: runCounters,
      }));
  }

  #layout(path: string): FileLayout {
    return this.#options.layout?.(basename(path)) ?? {};
  }

  #create<Writer>(path: string, make: (file: File) => Writer): Output<Writer> {
    const { output, newFile, fsync } = this.#options;
    const file = output.create(path, { ...newFile, sync: fsync !== "none" });
    try {
      return { file, writer: make(file) };
    } catch (error) {
      this.#remove(file);
      throw error;
    }
  }

  /** Removes a file that was created a moment ago, exclusively: it is ours. */
  #remove(file: File): void {
    this.#options.output.remove(file.path);
    file.close();
  }

  #ofRun(counters: Counters): Counters {
    return Object.fromEntries(
      Object.entries(counters).filter(([name]) => this.#options.runCounters.includes(name)),
    );
  }
}
