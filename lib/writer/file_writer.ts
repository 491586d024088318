/**
 * What a file writer does with the actions it is sent.
 *
 * @module
 */
import { type Accounting, accountingDifference } from "../accounting/mod.ts";
import { creditOf } from "../acquisition/credit.ts";
import { MAX_FILE_PARTS } from "../acquisition/file_split.ts";
import {
  REASON_FILE_OPEN,
  REASON_NO_FILE,
  REASON_OVERWRITTEN,
} from "../acquisition/writer_reasons.ts";
import type { DetectorType, FileFormat } from "../config/mod.ts";
import type {
  AttributeValue,
  ImageBytes,
  ImageCompression,
  PixelType,
  WrittenImage,
} from "../hdf5/mod.ts";
import { isInMemory } from "../hdf5/image_file.ts";
import { PIXEL_BYTES } from "../hdf5/pixel_type.ts";
import {
  closingTexts,
  type FileEnd,
  type ImageTimes,
  imageUnits,
  type NexusLayouts,
} from "../nexus/mod.ts";
import {
  type ClosedRun,
  type CreateFileAction,
  type FsyncPolicy,
  IMAGE_STATUS,
  type ImageMetadata,
  type RecordImageAction,
  type RunEnd,
  type RunEndAccount,
  type WriterAction,
  type WriterResponse,
} from "../protocol/mod.ts";
import type { CompressedImage, Compressors } from "./compressors.ts";
import { checkImage, imageInRing, type WrittenRing } from "./image_in_ring.ts";
import type { OutputFiles } from "./data_roots.ts";
import { FileIds } from "./file_ids.ts";
import { type ImageFacts, imageInfoFields, imageInfoValues, NO_FACTS } from "./image_info.ts";
import type { ImageLocator, LocatedImage } from "./image_locator.ts";
import { type Counters, type FileLayout, type LastOfRunFile, RunFiles } from "./run_files.ts";
import { shortened } from "./shortened.ts";

/** Attributes of a file that tell of its images, set by {@link FileWriter}. */
const FILE_COUNTERS = [
  /** Images in the file. */
  "images_written",
  /** Those of them with something missing. */
  "images_written_incomplete",
  /** Packets missing in them. */
  "packets_missing",
  /** Images that were overwritten in the ring before they could be written. */
  "images_overwritten",
] as const;

/** Longest texts among a file's last attributes, bytes. */
const MOST_OUTCOME = 1020;
const MOST_IDS = 500;

/** What a file writer works with. */
export interface FileWriterOptions {
  detector: string;
  /** Kind of detector: decides what is told of each image. */
  detectorType: DetectorType;
  height: number;
  width: number;
  pixelType: PixelType;
  images: ImageLocator;
  /** The images come compressed, and are written as they are; default no. */
  compressedImages?: boolean;
  /** Who compresses images, for files whose images are compressed. */
  compressors: Compressors;
  /** How images are compressed when the order does not say; default not at all. */
  compression?: ImageCompression;
  /** Format of files when the order does not say; default std-daq's. */
  fileFormat?: FileFormat;
  /** What NeXus files hold beside the images; without it they are refused. */
  nexus?: NexusLayouts;
  /** Makes and removes files. */
  output: OutputFiles;
  /** Whether to make folders that are missing when the order does not say; default not. */
  createFolders?: boolean;
  /** When files are forced to the disk when the order does not say; default not at all. */
  fsync?: FsyncPolicy;
  /** The account now; its change since the start of the run becomes attributes of the file. */
  readAccounting(): Accounting;
  /** Texts stored with every file: config, software version. */
  attributes: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  clock(): number;
  /**
   * Called before (true) and after (false) what may take minutes: making, closing or syncing files. Only for
   * drivers that want answers to each image.
   */
  onWorking?(working: boolean): void;
  /** Told, once a run, what its user should know and the run goes on with. */
  onWarning?(message: string): void;
}

/** What became of images that were to be written. */
interface ImageCounts {
  incomplete: bigint;
  missing: bigint;
  overwritten: bigint;
}

/** The run being written and what happened to it; its counts are those of the current file. */
interface Run extends ImageCounts {
  files: RunFiles;
  /** Which run it is. */
  closed: ClosedRun;
  /** Whether it has further files, or other writers have. */
  isSplit: boolean;
  /** The counts of the files before the current one. */
  earlier: ImageCounts;
  /** What is known of the first image, of the first of the current file, and of the last one. */
  firstOfRun: ImageFacts | undefined;
  firstOfFile: ImageFacts | undefined;
  last: ImageFacts | undefined;
  /** Ids in the current file. */
  ids: FileIds;
  format: FileFormat;
  /** Whether images are compressed here. */
  compresses: boolean;
  /** Most images written together. */
  together: number;
  /** Images that its driver may have ordered without an answer; undefined: it does not ask for answers. */
  credit: number | undefined;
  acknowledge: boolean;
  fsync: FsyncPolicy;
  atStart: Accounting;
  /** First failure; later images are refused with the same reason. */
  failure?: string;
}

/** An image on its way to the file. */
interface PendingImage {
  readonly metadata: ImageMetadata;
  /** Its entry in the index, if known. */
  readonly entry: bigint | undefined;
  /** Where it is, once it was looked for; undefined: overwritten already. */
  image: LocatedImage | undefined;
  /** What the compressors made of it. */
  chunk: CompressedImage | undefined;
  /** Its bytes, unless it is overwritten. */
  bytes: ImageBytes | undefined;
  /** Where they are in the file, once they are. */
  written: WrittenImage | undefined;
  /** Why it is not written; "" as long as nothing is wrong. */
  reason: string;
}

/**
 * Most images written together, and bytes of them after which there are enough. What is done for an image is
 * found in the CPU's caches if the same was done for another one just before, and not if pixels were
 * copied in between. Not to a disk: there, now and then, calls for several images are slow by half.
 */
const MOST_TOGETHER = 32;
const ENOUGH_BYTES = 32 * 2 ** 20;
/** No more than this share of the ring: whether an image was overwritten is asked after all were written. */
const MOST_OF_RING = 1 / 2;

/** Carries out the actions of a writer driver, one file at a time. Synchronous: for a Worker. */
export class FileWriter implements Disposable {
  readonly #options: FileWriterOptions;
  readonly #ring: WrittenRing;
  #run: Run | undefined;
  /** Images that wait for others, or for the compressors, oldest first. */
  readonly #pending: PendingImage[] = [];
  /** About as many bytes as they are: what their messages say. */
  #pendingBytes = 0;
  #answers: WriterResponse[] = [];
  #bytes = 0n;
  #images = 0n;

  constructor(options: FileWriterOptions) {
    this.#options = options;
    const { height, width, pixelType, compressedImages: compressed = false } = options;
    const imageBytes = height * width * PIXEL_BYTES[pixelType];
    this.#ring = { compressed, height, width, pixelType, imageBytes };
    options.images.onDetach = (): void => {
      if (this.#run?.compresses) this.#drain(); // the others were not looked for yet
      options.compressors.detach();
    };
  }

  /** Images written since the start of the service. */
  get imagesWritten(): bigint {
    return this.#images;
  }

  /** Their bytes. */
  get bytesWritten(): bigint {
    return this.#bytes;
  }

  /** Whether a file is open. */
  get hasRun(): boolean {
    return this.#run !== undefined;
  }

  /** Whether images wait to be written: {@link FileWriter.settle} is to be called soon. */
  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Carries out an action.
   *
   * @returns The answer; none for a record_image, which is answered when the image was written: see
   * {@link FileWriter.takeAnswers}. Those come before it.
   */
  handle(action: WriterAction): WriterResponse | undefined {
    if (action.action === "record_image") {
      this.#record(action);
      return undefined;
    }
    this.#drain();
    const isCreation = action.action === "create_file";
    const tells = isCreation ? action.acknowledgeImages : this.#run?.acknowledge;
    return this.#working(tells, () => this.#answer(action, () => this.#carryOut(action)));
  }

  #carryOut(action: Exclude<WriterAction, RecordImageAction>): void {
    switch (action.action) {
      case "create_file":
        return this.#create(action);
      case "confirm_last_image":
        return this.#confirm();
      case "close_file":
        return this.#close(action.discardEmpty, action.end);
    }
  }

  /**
   * Writes images: those that have been compressed, or as many as are written together.
   *
   * @param idle Whether there is nothing else to do: no image waits for others then, and where none has
   * been compressed one is waited for, at most a millisecond.
   */
  settle(idle = false): void {
    if (idle && this.#run?.compresses && this.isBusy) this.#options.compressors.wait();
    for (let ready = this.#ready(idle); ready > 0; ready = this.#ready(idle)) this.#write(ready);
  }

  /** Answers that have come due since the last call, oldest first. */
  takeAnswers(): WriterResponse[] {
    const answers = this.#answers;
    if (answers.length > 0) this.#answers = [];
    return answers;
  }

  /**
   * Makes what was written visible to readers of the file, with the account so far, and forces it to
   * the disk if that was asked for. What fails ends the run: {@link FileWriter.takeAnswers} has a
   * confirmation that fails for the driver, unless it is one that would not expect it.
   */
  publish(): void {
    this.settle(true);
    const run = this.#run;
    if (run === undefined || run.failure !== undefined) return;
    const syncs = run.acknowledge && run.fsync === "every_second";
    if (this.#working(syncs, () => this.#publish(run)) || !run.acknowledge) return;
    this.#answers.push(
      this.#answer({ action: "confirm_last_image" }, () => this.#confirm()),
    );
  }

  /** Does what may take minutes; if `tells`, the driver hears of it before and after. */
  #working<T>(tells: boolean | undefined, work: () => T): T {
    if (!tells) return work();
    this.#options.onWorking?.(true);
    try {
      return work();
    } finally {
      this.#options.onWorking?.(false);
    }
  }

  /** Whether it went well. */
  #publish(run: Run, begin = false): boolean {
    try {
      if (begin) run.files.begin();
      run.files.requireThere();
      run.files.publish(this.#counters(run));
      run.files.sync();
      return true;
    } catch (error) {
      run.failure = messageOf(error);
      return false;
    }
  }

  /** Ends the file that is open, if any. */
  [Symbol.dispose](): void {
    this.#drain();
    if (this.#run !== undefined) this.#close();
  }

  #create(action: CreateFileAction): void {
    if (this.#run !== undefined) throw new Error(`${REASON_FILE_OPEN}: ${this.#run.files.path}`);
    const { detector, height, width, pixelType, images, attributes, clock } = this.#options;
    const { compressedImages = false, output } = this.#options;
    if (compressedImages && action.compression === "none") {
      throw new Error("compression none: the images come compressed. Leave compression out.");
    }
    const compression = compressedImages
      ? "bitshuffle-lz4"
      : action.compression ?? this.#options.compression ?? "none";
    const format = action.fileFormat ?? this.#options.fileFormat ?? "std-daq";
    const startTime = action.startTime ?? clock();
    const layout = this.#layout(action, format, startTime);
    const ring = images.attach();
    const together = isInMemory(action.path)
      ? Math.max(1, Math.min(MOST_TOGETHER, Math.floor(ring.slots * MOST_OF_RING)))
      : 1;
    const compresses = compression !== "none" && !compressedImages;
    if (compresses) {
      this.#options.compressors.use(action.compressionThreads ?? 0);
      this.#options.compressors.attach(ring);
    }
    const atStart = this.#options.readAccounting();
    const fsync = action.fsync ?? this.#options.fsync ?? "none";
    const files = new RunFiles({
      action,
      output: action.userId === undefined ? output : output.ofUser(action.userId),
      newFile: {
        overwrite: action.overwrite ?? false,
        createFolders: action.createFolders ?? this.#options.createFolders ?? false,
      },
      fsync,
      common: {
        ...{ detector, height, width, pixelType, compression },
        info: imageInfoFields(this.#options.detectorType),
        attributes: {
          ...attributes,
          run_id: action.runId,
          request: action.request,
          images_requested: BigInt(action.nImages),
          start_time: startTime,
          ...{ start_time_units: "s", end_time_units: "s" },
          ...(format !== "std-daq" && { NX_class: "NXcollection" }),
        },
      },
      layout,
      fileCounters: FILE_COUNTERS,
      runCounters: Object.keys(atStart),
    });
    const { acknowledgeImages: acknowledge, split, path, runId, nImages } = action;
    const { writers = 1 } = split ?? {};
    const atOnce = compresses ? this.#options.compressors.capacity : together;
    const credit = acknowledge ? creditOf({ slots: ring.slots, writers, atOnce }) : undefined;
    const closed = { path: split?.outputFile ?? path, runId, nImages, startTime };
    const isSplit = split !== undefined;
    this.#run = {
      ...{ files, format, compresses, together, credit, acknowledge },
      ...{ fsync, atStart, closed, isSplit },
      ...NOTHING,
      earlier: NOTHING,
      ...{ firstOfRun: undefined, firstOfFile: undefined, last: undefined },
      ids: new FileIds(writers),
    };
  }

  /** Takes an image, and has it compressed if it is to be. */
  #record({ metadata, entry }: RecordImageAction): void {
    const run = this.#run;
    const pending: PendingImage = {
      metadata,
      entry,
      image: undefined,
      chunk: undefined,
      bytes: undefined,
      written: undefined,
      reason: "",
    };
    if (run?.compresses) {
      while (this.#pending.length >= this.#options.compressors.capacity) this.settle(true);
      this.#attempt(run, pending, this.#submit);
    }
    this.#pending.push(pending);
    this.#pendingBytes += metadata.size;
  }

  /** Waits until no image is under way. */
  #drain(): void {
    while (this.isBusy) this.settle(true);
  }

  /** How many of the oldest images can be written now. */
  #ready(idle: boolean): number {
    const { compresses = false, together = 1 } = this.#run ?? {};
    const most = Math.min(this.#pending.length, together);
    if (!compresses) {
      return idle || most === together || this.#pendingBytes >= ENOUGH_BYTES ? most : 0;
    }
    const { compressors } = this.#options;
    let ready = 0, submitted = 0;
    for (; ready < most; ready++) {
      const pending = this.#pending[ready]!;
      if (pending.image === undefined || pending.reason !== "") continue;
      pending.chunk = compressors.finished(submitted++);
      if (pending.chunk === undefined) break;
    }
    return ready;
  }

  /** Writes the oldest images, as many of them as one file takes, and answers them. */
  #write(ready: number): void {
    const run = this.#run;
    if (run !== undefined) this.#prepare(run);
    const images = this.#pending.splice(0, Math.min(ready, run?.files.imagesLeft || ready));
    // Each step for all of them: see MOST_TOGETHER.
    for (const each of images) {
      this.#pendingBytes -= each.metadata.size;
      if (!run?.compresses) this.#attempt(run, each, this.#locate);
    }
    for (const each of images) this.#attempt(run, each, this.#look);
    if (run !== undefined) this.#writeBytes(run, images.filter(({ bytes }) => bytes !== undefined));
    for (const each of images) {
      this.#attempt(run, each, this.#add);
      if (each.chunk !== undefined) this.#options.compressors.release();
      if (run?.acknowledge !== false) this.#answers.push(imageAnswer(run, each));
    }
  }

  /** Sees to the file and the ring of the next images; what fails ends the run. */
  #prepare(run: Run): void {
    if (run.failure !== undefined) return;
    try {
      run.files.begin();
      if (run.files.imagesLeft === 0) this.#beginNextFile(run);
      if (!run.compresses) this.#options.images.follow();
    } catch (error) {
      run.failure = messageOf(error);
    }
  }

  /** Takes an image a step further, if nothing is wrong with it; what fails ends the run. */
  #attempt(
    run: Run | undefined,
    pending: PendingImage,
    step: (this: FileWriter, pending: PendingImage, run: Run) => void,
  ): void {
    if (pending.reason !== "") return;
    if (run === undefined) {
      pending.reason = REASON_NO_FILE;
      return;
    }
    try {
      step.call(this, pending, run);
    } catch (error) {
      pending.reason = run.failure = messageOf(error);
    }
  }

  /** Has an image compressed. */
  #submit(pending: PendingImage, run: Run): void {
    const { images, compressors } = this.#options;
    images.follow();
    this.#locate(pending, run);
    if (pending.image === undefined) return;
    compressors.attach(pending.image.ring); // another one, if the ring was replaced
    compressors.submit(pending.image.slot);
  }

  #locate(pending: PendingImage, run: Run): void {
    pending.reason = run.failure ?? ""; // the ring may be what fails
    if (pending.reason !== "") return;
    pending.image = this.#options.images.locate(pending.metadata.imageId, pending.entry);
  }

  /** Sees what there is to be written of an image. */
  #look(pending: PendingImage, run: Run): void {
    const { metadata, image, chunk } = pending;
    pending.reason = run.failure ?? "";
    if (image === undefined || pending.reason !== "") return;
    checkImage(metadata, this.#ring);
    const { bytes, compressed } = chunk ?? imageInRing(image, metadata, this.#ring);
    const { imageId } = metadata;
    const address = chunk === undefined ? image.address : chunk.address;
    pending.bytes = { imageId, address, bytes, compressed, isIntact: image.isIntact };
  }

  /** Writes the bytes of images, with as few calls as possible. */
  #writeBytes(run: Run, images: readonly PendingImage[]): void {
    for (let done = 0; done < images.length;) {
      const left = images.slice(done);
      try {
        const written = run.files.writeImages(left.map(({ bytes }) => bytes!));
        for (const each of written) images[done++]!.written = each;
      } catch (error) {
        run.failure = messageOf(error);
        for (const each of left) each.reason = run.failure;
        return;
      }
    }
  }

  /** Has an image count that was written, or keeps its place. */
  #add(pending: PendingImage, run: Run): void {
    const { metadata, image, written } = pending;
    const { imageId } = metadata;
    const facts = image?.facts ?? NO_FACTS;
    const info = imageInfoValues(this.#options.detectorType, facts, metadata);
    if (written === undefined) {
      run.overwritten++;
      run.files.leaveOut({ imageId, status: IMAGE_STATUS.status_undefined, info });
      run.ids.add(imageId, false);
      pending.reason =
        `${REASON_OVERWRITTEN}: image ${imageId} was not on file yet when its slot was needed again. ` +
        "Give the image ring more memory (--ram), or a faster disk.";
      return;
    }
    run.files.addImage({ imageId, status: IMAGE_STATUS[metadata.status], info }, written);
    run.ids.add(imageId, true);
    if (metadata.status !== "good_image") run.incomplete++;
    run.missing += BigInt(facts.missingPackets);
    run.firstOfRun ??= facts;
    run.firstOfFile ??= facts;
    run.last = facts;
    this.#images++;
    this.#bytes += BigInt(written.bytes);
  }

  #beginNextFile(run: Run): void {
    const syncs = run.acknowledge && run.fsync !== "none";
    this.#working(syncs, () => run.files.beginNext(this.#last(run)));
    run.earlier = countsOf(run);
    Object.assign(run, NOTHING);
    run.firstOfFile = undefined;
    run.ids = run.ids.next();
    if (!run.files.isLast) return;
    this.#options.onWarning?.(
      `${run.files.path} takes all further images of its writer: a run has at most ` +
        `${MAX_FILE_PARTS} files. Ask for more images per file.`,
    );
  }

  /**
   * Makes all images visible: the driver may now tell its user that they are on file. Before the first one
   * it begins the run.
   */
  #confirm(): void {
    const run = this.#run;
    if (run === undefined) throw new Error(REASON_NO_FILE);
    if (run.failure === undefined) this.#publish(run, true);
    if (run.failure !== undefined) throw new Error(run.failure);
    run.files.requireInPlace();
  }

  #close(discardEmpty = false, end?: RunEnd): void {
    const run = this.#run;
    if (run === undefined) throw new Error(REASON_NO_FILE);
    this.#run = undefined;
    const closedAt = end?.endTime ?? this.#options.clock();
    const failed = end?.outcome.startsWith("ERROR") ?? false;
    const last = this.#last(run, closedAt, failed);
    const ofRun = end && endAttributes(end, run);
    const attributes = { ...last.attributes, ...ofRun };
    run.files.close({ ...last, attributes }, {
      discardEmpty,
      masterAttributes: end?.account && sumAttributes(end.account),
      masterTexts: textsOf(run, run.firstOfRun, { closedAt, failed }, end?.account),
    });
  }

  /** What a file is closed with. */
  #last(run: Run, closedAt = this.#options.clock(), failed = false): LastOfRunFile {
    return {
      counters: this.#counters(run),
      attributes: { end_time: closedAt },
      fileAttributes: run.ids.attributes(),
      texts: textsOf(run, run.firstOfFile, { closedAt, failed }),
    };
  }

  /** What files of a format hold beside the images, by the file's name. */
  #layout(
    { runId, nImages, nexus }: CreateFileAction,
    format: FileFormat,
    startTime: number,
  ): (fileName: string) => FileLayout {
    const { nexus: layouts, detectorType, pixelType } = this.#options;
    if (format === "std-daq") {
      const layout = { datasetAttributes: imageUnits(detectorType, pixelType) };
      return () => layout;
    }
    if (layouts === undefined) throw new Error(`This writer makes no files of format ${format}.`);
    const run = { format, runId, startTime, images: nImages };
    return layouts.of({ ...run, ...(nexus !== undefined && { request: nexus }) });
  }

  /** The current file's own counts, and the change of the account since it began. */
  #counters(run: Run): Counters {
    return {
      images_written: BigInt(run.files.imagesInFile),
      images_written_incomplete: run.incomplete,
      packets_missing: run.missing,
      images_overwritten: run.overwritten,
      ...accountingDifference(run.atStart, this.#options.readAccounting()),
    };
  }

  #answer(action: WriterAction, work: () => void): WriterResponse {
    const before = this.#run;
    let reason = "";
    try {
      work();
    } catch (error) {
      reason = messageOf(error);
    }
    const run = this.#run ?? before;
    const code = reason === "" ? "success" : "failure";
    return {
      code,
      reason,
      nWritten: run?.files.keptImages ?? 0,
      nVisible: run?.files.visibleImages ?? 0,
      action: action.action,
      ...(this.#run?.credit !== undefined && { credit: this.#run.credit }),
      ...(action.action === "confirm_last_image" && run && toldCounts(run)),
      ...(action.action === "close_file" && run && { ...toldCounts(run), closed: run.closed }),
    };
  }
}

/** What the driver is told of an image. */
function imageAnswer(run: Run | undefined, { metadata, reason }: PendingImage): WriterResponse {
  return {
    code: reason === "" ? "success" : "failure",
    reason,
    imageId: metadata.imageId,
    nWritten: run?.files.appendedImages ?? 0,
    nVisible: run?.files.visibleImages ?? 0,
    action: "record_image",
    ...(run?.credit !== undefined && { credit: run.credit }),
  };
}

/**
 * What a file of a run tells of its time in the end, beside attributes; `first` is its first image. What the
 * driver knows of all writers' images comes before what this one knows of its own.
 */
function textsOf(
  run: Run,
  first: ImageFacts | undefined,
  end: FileEnd,
  ofAll?: RunEndAccount,
): Record<string, string> {
  if (run.format === "std-daq") return {};
  const own = timesOf(first, first === undefined ? undefined : run.last);
  const { firstPacketNs: firstNs = own.firstNs, lastPacketNs: lastNs = own.lastNs } = ofAll ?? {};
  return closingTexts({ firstNs, lastNs }, end);
}

function timesOf(first: ImageFacts | undefined, last: ImageFacts | undefined): ImageTimes {
  return { firstNs: first?.firstNs ?? 0n, lastNs: last?.completeNs ?? 0n };
}

/** Before the first image. */
const NOTHING: ImageCounts = { incomplete: 0n, missing: 0n, overwritten: 0n };

/** The counts of all files so far. */
function countsOf({ earlier, incomplete, missing, overwritten }: Run): ImageCounts {
  return {
    incomplete: earlier.incomplete + incomplete,
    missing: earlier.missing + missing,
    overwritten: earlier.overwritten + overwritten,
  };
}

/** The same, for the driver, and when these images came. */
function toldCounts(
  run: Run,
):
  & Required<Pick<WriterResponse, "nIncomplete" | "packetsMissing" | "nOverwritten">>
  & Pick<WriterResponse, "firstPacketNs" | "lastPacketNs"> {
  const { incomplete, missing, overwritten } = countsOf(run);
  const { firstNs, lastNs } = timesOf(run.firstOfRun, run.last);
  return {
    ...(firstNs > 0n && { firstPacketNs: firstNs }),
    ...(lastNs > 0n && { lastPacketNs: lastNs }),
    nIncomplete: Number(incomplete),
    packetsMissing: Number(missing),
    nOverwritten: Number(overwritten),
  };
}

/** The driver's account of the run. */
function endAttributes({ outcome, account }: RunEnd, run: Run): Record<string, AttributeValue> {
  const told = { outcome: shortened(outcome, MOST_OUTCOME) };
  if (account === undefined) return told;
  const { lost, failed } = run.isSplit ? account : withOwnCounts(account, run);
  return {
    ...told,
    images_lost: BigInt(lost),
    lost_image_ids: shortened(account.lostIds, MOST_IDS),
    images_failed: BigInt(failed),
    failed_image_ids: failed === 0 ? "" : shortened(account.failedIds, MOST_IDS),
    images_missing: BigInt(account.missing),
    missing_image_ids: shortened(account.missingIds, MOST_IDS),
    images_not_taken: BigInt(account.notTaken),
  };
}

/** A driver that heard no answers does not know what became of its last images; their file does. */
function withOwnCounts(
  { written, overwritten, lost, failed }: RunEndAccount,
  run: Run,
): Pick<RunEndAccount, "lost" | "failed"> {
  const ownOverwritten = Number(countsOf(run).overwritten);
  const requested = written + overwritten + failed;
  return {
    lost: lost - overwritten + ownOverwritten,
    failed: Math.max(0, requested - run.files.appendedImages - ownOverwritten),
  };
}

/** What a master file has of the images in all files, in place of their own counters. */
function sumAttributes(account: RunEndAccount): Record<string, AttributeValue> {
  const { written, overwritten, incomplete, packetsMissing } = account;
  return {
    images_written: BigInt(written),
    images_overwritten: BigInt(overwritten),
    ...(incomplete !== undefined && { images_written_incomplete: BigInt(incomplete) }),
    ...(packetsMissing !== undefined && { packets_missing: BigInt(packetsMissing) }),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
