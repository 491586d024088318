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

/**
 * Looks at image ids in the order of their rows.
 *
 * @param frames The detector's own numbers of the images, which count by 1 whatever ids do; left out, or all
 * 0: not known. Then a run that lacks every second image looks like one whose ids count by 2.
 */
export function describeImageIds(ids: BigUint64Array, frames?: BigUint64Array): ImageIdReport {
  const step = (frames && usualStep(ids, frames)) || usualStep(ids);
  const report: ImageIdReport = {
    ...{
      first: ids.at(0) ?? null,
      last: ids.at(-1) ?? null,
      step: step === 0n ? null : Number(step),
    },
    ...{ duplicates: 0, descents: 0, missing: 0, gaps: [] },
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
  return report;
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
