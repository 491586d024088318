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
  WriterCommand,
} from "./types.ts";
import { NOTHING_SEEN, see } from "./missing_images.ts";
import { NO_IDS } from "./id_ranges.ts";
import { accountOf, settled, withOverwritten, withSkipped, withWritten } from "./run_account.ts";
import { outcomeOf } from "./status.ts";
import {
  REASON_FILE_MOVED,
  REASON_FILE_OPEN,
  REASON_FILE_REMOVED,
  REASON_NO_FILE,
  REASON_OVERWRITTEN,
} from "./writer_reasons.ts";

/** What an event did. */
export interface Transition {
  /** The state after the event. */
  readonly state: AcquisitionState;
  /** To be carried out in order. */
  readonly effects: readonly AcquisitionEffect[];
}

/** What happened to a run whose driver is gone. */
const ORPHANED =
  "the writer agent ended during the acquisition; what it knew of it is gone with it";

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
  if (event.kind === "working") return onWorking(state, event.working, now);
  const next = step(state, event, now, limits);
  if (!state.working || next.state.phase === "lost") return next;
  return { ...next, state: { ...next.state, working: true } };
}

/** All events but `working`, which leaves everything else as it is. */
function step(
  state: AcquisitionState,
  event: Exclude<AcquisitionEvent, { kind: "working" }>,
  now: Instant,
  limits: AcquisitionLimits,
): Transition {
  switch (event.kind) {
    case "driver_started":
      return onDriverStarted(state, now);
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
      return isWaiting(state)
        ? loseWriter(state, now, event.reason)
        : unchanged(withoutOrphan(state));
    case "source_failed":
      return onSourceFailed(state, now, event.reason);
  }
}

/** Images taken and not answered for; 0 for writers that do not answer them. */
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
    (state.phase === "lost" ? limits.retryMs : answerLimit(state, limits));
}

/** Longest time without an answer that is owed, ms. */
function answerLimit({ working }: AcquisitionState, limits: AcquisitionLimits): number {
  return working ? limits.workTimeoutMs : limits.writerTimeoutMs;
}

/** Images that wait in the ring for the writer are not missing. */
function imageDeadline(state: AcquisitionState, limits: AcquisitionLimits): number | undefined {
  const { noImagesTimeoutMs } = state.run?.request ?? {};
  if (noImagesTimeoutMs === undefined || state.imagesSince === undefined) return undefined;
  return canTakeImage(state, limits) ? state.imagesSince + noImagesTimeoutMs : undefined;
}

// --- events ---

/** A file that the writer holds is of a run whose driver is gone. */
function onDriverStarted(state: AcquisitionState, now: Instant): Transition {
  if (state.phase !== "idle") return unchanged(state);
  return {
    state: { ...state, orphanAsked: true },
    effects: [{ kind: "send", command: closeOrphan(now) }],
  };
}

function onStart(state: AcquisitionState, request: StartRequest, now: Instant): Transition {
  const run = newRun(request, now);
  switch (state.phase) {
    case "idle": {
      const { state: creating, effects } = create(run, now);
      return { state: { ...creating, ...(state.orphanAsked && { orphanAsked: true }) }, effects };
    }
    case "lost":
      return recover(run, state.left, now);
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
      return recover(run, state.left, now);
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
    return unchanged(
      run.requested === 0
        ? { ...state, imagesSince: now.monotonicMs }
        : { ...state, run: { ...run, belowRange: run.belowRange + 1 } },
    );
  }
  // Images that were overwritten before they could be asked for belong to the run all the same:
  // a detector that sends exactly n_images must not leave the run waiting for ever.
  const missing = nImages === 0 ? Infinity : nImages - run.requested - run.skipped;
  const skipped = Math.min(skippedInRange(run, image), missing);
  const base = skipped === 0 ? run : withSkipped(run, skipped, image);
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
  if (state.orphanAsked && (answer.action ?? "close_file") === "close_file") {
    return onOrphanClosed(withoutOrphan(state), answer, now);
  }
  const action = answer.action ?? EXPECTED_ANSWER[state.phase];
  switch (state.phase) {
    case "idle":
      return unexpected(state, answer);
    case "lost":
      // It lives. Only the answer to a close_file proves that it holds no file.
      return action === "close_file"
        ? unchanged({ phase: "idle", ...lastRun(state) })
        : recover(state.run, state.left, now);
    case "recovering":
      return action === "close_file" ? onRecovered(state, now) : unexpected(state, answer);
    case "creating": {
      const run = running(state);
      // Once it is known that the writer acknowledges, its files are made, and only to be begun.
      if (action === "create_file" && !run.acknowledges) return onCreated(run, answer, now);
      return action === "confirm_last_image" && run.acknowledges
        ? onBegun(run, answer, now)
        : unexpected(state, answer);
    }
    case "recording":
      if (action === "record_image") return onRecorded(state, running(state), answer, now);
      // Unasked: it can no longer confirm what it has answered for.
      return action === "confirm_last_image" && !answer.ok
        ? flush(withFailedConfirmation(running(state), answer), now)
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

/** A sign of life. */
function onWorking(state: AcquisitionState, working: boolean, now: Instant): Transition {
  if (state.phase === "lost") return unchanged(state);
  const { working: _, ...rest } = state;
  return unchanged({
    ...rest,
    ...(rest.waitingSince !== undefined && { waitingSince: now.monotonicMs }),
    ...(working && { working }),
  });
}

function onTick(state: AcquisitionState, now: Instant, limits: AcquisitionLimits): Transition {
  const deadline = nextDeadline(state, limits);
  if (deadline === undefined || now.monotonicMs < deadline) return unchanged(state);
  if (state.phase === "lost") return recover(state.run, state.left, now);
  if (now.monotonicMs < (writerDeadline(state, limits) ?? Infinity)) return starve(state, now);
  return loseWriter(
    state,
    now,
    `no answer from the file writer for ${answerLimit(state, limits) / 1000} s`,
  );
}

/** No image came for so long that none is expected any more. */
function starve(state: AcquisitionState, now: Instant): Transition {
  const run = running(state);
  const seconds = (run.request.noImagesTimeoutMs ?? 0) / 1000;
  const what = run.belowRange === 0 ? "no image" : "no image of the range";
  return flush({ ...run, cutShort: `${what} came for ${seconds} s` }, now);
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

/** The writer closed what a driver before this one left open, if anything. */
function onOrphanClosed(state: AcquisitionState, answer: WriterAnswer, now: Instant): Transition {
  const { closed, nWritten = 0, nOverwritten = 0 } = answer;
  if (closed === undefined) return unchanged(state);
  if (state.phase !== "idle") {
    const message = `${closed.path} was closed: the agent that wrote it is gone`;
    return { state, effects: [{ kind: "note", message }] };
  }
  const { path: outputFile, runId, nImages, startTime } = closed;
  const handled = nWritten + nOverwritten;
  const run: Run = {
    ...newRun({ outputFile, runId, nImages, json: "" }, { ...now, epochS: startTime }),
    ...{ requested: handled, answered: handled, completed: nWritten, overwritten: nOverwritten },
    created: true,
    failure: ORPHANED,
  };
  return end(run, now);
}

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
    const failure = `the file writer is an original, which does not know user_id: ` +
      `${run.request.outputFile} is not written. Leave user_id out, or run ours`;
    return prepend(startFailed({ failure }), close({ ...run, failure }, now));
  }
  if (answer.ok) {
    const made = { ...run, acknowledges: answer.action !== undefined };
    return run.request.overwrite && made.acknowledges ? begin(made, now) : start(made, now);
  }
  if (answer.reason.startsWith(REASON_FILE_OPEN) && !run.recovered) {
    return recover({ ...run, recovered: true }, undefined, now);
  }
  const failed = withFailedCreation(run, answer);
  return prepend(startFailed(failed), end(failed, now));
}

/** The new files have taken the place of the former ones, or could not. */
function onBegun(run: Run, answer: WriterAnswer, now: Instant): Transition {
  if (answer.ok) return start(run, now);
  const failed = withFailedCreation(run, answer);
  return prepend(startFailed(failed), close(failed, now));
}

function withFailedCreation(run: Run, answer: WriterAnswer): Run & { failure: string } {
  const { outputFile } = run.request;
  const failure = `the file writer could not create ${outputFile}: ${reasonOf(answer)}`;
  return { ...run, failure };
}

function startFailed({ failure }: { failure: string }): AcquisitionEffect {
  return { kind: "start_failed", why: "create_failed", message: sentence(failure) };
}

function onRecorded(
  state: AcquisitionState,
  run: Run,
  answer: WriterAnswer,
  now: Instant,
): Transition {
  // More answers than images: not of this run, or given twice.
  if (run.answered === run.requested) return unexpected(state, answer);
  const next = withAnswer(run, answer);
  if (next.failed > run.failed && state.phase === "recording") return flush(next, now);
  if (state.phase !== "recording") {
    const counted = state.phase === "closing" ? settled(next) : next;
    return unchanged({ phase: state.phase, run: counted, waitingSince: now.monotonicMs });
  }
  const waiting = next.answered < next.requested;
  return unchanged(
    recordingState(next, waiting ? now.monotonicMs : undefined, now.monotonicMs),
  );
}

/** The run with the answer to one of its images. */
function withAnswer(run: Run, answer: WriterAnswer): Run {
  const counted = withVisible({ ...run, acknowledges: true, answered: run.answered + 1 }, answer);
  if (answer.ok) return withWritten(counted, answer.imageId);
  if (answer.reason.startsWith(REASON_OVERWRITTEN)) return withOverwritten(counted, answer.imageId);
  const failed = { ...counted, failed: counted.failed + 1 };
  return answer.reason.startsWith(REASON_NO_FILE)
    ? restarted(failed)
    : withFileGone({ ...failed, failure: run.failure ?? writeFailure(answer) }, answer);
}

function onConfirmed(run: Run, answer: WriterAnswer, now: Instant): Transition {
  const seen = withCounts(withVisible(run, answer), answer);
  if (!answer.ok) return close(withKept(withFailedConfirmation(seen, answer), answer), now);
  const { requested } = run;
  const confirmed = run.acknowledges
    ? seen
    : { ...seen, completed: requested, answered: requested };
  const failure = miscount(confirmed, answer);
  if (failure === undefined) return close(confirmed, now);
  const completed = Math.min(confirmed.completed, answer.nWritten ?? Infinity);
  return close({ ...confirmed, completed, failure: run.failure ?? failure }, now);
}

function onClosed(run: Run, answer: WriterAnswer, now: Instant): Transition {
  if (answer.ok) return end(run, now);
  const { outputFile } = run.request;
  if (answer.reason.startsWith(REASON_NO_FILE)) return end(restarted(run), now);
  const failure = `the file writer could not close ${outputFile}: ${reasonOf(answer)}`;
  return end(settled({ ...run, failure: run.failure ?? failure }, false), now);
}

function withFailedConfirmation(run: Run, answer: WriterAnswer): Run {
  return answer.reason.startsWith(REASON_NO_FILE)
    ? restarted(run)
    : withFileGone({ ...run, failure: run.failure ?? writeFailure(answer) }, answer);
}

function withFileGone(run: Run, { reason }: WriterAnswer): Run {
  const isGone = [REASON_FILE_REMOVED, REASON_FILE_MOVED].some((start) => reason.startsWith(start));
  return isGone ? { ...run, fileGone: true } : run;
}

/** Of a run whose file was removed the writer has kept fewer images than it answered for. */
function withKept(run: Run, { nWritten }: WriterAnswer): Run {
  const { fileGone, completed, unconfirmed } = run;
  if (fileGone === undefined || nWritten === undefined || nWritten >= completed) return run;
  return { ...run, completed: nWritten, unconfirmed: unconfirmed + completed - nWritten };
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
    effects: [{
      kind: "send",
      command: { action: "create_file", request: run.request, startTime: now.epochS },
    }],
  };
}

/**
 * Has files take the place of former ones, now that all writers have made theirs: had one of them failed, the
 * former ones would have stayed.
 */
function begin(run: Run, now: Instant): Transition {
  return {
    state: { phase: "creating", run, waitingSince: now.monotonicMs },
    effects: [{ kind: "send", command: { action: "confirm_last_image" } }],
  };
}

/** Takes images: the files are there. */
function start(run: Run, now: Instant): Transition {
  const created = { ...run, created: true };
  if (run.interrupted) return prepend({ kind: "started" }, flush(created, now, false));
  return {
    state: recordingState(created, undefined, now.monotonicMs),
    effects: [{ kind: "start_images" }, { kind: "started" }],
  };
}

/**
 * Asks a writer of unknown state to close what it may have open: its answer proves that it lives.
 *
 * @param left The run whose file that would be; undefined: one of another driver.
 */
function recover(run: Run | undefined, left: Run | undefined, now: Instant): Transition {
  return {
    state: {
      phase: "recovering",
      ...(run && { run }),
      ...(left && { left }),
      waitingSince: now.monotonicMs,
    },
    effects: [{
      kind: "send",
      command: left === undefined ? closeOrphan(now) : closeOf(left, now),
    }],
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

function close(run: Run, now: Instant): Transition {
  const counted = settled(run);
  return {
    state: { phase: "closing", run: counted, waitingSince: now.monotonicMs },
    effects: [{ kind: "send", command: closeOf(counted, now) }],
  };
}

/** Closes the file of a run; what goes wrong from here on is not in it. */
function closeOf(run: Run, now: Instant): WriterCommand {
  const end: RunEnd = {
    outcome: outcomeOf(run).message,
    account: { ...accountOf(run), overwritten: run.overwritten, ...run.onFile },
    endTime: now.epochS,
  };
  return { action: "close_file", ...(!run.created && { discardEmpty: true }), end };
}

/** Closes the file of another driver's run, if there is one. */
function closeOrphan(now: Instant): WriterCommand {
  return {
    action: "close_file",
    end: { outcome: `ERROR: ${ORPHANED}.`, endTime: now.epochS },
  };
}

/** The run is over and the writer holds no file. */
function end(run: Run, now: Instant): Transition {
  return {
    state: { phase: "idle", run: { ...settled(run), stopTime: now.epochS } },
    effects: [{ kind: "ended" }],
  };
}

/** The writer said that it holds no file: it lost the one of this run, but is ready for the next. */
function restarted(run: Run): Run {
  const failure = run.failure ?? "the file writer restarted during the acquisition";
  return { ...run, failure, writerGone: run.writerGone ?? "restarted" };
}

function loseWriter(state: AcquisitionState, now: Instant, reason: string): Transition {
  const { phase, run } = state;
  const lost = { phase: "lost", waitingSince: now.monotonicMs } as const;
  const stillLeft = state.left && { left: state.left };
  if (run === undefined || !isRunning(run)) {
    return {
      state: { ...lost, ...lastRun(state), ...stillLeft },
      effects: [{ kind: "drop_unsent" }],
    };
  }
  const failure = run.created ? reason : `${reason}; the acquisition was not started. ` +
    "Check that std_h5_writer runs; the next start tries again";
  const effects: AcquisitionEffect[] = [{ kind: "drop_unsent" }];
  if (phase === "recording") effects.push({ kind: "stop_images" });
  if (!run.created) {
    effects.push({ kind: "start_failed", why: "writer_gone", message: sentence(failure) });
  }
  effects.push({ kind: "ended" });
  const failed: Run = {
    ...settled(run, false),
    failure: run.failure ?? failure,
    writerGone: "silent",
    stopTime: now.epochS,
  };
  // While recovering it is still that of before: this run has not asked for one.
  const left = phase === "recovering" ? stillLeft : { left: failed };
  return { state: { ...lost, run: failed, ...left }, effects };
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
    failed: 0,
    unconfirmed: 0,
    lost: NO_IDS,
    written: NO_IDS,
    answered: 0,
    created: false,
    acknowledges: false,
    interrupted: false,
    recovered: false,
    seen: NOTHING_SEEN,
    rangeEnded: false,
    belowRange: 0,
  };
}

function isRunning(run: Run | undefined): boolean {
  return run !== undefined && run.stopTime === undefined;
}

function withoutOrphan({ orphanAsked: _, ...state }: AcquisitionState): AcquisitionState {
  return state;
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

/** What readers of the file see only grows. */
function withVisible(run: Run, { nVisible }: WriterAnswer): Run {
  return nVisible === undefined ? run : { ...run, visible: Math.max(run.visible ?? 0, nVisible) };
}

/** What the writer says of the images that it has written. */
function withCounts(run: Run, answer: WriterAnswer): Run {
  const { nIncomplete, packetsMissing, firstPacketNs, lastPacketNs } = answer;
  if (nIncomplete === undefined || packetsMissing === undefined) return run;
  const onFile = {
    ...{ incomplete: nIncomplete, packetsMissing },
    ...(firstPacketNs !== undefined && { firstPacketNs }),
    ...(lastPacketNs !== undefined && { lastPacketNs }),
  };
  return { ...run, onFile };
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1) + ".";
}
