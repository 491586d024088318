/**
 * Which images never came: gaps between the ids of those that did.
 *
 * @module
 */

import { type IdRange, rangesText, wholeRange, withoutRanges } from "./id_ranges.ts";

/** Larger jumps are no gap: the detector counts on from elsewhere (as in the account). */
const LARGEST_GAP = 1_000_000n;
/** So many gaps are remembered one by one. */
const MOST_GAPS = 100;

/** Two images with nothing between them. */
export interface ImageGap {
  /** Id of the image before. */
  readonly after: bigint;
  /** Id of the image behind. */
  readonly before: bigint;
}

/** The ids seen so far; never changed in place. */
export interface SeenImages {
  /** Id of the first image; absent before it. */
  readonly first?: bigint;
  /** Id of the last one. */
  readonly last?: bigint;
  /** Smallest distance of two ids that follow each other: not every detector counts by 1. */
  readonly step?: bigint;
  /** So many writers take images in turn, of which one sees its own; default 1. */
  readonly writers?: bigint;
  /** Places where ids may be missing. */
  readonly gaps: readonly ImageGap[];
  /** Ids missing in further places. */
  readonly untold: bigint;
}

/** The ids of a run that was to have all ids of a range, both ends included. */
export interface ImageIdRange {
  /** First id; left out: that of the first image that comes. */
  readonly startImageId?: bigint;
  /** Last id; left out: that of the last image that came. */
  readonly stopImageId?: bigint;
}

/** Nothing seen yet. */
export const NOTHING_SEEN: SeenImages = { gaps: [], untold: 0n };

/** Takes the next image's id. One that is not larger than the last begins anew, without a gap. */
export function see(seen: SeenImages, imageId: bigint): SeenImages {
  const { first = imageId, last, gaps, untold } = seen;
  const distance = last === undefined ? 0n : imageId - last;
  if (last === undefined || distance <= 0n) return { ...seen, first, last: imageId };
  const step = seen.step === undefined || distance < seen.step ? distance : seen.step;
  const next = { ...seen, first, last: imageId, step };
  if (distance <= (seen.writers ?? 1n) * idStep(seen)) return next;
  if (gaps.length < MOST_GAPS) {
    return { ...next, gaps: [...gaps, { after: last, before: imageId }] };
  }
  const { count } = rangeBetween(next, { after: last, before: imageId });
  return count < LARGEST_GAP ? { ...next, untold: untold + count } : next;
}

/** Distance of the ids of two images that follow each other, whoever takes them; 1 as long as it is not known. */
export function idStep({ step = 1n, writers = 1n }: SeenImages): bigint {
  return step > writers ? step / writers : 1n;
}

/** How many ids are missing between those seen, and at the ends of a range. */
export function missingCount(seen: SeenImages, range: ImageIdRange = {}): number {
  return missingRanges(seen, range)
    .reduce((sum, { count }) => sum + Number(count), Number(seen.untold));
}

/**
 * The missing ids as `12, 15-17`, shortened where they are many; empty when none is known of.
 *
 * @param lost Ids that are not there for another reason.
 */
export function missingText(
  seen: SeenImages,
  range: ImageIdRange = {},
  lost: readonly IdRange[] = [],
): string {
  const { untold } = seen, step = idStep(seen);
  return rangesText(withoutRanges(missingRanges(seen, range), lost, step), step, untold > 0n);
}

/** The ids seen, as far as they are remembered one by one. */
export function seenRanges({ first, last, step = 1n, gaps }: SeenImages): IdRange[] {
  if (first === undefined || last === undefined) return [];
  const starts = [first, ...gaps.map(({ before }) => before)];
  const ends = [...gaps.map(({ after }) => after), last];
  return starts.map((start, i) => wholeRange(start, ends[i]!, step))
    .filter(({ count }) => count > 0n);
}

function missingRanges(
  seen: SeenImages,
  { startImageId, stopImageId }: ImageIdRange,
): IdRange[] {
  const { first, last, gaps } = seen, step = idStep(seen);
  if (first === undefined || last === undefined) {
    if (startImageId === undefined || stopImageId === undefined) return [];
    return [{ from: startImageId, to: stopImageId, count: stopImageId - startImageId + 1n }];
  }
  const atStart = startImageId === undefined ? 0n : (first - startImageId) / step;
  const atStop = stopImageId === undefined ? 0n : (stopImageId - last) / step;
  return [
    wholeRange(first - atStart * step, first - step, step),
    ...gaps.map((gap) => rangeBetween(seen, gap)),
    wholeRange(last + step, last + atStop * step, step),
  ]
    .filter(({ count }) => count > 0n && count < LARGEST_GAP);
}

/** The ids between two images, of which some are missing: all that are nobody else's. */
function rangeBetween(seen: SeenImages, { after, before }: ImageGap): IdRange {
  const { writers = 1n } = seen, step = idStep(seen);
  const ids = (before - after - 1n) / step;
  return { from: after + step, to: after + ids * step, count: ids - (writers - 1n) };
}
