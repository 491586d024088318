import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { FILE_FORMATS } from "../../../lib/config/mod.ts";
import {
  type DaqClient,
  stringifyJson,
  type Writer,
  type WriteRequest,
} from "../../../lib/http/mod.ts";
import { parseInteger, UsageError } from "../../../lib/service/mod.ts";
import { apiOption, clientFor } from "../api.ts";
import type { DaqContext } from "../context.ts";
import { DrawnLine } from "../drawn_line.ts";
import { acquisitionText, bar } from "../format.ts";
import { parseNexus } from "../parse_nexus.ts";

const LARGEST_UINT64 = 2n ** 64n - 1n;

/** `daq write`: asks for a file, and waits for it if told to. */
export function writeCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("write")
    .description("Write the next images into a new HDF5 file.")
    .argument("<file>", "new .h5 file, below one of the agent's --data-root")
    .option("-n, --images <images>", "how many; 0: until daq stop", parseInteger(0))
    .option("--start-id <id>", "leave images with smaller ids alone")
    .option("--stop-id <id>", "id of the last image; -n may be left out then")
    .addOption(
      new Option("--timeout <s>", "fail when no image comes for so long; 0: wait")
        .argParser(parseSeconds),
    )
    .option(
      "--images-per-file <n>",
      "begin another file after so many; <file> then shows them all",
      parseInteger(1),
    )
    .addOption(
      new Option("--compression <how>", "how images are compressed (default: the config's)")
        .choices(["none", "bitshuffle-lz4"]),
    )
    .option(
      "--compression-threads <n>",
      "threads of each writer that compress (default, and most: the config's)",
      parseInteger(1),
    )
    .addOption(
      new Option("--format <format>", "format of the file (default: the config's)")
        .choices(FILE_FORMATS),
    )
    .option(
      "--nexus <json>",
      "what a NeXus file tells of the experiment, besides the config",
      parseNexus,
    )
    .option("--overwrite", "take the place of a file that is there")
    .option("--mkdir", "make the folders that are missing")
    .addOption(
      new Option("--fsync <when>", "when files are forced to the disk (default: the config's)")
        .choices(["none", "at_end", "every_second"]),
    )
    .option("--user-id <uid>", "whose the file is to be (default: the agent's)", parseInteger(1))
    .option("--run-id <number>", "your number for this run (default: ns since 1970)")
    .option("--wait", "wait for the end, with a progress bar; Ctrl-C ends the waiting only")
    .addOption(apiOption())
    .option("--json", "print one line of JSON")
    .action(async (file, options) => {
      const { images, imagesPerFile, compression, runId, wait, api, json } = options;
      const { startId, stopId, timeout, fsync } = options;
      if (images === undefined && stopId === undefined) {
        throw new UsageError("how many images? Give -n, or --stop-id; -n 0 writes until daq stop");
      }
      const client = clientFor(api, context);
      const request: WriteRequest = {
        ...(images !== undefined && { n_images: images }),
        output_file: resolve(file),
      };
      if (startId !== undefined) request.start_image_id = parseUint64("--start-id", startId);
      if (stopId !== undefined) request.stop_image_id = parseUint64("--stop-id", stopId);
      if (timeout !== undefined) request.no_images_timeout = timeout;
      if (imagesPerFile !== undefined) request.images_per_file = imagesPerFile;
      if (compression !== undefined) request.compression = compression;
      if (options.compressionThreads !== undefined) {
        request.compression_threads = options.compressionThreads;
      }
      if (options.format !== undefined) request.file_format = options.format;
      if (options.nexus !== undefined) request.nexus = options.nexus;
      if (fsync !== undefined) request.fsync = fsync;
      if (options.overwrite) request.overwrite = true;
      if (options.mkdir) request.create_directories = true;
      if (options.userId !== undefined) request.user_id = options.userId;
      if (runId !== undefined) request.run_id = parseUint64("--run-id", runId);
      const started = await client.writeAsync(request, context.signal);
      const writer = wait ? await follow(client, started, context) : started;
      context.out(
        json
          ? stringifyJson({ writer }) + "\n"
          : `${request.output_file}: ${acquisitionText(writer)}\n`,
      );
      if (wait && !writer.acquisition.message.startsWith("Completed.")) context.exitCode = 1;
    });
}

async function follow(client: DaqClient, run: Writer, context: DaqContext): Promise<Writer> {
  using line = new DrawnLine(context);
  return await client.waitForEnd(run, {
    signal: context.signal,
    onProgress: (writer) => line.draw(progress(writer, context.width())),
  });
}

/** `[####----]  50 % ACQUIRING_IMAGES 50/100 images`, in a given width. */
function progress(writer: Writer, width: number): string {
  const { stats, info } = writer.acquisition;
  const words = acquisitionText(writer);
  if (info.n_images === 0) return words;
  const columns = Math.min(40, width - words.length - 2);
  return `${bar(stats.n_write_completed, info.n_images, columns)} ${words}`;
}

function parseUint64(option: string, text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > LARGEST_UINT64) {
    throw new UsageError(`${option} ${text}: expected a whole number from 0 to ${LARGEST_UINT64}`);
  }
  return value;
}

function parseSeconds(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 86_400) return value;
  throw new UsageError(`--timeout ${text}: expected a number of seconds from 0 to 86400`);
}
