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
import type { PixelType } from "../hdf5/mod.ts";
import type { File } from "../os/mod.ts";
import {
  type CreateFileAction,
  IMAGE_STATUS,
  type RecordImageAction,
  type WriterAction,
  type WriterResponse,
} from "../protocol/mod.ts";
import type { ImageLocator } from "./image_locator.ts";
import { type Counters, RunFiles } from "./run_files.ts";

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

/** What a file writer works with. */
export interface FileWriterOptions {
  detector: string;
  height: number;
  width: number;
  pixelType: PixelType;
  images: ImageLocator;
  /** Creates the file; throws when the path is not allowed, or taken. */
  createFile(path: string): File;
  /** The account now; its change since the start of the run becomes attributes of the file. */
  readAccounting(): Accounting;
  /** Texts stored with every file: config, software version. */
  attributes: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  clock(): number;
}

/** The run being written and what happened to it; the counts are those of the current file. */
interface Run {
  files: RunFiles;
  acknowledge: boolean;
  atStart: Accounting;
  incomplete: bigint;
  missing: bigint;
  overwritten: bigint;
  /** First failure; later images are refused with the same reason. */
  failure?: string;
}

/** Carries out the actions of a writer driver, one file at a time. Synchronous: for a Worker. */
export class FileWriter implements Disposable {
  readonly #options: FileWriterOptions;
  #run: Run | undefined;
  #bytes = 0n;
  #images = 0n;

  constructor(options: FileWriterOptions) {
    this.#options = options;
  }

  /** Images written since the start of the service. */
  get imagesWritten(): bigint {
    return this.#images;
  }

  /** Their bytes. */
  get bytesWritten(): bigint {
    return this.#bytes;
  }

  /**
   * Carries out an action.
   *
   * @returns The answer; none for a record_image whose driver did not ask for answers.
   */
  handle(action: WriterAction): WriterResponse | undefined {
    switch (action.action) {
      case "create_file":
        return this.#answer(action, () => this.#create(action));
      case "record_image":
        return this.#record(action);
      case "confirm_last_image":
        return this.#answer(action, () => this.#confirm());
      case "close_file":
        return this.#answer(action, () => this.#close(action.discardEmpty));
    }
  }

  /** Makes what was written visible to readers of the file, with the account so far. */
  publish(): void {
    const run = this.#run;
    if (run === undefined) return;
    run.files.publish(this.#counters(run));
  }

  /** Ends the file that is open, if any. */
  [Symbol.dispose](): void {
    if (this.#run !== undefined) this.#close();
  }

  #create(action: CreateFileAction): void {
    if (this.#run !== undefined) throw new Error(`${REASON_FILE_OPEN}: ${this.#run.files.path}`);
    const { detector, height, width, pixelType, images, attributes, clock } = this.#options;
    images.attach();
    const atStart = this.#options.readAccounting();
    const files = new RunFiles({
      action,
      createFile: this.#options.createFile,
      common: {
        ...{ detector, height, width, pixelType },
        attributes: {
          ...attributes,
          run_id: action.runId,
          request: action.request,
          images_requested: BigInt(action.nImages),
          start_time: clock(),
        },
      },
      fileCounters: FILE_COUNTERS,
      runCounters: Object.keys(atStart),
    });
    const nothing = { incomplete: 0n, missing: 0n, overwritten: 0n };
    this.#run = { files, acknowledge: action.acknowledgeImages, atStart, ...nothing };
  }

  #record(action: RecordImageAction): WriterResponse | undefined {
    const run = this.#run;
    const { imageId } = action.metadata;
    const answer = (reason: string): WriterResponse | undefined =>
      run?.acknowledge === false ? undefined : {
        code: reason === "" ? "success" : "failure",
        reason,
        imageId,
        nWritten: run?.files.appendedImages ?? 0,
        action: "record_image",
      };
    if (run === undefined) return answer(REASON_NO_FILE);
    if (run.failure !== undefined) return answer(run.failure);
    try {
      return answer(this.#append(run, action));
    } catch (error) {
      run.failure = messageOf(error);
      return answer(run.failure);
    }
  }

  /** Appends an image to the file; returns why it could not, or "". */
  #append(run: Run, { metadata, entry }: RecordImageAction): string {
    if (run.files.isFull) this.#beginNextFile(run);
    const { imageId } = metadata;
    const image = this.#options.images.locate(imageId, entry);
    const status = IMAGE_STATUS[metadata.status];
    const bytes = run.files.imageBytes;
    const taken = image !== undefined &&
      run.files.appendImage({
        ...{ imageId, status, bytes },
        address: image.address,
        isIntact: image.isIntact,
      });
    if (!taken) {
      run.overwritten++;
      run.files.leaveOut({ imageId, status: IMAGE_STATUS.status_undefined });
      return `${REASON_OVERWRITTEN}: image ${imageId} was not on file yet when its slot was needed again. ` +
        "Give the image ring more memory (--ram), or a faster disk.";
    }
    if (metadata.status !== "good_image") run.incomplete++;
    run.missing += BigInt(image.missingPackets);
    this.#images++;
    this.#bytes += BigInt(bytes);
    return "";
  }

  #beginNextFile(run: Run): void {
    run.files.beginNext({ counters: this.#counters(run), attributes: this.#lastAttributes() });
    run.incomplete = run.missing = run.overwritten = 0n;
  }

  /** Makes all images visible: the driver may now tell its user that they are on file. */
  #confirm(): void {
    if (this.#run === undefined) throw new Error(REASON_NO_FILE);
    if (this.#run.failure !== undefined) throw new Error(this.#run.failure);
    this.publish();
  }

  #close(discardEmpty = false): void {
    const run = this.#run;
    if (run === undefined) throw new Error(REASON_NO_FILE);
    this.#run = undefined;
    const last = { counters: this.#counters(run), attributes: this.#lastAttributes() };
    run.files.close(last, discardEmpty);
  }

  #lastAttributes(): Record<string, number> {
    return { end_time: this.#options.clock() };
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
    let reason = "";
    try {
      work();
    } catch (error) {
      reason = messageOf(error);
    }
    const nWritten = this.#run?.files.appendedImages ?? 0;
    return { code: reason === "" ? "success" : "failure", reason, nWritten, action: action.action };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
