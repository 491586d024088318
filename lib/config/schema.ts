import { z } from "zod";
import { DETECTOR_TYPES, DOUBLE_PIXELS } from "./detector_facts.ts";
import { FILE_FORMATS, nexusSchema } from "./nexus_schema.ts";

/**
 * The detector config of std-daq as one zod schema: types, ranges, defaults and descriptions.
 *
 * Field names and defaults are those of std-daq's `Interfaces/configfile.md`, of its REST interface
 * (`writer_user_id`, `submodule_info`) and, where `x-origin` says `addition`, our own. What depends on
 * several fields at once (geometry, ports, bit depth of a detector) is checked by `checkConfig`.
 *
 * Every error message of the schema is a phrase that fits after "expected".
 */

/** The levels of `log_level`, from most to least. */
export const LOG_LEVELS = ["debug", "info", "warning", "error", "off"] as const;

/** The largest `n_modules`: the reference synchronises modules with a mask of 128 bits. */
export const MAX_MODULES = 128;

/** Slots of a ring when the config does not say: the reference's count. */
export const DEFAULT_SLOTS = 1000;

const MAX_SIDE_PX = 65_535;
const MAX_PORT = 65_535;
const MAX_SLOTS = 1_000_000;
const MAX_UID = 4_294_967_294; // 2^32 - 1 means "no change" to the kernel

/** Where a field comes from, and its unit; both go into the JSON Schema and the reference page. */
interface FieldNotes {
  readonly unit?: string;
  readonly origin: "reference" | "addition";
}

function notes(description: string, { unit, origin }: FieldNotes): Record<string, unknown> {
  return { description, ...(unit === undefined ? {} : { "x-unit": unit }), "x-origin": origin };
}

const REFERENCE = { origin: "reference" } as const;

function integer(minimum: number, maximum: number): z.ZodInt {
  const expected = `an integer from ${minimum} to ${maximum}`;
  return z.int(expected).min(minimum, expected).max(maximum, expected);
}

function oneOf(values: readonly (string | number)[]): string {
  return `one of ${values.map((value) => JSON.stringify(value)).join(", ")}`;
}

const IMAGE_ID_SOURCES = ["bunch_id", "frame_number"] as const;
const ROTATIONS = [0, 90, 180, 270] as const;
const BIT_DEPTHS = [4, 8, 16, 32] as const;
const FILE_COMPRESSIONS = ["none", "bitshuffle-lz4"] as const;
const FSYNC_POLICIES = ["none", "at_end", "every_second"] as const;
const FILE_MODE = /^0?[0-7]{3}$/;
const FILE_MODE_LIMITS =
  'permission bits with which the owner reads and writes and others do not write, like "0640"';
const FILE_MODE_EXPECTED = 'permission bits in octal, like "0640"';
const SECONDS = "a number of seconds from 0 to 86400";
const boolean = z.boolean("true or false");

/** `[x0, y0, x1, y1]`: inclusive corners in px; the module's first pixel goes to (x0, y0). */
export const modulePositionSchema = z.tuple(
  [
    integer(0, MAX_SIDE_PX),
    integer(0, MAX_SIDE_PX),
    integer(0, MAX_SIDE_PX),
    integer(0, MAX_SIDE_PX),
  ],
  "four integers [x0, y0, x1, y1] (inclusive corners in px)",
);

/** One entry of `submodule_info`: the sending half module and the port it sends to. */
export const submoduleSchema = z.object({
  hostname: z.string("the host name of the module's readout board").optional(),
  submodule: integer(0, MAX_MODULES - 1),
  port: integer(1, MAX_PORT),
  row: integer(0, MAX_MODULES - 1).optional(),
  column: integer(0, MAX_MODULES - 1).optional(),
  activate: z.union([z.literal([0, 1]), z.boolean()], "0 or 1").optional(),
}, 'an object like {"submodule": 0, "port": 50020}');

/** The pixel types of a converted image. */
export const CONVERTED_PIXEL_TYPES = ["float32", "int16", "uint16", "int32"] as const;

const ABSOLUTE_PATH = /^\/[^\0,]*$/;
const PATH_EXPECTED = "an absolute path without commas";
const mapPath = z.union([
  z.string().regex(ABSOLUTE_PATH),
  z.array(z.string(PATH_EXPECTED).regex(ABSOLUTE_PATH, PATH_EXPECTED)).min(1),
], `${PATH_EXPECTED}, or a list with one for each module`);
const dataset = z.string("the path of a dataset").regex(
  /^\/./,
  "the path of a dataset, such as /gains",
);

const PHOTON_ENERGY = "a number of keV from 0.01 to below 1000";
const TRACKED_FRAMES = "an integer from 2 to 10000";
const TRACKED_NOISE = "a number above 0, up to 10: times the RMS";

/** How G0 pedestals follow pixels without photons. */
export const trackingSchema = z.object({
  frames: z.int(TRACKED_FRAMES).min(2, TRACKED_FRAMES).max(10_000, TRACKED_FRAMES).default(1_000),
  noise: z.number(TRACKED_NOISE).gt(0, TRACKED_NOISE).lte(10, TRACKED_NOISE).default(4),
  noise_dataset: dataset.default("/pedestal_rms"),
}, 'an object like {"frames": 1000, "noise": 4}, or {} for just that');

/** Where gains, pedestals and masks are. */
export const calibrationSchema = z.object({
  gains: mapPath,
  gains_dataset: dataset.default("/gains"),
  pedestal: mapPath,
  pedestal_dataset: dataset.default("/pedestal"),
  pixel_mask: mapPath.optional(),
  pixel_mask_dataset: dataset.default("/pixel_mask"),
  pedestal_tracking: trackingSchema.optional(),
}, 'an object like {"gains": "/calibration/gains.h5", "pedestal": "/calibration/pedestal.h5"}');

const streamRate = (second: string): z.ZodTuple<[z.ZodInt, z.ZodInt], null> => {
  return z.tuple(
    [integer(1, 1_000_000), integer(1, 1_000_000)],
    `[images, ${second}], two integers of at least 1`,
  );
};

/** One live stream: everything, `n` images at a frequency, or `n` images out of every `m`. */
export const liveStreamSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("forward"),
    config: z.array(z.unknown(), "[] (forward has no settings)").max(
      0,
      "[] (forward has no settings)",
    ).optional(),
  }),
  z.object({ type: z.literal("periodic"), config: streamRate("Hz") }),
  z.object({ type: z.literal("batch"), config: streamRate("every how many images") }),
], 'an object whose type is "forward", "periodic" or "batch"');

const STREAM_ADDRESS = /^(tcp|ipc):\/\/[^\s\p{Cc}]+$/u;
const DETECTOR_NAME = /^(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
const DETECTOR_NAME_EXPECTED =
  '1 to 64 letters, digits, "_", "." and "-", starting with a letter or digit, without ".."';
const MODULE_KEY = /^(0|[1-9][0-9]{0,2})$/;
const SHM_GROUP = /^[a-z_][a-z0-9_-]{0,31}$/;

/**
 * The whole config. Parse with `parseConfig`, which also checks what depends on several fields.
 *
 * @ignore Its inferred type is no documentation: see docs/reference/configuration.md.
 */
export const detectorConfigSchema = z.object({
  detector_name: z.string(DETECTOR_NAME_EXPECTED).regex(DETECTOR_NAME, DETECTOR_NAME_EXPECTED).meta(
    notes(
      "Name of the deployment; part of every shared memory, socket and log name.",
      REFERENCE,
    ),
  ),
  detector_type: z.enum(DETECTOR_TYPES, oneOf(DETECTOR_TYPES)).meta(
    notes("Kind of detector: decides packet format, geometry and pixel type.", REFERENCE),
  ),
  image_pixel_height: integer(1, MAX_SIDE_PX).meta(
    notes("Height of the assembled image.", { ...REFERENCE, unit: "px" }),
  ),
  image_pixel_width: integer(1, MAX_SIDE_PX).meta(
    notes("Width of the assembled image.", { ...REFERENCE, unit: "px" }),
  ),
  bit_depth: z.literal(BIT_DEPTHS, oneOf(BIT_DEPTHS)).meta(
    notes(
      "Bits of a pixel as received: eiger 4, 8, 16 or 32; mythen3 8, 16 or 32; jungfrau, moench, gotthard2, gigafrost and pco 16.",
      { ...REFERENCE, unit: "bit" },
    ),
  ),
  n_modules: integer(1, MAX_MODULES).meta(
    notes("Number of modules (eiger: half modules; gigafrost: 8 streams).", REFERENCE),
  ),
  start_udp_port: integer(1, MAX_PORT).meta(
    notes("UDP port of module 0; module i sends to this port + i.", REFERENCE),
  ),
  module_positions: z.record(
    z.string().regex(MODULE_KEY, "a module number, from 0 and without leading zeros"),
    modulePositionSchema,
    'an object with the keys "0" to "n_modules - 1", each [x0, y0, x1, y1]',
  ).meta(
    notes(
      "Inclusive corners [x0, y0, x1, y1] of each module; its first pixel goes to (x0, y0), so y1 < y0 reverses rows and x1 < x0 mirrors columns. Ignored for gigafrost, pco and bsread (give {}).",
      { ...REFERENCE, unit: "px" },
    ),
  ),
  module_rotations: z.record(
    z.string().regex(MODULE_KEY, "a module number, from 0 and without leading zeros"),
    z.literal(ROTATIONS, oneOf(ROTATIONS)),
    'an object of rotations by module, like {"0": 90}',
  ).default({}).meta(
    notes(
      "Rotation of modules, clockwise: 0, 90, 180 or 270. A module, flipped as module_positions says, is turned within its rectangle, whose sides are swapped for 90 and 270.",
      { origin: "addition", unit: "°" },
    ),
  ),
  image_id_source: z.enum(IMAGE_ID_SOURCES, oneOf(IMAGE_ID_SOURCES)).optional().meta(
    notes(
      "What numbers images. When absent: the frame number; for jungfrau the bunch id, or the frame number of packets whose bunch id is 0.",
      { origin: "addition" },
    ),
  ),
  double_pixels: z.enum(DOUBLE_PIXELS, oneOf(DOUBLE_PIXELS)).default("keep").meta(
    notes(
      "Pixels at the borders of chips, which are twice as large: kept as they are; masked (all bits set; in converted images their value for no value) with the gap beside them; or shared with the gap.",
      { origin: "addition" },
    ),
  ),
  calibration: calibrationSchema.optional().meta(
    notes(
      "jungfrau-converted: files with gains (ADU/keV) and pedestals (ADU), [gain, y, x] of one module or of all, stacked, and optionally a pixel mask, [y, x], besides that of the pedestal file. Datasets: gains_dataset, pedestal_dataset, pixel_mask_dataset. With pedestal_tracking, {} or {frames, noise, noise_dataset}, pedestals of G0 follow pixels without photons.",
      { origin: "addition" },
    ),
  ),
  converted_pixel_type: z.enum(CONVERTED_PIXEL_TYPES, oneOf(CONVERTED_PIXEL_TYPES)).default(
    "float32",
  ).meta(
    notes(
      "jungfrau-converted: pixels as energies, keV (float32), or as counts of photons (the others).",
      { origin: "addition" },
    ),
  ),
  photon_energy_kev: z.number(PHOTON_ENERGY).min(0.01, PHOTON_ENERGY).lt(1000, PHOTON_ENERGY)
    .optional().meta(
      notes("jungfrau-converted: energy of one photon, to count photons.", {
        origin: "addition",
        unit: "keV",
      }),
    ),
  high_gain: boolean.default(false).meta(
    notes(
      "jungfrau-converted: the detector is forced to high gain, where the raw value of a saturated pixel is 0x3FFF and not 0xC000; of maps with 4 or 6 stages, those of high gain are used.",
      { origin: "addition" },
    ),
  ),
  log_level: z.enum(LOG_LEVELS, oneOf(LOG_LEVELS)).default("info").meta(
    notes("Least important level that is logged.", REFERENCE),
  ),
  stats_collection_period: integer(1, 3600).default(10).meta(
    notes("Time between two lines of statistics.", { ...REFERENCE, unit: "s" }),
  ),
  ram_buffer_gb: integer(0, 65_536).optional().meta(
    notes("Memory for the image ring; it never has fewer than 1000 slots by this field.", {
      ...REFERENCE,
      unit: "GB (10^9 bytes)",
    }),
  ),
  max_number_of_forwarders_spawned: integer(1, 1024).default(8).meta(
    notes("Most sender/receiver pairs between two servers.", REFERENCE),
  ),
  use_all_forwarders: boolean.default(false).meta(
    notes("Use every forwarder, also when an image is small.", REFERENCE),
  ),
  sender_sends_full_images: boolean.default(false).meta(
    notes("Each forwarder sends whole images instead of a part of each.", REFERENCE),
  ),
  module_sync_queue_size: integer(1, 1_000_000).default(50).meta(
    notes("Images that may be open at once while their modules arrive.", {
      ...REFERENCE,
      unit: "images",
    }),
  ),
  number_of_writers: integer(1, 256).default(1).meta(
    notes("Writers that share the images, each with its own file.", REFERENCE),
  ),
  compression: z.enum(FILE_COMPRESSIONS, oneOf(FILE_COMPRESSIONS)).default("none").meta(
    notes(
      "How images are compressed in files when a request does not say: bitshuffle-lz4 is HDF5 filter 32008.",
      { origin: "addition" },
    ),
  ),
  compression_threads: integer(1, 64).default(1).meta(
    notes("Threads of each writer that compress images.", { origin: "addition" }),
  ),
  fsync: z.enum(FSYNC_POLICIES, oneOf(FSYNC_POLICIES)).default("none").meta(
    notes(
      "When files are forced to the disk, against loss of power, when a request does not say: not at all, when they are closed, or also every second.",
      { origin: "addition" },
    ),
  ),
  file_mode: z.string(FILE_MODE_EXPECTED).regex(FILE_MODE, FILE_MODE_EXPECTED)
    .refine((text) => /^0?[67][04-7][045]$/.test(text), FILE_MODE_LIMITS).default("0644").meta(
      notes(
        "Permission bits of files; folders that are made can be entered by who may read files. The owner may read and write, others not write.",
        { origin: "addition" },
      ),
    ),
  file_group: z.union([
    z.string().regex(SHM_GROUP),
    integer(0, MAX_UID),
  ], "a group name or a group id").optional().meta(
    notes("Group of files and of folders that are made; their user has to be in it.", {
      origin: "addition",
    }),
  ),
  create_directories: boolean.default(false).meta(
    notes(
      "Whether folders of an output file that are missing are made when a request does not say.",
      { origin: "addition" },
    ),
  ),
  no_images_timeout: z.number(SECONDS).min(0, SECONDS).max(86_400, SECONDS).default(60).meta(
    notes(
      "Time without a new image after which an acquisition of a known number of images, or to a last id, ends as FAILED when a request does not say; 0: it waits, as the reference does.",
      { origin: "addition", unit: "s" },
    ),
  ),
  compressed_ring: boolean.default(false).meta(
    notes(
      "Images are compressed once, by std_data_compress with compression_threads, into a ring of their own, and written from there as they are; compression must be bitshuffle-lz4.",
      { origin: "addition" },
    ),
  ),
  file_format: z.enum(FILE_FORMATS, oneOf(FILE_FORMATS)).default("std-daq").meta(
    notes(
      "Format of files when a request does not say: std-daq's own, NeXus (NXmx), or both in one file.",
      { origin: "addition" },
    ),
  ),
  nexus: nexusSchema.optional().meta(
    notes(
      "What NeXus files tell of the experiment: {title, instrument, source, sample, beam, detector}, see docs/reference/file-format.md. What is left out is not in the file.",
      { origin: "addition" },
    ),
  ),
  gpfs_block_size: integer(1, 1_073_741_824).default(16_777_216).meta(
    notes("Block size of the file system that files are aligned to.", {
      ...REFERENCE,
      unit: "bytes",
    }),
  ),
  live_stream_configs: z.record(
    z.string().regex(STREAM_ADDRESS, "an address, tcp://host:port or ipc://path"),
    liveStreamSchema,
    "an object of live streams by address, tcp://host:port or ipc://path",
  ).default({}).meta(
    notes(
      'Live streams by address: {"type": "forward"}, {"type": "periodic", "config": [images, Hz]} or {"type": "batch", "config": [images, every]}.',
      REFERENCE,
    ),
  ),
  delay_filter_timeout: integer(0, 86_400).default(10).meta(
    notes("Longest time the delay filter holds an image back.", { ...REFERENCE, unit: "s" }),
  ),
  switch_user_active: boolean.optional().meta(
    notes(
      "Whether files are written as writer_user_id; when absent, they are if there is one.",
      REFERENCE,
    ),
  ),
  writer_user_id: integer(0, MAX_UID).optional().meta(
    notes(
      "User id that files are written as, with its groups. std_h5_writer needs CAP_SETUID and CAP_SETGID for another than its own, and does not start without.",
      REFERENCE,
    ),
  ),
  allowed_user_ids: z.array(integer(1, MAX_UID)).max(1000).default([]).meta(
    notes(
      "Further user ids that a request to write may ask for with user_id, with their groups; whoever may send requests can write as these. std_h5_writer needs CAP_SETUID and CAP_SETGID for others than its own, and does not start without.",
      { origin: "addition" },
    ),
  ),
  submodule_info: z.union([
    z.array(submoduleSchema, "a list of sub-modules"),
    z.strictObject({}, "{}").transform((): z.output<typeof submoduleSchema>[] => []),
  ], "a list of sub-modules, or {} for none").optional().meta(
    notes(
      "Sub-modules: {hostname, submodule, port, row, column, activate}; port replaces start_udp_port + submodule.",
      REFERENCE,
    ),
  ),
  frame_slots: integer(1, MAX_SLOTS).optional().meta(
    notes("Slots of the frame ring of each module (1000 when absent).", {
      origin: "addition",
      unit: "frames",
    }),
  ),
  image_slots: integer(1, MAX_SLOTS).optional().meta(
    notes("Slots of the image ring (when absent: what fits ram_buffer_gb, at least 1000).", {
      origin: "addition",
      unit: "images",
    }),
  ),
  frame_window: integer(1, 32).default(4).meta(
    notes("Frames of one module that may be open at once while packets arrive.", {
      origin: "addition",
      unit: "frames",
    }),
  ),
  frame_timeout_ms: integer(1, 3_600_000).default(500).meta(
    notes("Time after which a frame that misses packets is delivered as it is.", {
      origin: "addition",
      unit: "ms",
    }),
  ),
  image_timeout_ms: integer(1, 3_600_000).default(1000).meta(
    notes("Time after which an image that misses modules is delivered as it is.", {
      origin: "addition",
      unit: "ms",
    }),
  ),
  udp_bind_address: z.ipv4('an IPv4 address such as "0.0.0.0"').default("0.0.0.0").meta(
    notes("Local address the receivers bind to.", { origin: "addition" }),
  ),
  shm_group: z.union([
    z.string().regex(SHM_GROUP),
    integer(0, MAX_UID),
  ], "a group name or a group id").optional().meta(
    notes("Group that may use shared memory and sockets (mode 0660); without it, 0600.", {
      origin: "addition",
    }),
  ),
}, "a JSON object");

/**
 * What a schema makes of its input.
 *
 * @ignore
 */
type Output<Schema extends z.ZodType> = z.output<Schema>;
/**
 * What a schema takes.
 *
 * @ignore
 */
type Input<Schema extends z.ZodType> = z.input<Schema>;

/** A checked config with its defaults filled in. */
export type DetectorConfig = Output<typeof detectorConfigSchema>;
/** What a config file may hold: as `DetectorConfig`, with every field that has a default optional. */
export type DetectorConfigInput = Input<typeof detectorConfigSchema>;
/** One of the detectors a config can describe. */
export type DetectorType = DetectorConfig["detector_type"];
/** One entry of `submodule_info`. */
export type Submodule = NonNullable<DetectorConfig["submodule_info"]>[number];
/** One entry of `live_stream_configs`. */
export type LiveStreamConfig = DetectorConfig["live_stream_configs"][string];
/** Degrees clockwise by which a module is turned. */
export type ModuleRotation = DetectorConfig["module_rotations"][string];
/** Where gains, pedestals and masks are. */
export type CalibrationConfig = NonNullable<DetectorConfig["calibration"]>;
/** Type of a converted image's pixels. */
export type ConvertedPixelType = DetectorConfig["converted_pixel_type"];
/** `[x0, y0, x1, y1]`, inclusive corners in px. */
export type ModulePosition = DetectorConfig["module_positions"][string];
