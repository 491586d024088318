/**
 * The words of the acquisition state machine: its state, what happens to it, what it wants done.
 *
 * @module
 */
import type {
  ClosedRun,
  FileCompression,
  FsyncPolicy,
  ImageMetadata,
  RunEnd,
  RunEndAccount,
  WriterActionName,
  WriterFileFormat,
} from "../protocol/mod.ts";
import type { IdSet } from "./id_ranges.ts";
import type { ImageIdRange, SeenImages } from "./missing_images.ts";

/** A moment, read once per event so that the machine needs no clock of its own. */
export interface Instant {
  /** Wall-clock time, seconds since 1970-01-01 UTC; shown to users. */
  readonly epochS: number;
  /** Time that never steps, ms since an arbitrary start; timeouts are measured with it. */
  readonly monotonicMs: number;
}

/** A checked request to write images into a file. */
export interface StartRequest extends ImageIdRange {
  /** Images to write; 0: until a stop, or the last id of the range. */
  readonly nImages: number;
  /** Absolute path, already checked against the allowed folders. */
  readonly outputFile: string;
  /** The run fails when no image comes for so long, ms; left out: it waits. */
  readonly noImagesTimeoutMs?: number;
  /** Images of a file, after which its writer begins another one; left out: no limit. */
  readonly imagesPerFile?: number;
  /** How to compress images; left out: as the writer's config says. */
  readonly compression?: FileCompression;
  /** Threads of each writer to compress on; left out: all. */
  readonly compressionThreads?: number;
  /** Format of the file; left out: as the writer's config says. */
  readonly fileFormat?: WriterFileFormat;
  /** What a NeXus file tells of the experiment, checked, JSON; left out: what the config says. */
  readonly nexus?: string;
  /** When files are forced to the disk; left out: as the writer's config says. */
  readonly fsync?: FsyncPolicy;
  /** Take the place of files that are there; left out: that is refused. */
  readonly overwrite?: boolean;
  /** Make the folders that are missing; left out: as the writer's config says. */
  readonly createFolders?: boolean;
  /** User that files are made as; left out: as the writer's config says. */
  readonly userId?: number;
  /** The user's number for this acquisition; fits an unsigned 64-bit integer. */
  readonly runId: bigint;
  /** The whole request as the user sent it, JSON; stored in the file. */
  readonly json: string;
}

/** One image of the image ring, as published by the assembler. */
export interface RingImage {
  /** Number of its entry in the ring's index; absent when the assembler keeps no index. */
  readonly entry?: bigint;
  /** Images published before this one that were overwritten before they could be looked at. */
  readonly skipped: number;
  /** What the assembler says of the image. */
  readonly metadata: ImageMetadata;
}

/** A command for the file writer. `create_file`, `confirm_last_image` and `close_file` are always
 * answered, `record_image` by the writers that name the action they answer. */
export type WriterCommand =
  | {
    readonly action: "create_file";
    readonly request: StartRequest;
    /** Now, seconds since 1970. */
    readonly startTime: number;
  }
  | { readonly action: "record_image"; readonly image: RingImage }
  | { readonly action: "confirm_last_image" }
  | {
    readonly action: "close_file";
    /** Remove the file if it has no image. */
    readonly discardEmpty?: boolean;
    /** What became of the run, for the file. */
    readonly end?: RunEnd;
  };

/** An answer of the file writer. */
export interface WriterAnswer {
  /** Whether the action succeeded. */
  readonly ok: boolean;
  /** Why it failed; empty on success. */
  readonly reason: string;
  /** Which action is answered; absent from the original writer, which answers in order and does
   * not answer record_image. */
  readonly action?: WriterActionName;
  /** The image the answer speaks of. */
  readonly imageId?: bigint;
  /** Images in the current file so far. */
  readonly nWritten?: number;
  /** Images that readers of the file see by now. */
  readonly nVisible?: number;
  /** To confirm_last_image and close_file: images of the run that were overwritten before they were written. */
  readonly nOverwritten?: number;
  /** Likewise: images on file with something missing. */
  readonly nIncomplete?: number;
  /** Likewise: packets missing in them. */
  readonly packetsMissing?: number;
  /** Likewise: first packet of the first of them, ns since 1970. */
  readonly firstPacketNs?: bigint;
  /** Likewise: last packet of the last of them. */
  readonly lastPacketNs?: bigint;
  /** To close_file: whose file was closed. */
  readonly closed?: ClosedRun;
  /** Images that may be at this writer unanswered from now on; left out: as before. */
  readonly credit?: number;
}

/** What can happen to an acquisition. */
export type AcquisitionEvent =
  /** The driver is there; a driver before it may have left a file open in the writer. */
  | { readonly kind: "driver_started" }
  | { readonly kind: "start"; readonly request: StartRequest }
  | { readonly kind: "stop" }
  | { readonly kind: "image"; readonly image: RingImage }
  | { readonly kind: "answer"; readonly answer: WriterAnswer }
  /** The writer begins, or has ended, what may take minutes: making, closing or syncing files. */
  | { readonly kind: "working"; readonly working: boolean }
  /** Time went by; to be sent at {@linkcode nextDeadline} or whenever convenient. */
  | { readonly kind: "tick" }
  /** A command could not be delivered. */
  | { readonly kind: "send_failed"; readonly reason: string }
  /** The image ring cannot be followed any longer. */
  | { readonly kind: "source_failed"; readonly reason: string };

/** Why a start was not carried out. */
export type StartFailure = "busy" | "deploying" | "writer_gone" | "create_failed" | "interrupted";

/** What the machine wants done, in the order given. */
export type AcquisitionEffect =
  | { readonly kind: "send"; readonly command: WriterCommand }
  /** Forget commands not delivered yet: the writer they were for is gone. */
  | { readonly kind: "drop_unsent" }
  /** Follow the image ring from the next image published on, or from the first id of the run's range. */
  | { readonly kind: "start_images" }
  | { readonly kind: "stop_images" }
  /** The start is under way: the file exists and images are taken. */
  | { readonly kind: "started" }
  /** The start ended before it was under way. */
  | { readonly kind: "start_failed"; readonly why: StartFailure; readonly message: string }
  /** The start that was just asked for is refused; nothing changed. */
  | { readonly kind: "start_refused"; readonly why: "busy"; readonly message: string }
  /** The acquisition reached FINISHED or FAILED. */
  | { readonly kind: "ended" }
  /** Something for the log that changes nothing. */
  | { readonly kind: "note"; readonly message: string };

/**
 * Where the machine is.
 *
 * | phase | meaning |
 * |---|---|
 * | `idle` | no file open, writer believed well |
 * | `lost` | the writer does not answer |
 * | `recovering` | close_file sent to find out whether the writer is back |
 * | `creating` | create_file sent |
 * | `recording` | images are taken |
 * | `flushing` | confirm_last_image sent, no more images are taken |
 * | `closing` | close_file sent |
 */
export type Phase =
  | "idle"
  | "lost"
  | "recovering"
  | "creating"
  | "recording"
  | "flushing"
  | "closing";

/** One acquisition: what was asked and what came of it. */
export interface Run {
  /** What was asked for. */
  readonly request: StartRequest;
  /** Epoch s. */
  readonly startTime: number;
  /** Epoch s; absent while it runs. */
  readonly stopTime?: number;
  /** Images the writer was told to record. */
  readonly requested: number;
  /** Images on file, as the writer answered. */
  readonly completed: number;
  /** Images that readers of the file see, as the writer last said; absent where it does not say. */
  readonly visible?: number;
  /** Images of this run that were overwritten in the ring before the writer was told of them. */
  readonly skipped: number;
  /** Requested images that were overwritten in the ring before the writer got to them. */
  readonly overwritten: number;
  /** Requested images that the writer did not record, or not say that it did; the latter from the end on. */
  readonly failed: number;
  /** Images that the writer did record, but that may be gone with it: they are counted as failed. */
  readonly unconfirmed: number;
  /** Ids of skipped and overwritten images. */
  readonly lost: IdSet;
  /** Ids of images that the writer did record. */
  readonly written: IdSet;
  /** What the writer says of the images on file, at the end. */
  readonly onFile?: Pick<
    RunEndAccount,
    "incomplete" | "packetsMissing" | "firstPacketNs" | "lastPacketNs"
  >;
  /** Images the writer was told to record and answered for, one way or the other. */
  readonly answered: number;
  /** The writer answers each record_image. */
  readonly acknowledges: boolean;
  /** Its file is there: the writer created it. */
  readonly created: boolean;
  /** A user asked to stop before all images were there. */
  readonly interrupted: boolean;
  /** A leftover file of the writer was closed once already for this run. */
  readonly recovered: boolean;
  /** Ids of the images the writer was told to record. */
  readonly seen: SeenImages;
  /** Why the taking of images ended before all were there, a phrase; absent after a stop. */
  readonly cutShort?: string;
  /** The last id of the range was reached, or passed. */
  readonly rangeEnded: boolean;
  /** Images with ids below the range that came after one of it: the detector counts anew. */
  readonly belowRange: number;
  /** First thing that went wrong. */
  readonly failure?: string;
  /** The file is not where it was asked for. */
  readonly fileGone?: true;
  /** The writer is gone, or its file: what became of the last images is not certain. */
  readonly writerGone?: "restarted" | "silent";
}

/** The whole state; never changed in place. */
export interface AcquisitionState {
  /** What the machine is doing. */
  readonly phase: Phase;
  /** The current run, or the last one; absent until the first. */
  readonly run?: Run;
  /** In `idle` and `creating`: the close_file at the start of the driver is not answered yet. */
  readonly orphanAsked?: true;
  /** In `lost` and `recovering`: the run that ended without the writer, which may hold its file still. */
  readonly left?: Run;
  /** Monotonic ms since when the writer owes an answer; in `lost`, since when it is lost. */
  readonly waitingSince?: number;
  /** The writer has said that it is at what may take minutes; never in `lost`. */
  readonly working?: true;
  /** In `recording`: monotonic ms since when the next image is waited for. */
  readonly imagesSince?: number;
}

/** Limits of the machine. */
export interface AcquisitionLimits {
  /** The writer is lost when it owes an answer for so long, ms. */
  readonly writerTimeoutMs: number;
  /** The same while it is at what it has said may take minutes, ms. */
  readonly workTimeoutMs: number;
  /** A lost writer is asked again after so long, ms. */
  readonly retryMs: number;
  /**
   * Images taken and not answered for yet, at the writers or waiting for their credit; beyond it images wait in
   * the ring.
   */
  readonly maxOutstanding: number;
}
