/**
 * What became of a run's images: each that was asked for is exactly one of written, lost, failed, missing
 * and not taken.
 *
 * @module
 */
import {
  addRange,
  idCount,
  type IdSet,
  rangesText,
  wholeRange,
  withoutRanges,
} from "./id_ranges.ts";
import { type ImageIdRange, missingCount, missingText, seenRanges } from "./missing_images.ts";
import type { RingImage, Run } from "./types.ts";

/**
 * The account of a run that has ended:
 *
 *     asked for = written + lost + failed + missing + not taken
 *
 * but for a run that got as many images as were asked for although some never came: these are missing
 * besides. While it runs, images that the writer has not answered for are in none of them.
 */
export interface RunAccount {
  /** Images on file. */
  readonly written: number;
  /** Overwritten in the image ring before they were on file, and before the writer was told of them too. */
  readonly lost: number;
  /** The writer was told to record them, and did not, or did not say that it did. */
  readonly failed: number;
  /** Never came: ids missing between those that did, and what was asked for and waited for in vain. */
  readonly missing: number;
  /** Asked for, and not taken: the run was stopped, or failed, before they came. */
  readonly notTaken: number;
  /** Ids of those lost as far as known, `12, 15-17, 3 of 20-29`. */
  readonly lostIds: string;
  /** Ids of those that failed, likewise. */
  readonly failedIds: string;
  /** Ids of those missing, likewise. */
  readonly missingIds: string;
}

/** The account of a run. */
export function accountOf(run: Run): RunAccount {
  const { nImages } = run.request;
  const lost = run.skipped + run.overwritten;
  const missing = missingImages(run);
  const { step = 1n } = run.seen;
  return {
    written: run.completed,
    lost,
    failed: run.failed,
    missing,
    notTaken: isEnding(run) ? Math.max(0, nImages - run.requested - run.skipped - missing) : 0,
    lostIds: lost === 0 ? "" : rangesText(run.lost.ranges, step, run.lost.hasMore),
    failedIds: run.failed === 0 ? "" : failedIds(run),
    missingIds: missingText(run.seen, rangeSoFar(run), run.lost.ranges),
  };
}

/**
 * The run once nothing more is to come: what was not answered for has failed.
 *
 * @param isCertain Whether all that the writer answered for is in the file; else only what readers of the
 * file see is.
 */
export function settled(run: Run, isCertain = run.writerGone === undefined): Run {
  const completed = isCertain ? run.completed : Math.min(run.completed, run.visible ?? Infinity);
  return {
    ...run,
    completed,
    unconfirmed: run.unconfirmed + run.completed - completed,
    failed: run.requested - completed - run.overwritten,
  };
}

/**
 * The run with images that were overwritten before it could see them.
 *
 * @param count Those of them that are the run's, 1 or more: the first ones.
 * @param image The image that came behind them.
 */
export function withSkipped(run: Run, count: number, image: RingImage): Run {
  return { ...run, skipped: run.skipped + count, lost: lostBefore(run, BigInt(count), image) };
}

/** The run with an image that was overwritten before the writer got to it. */
export function withOverwritten(run: Run, imageId: bigint | undefined): Run {
  const next = { ...run, overwritten: run.overwritten + 1 };
  return imageId === undefined ? next : { ...next, lost: withId(run, run.lost, imageId) };
}

/** The run with an image on file. */
export function withWritten(run: Run, imageId: bigint | undefined): Run {
  const next = { ...run, completed: run.completed + 1 };
  return imageId === undefined ? next : { ...next, written: withId(run, run.written, imageId) };
}

function withId({ seen: { step = 1n } }: Run, set: IdSet, imageId: bigint): IdSet {
  return addRange(set, { from: imageId, to: imageId, count: 1n }, step);
}

function lostBefore(
  { lost, seen, request: { startImageId, stopImageId } }: Run,
  count: bigint,
  { skipped, metadata: { imageId: next } }: RingImage,
): IdSet {
  const step = seen.step ?? guessedStep(seen.last, next, BigInt(skipped));
  const from = seen.last !== undefined ? seen.last + step : startImageId ?? next - count * step;
  const to = stopImageId !== undefined && next > stopImageId ? stopImageId : next - step;
  const room = wholeRange(from, to, step);
  if (room.count < count || from < 0n) return { ...lost, hasMore: true }; // it counts anew
  const isEachKnown = room.count <= BigInt(skipped);
  const ids = isEachKnown ? wholeRange(from, from + (count - 1n) * step, step) : { ...room, count };
  return addRange(lost, ids, step);
}

/** Of a detector of which only one image was seen. */
function guessedStep(last: bigint | undefined, next: bigint, between: bigint): bigint {
  if (last === undefined || next <= last) return 1n;
  const distance = next - last;
  return distance % (between + 1n) === 0n ? distance / (between + 1n) : 1n;
}

/** Of those the writer was told of, all that it did not answer for well. */
function failedIds(run: Run): string {
  const { seen, written, lost, failed } = run;
  const { step = 1n } = seen;
  const asked = seenRanges(seen);
  const failures = withoutRanges(asked, [...written.ranges, ...lost.ranges], step);
  if (written.hasMore) {
    // Not all that were written are known one by one, so that these may be among the failures.
    const all = [...failures, ...(run.unconfirmed > 0 ? written.ranges : [])];
    const from = least(all.map((range) => range.from)), to = greatest(all.map((range) => range.to));
    const some = from === undefined || to === undefined
      ? []
      : [{ from, to, count: BigInt(failed) }];
    return rangesText(some, step, seen.untold > 0n);
  }
  // Acknowledged, but gone with the writer: some of those written, as a rule the last ones.
  const count = BigInt(failed) - idCount(failures);
  const first = written.ranges.at(0), last = written.ranges.at(-1);
  const unconfirmed = count > 0n && run.unconfirmed > 0 && first !== undefined &&
      last !== undefined
    ? [{ from: first.from, to: last.to, count }]
    : [];
  return rangesText([...failures, ...unconfirmed], step, seen.untold > 0n);
}

function least(ids: readonly bigint[]): bigint | undefined {
  return ids.reduce<bigint | undefined>((a, b) => a === undefined || b < a ? b : a, undefined);
}

function greatest(ids: readonly bigint[]): bigint | undefined {
  return ids.reduce<bigint | undefined>((a, b) => a === undefined || b > a ? b : a, undefined);
}

function missingImages(run: Run): number {
  const { nImages } = run.request;
  const notThere = run.cutShort === undefined ? 0 : nImages - run.requested - run.skipped;
  return Math.max(0, missingCount(run.seen, rangeSoFar(run)) - run.skipped, notThere);
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

/** No more images are taken. */
function isEnding({ interrupted, cutShort, failure }: Run): boolean {
  return interrupted || cutShort !== undefined || failure !== undefined;
}
