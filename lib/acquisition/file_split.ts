/**
 * How the images of one run are spread over several files, and what these are called.
 *
 * Writer w of N takes images w, w + N, w + 2N, … of the run, as the original's writers do. With a
 * limit of K images per file it goes on in another file after each K of its images: its part p is
 * file number p × N + w, `{prefix}{number}.h5`; the last part that there may be takes all further images.
 * The prefix is the output file without its suffix; one
 * that ends in a digit gets a `_`, so that the parts of `run_1` are not taken for `run_10`, `run_11`.
 *
 * @module
 */

/** How a run is spread. */
export interface FileSplit {
  /** Writers that share the images, at least 1. */
  readonly writers: number;
  /** Images of a file, after which its writer begins another one; 0: no limit. */
  readonly imagesPerFile: number;
}

/** One of the files of a split run. */
export interface FilePart {
  /** Number of the file. */
  readonly number: number;
  /** Number of its writer. */
  readonly writer: number;
  /** Place in the run of its first image; its others follow in steps of the number of writers. */
  readonly firstImage: number;
}

/** Most files of one run: a reader of all images opens them all. */
export const MAX_FILE_PARTS = 10_000;

/** A writer's last part, counted from 0: it has no limit of images, so that none is lost for want of a file. */
export function lastPart({ writers }: Pick<FileSplit, "writers">, most = MAX_FILE_PARTS): number {
  return Math.max(0, Math.floor(most / writers) - 1);
}

/** Whether a run has files of its images beside the file that was asked for. */
export function isSplit({ writers, imagesPerFile }: FileSplit): boolean {
  return writers > 1 || imagesPerFile > 0;
}

/** Images of a run that are one writer's; 0 of 0, which means that nobody knows. */
export function writerShare(nImages: number, writers: number, writer: number): number {
  return Math.max(0, Math.ceil((nImages - writer) / writers));
}

/** Number of files of a run of `nImages` images; each writer has at least one. */
export function partCount(nImages: number, { writers, imagesPerFile }: FileSplit): number {
  if (imagesPerFile === 0) return writers;
  // In the last round of files those after the run's last image are not there.
  const perRound = writers * imagesPerFile;
  const rounds = Math.floor(nImages / perRound);
  return Math.max(writers, rounds * writers + Math.min(writers, nImages % perRound));
}

/** The files of a run of `nImages` images, by number; of 0, which means that nobody knows: the first ones. */
export function fileParts(nImages: number, split: FileSplit): FilePart[] {
  return firstFileParts(partCount(nImages, split), split);
}

/** The first `count` files of a run, by number. */
export function firstFileParts(count: number, { writers, imagesPerFile }: FileSplit): FilePart[] {
  return Array.from({ length: count }, (_, number) => {
    const writer = number % writers;
    const part = (number - writer) / writers;
    return { number, writer, firstImage: part * imagesPerFile * writers + writer };
  });
}

/**
 * Path of one of a run's files.
 *
 * @param outputFile Path that the user asked for, ending in `.h5` or another suffix.
 * @param number Number of the file, from 0.
 */
export function partPath(outputFile: string, number: number): string {
  const [, prefix = outputFile, suffix = ""] = /^(.*[^/])(\.[^./]*)$/.exec(outputFile) ?? [];
  return `${prefix}${/\d$/.test(prefix) ? "_" : ""}${number}${suffix}`;
}
