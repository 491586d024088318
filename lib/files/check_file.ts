/**
 * Checks a finished image file: whether it holds what was asked for, and what it says of itself.
 *
 * @module
 */
import { dirname } from "node:path";
import { ArrayFile, type ImageFileReader, readImageFile } from "../hdf5/mod.ts";
import { checkNxmx, saysNxmx } from "../nexus/mod.ts";
import { File, OsError } from "../os/mod.ts";
import { describeImageIds, type ImageIdReport } from "./image_ids.ts";
import type { PIXEL_CHECKS } from "./pixel_checks.ts";
import { PixelCollector, type PixelStatistics } from "./pixel_statistics.ts";

/** How to check a file. */
export interface FileCheckOptions {
  /** Which images' pixels are read: none, some of them over the whole file, or all. Default some. */
  pixels?: typeof PIXEL_CHECKS[number];
  /** Ends the check between two images. */
  signal?: AbortSignal;
}

/** Something that is wrong with a file, or worth to be known. */
export interface FileProblem {
  /** `error`: the file is not what was asked for, or contradicts itself. */
  level: "error" | "warning";
  /** What it is, as a sentence. */
  message: string;
}

/** What a file is like. */
export interface FileReport {
  /** Its path. */
  file: string;
  /** Whether there is no error. */
  valid: boolean;
  /** Name of the detector. */
  detector: string;
  /** Whether it is a NeXus file. */
  format: "std-daq" | "nexus" | "both";
  /** How images are compressed, in the file or in the files that it shows. */
  compression: string;
  /** Rows, height and width. */
  shape: readonly [rows: number, height: number, width: number];
  /** Type of a pixel. */
  pixel_type: string;
  /** Rows that have an image. */
  images: number;
  /** Images asked for; null: until stopped, or it is not known. */
  images_requested: number | null;
  /** Whether the writer closed it; null: it is not one of ours, which say so. */
  closed: boolean | null;
  /** How the run ended, as its writer agent said it. */
  outcome: string | null;
  /** Name of the file that shows all images of the run, for one of several; else null. */
  master_file: string | null;
  /** Ids of the rows that have one. */
  image_ids: ImageIdReport;
  /** Rows by status. */
  statuses: { good: number; missing_packets: number; id_mismatch: number; no_image: number };
  /** Of the pixels that were read: those of `images_read` images, of `of_images` that have any. */
  pixels: PixelStatistics & { of_images: number };
  /** What is wrong, and what is worth to be known. */
  problems: FileProblem[];
}

/** Status of a row without an image. */
const NO_IMAGE = 0n;

/** Images of a sample. */
const SAMPLE = 16;

/**
 * Checks a file, in the memory of one image and some 60 bytes a row.
 *
 * @throws {OsError} ENOENT, EACCES, …
 * @throws {NotAnImageFileError} If it is not HDF5, or no image file.
 * @throws The reason of the signal.
 */
export async function checkFile(
  path: string,
  { pixels = "sample", signal }: FileCheckOptions = {},
): Promise<FileReport> {
  using reader = readImageFile(path);
  const [rows] = reader.shape;
  const attributes = reader.attributes();
  const rowStatuses = reader.statuses();
  const statuses = countStatuses(rowStatuses);
  const images = rows - statuses.no_image;
  const requested = wholeNumber(attributes["images_requested"]);
  const problems: FileProblem[] = [];
  const collector = new PixelCollector();
  for (const row of rowsToRead(rowStatuses.subarray(0, rows), pixels)) {
    await new Promise((resolve) => setTimeout(resolve)); // others have their turn
    signal?.throwIfAborted();
    addImage(reader, row, collector, problems);
  }
  const nexus = nexusProblems(path, reader.detector);
  // Rows of a master file whose part lacks them read as zeros: that is no id.
  const imageIds = reader.imageIds().subarray(0, rows);
  const hasId = (row: number): boolean => imageIds[row] !== 0n || rowStatuses[row] !== 0n;
  const column = (name: string): BigUint64Array | undefined =>
    reader.infoColumn(name)?.subarray(0, rows).filter((_, row) => hasId(row));
  const ids = describeImageIds(imageIds.filter((_, row) => hasId(row)), {
    // A file of one of several writers has every Nth image only.
    frames: wholeNumber(attributes["image_step"]) > 1 ? undefined : column("frame_index"),
    times: column("first_packet_ns"),
  });
  problems.push(
    ...recordProblems(reader, rows),
    ...countProblems(attributes, { images, requested, incomplete: statuses.missing_packets }),
    ...idProblems(ids),
    ...statusProblems(statuses),
    ...nexus.problems,
    ...ownerProblems(path),
  );
  return {
    file: path,
    valid: problems.every(({ level }) => level !== "error"),
    detector: reader.detector,
    format: nexus.format,
    compression: reader.storedCompression,
    shape: reader.shape,
    pixel_type: reader.pixelType,
    images,
    images_requested: requested || null,
    closed: isOurs(attributes) ? attributes["end_time"] !== undefined : null,
    outcome: textOr(attributes["outcome"]),
    master_file: textOr(attributes["master_file"]),
    image_ids: ids,
    statuses,
    pixels: { ...collector.statistics, of_images: images },
    problems,
  };
}

/** A file's report as text, a line for each thing. */
export function fileReportText(report: FileReport): string {
  const { image_ids: ids, statuses, pixels, shape, problems } = report;
  const [rows, height, width] = shape;
  const gaps = ids.gaps.map(([first, last]) => first === last ? `${first}` : `${first}-${last}`);
  const lines: [string, string][] = [
    ["file", report.file],
    ["format", `${report.format}, compression ${report.compression}`],
    ["detector", `${report.detector}, ${height} x ${width} px, ${report.pixel_type}`],
    [
      "images",
      `${report.images}${report.images_requested ? ` of ${report.images_requested}` : ""}`,
    ],
    [
      "rows",
      `${rows}: ${statuses.good} good, ${statuses.missing_packets} incomplete, ` +
      `${statuses.no_image} without an image`,
    ],
    [
      "image ids",
      ids.first === null ? "none" : `${ids.first} to ${ids.last}, step ${ids.step ?? 1}`,
    ],
    ...(gaps.length > 0
      ? [["missing ids", `${ids.missing}: ${gaps.join(", ")}`] satisfies [string, string]]
      : []),
    [
      "pixels",
      pixels.images_read === 0
        ? "not read"
        : `${pixels.min} to ${pixels.max}, mean ${pixels.mean?.toPrecision(6)}, ` +
          `${pixels.invalid} without a value (read of ${pixels.images_read} of ${pixels.of_images} images)`,
    ],
    ["closed", closedText(report)],
  ];
  return [
    ...lines.map(([name, value]) => `${name.padEnd(12)}${value}`),
    ...problems.map(({ level, message }) => `${level.padEnd(12)}${message}`),
    report.valid ? "ok" : "not ok",
  ].map((line) => `${line}\n`).join("");
}

function closedText({ closed, outcome, master_file: master }: FileReport): string {
  if (closed === null) return "not said";
  if (!closed) return "no";
  if (outcome !== null) return `yes: ${outcome}`;
  return master === null ? "yes" : `yes; ${master} tells how the run ended`;
}

function textOr(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Whether a file says of itself what our writers do; the original's say nothing. */
function isOurs(attributes: Readonly<Record<string, unknown>>): boolean {
  return ["start_time", "end_time", "images_requested", "images_written"]
    .some((name) => attributes[name] !== undefined);
}

/** Rows that hold an image: the others read as zeros, which are no pixels. */
function rowsToRead(statuses: BigUint64Array, pixels: FileCheckOptions["pixels"]): number[] {
  if (pixels === "none") return [];
  const rows = [...statuses.keys()].filter((row) => statuses[row] !== NO_IMAGE);
  if (pixels === "all" || rows.length <= SAMPLE) return rows;
  return Array.from(
    { length: SAMPLE },
    (_, i) => rows[Math.round(i * (rows.length - 1) / (SAMPLE - 1))]!,
  );
}

function addImage(
  reader: ImageFileReader,
  row: number,
  collector: PixelCollector,
  problems: FileProblem[],
): void {
  try {
    collector.add(reader.image(row));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push({ level: "error", message: `Image ${row} cannot be read: ${reason}` });
  }
}

function countStatuses(statuses: BigUint64Array): FileReport["statuses"] {
  const count = (status: bigint): number =>
    statuses.reduce((sum, each) => sum + (each === status ? 1 : 0), 0);
  return {
    good: count(1n),
    missing_packets: count(2n),
    id_mismatch: count(3n),
    no_image: count(0n),
  };
}

function recordProblems(reader: ImageFileReader, rows: number): FileProblem[] {
  return Object.entries(reader.recordCounts())
    .filter(([, records]) => records !== rows)
    .map(([name, records]) => error(`${name} has ${records} records for ${rows} images.`));
}

/** Images that were asked for and are not in a file, by their attributes. */
const ABSENT_IMAGES = [
  ["missing", "never came"],
  ["lost", "were overwritten in the image ring"],
  ["failed", "were not written, or not confirmed"],
  ["not_taken", "were not taken any more"],
] as const;

function countProblems(
  attributes: Readonly<Record<string, unknown>>,
  { images, requested, incomplete }: { images: number; requested: number; incomplete: number },
): FileProblem[] {
  const problems: FileProblem[] = [];
  if (isOurs(attributes) && attributes["end_time"] === undefined) {
    problems.push(error("The file was not closed: it is being written, or its writer died."));
  }
  const outcome = textOr(attributes["outcome"]);
  if (outcome?.startsWith("ERROR")) problems.push(error(`The run failed: ${outcome}`));
  const isPart = attributes["file_number"] !== undefined;
  const absent = ABSENT_IMAGES.flatMap(([kind, words]) => {
    const count = wholeNumber(attributes[`images_${kind}`]);
    const ids = String(attributes[`${kind}_image_ids`] ?? "");
    return count > 0 ? [{ kind, text: ` ${count} ${words}${ids === "" ? "" : `: ${ids}`}.` }] : [];
  });
  const told = absent.map(({ text }) => text).join("");
  if (!isPart && requested > 0 && images !== requested) {
    problems.push(error(`${images} images of ${requested} that were asked for.${told}`));
  } else if (absent.some(({ kind }) => kind === "lost" || kind === "failed")) {
    problems.push(error(`Images of the run are not on file.${told}`));
  }
  const counts = { images_written: images, images_written_incomplete: incomplete };
  for (const [name, found] of Object.entries(counts)) {
    const said = attributes[name];
    if (said === undefined) continue;
    // What its writer did not confirm may be in the file all the same.
    const uncertain = wholeNumber(attributes["images_failed"]);
    const surplus = found - wholeNumber(said);
    if (surplus >= 0 && surplus <= uncertain) continue;
    problems.push(error(`The attribute ${name} is ${said}, the file has ${found}.`));
  }
  return problems;
}

function idProblems(
  { duplicates, repeated, descents, missing, gaps }: ImageIdReport,
): FileProblem[] {
  return [
    ...(repeated > 0
      ? [error(`${repeated} images are in the file twice: with the id and time of an earlier row.`)]
      : []),
    ...(duplicates > 0 ? [error(`${duplicates} image ids come twice in a row.`)] : []),
    ...(descents > 0 && repeated === 0
      ? [warning(`Image ids go down ${descents} times: the detector restarted.`)]
      : []),
    ...(missing > 0
      ? [warning(`${missing} image ids are missing, the first from ${gaps[0]?.[0]} on.`)]
      : []),
  ];
}

/** Root's file in somebody else's folder is hardly wanted: its user may read it at most. */
function ownerProblems(path: string): FileProblem[] {
  const user = ownerOf(`${dirname(path)}/.`);
  if (ownerOf(path) !== 0 || user === 0 || user === undefined) return [];
  return [{
    level: "warning",
    message: `The file belongs to root, its folder to user ${user}: set writer_user_id, or run ` +
      "std_h5_writer as another user.",
  }];
}

/** User id; undefined of what may not be opened, such as a folder that we may not list. */
function ownerOf(path: string): number | undefined {
  try {
    using file = File.open(path);
    return file.owner().uid;
  } catch (error) {
    if (error instanceof OsError) return undefined;
    throw error;
  }
}

function statusProblems(statuses: FileReport["statuses"]): FileProblem[] {
  const { missing_packets: incomplete, id_mismatch: mismatch, no_image: none } = statuses;
  return [
    ...(incomplete > 0 ? [warning(`Images that lack packets: ${incomplete}.`)] : []),
    ...(mismatch > 0 ? [error(`${mismatch} images are of modules with different ids.`)] : []),
    ...(none > 0
      ? [warning(`${none} rows have no image: it was lost before it was on file.`)]
      : []),
  ];
}

function nexusProblems(
  path: string,
  detector: string,
): { format: FileReport["format"]; problems: FileProblem[] } {
  using file = new ArrayFile(path);
  if (!saysNxmx(file)) return { format: "std-daq", problems: [] };
  return {
    format: file.names("/").includes(detector) ? "both" : "nexus",
    problems: checkNxmx(file).map(({ level, path, problem }) => ({
      level: level === "required" ? "error" : "warning",
      message: `NXmx: ${path} ${problem}${problem.startsWith("is missing") ? ` (${level})` : ""}.`,
    })),
  };
}

function error(message: string): FileProblem {
  return { level: "error", message };
}

function warning(message: string): FileProblem {
  return { level: "warning", message };
}

function wholeNumber(value: unknown): number {
  return typeof value === "bigint" || typeof value === "number" ? Number(value) : 0;
}
