/**
 * Sets of image ids, as ranges: what they cost does not grow with the number of images.
 *
 * @module
 */

/** So many ranges of a set are remembered one by one. */
const MOST_RANGES = 100;
/** Longest text of {@linkcode rangesText}, bytes: it becomes an attribute of a file. */
const MOST_TEXT = 1000;

/** Ids from one to another, both included: all of them in steps, or some that are not known one by one. */
export interface IdRange {
  /** First id. */
  readonly from: bigint;
  /** Last id. */
  readonly to: bigint;
  /** How many ids it is about. */
  readonly count: bigint;
}

/** Ids in ascending ranges; never changed in place. */
export interface IdSet {
  /** Where they are. */
  readonly ranges: readonly IdRange[];
  /** Whether there are more, in further places. */
  readonly hasMore: boolean;
}

/** No ids. */
export const NO_IDS: IdSet = { ranges: [], hasMore: false };

/** All ids from one to another; of count 0 if the second comes before the first. */
export function wholeRange(from: bigint, to: bigint, step: bigint): IdRange {
  return { from, to, count: to < from ? 0n : (to - from) / step + 1n };
}

/** A set and one range more, joined with its neighbours where nothing is between them. */
export function addRange(set: IdSet, range: IdRange, step: bigint): IdSet {
  if (range.count <= 0n) return set;
  const { ranges } = set;
  let at = ranges.length;
  while (at > 0 && ranges[at - 1]!.from > range.from) at--;
  const before = ranges[at - 1], behind = ranges[at];
  const joinsBefore = before !== undefined && areNeighbours(before, range, step);
  const joinsBehind = behind !== undefined && areNeighbours(range, behind, step);
  if (!joinsBefore && !joinsBehind && ranges.length >= MOST_RANGES) {
    return { ranges, hasMore: true };
  }
  const parts = [
    ...(joinsBefore ? [before] : []),
    range,
    ...(joinsBehind ? [behind] : []),
  ];
  const joined: IdRange = {
    from: parts[0]!.from,
    to: parts.at(-1)!.to,
    count: parts.reduce((sum, { count }) => sum + count, 0n),
  };
  const next = ranges.slice();
  next.splice(at - (joinsBefore ? 1 : 0), parts.length - 1, joined);
  return { ranges: next, hasMore: set.hasMore };
}

/** What remains of ranges without the ids of others. */
export function withoutRanges(
  ranges: readonly IdRange[],
  taken: readonly IdRange[],
  step: bigint,
): IdRange[] {
  return taken.reduce<IdRange[]>(
    (rest, each) => rest.flatMap((range) => without(range, each, step)),
    [...ranges],
  );
}

/** How many ids ranges are about. */
export function idCount(ranges: readonly IdRange[]): bigint {
  return ranges.reduce((sum, { count }) => sum + count, 0n);
}

/** Ranges as `12, 15-17, 3 of 20-29`, shortened where they are many. */
export function rangesText(ranges: readonly IdRange[], step: bigint, hasMore = false): string {
  let text = "";
  for (const range of ranges) {
    const { from, to, count } = range;
    const ids = from === to ? `${from}` : `${from}-${to}`;
    const next = isWhole(range, step) ? ids : `${count} of ${ids}`;
    if (text.length + next.length > MOST_TEXT) return `${text}, …`;
    text += text === "" ? next : `, ${next}`;
  }
  if (!hasMore) return text;
  return text === "" ? "…" : `${text}, …`;
}

function without(range: IdRange, taken: IdRange, step: bigint): IdRange[] {
  if (taken.to < range.from || taken.from > range.to) return [range];
  if (!isWhole(range, step) || !isWhole(taken, step)) {
    const count = range.count - taken.count;
    return count > 0n ? [{ ...range, count }] : [];
  }
  return [
    wholeRange(range.from, taken.from - step, step),
    wholeRange(taken.to + step, range.to, step),
  ].filter(({ count }) => count > 0n);
}

function areNeighbours(before: IdRange, behind: IdRange, step: bigint): boolean {
  return before.to + step === behind.from && isWhole(before, step) && isWhole(behind, step);
}

function isWhole(range: IdRange, step: bigint): boolean {
  return range.count === wholeRange(range.from, range.to, step).count;
}
