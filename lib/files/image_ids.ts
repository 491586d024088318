/**
 * What is to be said of the image ids of a file.
 *
 * @module
 */

/** What a file's image ids are like. */
export interface ImageIdReport {
  /** The first image's. */
  first: bigint | null;
  /** The last image's. */
  last: bigint | null;
  /** From one of the detector's images to the next, mostly. */
  step: number | null;
  /** Times that an id is the one before once more; ids that come again later are behind a descent. */
  duplicates: number;
  /** Images that an earlier row has, too: the same id, and the same first packet. */
  repeated: number;
  /** Times that an id is lower than the one before. */
  descents: number;
  /** Ids between the first and the last that no row has. */
  missing: number;
  /** The first ranges of them, inclusive. */
  gaps: [first: bigint, last: bigint][];
}

/** Ranges that are listed. */
const MOST_GAPS = 20;

/** Steps that are told apart, to find the usual one. */
const MOST_STEPS = 1024;

/** What a file tells of its images besides, a value for each; 0: not known. */
export interface ImageNumbers {
  /**
   * The detector's own numbers, which count by 1 whatever ids do. Without them a run that lacks every second
   * image looks like one whose ids count by 2.
   */
  readonly frames?: BigUint64Array | undefined;
  /** When their first packets came, ns since 1970. */
  readonly times?: BigUint64Array | undefined;
}

/** Looks at image ids in the order of their rows. */
export function describeImageIds(
  ids: BigUint64Array,
  { frames, times }: ImageNumbers = {},
): ImageIdReport {
  const step = (frames && usualStep(ids, frames)) || usualStep(ids);
  const report: ImageIdReport = {
    ...{
      first: ids.at(0) ?? null,
      last: ids.at(-1) ?? null,
      step: step === 0n ? null : Number(step),
    },
    ...{ duplicates: 0, repeated: 0, descents: 0, missing: 0, gaps: [] },
  };
  for (let row = 1; row < ids.length; row++) {
    const before = ids[row - 1]!, id = ids[row]!;
    if (id === before) report.duplicates++;
    else if (id < before) report.descents++;
    else if (step > 0n && id - before > step) {
      const missing = (id - before - 1n) / step;
      if (missing === 0n) continue;
      report.missing += Number(missing);
      if (report.gaps.length < MOST_GAPS) {
        report.gaps.push([before + step, before + missing * step]);
      }
    }
  }
  // Where ids only go up none can be there twice.
  if (times !== undefined && report.descents > 0) report.repeated = countRepeated(ids, times);
  return report;
}

function countRepeated(ids: BigUint64Array, times: BigUint64Array): number {
  const idAt = new Map<bigint, bigint>();
  let repeated = 0;
  times.forEach((time, row) => {
    if (time === 0n) return;
    if (idAt.get(time) === ids[row]) repeated++;
    else idAt.set(time, ids[row]!);
  });
  return repeated;
}

/** The step, per frame if these are given, by which most images follow those before; 0 where none does. */
function usualStep(ids: BigUint64Array, frames?: BigUint64Array): bigint {
  const counts = new Map<bigint, number>();
  for (let row = 1; row < ids.length; row++) {
    const ahead = frames === undefined ? 1n : frames[row]! - frames[row - 1]!;
    const distance = ids[row]! - ids[row - 1]!;
    if (ahead <= 0n || distance % ahead !== 0n) continue;
    const step = distance / ahead;
    if (step <= 0n || (counts.size === MOST_STEPS && !counts.has(step))) continue;
    counts.set(step, (counts.get(step) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || Number(a[0] - b[0]))[0]?.[0] ?? 0n;
}
