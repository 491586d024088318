import { z } from "zod";

/**
 * What the config, or a request, says of an experiment: fields of NeXus's NXmx that no packet tells.
 * They have NXmx's names; lengths are in m, times in s. What is left out is left out of the file.
 *
 * Every error message of the schema is a phrase that fits after "expected".
 */

/** Formats of the files. */
export const FILE_FORMATS = ["std-daq", "nexus", "both"] as const;

/** One of {@link FILE_FORMATS}. */
export type FileFormat = typeof FILE_FORMATS[number];

const TEXT_EXPECTED = "a text of 1 to 1024 characters";
const text = z.string(TEXT_EXPECTED).min(1, TEXT_EXPECTED).max(1024, TEXT_EXPECTED);

function number(unit: string): z.ZodNumber {
  return z.number(`a number, ${unit}`);
}

function positive(unit: string): z.ZodNumber {
  const expected = `a number above 0, ${unit}`;
  return z.number(expected).gt(0, expected);
}

function notNegative(unit: string): z.ZodNumber {
  const expected = `a number of at least 0, ${unit}`;
  return z.number(expected).min(0, expected);
}

function vector(unit: string): z.ZodTuple<[z.ZodNumber, z.ZodNumber, z.ZodNumber], null> {
  return z.tuple([number(unit), number(unit), number(unit)], `[x, y, z], three numbers, ${unit}`);
}

const wholeValue = z.int("a whole number, a pixel's value");

/** An object without other members than these. */
function members<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  return z.strictObject(shape, `an object with none but: ${Object.keys(shape).join(", ")}`);
}

const nameFields = { name: text.optional(), short_name: text.optional() };

const detectorFields = {
  description: text.optional(),
  type: text.optional(),
  sensor_material: text.optional(),
  sensor_thickness: positive("m").optional(),
  x_pixel_size: positive("m").optional(),
  y_pixel_size: positive("m").optional(),
  distance: positive("m").optional(),
  beam_center_x: number("px").optional(),
  beam_center_y: number("px").optional(),
  fast_axis: vector("a direction").optional(),
  slow_axis: vector("a direction").optional(),
  count_time: positive("s").optional(),
  frame_time: positive("s").optional(),
  detector_readout_time: notNegative("s").optional(),
  dead_time: notNegative("s").optional(),
  saturation_value: wholeValue.optional(),
  underload_value: wholeValue.optional(),
  threshold_energy: positive("eV").optional(),
  gain_setting: text.optional(),
};

const ABSOLUTE_PATH = /^\/[^\0]*$/;
const maskFields = {
  pixel_mask: z.string("an absolute path").regex(ABSOLUTE_PATH, "an absolute path").optional(),
  pixel_mask_dataset: z.string("the path of a dataset").regex(
    /^\/./,
    "the path of a dataset, such as /pixel_mask",
  ).default("/pixel_mask"),
};

const BEAM_PROFILES = ["Gaussian", "Airy", "top-hat", "rectangular"] as const;

const groups = {
  title: text.optional(),
  instrument: members({ ...nameFields, time_zone: text.optional() }).optional(),
  source: members({ ...nameFields, type: text.optional() }).optional(),
  sample: members({ name: text.optional(), temperature: notNegative("K").optional() }).optional(),
  beam: members({
    incident_wavelength: positive("Å").optional(),
    incident_wavelength_spread: notNegative("Å").optional(),
    total_flux: notNegative("photons/s").optional(),
    incident_beam_size: z.tuple(
      [positive("m"), positive("m")],
      "[x, y], two numbers above 0, m",
    ).optional(),
    profile: z.enum(
      BEAM_PROFILES,
      `one of ${BEAM_PROFILES.map((name) => JSON.stringify(name)).join(", ")}`,
    ).optional(),
  }).optional(),
};

/**
 * `nexus` of the config.
 *
 * @ignore Its inferred type is no documentation: see docs/reference/file-format.md.
 */
export const nexusSchema = members({
  ...groups,
  detector: members({ ...detectorFields, ...maskFields }).optional(),
});

/**
 * `nexus` of a request: in place of the config's, member by member. It names no file that the writer would
 * have to read.
 *
 * @ignore Its inferred type is no documentation: see docs/reference/file-format.md.
 */
export const nexusRequestSchema = members({
  ...groups,
  detector: members(detectorFields).optional(),
});

/**
 * What a schema makes of its input.
 *
 * @ignore
 */
type Output<Schema extends z.ZodType> = z.output<Schema>;

/** What the config says of an experiment. */
export type NexusConfig = Output<typeof nexusSchema>;
/** What a request says of an experiment. */
export type NexusRequest = Output<typeof nexusRequestSchema>;
