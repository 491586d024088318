import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
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

const LARGEST_RUN_ID = 2n ** 64n - 1n;

/** `daq write`: asks for a file, and waits for it if told to. */
export function writeCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("write")
    .description("Write the next images into a new HDF5 file.")
    .argument("<file>", "new .h5 file, below one of the agent's --data-root")
    .requiredOption("-n, --images <images>", "how many", parseInteger(1))
    .option(
      "--images-per-file <n>",
      "begin another file after so many; <file> then shows them all",
      parseInteger(1),
    )
    .addOption(
      new Option("--compression <how>", "how images are compressed (default: the config's)")
        .choices(["none", "bitshuffle-lz4"]),
    )
    .option("--run-id <number>", "your number for this run (default: ns since 1970)")
    .option("--wait", "wait for the end, with a progress bar; Ctrl-C ends the waiting only")
    .addOption(apiOption())
    .option("--json", "print one line of JSON")
    .action(async (file, { images, imagesPerFile, compression, runId, wait, api, json }) => {
      const client = clientFor(api, context);
      const request: WriteRequest = { n_images: images, output_file: resolve(file) };
      if (imagesPerFile !== undefined) request.images_per_file = imagesPerFile;
      if (compression !== undefined) request.compression = compression;
      if (runId !== undefined) request.run_id = parseRunId(runId);
      const started = await client.writeAsync(request, context.signal);
      const writer = wait ? await follow(client, context) : started;
      context.out(
        json
          ? stringifyJson({ writer }) + "\n"
          : `${request.output_file}: ${acquisitionText(writer)}\n`,
      );
      if (wait && writer.acquisition.message !== "Completed.") context.exitCode = 1;
    });
}

async function follow(client: DaqClient, context: DaqContext): Promise<Writer> {
  using line = new DrawnLine(context);
  return await client.waitForEnd({
    signal: context.signal,
    onProgress: (writer) => line.draw(progress(writer, context.width())),
  });
}

/** `[####----]  50 % ACQUIRING_IMAGES 50/100 images`, in a given width. */
function progress(writer: Writer, width: number): string {
  const { stats, info } = writer.acquisition;
  const words = acquisitionText(writer);
  const columns = Math.min(40, width - words.length - 2);
  return `${bar(stats.n_write_completed, info.n_images, columns)} ${words}`;
}

function parseRunId(text: string): bigint {
  const value = /^\d{1,20}$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value > LARGEST_RUN_ID) {
    throw new UsageError(`--run-id ${text}: expected a whole number from 0 to ${LARGEST_RUN_ID}`);
  }
  return value;
}
