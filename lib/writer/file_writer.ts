/**
 * What a file writer does with the actions it is sent.
 *
 * @module
 */
import { type Accounting, accountingDifference } from "../accounting/mod.ts";
import {
  REASON_FILE_OPEN,
  REASON_NO_FILE,
  REASON_OVERWRITTEN,
} from "../acquisition/writer_reasons.ts";
import type { DetectorType, FileFormat } from "../config/mod.ts";
import type { AttributeValue, ImageCompression, PixelType } from "../hdf5/mod.ts";
import { closingTexts, type FileEnd, type ImageTimes, type NexusLayouts } from "../nexus/mod.ts";
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
import { imageInRing } from "./image_in_ring.ts";
import type { OutputFiles } from "./data_roots.ts";
import { type ImageFacts, imageInfoFields, imageInfoValues, NO_FACTS } from "./image_info.ts";
import type { ImageLocator, LocatedImage } from "./image_locator.ts";
import { type Counters, type FileLayout, type LastOfRunFile, RunFiles } from "./run_files.ts";

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

/** Longest texts among a file's last attributes, characters. */
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
  /** When the images of the current file came, and those of all of them. */
  times: { inFile: ImageTimes; inRun: ImageTimes };
  format: FileFormat;
  compression: ImageCompression;
  acknowledge: boolean;
  atStart: Accounting;
  /** First failure; later images are refused with the same reason. */
  failure?: string;
}

/** An image whose turn to be written has not come yet. */
interface PendingImage {
  metadata: ImageMetadata;
  /** Where it is; undefined: overwritten already. */
  image: LocatedImage | undefined;
}

/** Carries out the actions of a writer driver, one file at a time. Synchronous: for a Worker. */
export class FileWriter implements Disposable {
  readonly #options: FileWriterOptions;
  #run: Run | undefined;
  /** Images under way through the compressors, oldest first. */
  readonly #pending: PendingImage[] = [];
  #answers: WriterResponse[] = [];
  #bytes = 0n;
  #images = 0n;

  constructor(options: FileWriterOptions) {
    this.#options = options;
    options.images.onDetach = (): void => {
      this.#drain();
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

  /** Whether images are being compressed: {@link FileWriter.settle} is to be called soon. */
  get isBusy(): boolean {
    return this.#pending.length > 0;
  }

  /**
   * Carries out an action.
   *
   * @returns The answer; none for a record_image whose driver did not ask for answers, or which is
   * answered later, when the image was compressed. {@link FileWriter.takeAnswers} come before it.
   */
  handle(action: WriterAction): WriterResponse | undefined {
    if (action.action !== "record_image") this.#drain();
    switch (action.action) {
      case "create_file":
        return this.#answer(action, () => this.#create(action));
      case "record_image":
        return this.#record(action);
      case "confirm_last_image":
        return this.#answer(action, () => this.#confirm());
      case "close_file":
        return this.#answer(action, () => this.#close(action.discardEmpty, action.end));
    }
  }

  /**
   * Writes the images that have been compressed.
   *
   * @param wait Whether to wait for one if there is none, at most a millisecond.
   */
  settle(wait = false): void {
    if (wait && this.isBusy) this.#options.compressors.wait();
    for (let pending = this.#pending[0]; pending !== undefined; pending = this.#pending[0]) {
      const { compressors } = this.#options;
      const chunk = pending.image && compressors.oldest();
      if (pending.image !== undefined && chunk === undefined) return;
      this.#pending.shift();
      const answer = this.#write(pending, chunk);
      if (chunk !== undefined) compressors.release();
      if (answer !== undefined) this.#answers.push(answer);
    }
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
    const run = this.#run;
    if (run === undefined || run.failure !== undefined || this.#publish(run)) return;
    if (!run.acknowledge) return;
    this.#answers.push(
      this.#answer({ action: "confirm_last_image" }, () => this.#confirm()),
    );
  }

  /** Whether it went well. */
  #publish(run: Run): boolean {
    try {
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
    const startTime = clock();
    const layout = this.#layout(action, format, startTime);
    const ring = images.attach();
    if (compression !== "none" && !compressedImages) {
      this.#options.compressors.use(action.compressionThreads ?? 0);
      this.#options.compressors.attach(ring);
    }
    const atStart = this.#options.readAccounting();
    const files = new RunFiles({
      action,
      output: action.userId === undefined ? output : output.ofUser(action.userId),
      newFile: {
        overwrite: action.overwrite ?? false,
        createFolders: action.createFolders ?? this.#options.createFolders ?? false,
      },
      fsync: action.fsync ?? this.#options.fsync ?? "none",
      common: {
        ...{ detector, height, width, pixelType, compression },
        info: imageInfoFields(this.#options.detectorType),
        attributes: {
          ...attributes,
          run_id: action.runId,
          request: action.request,
          images_requested: BigInt(action.nImages),
          start_time: startTime,
          ...(format !== "std-daq" && { NX_class: "NXcollection" }),
        },
      },
      layout,
      fileCounters: FILE_COUNTERS,
      runCounters: Object.keys(atStart),
    });
    const { acknowledgeImages: acknowledge, split, path, runId, nImages } = action;
    const closed = { path: split?.outputFile ?? path, runId, nImages, startTime };
    const isSplit = split !== undefined;
    this.#run = {
      ...{ files, format, compression, acknowledge, atStart, closed, isSplit },
      ...NOTHING,
      earlier: NOTHING,
      times: { inFile: NO_TIMES, inRun: NO_TIMES },
    };
  }

  /** Writes an image, or has it compressed first. */
  #record({ metadata, entry }: RecordImageAction): WriterResponse | undefined {
    const run = this.#run;
    const { images, compressors } = this.#options;
    if (run === undefined || run.failure !== undefined) {
      return this.#write({ metadata, image: undefined });
    }
    if (run.compression === "none" || this.#options.compressedImages) {
      const image = images.locate(metadata.imageId, entry);
      return this.#write({ metadata, image });
    }
    while (this.#pending.length >= compressors.capacity) this.settle(true);
    const image = images.locate(metadata.imageId, entry);
    if (image !== undefined) {
      compressors.attach(image.ring); // another one, if the ring was replaced
      compressors.submit(image.slot);
    }
    this.#pending.push({ metadata, image });
    return undefined;
  }

  /** Waits until no image is under way. */
  #drain(): void {
    while (this.isBusy) this.settle(true);
  }

  /** Writes an image to the file; returns the answer to its driver. */
  #write(pending: PendingImage, chunk?: CompressedImage): WriterResponse | undefined {
    const run = this.#run;
    let reason = run === undefined ? REASON_NO_FILE : run.failure ?? "";
    if (run !== undefined && reason === "") {
      try {
        reason = this.#append(run, pending, chunk);
      } catch (error) {
        reason = run.failure = messageOf(error);
      }
    }
    if (run?.acknowledge === false) return undefined;
    return {
      code: reason === "" ? "success" : "failure",
      reason,
      imageId: pending.metadata.imageId,
      nWritten: run?.files.appendedImages ?? 0,
      nVisible: run?.files.visibleImages ?? 0,
      action: "record_image",
    };
  }

  /** Appends an image to the file; returns why it could not, or "". */
  #append(run: Run, { metadata, image }: PendingImage, chunk?: CompressedImage): string {
    if (run.files.isFull) this.#beginNextFile(run);
    const { imageId } = metadata;
    const status = IMAGE_STATUS[metadata.status];
    const ring = {
      compressed: this.#options.compressedImages ?? false,
      imageBytes: run.files.imageBytes,
    };
    const inRing = image && imageInRing(image, metadata, ring);
    const bytes = chunk?.bytes ?? inRing?.bytes ?? 0;
    const facts = image?.facts ?? NO_FACTS;
    const info = imageInfoValues(this.#options.detectorType, facts, metadata);
    const taken = image !== undefined &&
      run.files.appendImage({
        ...{ imageId, status, bytes, info },
        address: chunk?.address ?? image.address,
        compressed: (chunk ?? inRing)?.compressed === true,
        isIntact: image.isIntact,
      });
    if (!taken) {
      run.overwritten++;
      run.files.leaveOut({ imageId, status: IMAGE_STATUS.status_undefined, info });
      return `${REASON_OVERWRITTEN}: image ${imageId} was not on file yet when its slot was needed again. ` +
        "Give the image ring more memory (--ram), or a faster disk.";
    }
    if (metadata.status !== "good_image") run.incomplete++;
    run.missing += BigInt(facts.missingPackets);
    const { inFile, inRun } = run.times;
    run.times = { inFile: withImage(inFile, facts), inRun: withImage(inRun, facts) };
    this.#images++;
    this.#bytes += BigInt(bytes);
    return "";
  }

  #beginNextFile(run: Run): void {
    run.files.beginNext(this.#last(run));
    run.earlier = countsOf(run);
    Object.assign(run, NOTHING);
    run.times = { ...run.times, inFile: NO_TIMES };
  }

  /** Makes all images visible: the driver may now tell its user that they are on file. */
  #confirm(): void {
    const run = this.#run;
    if (run === undefined) throw new Error(REASON_NO_FILE);
    if (run.failure === undefined) this.#publish(run);
    if (run.failure !== undefined) throw new Error(run.failure);
  }

  #close(discardEmpty = false, end?: RunEnd): void {
    const run = this.#run;
    if (run === undefined) throw new Error(REASON_NO_FILE);
    this.#run = undefined;
    const closedAt = this.#options.clock();
    const failed = end?.outcome.startsWith("ERROR") ?? false;
    const last = this.#last(run, closedAt, failed);
    const ofRun = end && endAttributes(end, run);
    const attributes = { ...last.attributes, ...ofRun };
    run.files.close({ ...last, attributes }, {
      discardEmpty,
      masterAttributes: end?.account && sumAttributes(end.account),
      masterTexts: textsOf(run, run.times.inRun, { closedAt, failed }),
    });
  }

  /** What a file is closed with. */
  #last(run: Run, closedAt = this.#options.clock(), failed = false): LastOfRunFile {
    return {
      counters: this.#counters(run),
      attributes: { end_time: closedAt },
      texts: textsOf(run, run.times.inFile, { closedAt, failed }),
    };
  }

  /** What files of a format hold beside the images, by the file's name. */
  #layout(
    { runId, nImages, nexus }: CreateFileAction,
    format: FileFormat,
    startTime: number,
  ): ((fileName: string) => FileLayout) | undefined {
    if (format === "std-daq") return undefined;
    const { nexus: layouts } = this.#options;
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
      nWritten: run?.files.appendedImages ?? 0,
      nVisible: run?.files.visibleImages ?? 0,
      action: action.action,
      ...(action.action === "confirm_last_image" && run && toldCounts(run)),
      ...(action.action === "close_file" && run && { ...toldCounts(run), closed: run.closed }),
    };
  }
}

/** Before the first image. */
const NO_TIMES: ImageTimes = { firstNs: 0n, lastNs: 0n };

function withImage(times: ImageTimes, { firstNs, completeNs }: ImageFacts): ImageTimes {
  return { firstNs: times.firstNs === 0n ? firstNs : times.firstNs, lastNs: completeNs };
}

/** What a file of a run tells of its time in the end, beside attributes. */
function textsOf(run: Run, times: ImageTimes, end: FileEnd): Record<string, string> {
  return run.format === "std-daq" ? {} : closingTexts(times, end);
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

/** The same, for the driver. */
function toldCounts(
  run: Run,
): Required<Pick<WriterResponse, "nIncomplete" | "packetsMissing" | "nOverwritten">> {
  const { incomplete, missing, overwritten } = countsOf(run);
  return {
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

/** Files keep little room for their last attributes. */
function shortened(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
