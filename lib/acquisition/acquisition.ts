/**
 * The acquisition state machine: from a request to a closed file, whatever the writer does.
 *
 * It is a function without memory, clock or transport: state and event in, state and effects out.
 * The README has its diagram and its table.
 *
 * @module
 */
import type { RunEnd, WriterActionName } from "../protocol/mod.ts";
import type {
  AcquisitionEffect,
  AcquisitionEvent,
  AcquisitionLimits,
  AcquisitionState,
  Instant,
  Phase,
  RingImage,
  Run,
  StartRequest,
  WriterAnswer,
} from "./types.ts";
import { NOTHING_SEEN, see } from "./missing_images.ts";
import { missingIds, missingImages, outcomeOf } from "./status.ts";
import { REASON_FILE_OPEN, REASON_NO_FILE, REASON_OVERWRITTEN } from "./writer_reasons.ts";

/** So many ids of overwritten images are remembered. */
const MOST_OVERWRITTEN_IDS = 100;

/** What an event did. */
export interface Transition {
  /** The state after the event. */
  readonly state: AcquisitionState;
  /** To be carried out in order. */
  readonly effects: readonly AcquisitionEffect[];
}

/** The machine before its first event. */
export const INITIAL_STATE: AcquisitionState = { phase: "idle" };

/**
 * Takes one event.
 *
 * Every event is legal in every phase: what does not fit (a late answer, an image after the end) is
 * ignored, with a `note` where it may help to find a fault.
 */
export function transition(
  state: AcquisitionState,
  event: AcquisitionEvent,
  now: Instant,
  limits: AcquisitionLimits,
): Transition {
  switch (event.kind) {
    case "start":
      return onStart(state, event.request, now);
    case "stop":
      return onStop(state, now);
    case "image":
      return onImage(state, event.image, now);
    case "answer":
      return onAnswer(state, event.answer, now);
    case "tick":
      return onTick(state, now, limits);
    case "send_failed":
      return isWaiting(state) ? loseWriter(state, now, event.reason) : unchanged(state);
    case "source_failed":
      return onSourceFailed(state, now, event.reason);
  }
}

/** Images handed to the writer and not answered for; 0 for writers that do not answer them. */
export function outstanding(state: AcquisitionState): number {
  const { run } = state;
  return run === undefined || !run.acknowledges ? 0 : run.requested - run.answered;
}

/** Whether another image may be given to the machine now, or should wait in the ring. */
export function canTakeImage(state: AcquisitionState, limits: AcquisitionLimits): boolean {
  return state.phase === "recording" && outstanding(state) < limits.maxOutstanding;
}

/** When the next `tick` is due, monotonic ms; undefined while nothing is waited for. */
export function nextDeadline(
  state: AcquisitionState,
  limits: AcquisitionLimits,
): number | undefined {
  const deadlines = [writerDeadline(state, limits), imageDeadline(state, limits)]
    .filter((deadline) => deadline !== undefined);
  return deadlines.length === 0 ? undefined : Math.min(...deadlines);
}

function writerDeadline(state: AcquisitionState, limits: AcquisitionLimits): number | undefined {
  if (state.waitingSince === undefined) return undefined;
  return state.waitingSince +
    (state.phase === "lost" ? limits.retryMs : limits.writerTimeoutMs);
}

/** Images that wait in the ring for the writer are not missing. */
function imageDeadline(state: AcquisitionState, limits: AcquisitionLimits): number | undefined {
  const { noImagesTimeoutMs } = state.run?.request ?? {};
  if (noImagesTimeoutMs === undefined || state.imagesSince === undefined) return undefined;
  return canTakeImage(state, limits) ? state.imagesSince + noImagesTimeoutMs : undefined;
}

// --- events ---

function onStart(state: AcquisitionState, request: StartRequest, now: Instant): Transition {
  const run = newRun(request, now);
  switch (state.phase) {
    case "idle":
      return create(run, now);
    case "lost":
      return recover(run, now);
    case "recovering":
      // The answer that is awaited already decides about this start too.
      if (!isRunning(state.run)) return { state: { ...state, run }, effects: [] };
      break;
    case "creating":
    case "recording":
    case "flushing":
    case "closing":
      break;
  }
  const message = "Cannot start new acquisition while previous one is running: " +
    `${state.run?.request.outputFile ?? "unknown file"}. Wait until it ends or stop it.`;
  return { state, effects: [{ kind: "start_refused", why: "busy", message }] };
}

function onStop(state: AcquisitionState, now: Instant): Transition {
  const { phase, run } = state;
  switch (phase) {
    case "lost":
      return recover(run, now);
    case "creating":
    case "recovering":
      // Carried out when the writer answers.
      return run !== undefined && isRunning(run)
        ? unchanged({ ...state, run: { ...run, interrupted: true } })
        : unchanged(state);
    case "recording":
      return flush({ ...running(state), interrupted: true }, now);
    case "idle":
    case "flushing":
    case "closing":
      return unchanged(state);
  }
}

function onImage(state: AcquisitionState, image: RingImage, now: Instant): Transition {
  if (state.phase !== "recording") return unchanged(state);
  const run = running(state);
  const { nImages, startImageId = 0n, stopImageId } = run.request;
  const { imageId } = image.metadata;
  if (imageId < startImageId) {
    // The detector is there, the run's images are still to come; unless it began to count anew.
    return unchanged(run.requested === 0 ? { ...state, imagesSince: now.monotonicMs } : state);
  }
  // Images that were overwritten before they could be asked for belong to the run all the same:
  // a detector that sends exactly n_images must not leave the run waiting for ever.
  const missing = nImages === 0 ? Infinity : nImages - run.requested - run.skipped;
  const skipped = Math.min(skippedInRange(run, image), missing);
  const base: Run = { ...run, skipped: run.skipped + skipped };
  if (skipped === missing) return flush(base, now);
  if (stopImageId !== undefined && imageId > stopImageId) return flush(endOfRange(base), now);
  const next: Run = { ...base, requested: run.requested + 1, seen: see(run.seen, imageId) };
  const send: AcquisitionEffect = { kind: "send", command: { action: "record_image", image } };
  if (missing - skipped === 1) return prepend(send, flush(next, now));
  if (imageId === stopImageId) return prepend(send, flush(endOfRange(next), now));
  const waitingSince = run.acknowledges ? state.waitingSince ?? now.monotonicMs : undefined;
  return { state: recordingState(next, waitingSince, now.monotonicMs), effects: [send] };
}

/** Of images that nobody saw, those that can have been between two ids of the run's range. */
function skippedInRange(run: Run, { skipped, metadata: { imageId } }: RingImage): number {
  const { startImageId, stopImageId } = run.request;
  const from = run.seen.last === undefined ? startImageId : run.seen.last + 1n;
  if (skipped === 0 || from === undefined) return skipped;
  if (startImageId === undefined && stopImageId === undefined) return skipped;
  const to = stopImageId !== undefined && imageId > stopImageId ? stopImageId + 1n : imageId;
  return Math.max(0, Math.min(skipped, Number(to - from)));
}

/** The last id of the range was reached, or passed. */
function endOfRange(run: Run): Run {
  const { nImages, stopImageId } = run.request;
  const taken = run.requested + run.skipped;
  if (taken > 0 && taken >= nImages) return { ...run, rangeEnded: true };
  return { ...run, rangeEnded: true, cutShort: `image id ${stopImageId} was reached` };
}

function onAnswer(state: AcquisitionState, answer: WriterAnswer, now: Instant): Transition {
  const action = answer.action ?? EXPECTED_ANSWER[state.phase];
  switch (state.phase) {
    case "idle":
      return unexpected(state, answer);
    case "lost":
      // It lives. Only the answer to a close_file proves that it holds no file.
      return action === "close_file"
        ? unchanged({ phase: "idle", ...lastRun(state) })
        : recover(state.run, now);
    case "recovering":
      return action === "close_file" ? onRecovered(state, now) : unexpected(state, answer);
    case "creating":
      return action === "create_file"
        ? onCreated(running(state), answer, now)
        : unexpected(state, answer);
    case "recording":
      return action === "record_image"
        ? onRecorded(state, running(state), answer, now)
        : unexpected(state, answer);
    case "flushing":
      if (action === "record_image") return onRecorded(state, running(state), answer, now);
      return action === "confirm_last_image"
        ? onConfirmed(running(state), answer, now)
        : unexpected(state, answer);
    case "closing":
      if (action === "record_image") return onRecorded(state, running(state), answer, now);
      return action === "close_file"
        ? onClosed(running(state), answer, now)
        : unexpected(state, answer);
  }
}

function onTick(state: AcquisitionState, now: Instant, limits: AcquisitionLimits): Transition {
  const deadline = nextDeadline(state, limits);
  if (deadline === undefined || now.monotonicMs < deadline) return unchanged(state);
  if (state.phase === "lost") return recover(state.run, now);
  if (now.monotonicMs < (writerDeadline(state, limits) ?? Infinity)) return starve(state, now);
  return loseWriter(
    state,
    now,
    `no answer from the file writer for ${limits.writerTimeoutMs / 1000} s`,
  );
}

/** No image came for so long that none is expected any more. */
function starve(state: AcquisitionState, now: Instant): Transition {
  const run = running(state);
  const seconds = (run.request.noImagesTimeoutMs ?? 0) / 1000;
  return flush({ ...run, cutShort: `no image came for ${seconds} s` }, now);
}

function onSourceFailed(state: AcquisitionState, now: Instant, reason: string): Transition {
  if (state.phase !== "recording") return unchanged(state);
  const run = running(state);
  return flush({ ...run, failure: run.failure ?? `cannot follow the images: ${reason}` }, now);
}

// --- answers ---

/** What an answer without an action (the original writer's) must be for. */
const EXPECTED_ANSWER: Record<Phase, WriterActionName | undefined> = {
  idle: undefined,
  lost: undefined,
  recovering: "close_file",
  creating: "create_file",
  recording: undefined,
  flushing: "confirm_last_image",
  closing: "close_file",
};

function onRecovered(state: AcquisitionState, now: Instant): Transition {
  const { run } = state;
  // Success or not: the writer answers and has no file open.
  if (run === undefined || !isRunning(run)) {
    return unchanged({ phase: "idle", ...lastRun(state) });
  }
  if (!run.interrupted) return create(run, now);
  return prepend(
    { kind: "start_failed", why: "interrupted", message: "Stopped before the file was created." },
    end(run, now),
  );
}

function onCreated(run: Run, answer: WriterAnswer, now: Instant): Transition {
  if (answer.ok && run.request.userId !== undefined && answer.action === undefined) {
    const message = `the file writer is an original, which does not know user_id: ` +
      `${run.request.outputFile} is not written. Leave user_id out, or run ours`;
    return prepend(
      { kind: "start_failed", why: "create_failed", message: sentence(message) },
      close({ phase: "creating" }, { ...run, failure: message }, now),
    );
  }
  if (answer.ok) {
    const created = { ...run, acknowledges: answer.action !== undefined };
    if (run.interrupted) return prepend({ kind: "started" }, flush(created, now, false));
    return {
      state: recordingState(created, undefined, now.monotonicMs),
      effects: [{ kind: "start_images" }, { kind: "started" }],
    };
  }
  if (answer.reason.startsWith(REASON_FILE_OPEN) && !run.recovered) {
    return recover({ ...run, recovered: true }, now);
  }
  const message = `the file writer could not create ${run.request.outputFile}: ${reasonOf(answer)}`;
  return prepend(
    { kind: "start_failed", why: "create_failed", message: sentence(message) },
    end({ ...run, failure: message }, now),
  );
}

function onRecorded(
  state: AcquisitionState,
  run: Run,
  answer: WriterAnswer,
  now: Instant,
): Transition {
  // More answers than images: not of this run, or given twice.
  if (run.answered === run.requested) return unexpected(state, answer);
  const counted = withVisible({ ...run, acknowledges: true, answered: run.answered + 1 }, answer);
  if (!answer.ok && answer.reason.startsWith(REASON_NO_FILE)) {
    return restarted(state, counted, now);
  }
  const overwritten = !answer.ok && answer.reason.startsWith(REASON_OVERWRITTEN);
  const next: Run = answer.ok
    ? { ...counted, completed: counted.completed + 1 }
    : overwritten
    ? withOverwritten(counted, answer)
    : { ...counted, failure: run.failure ?? writeFailure(answer) };
  if (!answer.ok && !overwritten && state.phase !== "closing") return close(state, next, now);
  if (state.phase !== "recording") {
    return unchanged({ phase: state.phase, run: next, waitingSince: now.monotonicMs });
  }
  const waiting = next.answered < next.requested;
  return unchanged(
    recordingState(next, waiting ? now.monotonicMs : undefined, now.monotonicMs),
  );
}

function onConfirmed(run: Run, answer: WriterAnswer, now: Instant): Transition {
  const state: AcquisitionState = { phase: "flushing", run };
  if (!answer.ok) {
    return answer.reason.startsWith(REASON_NO_FILE)
      ? restarted(state, run, now)
      : close(state, { ...run, failure: run.failure ?? writeFailure(answer) }, now);
  }
  const { requested } = run;
  const confirmed = withVisible(
    run.acknowledges ? run : { ...run, completed: requested, answered: requested },
    answer,
  );
  const failure = run.failure ?? miscount(confirmed, answer);
  return close(state, failure === undefined ? confirmed : { ...confirmed, failure }, now);
}

function onClosed(run: Run, answer: WriterAnswer, now: Instant): Transition {
  if (answer.ok || run.failure !== undefined) return end(run, now);
  const failure = answer.reason.startsWith(REASON_NO_FILE)
    ? restartMessage(run)
    : `the file writer could not close ${run.request.outputFile}: ${reasonOf(answer)}`;
  return end({ ...run, failure }, now);
}

/** What the writer's own count contradicts, if anything. */
function miscount(run: Run, answer: WriterAnswer): string | undefined {
  if (run.acknowledges && run.answered < run.requested) {
    return `the file writer answered for ${run.answered} of ${run.requested} images only`;
  }
  if (answer.nWritten === undefined || answer.nWritten === run.completed) return undefined;
  return `the file writer counts ${answer.nWritten} images in the file, ${run.completed} were ` +
    "acknowledged";
}

// --- steps ---

function create(run: Run, now: Instant): Transition {
  return {
    state: { phase: "creating", run, waitingSince: now.monotonicMs },
    effects: [{ kind: "send", command: { action: "create_file", request: run.request } }],
  };
}

/** Asks a writer of unknown state to close what it may have open: its answer proves that it lives. */
function recover(run: Run | undefined, now: Instant): Transition {
  return {
    state: { phase: "recovering", ...(run && { run }), waitingSince: now.monotonicMs },
    effects: [{ kind: "send", command: { action: "close_file" } }],
  };
}

/** Ends the taking of images: what was requested is still to be confirmed on file. */
function flush(run: Run, now: Instant, imagesStarted = true): Transition {
  return {
    state: { phase: "flushing", run, waitingSince: now.monotonicMs },
    effects: [
      ...(imagesStarted ? [{ kind: "stop_images" } as const] : []),
      { kind: "send", command: { action: "confirm_last_image" } },
    ],
  };
}

function close(from: AcquisitionState, run: Run, now: Instant): Transition {
  return {
    state: { phase: "closing", run, waitingSince: now.monotonicMs },
    effects: [
      ...(from.phase === "recording" ? [{ kind: "stop_images" } as const] : []),
      { kind: "send", command: { action: "close_file", end: endFor(run) } },
    ],
  };
}

/** What the file tells of the end of its run; what goes wrong from here on is not in it. */
function endFor(run: Run): RunEnd {
  return {
    outcome: outcomeOf(run).message,
    imagesMissing: missingImages(run),
    missingIds: missingIds(run),
  };
}

/** The run is over and the writer holds no file. */
function end(run: Run, now: Instant): Transition {
  return {
    state: { phase: "idle", run: { ...run, stopTime: now.epochS } },
    effects: [{ kind: "ended" }],
  };
}

/** The writer said that it holds no file: it lost the one of this run, but is ready for the next. */
function restarted(from: AcquisitionState, run: Run, now: Instant): Transition {
  const ended = end({ ...run, failure: run.failure ?? restartMessage(run) }, now);
  return from.phase === "recording" ? prepend({ kind: "stop_images" }, ended) : ended;
}

function loseWriter(state: AcquisitionState, now: Instant, reason: string): Transition {
  const { phase, run } = state;
  const lost = { phase: "lost", waitingSince: now.monotonicMs } as const;
  if (run === undefined || !isRunning(run)) {
    return { state: { ...lost, ...lastRun(state) }, effects: [{ kind: "drop_unsent" }] };
  }
  const started = phase === "recording" || phase === "flushing" || phase === "closing";
  const failure = `${reason}; ` +
    (started
      ? `${safeImages(run)}. The file stays readable with them`
      : "the acquisition was not started") +
    ". Check that std_h5_writer runs; the next start tries again";
  const effects: AcquisitionEffect[] = [{ kind: "drop_unsent" }];
  if (phase === "recording") effects.push({ kind: "stop_images" });
  if (!started) {
    effects.push({ kind: "start_failed", why: "writer_gone", message: sentence(failure) });
  }
  effects.push({ kind: "ended" });
  const failed = { ...run, failure: run.failure ?? failure, stopTime: now.epochS };
  return { state: { ...lost, run: failed }, effects };
}

// --- helpers ---

function newRun(request: StartRequest, now: Instant): Run {
  return {
    request,
    startTime: now.epochS,
    requested: 0,
    completed: 0,
    skipped: 0,
    overwritten: 0,
    overwrittenIds: [],
    answered: 0,
    acknowledges: false,
    interrupted: false,
    recovered: false,
    seen: NOTHING_SEEN,
    rangeEnded: false,
  };
}

function isRunning(run: Run | undefined): boolean {
  return run !== undefined && run.stopTime === undefined;
}

/** Whether commands may be under way, so that a failed delivery matters. */
function isWaiting(state: AcquisitionState): boolean {
  return state.phase !== "idle" && state.phase !== "lost";
}

/** The run of a phase that cannot be without one. */
function running(state: AcquisitionState): Run {
  if (state.run === undefined) throw new TypeError(`phase ${state.phase} without a run`);
  return state.run;
}

function lastRun(state: AcquisitionState): { run?: Run } {
  return state.run === undefined ? {} : { run: state.run };
}

function recordingState(
  run: Run,
  waitingSince: number | undefined,
  imagesSince: number,
): AcquisitionState {
  return {
    phase: "recording",
    run,
    imagesSince,
    ...(waitingSince !== undefined && { waitingSince }),
  };
}

function unchanged(state: AcquisitionState): Transition {
  return { state, effects: [] };
}

function prepend(effect: AcquisitionEffect, then: Transition): Transition {
  return { state: then.state, effects: [effect, ...then.effects] };
}

function unexpected(state: AcquisitionState, answer: WriterAnswer): Transition {
  const message = `answer of the file writer ignored while ${state.phase}: ` +
    `${answer.action ?? "unnamed action"} ${answer.ok ? "succeeded" : "failed"} ${answer.reason}`;
  return { state, effects: [{ kind: "note", message: message.trimEnd() }] };
}

function reasonOf(answer: WriterAnswer): string {
  return answer.reason === "" ? "it gave no reason" : answer.reason.replace(/[.\s]+$/, "");
}

function writeFailure(answer: WriterAnswer): string {
  const image = answer.imageId === undefined ? "" : ` image ${answer.imageId}`;
  return `the file writer failed to write${image}: ${reasonOf(answer)}`;
}

function restartMessage(run: Run): string {
  return `the file writer restarted during the acquisition; ${safeImages(run)}`;
}

/** Of images that are lost one by one, the first are remembered. */
function withOverwritten(run: Run, { imageId }: WriterAnswer): Run {
  const { overwritten, overwrittenIds: ids } = run;
  const isNew = imageId !== undefined && ids.length < MOST_OVERWRITTEN_IDS;
  return {
    ...run,
    overwritten: overwritten + 1,
    overwrittenIds: isNew ? [...ids, imageId] : ids,
  };
}

/** What readers of the file see only grows. */
function withVisible(run: Run, { nVisible }: WriterAnswer): Run {
  return nVisible === undefined ? run : { ...run, visible: Math.max(run.visible ?? 0, nVisible) };
}

/** What is on disk of a run whose writer is gone. */
function safeImages({ completed, visible, request: { outputFile } }: Run): string {
  if (visible === undefined) return `${completed} images were written to ${outputFile}`;
  return `at least ${visible} images are safe in ${outputFile}, of ${completed} that were written`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}
