/**
 * What users see of an acquisition, in the words of the reference's REST interface.
 *
 * @module
 */
import { type ImageIdRange, missingCount, missingText } from "./missing_images.ts";
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
  /** What was asked for; nImages 0: until stopped. */
  readonly info: { readonly nImages: number; readonly outputFile: string; readonly runId: bigint };
  /** How far it is. */
  readonly stats: {
    readonly nWriteRequested: number;
    readonly nWriteCompleted: number;
    /** Images of the run that were overwritten in the ring before they were on file. */
    readonly nLost: number;
    /** Images that never came: ids missing between those of the run, and what was asked for beyond. */
    readonly nMissing: number;
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
      nMissing: missingImages(run),
      startTime: run.startTime,
      stopTime: run.stopTime ?? null,
    },
  };
}

function outcome(
  state: AcquisitionState,
  run: Run,
): Pick<AcquisitionStatus, "state" | "message"> {
  if (run.stopTime !== undefined) return outcomeOf(run);
  const message = troubleOf(run);
  switch (state.phase) {
    case "flushing":
    case "closing":
      return { state: "FLUSHING_IMAGES", message };
    default:
      return {
        state: run.requested + run.skipped > 0 ? "ACQUIRING_IMAGES" : "WAITING_IMAGES",
        message,
      };
  }
}

/** How a run ended, if nothing else happens to it. */
export function outcomeOf(run: Run): { state: "FINISHED" | "FAILED"; message: string } {
  const trouble = troubleOf(run);
  if (trouble !== "") return { state: "FAILED", message: trouble };
  const { nImages, stopImageId } = run.request;
  // A stop is how a run without an end of its own ends.
  const cut = run.interrupted && (nImages > 0 || stopImageId !== undefined);
  return { state: "FINISHED", message: cut ? "Interrupted." : "Completed." };
}

/**
 * Images that never came: ids missing between those that did, or what was asked for and did not come
 * before the run was cut short; a stop leaves nothing missing.
 */
export function missingImages(run: Run): number {
  const { nImages } = run.request;
  const notThere = run.cutShort === undefined ? 0 : nImages - run.requested - run.skipped;
  return Math.max(0, missingCount(run.seen, rangeSoFar(run)) - run.skipped, notThere);
}

/** The ids that never came, and those that were lost one by one, in words. */
export function missingIds(run: Run): string {
  return missingText(run.seen, rangeSoFar(run), run.overwrittenIds);
}

/** The ids that are to be there by now. */
function rangeSoFar({ request, seen, cutShort, rangeEnded }: Run): ImageIdRange {
  const { startImageId, stopImageId } = request;
  const isOver = cutShort !== undefined || rangeEnded;
  if (seen.last === undefined && !isOver) return {};
  return {
    ...(startImageId !== undefined && { startImageId }),
    ...(stopImageId !== undefined && isOver && { stopImageId }),
  };
}

/** Images of the run that were overwritten in the ring before they were on file. */
function lostImages(run: Run): number {
  return run.skipped + run.overwritten;
}

/** What went wrong so far, empty when nothing did. A run that lost images is not a success. */
function troubleOf(run: Run): string {
  const { failure } = run;
  const parts = [failure === undefined ? "" : `${failure}.`, absence(run), loss(run)]
    .filter((part) => part !== "");
  return parts.length === 0 ? "" : `ERROR: ${parts.join(" ")}`;
}

/** What a run lacks that did not come to its end. */
function absence(run: Run): string {
  const { cutShort, completed, request: { nImages, outputFile } } = run;
  if (cutShort === undefined) return "";
  const ids = missingIds(run);
  const missing = missingImages(run);
  return `${cutShort}: ${completed} ${nImages > 0 ? `of ${nImages} ` : ""}images are in ` +
    `${outputFile}` + (missing === 0 ? "" : `, ${missing} never came`) +
    (ids === "" ? "" : ` (missing ids: ${ids})`) +
    ". See with daq status whether packets arrive, and are lost; or ask for other images.";
}

/** What was lost here. */
function loss(run: Run): string {
  const lost = lostImages(run);
  if (lost === 0) return "";
  const { cutShort, request: { nImages, outputFile } } = run;
  const ids = cutShort === undefined ? missingIds(run) : ""; // else told already
  return `${lost} ${nImages > 0 ? `of ${nImages} ` : ""}images were lost: overwritten ` +
    `in the image ring before they were on file${ids === "" ? "" : ` (missing ids: ${ids})`}. ` +
    `${run.completed} images are in ${outputFile}. Use a faster disk, a lower frame rate or a larger ring (--ram).`;
}

const NO_ACQUISITION: AcquisitionStatus = {
  state: "FINISHED",
  message: "No acquisition yet.",
  info: { nImages: 0, outputFile: "", runId: 0n },
  stats: {
    nWriteRequested: 0,
    nWriteCompleted: 0,
    nLost: 0,
    nMissing: 0,
    startTime: null,
    stopTime: null,
  },
};
