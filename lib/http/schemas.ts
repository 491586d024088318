/**
 * The REST interface of std-daq's writer (REST v2), as schemas: the server checks and documents
 * requests with them, the client checks answers with them.
 *
 * Members are named as on the wire. What the original does not have is marked "ours".
 *
 * @module
 */
import { z } from "zod";
import {
  FILE_FORMATS,
  type FileFormat,
  type NexusRequest,
  nexusRequestSchema,
} from "../config/mod.ts";

const LARGEST_UINT64 = 2n ** 64n - 1n;
const UINT64_WANTED = "expected a whole number from 0 to 2^64 - 1";

/** An unsigned 64-bit integer: a JSON number of any size, read exactly by `parseJson()`. */
const uint64 = z
  .union([z.int().nonnegative(), z.bigint().nonnegative().max(LARGEST_UINT64)], {
    error: UINT64_WANTED,
  })
  .transform((value) => BigInt(value))
  .meta({ type: "integer", format: "uint64", minimum: 0 });

const count = z.int().nonnegative();

/**
 * Body of write_sync and write_async; further members are kept and stored in the file.
 *
 * @ignore Documented as the type of its values.
 */
export const writeRequestSchema = z.looseObject({
  n_images: z.int({ error: "expected a whole number from 0 to 2^53 - 1" }).min(0).optional().meta({
    description: "Images to write; 0 (ours): until stopped. Needed unless there is stop_image_id.",
    example: 100,
  }),
  output_file: z.string().min(1).meta({
    description: "Absolute path of a new .h5 or .hdf5 file, below one of the agent's --data-root.",
    example: "/data/run_1.h5",
  }),
  images_per_file: z.int().min(1).optional().meta({
    description: "Ours: images of a file, after which its writer begins another one. " +
      "The output file then shows them all, at most 10 000: in a run until stopped, the last ones " +
      "take all further images. Default: no limit.",
    example: 1000,
  }),
  compression: z.enum(["none", "bitshuffle-lz4"]).optional().meta({
    description: "Ours: how images are compressed. Default: the config's compression.",
  }),
  compression_threads: z.int().min(1).optional().meta({
    description: "Ours: threads of each writer to compress on, at most the config's " +
      "compression_threads, which is the default.",
  }),
  overwrite: z.boolean().optional().meta({
    description: "Ours: take the place of a file, or of all files of a run, that is there. " +
      "Default: that is refused.",
  }),
  create_directories: z.boolean().optional().meta({
    description: "Ours: make the folders of output_file that are missing. " +
      "Default: the config's create_directories.",
  }),
  user_id: z.int().min(0).max(2 ** 32 - 2).optional().meta({
    description: "Ours: user that files are made as, one of the config's allowed_user_ids; " +
      "0 or left out: its writer_user_id, or the file writer's own.",
  }),
  fsync: z.enum(["none", "at_end", "every_second"]).optional().meta({
    description: "Ours: when files are forced to the disk. Default: the config's fsync.",
  }),
  start_image_id: uint64.optional().meta({
    type: "integer",
    format: "uint64",
    minimum: 0,
    description:
      "Ours: images with smaller ids are left alone; those of the range that are in the image " +
      "ring already count. Default: the next image is the first.",
  }),
  stop_image_id: uint64.optional().meta({
    type: "integer",
    format: "uint64",
    minimum: 0,
    description: "Ours: id of the last image (a pulse id, where these number images).",
  }),
  no_images_timeout: z.number().min(0).max(86_400).optional().meta({
    description: "Ours: the acquisition fails when no image comes for so long, s; 0: it waits. " +
      "Default: the config's no_images_timeout; until stopped, none.",
  }),
  file_format: z.enum(FILE_FORMATS).optional().meta({
    description: "Ours: format of the file: std-daq's, NeXus (NXmx), or both in one. " +
      "Default: the config's file_format.",
  }),
  nexus: nexusRequestSchema.optional().meta({
    description:
      "Ours: what a NeXus file tells of the experiment, in place of the config's nexus, " +
      "member by member.",
    example: { sample: { name: "lysozyme 7" }, detector: { distance: 0.25 } },
  }),
  run_id: uint64.optional().meta({
    type: "integer",
    format: "uint64",
    minimum: 0,
    description: "Your number for this run. Default: ns since 1970.",
  }),
}).meta({ id: "WriteRequest" });

/**
 * Query of `/writer/status`.
 *
 * @ignore Documented as the type of its values.
 */
export const statusQuerySchema = z.object({
  run_id: z.string().regex(/^\d{1,20}$/, UINT64_WANTED).transform(BigInt)
    .pipe(z.bigint().max(LARGEST_UINT64, UINT64_WANTED)).optional().meta({
      type: "integer",
      format: "uint64",
      minimum: 0,
      description: "Ours: the run to tell of, under way or one of the last 100 that have ended. " +
        "Default: the current or last one.",
    }),
});

/**
 * States of the writer.
 *
 * @ignore Documented as the type of its values.
 */
export const writerStateSchema = z.enum(["READY", "WRITING", "UNKNOWN"]).meta({
  description: "READY takes a request; UNKNOWN: the file writer does not answer.",
});

/**
 * States of an acquisition.
 *
 * @ignore Documented as the type of its values.
 */
export const acquisitionStateSchema = z.enum([
  "WAITING_IMAGES",
  "ACQUIRING_IMAGES",
  "FLUSHING_IMAGES",
  "FINISHED",
  "FAILED",
]).meta({ description: "FINISHED and FAILED are final." });

/**
 * The current acquisition or the last one.
 *
 * @ignore Documented as the type of its values.
 */
export const acquisitionSchema = z.object({
  state: acquisitionStateSchema,
  message: z.string().meta({
    description: 'Begins with "Completed.", "Interrupted." or "ERROR: " once it has ended.',
  }),
  info: z.object({ n_images: count, output_file: z.string(), run_id: uint64 }),
  stats: z.object({
    n_write_requested: count.meta({ description: "Images handed to the file writer." }),
    n_write_completed: count.meta({ description: "Images on file." }),
    n_lost: count.default(0).meta({
      description: "Ours: images overwritten in the ring before they were on file.",
    }),
    n_missing: count.default(0).meta({
      description: "Ours: images that never came: ids missing between those of the run, and, " +
        "once it has ended without a stop, what was asked for beyond.",
    }),
    n_failed: count.default(0).meta({
      description: "Ours: images that the file writer was told to record, and did not, or, once " +
        "the run has ended, did not say that it did.",
    }),
    n_not_taken: count.default(0).meta({
      description: "Ours: images asked for and not taken: the run was stopped, or failed, before.",
    }),
    start_time: z.number().nullable().meta({ description: "Seconds since 1970." }),
    stop_time: z.number().nullable().meta({ description: "Seconds since 1970; null: it runs." }),
  }),
  image_ids: z.object({ lost: z.string(), missing: z.string(), failed: z.string() })
    .default({ lost: "", missing: "", failed: "" })
    .meta({ description: "Ours: ids of these images as far as known: 12, 15-17, 3 of 20-29." }),
  reports: z.array(z.unknown()).default([]).meta({
    description: "What file_validator and preview have found since the run ended, the oldest " +
      "first, {report_type, report}; in the answer of status, of an agent with a store.",
  }),
}).meta({ id: "Acquisition" });

/**
 * The writer and its acquisition.
 *
 * @ignore Documented as the type of its values.
 */
export const writerSchema = z.object({
  state: writerStateSchema,
  acquisition: acquisitionSchema,
}).meta({ id: "Writer" });

/**
 * Every answer: how it went, and in words.
 *
 * @ignore Documented as the type of its values.
 */
export const envelopeSchema = z.object({
  status: z.enum(["ok", "error"]),
  message: z.string(),
});

/**
 * One thing that is wrong with a request; ours.
 *
 * @ignore Documented as the type of its values.
 */
export const issueSchema = z.object({
  path: z.string().meta({ description: "Member of the request.", example: "n_images" }),
  message: z.string(),
});

/**
 * An answer that says no.
 *
 * @ignore Documented as the type of its values.
 */
export const errorAnswerSchema = envelopeSchema.extend({
  status: z.literal("error"),
  issues: z.array(issueSchema).optional().meta({ description: "Ours: every wrong member." }),
  writer: writerSchema.optional(),
}).meta({ id: "ErrorAnswer" });

/**
 * Answer of the `/writer/…` routes.
 *
 * @ignore Documented as the type of its values.
 */
export const writerAnswerSchema = envelopeSchema.extend({ writer: writerSchema })
  .meta({ id: "WriterAnswer" });

/**
 * Throughput over the last second or so.
 *
 * @ignore Documented as the type of its values.
 */
export const rateSchema = z.object({
  bytes_per_second: z.number(),
  images_per_second: z.number(),
});

/**
 * Answer of `/daq/stats`.
 *
 * @ignore Documented as the type of its values.
 */
export const statsAnswerSchema = envelopeSchema.extend({
  stats: z.object({ detector: rateSchema, writer: rateSchema }),
  accounting: z.record(z.string(), uint64).meta({
    description: "Ours: what became of every packet, frame and image since the services started.",
  }),
}).meta({ id: "StatsAnswer" });

/**
 * Answer of `/health`; ours.
 *
 * @ignore Documented as the type of its values.
 */
export const healthAnswerSchema = envelopeSchema.extend({
  service: z.string(),
  writer_state: writerStateSchema,
}).meta({ id: "HealthAnswer" });

/** A request to write, as sent. */
export interface WriteRequest {
  /** Images to write; 0: until stopped. Left out: up to `stop_image_id`. */
  n_images?: number;
  /** Absolute path of a new file. */
  output_file: string;
  /** Images of a file, after which its writer begins another one; default: no limit. */
  images_per_file?: number;
  /** How images are compressed; default: the config's `compression`. */
  compression?: "none" | "bitshuffle-lz4";
  /** Threads of each writer to compress on, at most the config's `compression_threads`. */
  compression_threads?: number;
  /** Take the place of a file that is there; default: that is refused. */
  overwrite?: boolean;
  /** Make the folders of the file that are missing; default: the config's `create_directories`. */
  create_directories?: boolean;
  /** User that files are made as, one of the config's `allowed_user_ids`; default: its `writer_user_id`. */
  user_id?: number;
  /** When files are forced to the disk; default: the config's `fsync`. */
  fsync?: "none" | "at_end" | "every_second";
  /** Images with smaller ids are left alone. */
  start_image_id?: number | bigint;
  /** Id of the last image. */
  stop_image_id?: number | bigint;
  /** The acquisition fails when no image comes for so long, s; 0: it waits. */
  no_images_timeout?: number;
  /** Format of the file; default: the config's `file_format`. */
  file_format?: FileFormat;
  /** What a NeXus file tells of the experiment, in place of the config's `nexus`, member by member. */
  nexus?: NexusRequest;
  /** Your number for this run, an unsigned 64-bit integer. */
  run_id?: number | bigint;
  /** Kept and stored in the file. */
  [member: string]: unknown;
}

/**
 * What a schema makes of its input.
 *
 * @ignore
 */
type Output<Schema extends z.ZodType> = z.output<Schema>;

/** The writer and its acquisition. */
export type Writer = Output<typeof writerSchema>;
/** The current acquisition or the last one. */
export type AcquisitionAnswer = Output<typeof acquisitionSchema>;
/** Answer of the `/writer/…` routes. */
export type WriterAnswerBody = Output<typeof writerAnswerSchema>;
/** Answer of `/daq/stats`. */
export type StatsAnswer = Output<typeof statsAnswerSchema>;
/** Answer of `/health`. */
export type HealthAnswer = Output<typeof healthAnswerSchema>;
/** An answer that says no. */
export type ErrorAnswer = Output<typeof errorAnswerSchema>;
/** One thing that is wrong with a request. */
export type RequestIssue = Output<typeof issueSchema>;
