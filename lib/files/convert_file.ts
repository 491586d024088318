/**
 * Another format for a finished file: a small file beside it that shows its images, or one that holds them.
 *
 * @module
 */
import { z } from "zod";
import { basename, dirname, resolve } from "node:path";
import {
  type DetectorConfig,
  type FileFormat,
  type NexusRequest,
  nexusRequestSchema,
  parseConfig,
} from "../config/mod.ts";
import {
  type AttributeValue,
  type File,
  ImageFile,
  type ImageFileOptions,
  type ImageFileReader,
  MasterFile,
  readImageFile,
} from "../hdf5/mod.ts";
import { issuesText } from "../validation/mod.ts";
import {
  closingTexts,
  type ImageTimes,
  imageUnits,
  mergeNexus,
  NexusLayouts,
} from "../nexus/mod.ts";
import { addressOf } from "../os/mod.ts";
import { imageInfoFields } from "../writer/mod.ts";

/** How to convert a file. */
export interface FileConversion {
  /** The file, which stays as it is. */
  from: string;
  /** The new one; in the same folder, unless images are copied. */
  to: string;
  /** Copy the images, so that the new file needs no other; default no. */
  copy?: boolean | undefined;
  /** Its format. */
  format: FileFormat;
  /** The detector's config; default: the one that the file holds. */
  config?: DetectorConfig | undefined;
  /** What a NeXus file tells of the experiment, in place of the request's and the config's values, JSON. */
  nexus?: string | undefined;
  /** `std-daq <version>`. */
  software: string;
  /** Creates the new file; throws when it is there. */
  createFile(path: string): File;
}

/** Thrown when a file cannot be converted. */
export class ConversionError extends Error {
  /** The class's name. */
  override name = "ConversionError";
}

/**
 * Makes a master file of another format, whose datasets are the file's, as virtual ones: images stay stored
 * once, and both files belong together from then on. Or, with `copy`, an image file with the same images, as
 * they are stored, compressed or not.
 *
 * What the file's request told of the experiment (`nexus`) holds for the new one, too.
 *
 * @throws {ConversionError} If the folders differ, the file does not hold its config, or its request is none
 * of ours.
 * @throws {NotAnImageFileError} If it is no image file.
 * @throws {ConfigError} If its config is not valid.
 * @throws {OsError} EEXIST, EACCES, …
 */
export function convertFile(conversion: FileConversion): void {
  const { from, to, format, nexus, software, copy = false } = conversion;
  if (!copy && dirname(resolve(from)) !== dirname(resolve(to))) {
    throw new ConversionError(
      `${to} is not in the folder of ${from}, whose images it is to show: choose a name in there, or ` +
        "have the images copied (--copy).",
    );
  }
  using reader = readImageFile(from);
  const config = conversion.config ?? ownConfig(reader);
  const attributes = reader.attributes();
  const [, height, width] = reader.shape;
  const start = numberOf(attributes["start_time"]), end = numberOf(attributes["end_time"]);
  const layout = format === "std-daq"
    ? undefined
    : new NexusLayouts(asRequested(config, reader), software).of({
      format,
      runId: typeof attributes["run_id"] === "bigint" ? attributes["run_id"] : 0n,
      startTime: start,
      images: reader.shape[0],
      ...(nexus !== undefined && { request: nexus }),
    })(basename(to));
  using file = conversion.createFile(to);
  const content = {
    ...{ detector: reader.detector, height, width, pixelType: reader.pixelType },
    ...("image_info" in reader.recordCounts() && { info: imageInfoFields(config.detector_type) }),
    attributes: converted(attributes, layout !== undefined),
    ...(layout ?? { datasetAttributes: imageUnits(config.detector_type, reader.pixelType) }),
  };
  const made = copy ? copyImages(reader, file, content) : MasterFile.create(file, {
    ...content,
    parts: reader.parts ?? [{ file: basename(from), firstImage: 0, step: 1 }],
    partGroup: reader.partGroup ?? reader.group,
  });
  const failed = String(attributes["outcome"] ?? "").startsWith("ERROR");
  made.close({
    texts: layout === undefined || end === 0
      ? {}
      : closingTexts(imageTimes(reader), { closedAt: end, failed }),
  });
}

function imageTimes(reader: ImageFileReader): ImageTimes {
  const time = (name: string, which: "find" | "findLast"): bigint =>
    reader.infoColumn(name)?.[which]((ns) => ns > 0n) ?? 0n;
  return {
    firstNs: time("first_packet_ns", "find"),
    lastNs: time("complete_ns", "findLast"),
  };
}

/** Writes a file with all rows of another one, its images as they are stored. */
function copyImages(
  reader: ImageFileReader,
  file: File,
  content: Omit<ImageFileOptions, "expectedImages" | "compression">,
): ImageFile {
  const [rows] = reader.shape;
  const ids = reader.imageIds(), statuses = reader.statuses();
  const records = reader.imageInfo();
  const fields = Object.keys(content.info ?? {});
  const images = ImageFile.create(file, {
    ...content,
    expectedImages: rows,
    compression: reader.storedCompression,
  });
  for (let row = 0; row < rows; row++) {
    const status = Number(statuses[row] ?? 0n);
    const { value: told } = records.next();
    const record = {
      ...{ imageId: ids[row] ?? 0n, status },
      info: fields.map((name) => told?.[name] ?? 0),
    };
    const stored = status === 0 ? undefined : reader.storedImage(row);
    if (stored === undefined) {
      images.skipImage({ ...record, status: 0 });
      continue;
    }
    const { bytes, compressed } = stored;
    const address = addressOf(bytes);
    images.appendImage({ ...record, address, bytes: bytes.byteLength, compressed });
  }
  return images;
}

function ownConfig(reader: ImageFileReader): DetectorConfig {
  const text = reader.attributes()["config"];
  if (typeof text === "string") return parseConfig(JSON.parse(text), reader.path).config;
  throw new ConversionError(
    `${reader.path} holds no config of its detector: give the config's file (--config).`,
  );
}

/** The config, with `nexus` of the request that the file was written for in place of its own values. */
function asRequested(config: DetectorConfig, reader: ImageFileReader): DetectorConfig {
  return { ...config, nexus: mergeNexus(config.nexus, ownNexus(reader)) };
}

/** What that request told. */
function ownNexus(reader: ImageFileReader): NexusRequest | undefined {
  const text = reader.attributes()["request"];
  if (typeof text !== "string" || text === "") return undefined; // an original's file
  const wrong = (reason: unknown): ConversionError =>
    new ConversionError(
      `The attribute request of ${reader.path} is not what a user may ask for: ${reason}. ` +
        "Correct it in the file.",
    );
  let request: unknown;
  try {
    request = JSON.parse(text);
  } catch (error) {
    throw wrong(error);
  }
  const nexus: unknown = typeof request === "object" && request !== null
    ? Reflect.get(request, "nexus")
    : undefined;
  const { data, error } = requestSchema.safeParse({ nexus });
  if (error === undefined) return data.nexus;
  throw wrong(issuesText(error.issues, { nexus }, "it"));
}

const requestSchema = z.object({ nexus: nexusRequestSchema.optional() });

/** The attributes, with the units of times, with or without the class of NeXus. */
function converted(
  { NX_class: _, ...attributes }: Record<string, AttributeValue>,
  isNexus: boolean,
): Record<string, AttributeValue> {
  return {
    ...attributes,
    // Files of earlier versions do not have them, nor an original's the times.
    ...("start_time" in attributes && { start_time_units: "s", end_time_units: "s" }),
    ...(isNexus && { NX_class: "NXcollection" }),
  };
}

function numberOf(value: AttributeValue | undefined): number {
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
}
