/**
 * What users see of an acquisition, in the words of the reference's REST interface.
 *
 * @module
 */
import type { AcquisitionState, Run } from "./types.ts";

/** READY takes a start; UNKNOWN means that the file writer does not answer. */
export type WriterStateName = "READY" | "WRITING" | "UNKNOWN";

/** Where the acquisition is; FINISHED and FAILED are final. */
export type AcquisitionStateName =
  | "WAITING_IMAGES"
  | "ACQUIRING_IMAGES"
  | "FLUSHING_IMAGES"
  | "FINISHED"
  | "FAILED";

/** Status of the current acquisition, or of the last one. */
export interface AcquisitionStatus {
  /** Where it is. */
  readonly state: AcquisitionStateName;
  /** "Completed.", "Interrupted." or "ERROR: …" once it ended. */
  readonly message: string;
  /** What was asked for. */
  readonly info: { readonly nImages: number; readonly outputFile: string; readonly runId: bigint };
  /** How far it is. */
  readonly stats: {
    readonly nWriteRequested: number;
    readonly nWriteCompleted: number;
    /** Images of the run that were overwritten in the ring before they were on file. */
    readonly nLost: number;
    /** Epoch s; null before the first acquisition. */
    readonly startTime: number | null;
    /** Epoch s; null while it runs. */
    readonly stopTime: number | null;
  };
}

/** Status of the writer and its acquisition. */
export interface WriterStatus {
  /** Whether the writer is free, writing or lost. */
  readonly state: WriterStateName;
  /** The current acquisition, or the last one. */
  readonly acquisition: AcquisitionStatus;
}

/** The public view of a state. */
export function statusOf(state: AcquisitionState): WriterStatus {
  return { state: writerState(state), acquisition: acquisitionStatus(state) };
}

function writerState(state: AcquisitionState): WriterStateName {
  switch (state.phase) {
    case "idle":
      return "READY";
    case "lost":
    case "recovering":
      return "UNKNOWN";
    case "creating":
    case "recording":
    case "flushing":
    case "closing":
      return "WRITING";
  }
}

function acquisitionStatus(state: AcquisitionState): AcquisitionStatus {
  const { run } = state;
  if (run === undefined) return NO_ACQUISITION;
  return {
    ...outcome(state, run),
    info: {
      nImages: run.request.nImages,
      outputFile: run.request.outputFile,
      runId: run.request.runId,
    },
    stats: {
      nWriteRequested: run.requested,
      nWriteCompleted: run.completed,
      nLost: lostImages(run),
      startTime: run.startTime,
      stopTime: run.stopTime ?? null,
    },
  };
}

function outcome(
  state: AcquisitionState,
  run: Run,
): Pick<AcquisitionStatus, "state" | "message"> {
  const trouble = troubleOf(run);
  if (run.stopTime !== undefined) {
    if (trouble !== "") return { state: "FAILED", message: trouble };
    return { state: "FINISHED", message: run.interrupted ? "Interrupted." : "Completed." };
  }
  switch (state.phase) {
    case "flushing":
    case "closing":
      return { state: "FLUSHING_IMAGES", message: trouble };
    default:
      return {
        state: run.requested + run.skipped > 0 ? "ACQUIRING_IMAGES" : "WAITING_IMAGES",
        message: trouble,
      };
  }
}

/** Images of the run that were overwritten in the ring before they were on file. */
function lostImages(run: Run): number {
  return run.skipped + run.overwritten;
}

/** What went wrong so far, empty when nothing did. A run that lost images is not a success. */
function troubleOf(run: Run): string {
  const lost = lostImages(run);
  const loss = lost === 0
    ? ""
    : `${lost} of ${run.request.nImages} images were lost: overwritten ` +
      `in the image ring before they were on file. ${run.completed} images are in ` +
      `${run.request.outputFile}. Use a faster disk, a lower frame rate or a larger ring (--ram).`;
  if (run.failure === undefined) return loss === "" ? "" : `ERROR: ${loss}`;
  return `ERROR: ${run.failure}. ${loss}`.trimEnd();
}

const NO_ACQUISITION: AcquisitionStatus = {
  state: "FINISHED",
  message: "No acquisition yet.",
  info: { nImages: 0, outputFile: "", runId: 0n },
  stats: { nWriteRequested: 0, nWriteCompleted: 0, nLost: 0, startTime: null, stopTime: null },
};
