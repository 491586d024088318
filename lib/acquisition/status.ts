/**
 * What users see of an acquisition, in the words of the reference's REST interface.
 *
 * @module
 */
import { accountOf, type RunAccount } from "./run_account.ts";
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
  /** Once it ended, begins with "Completed.", "Interrupted." or "ERROR: ". */
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
    /** Images that the writer was told to record and did not, or did not say that it did. */
    readonly nFailed: number;
    /** Images that were asked for and not taken: the run was stopped, or failed, before. */
    readonly nNotTaken: number;
    /** Epoch s; null before the first acquisition. */
    readonly startTime: number | null;
    /** Epoch s; null while it runs. */
    readonly stopTime: number | null;
  };
  /** Ids of the images that are not on file, as far as known, `12, 15-17, 3 of 20-29`. */
  readonly ids: { readonly lost: string; readonly missing: string; readonly failed: string };
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
  const account = accountOf(run);
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
      nLost: account.lost,
      nMissing: account.missing,
      nFailed: account.failed,
      nNotTaken: account.notTaken,
      startTime: run.startTime,
      stopTime: run.stopTime ?? null,
    },
    ids: { lost: account.lostIds, missing: account.missingIds, failed: account.failedIds },
  };
}

function outcome(
  state: AcquisitionState,
  run: Run,
): Pick<AcquisitionStatus, "state" | "message"> {
  if (run.stopTime !== undefined) return outcomeOf(run);
  const trouble = troubleOf(run);
  const message = trouble === "" ? belowRange(run) : trouble;
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
  const words = cut ? "Interrupted." : "Completed.";
  return { state: "FINISHED", message: `${words} ${belowRange(run)}`.trimEnd() };
}

/** What went wrong so far, empty when nothing did. A run that lost images is not a success. */
function troubleOf(run: Run): string {
  const account = accountOf(run);
  const parts = [
    failure(run),
    absence(run, account),
    loss(run, account),
    failedImages(run, account),
  ]
    .filter((part) => part !== "");
  if (parts.length === 0) return "";
  const all = [...parts, belowRange(run)].filter((part) => part !== "");
  return `ERROR: ${all.map(beginning).join(" ")}`;
}

/** Later sentences begin as such; what follows `ERROR:` stays as it is. */
function beginning(sentence: string, i: number): string {
  return i === 0 ? sentence : sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** What failed, and what there is all the same. */
function failure(run: Run): string {
  const { failure: what, created, completed, unconfirmed, request: { outputFile } } = run;
  if (what === undefined || !created) return what === undefined ? "" : `${what}.`;
  if (run.fileGone) return `${what}.`;
  if (run.writerGone === undefined) {
    return `${what}; ${imagesAre(completed, "are")} in ${outputFile}.`;
  }
  const safe = run.visible === undefined
    ? `${imagesAre(completed, "were")} written to ${outputFile}`
    : `at least ${imagesAre(run.visible, "are")} safe in ${outputFile}, ` +
      `of ${completed + unconfirmed} that were written`;
  return run.writerGone === "restarted"
    ? `${what}; ${safe}.`
    : `${what}; ${safe}. The file stays readable with them. ` +
      "Check that std_h5_writer runs; the next start tries again.";
}

/** What a run lacks that did not come to its end. */
function absence(run: Run, { missing, missingIds }: RunAccount): string {
  const { cutShort, completed, request: { nImages, outputFile } } = run;
  if (cutShort === undefined) return "";
  const there = run.failure === undefined
    ? `${completed} ${nImages > 0 ? `of ${nImages} ` : ""}images are in ${outputFile}`
    : "";
  const never = missing === 0 ? "" : `${missing} never came${idsText("missing ids", missingIds)}`;
  const what = [there, never].filter((text) => text !== "").join(", ");
  return `${cutShort}${what === "" ? "" : `: ${what}`}. ` +
    "See with daq status whether packets arrive, and are lost; or ask for other images.";
}

/** What came and was not asked for, although the run's images had begun to come. */
function belowRange({ belowRange: count, request: { startImageId } }: Run): string {
  if (count === 0) return "";
  const images = count === 1 ? "1 image" : `${count} images`;
  return `${images} with ids below ${startImageId} came behind others of the range, and were left ` +
    "alone: the detector began to count anew.";
}

/** What was lost here. */
function loss(run: Run, { lost, lostIds }: RunAccount): string {
  if (lost === 0) return "";
  const { nImages, outputFile } = run.request;
  const what =
    `${lost} ${nImages > 0 ? `of ${nImages} ` : ""}images were lost: overwritten in the ` +
    `image ring before they were on file${idsText("ids", lostIds)}.`;
  // Behind another failure it is no wonder.
  if (run.failure !== undefined) return what;
  // All of them before the first image that it saw, of a range that it was to begin with.
  const cameBefore = run.request.startImageId !== undefined && run.overwritten === 0 &&
    run.lost.ranges.every(({ to }) => run.seen.first === undefined || to < run.seen.first);
  const advice = cameBefore
    ? "They were gone before the run could take them: ask for it before they come."
    : "Use a faster disk, a lower frame rate or a larger ring (--ram).";
  return `${what} ${imagesAre(run.completed, "are")} in ${outputFile}. ${advice}`;
}

/** What the writer was told to record, and perhaps did not. */
function failedImages({ writerGone, fileGone }: Run, { failed, failedIds }: RunAccount): string {
  if (failed === 0) return "";
  const ids = idsText("ids", failedIds);
  return writerGone === undefined
    ? `${imagesAre(failed, "were")} not ${fileGone ? "kept" : "written"}${ids}.`
    : `${imagesAre(failed, "are")} not confirmed that the file writer was told to record${ids}.`;
}

/** `1 image is`, `2 images are`. */
function imagesAre(n: number, verb: "are" | "were"): string {
  return n === 1 ? `1 image ${verb === "are" ? "is" : "was"}` : `${n} images ${verb}`;
}

function idsText(name: string, ids: string): string {
  return ids === "" ? "" : ` (${name}: ${ids})`;
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
    nFailed: 0,
    nNotTaken: 0,
    startTime: null,
    stopTime: null,
  },
  ids: { lost: "", missing: "", failed: "" },
};
