import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { z } from "zod";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { acquisitionSchema } from "../../../lib/http/schemas.ts";
import { ExitCode } from "../../../lib/service/mod.ts";
import type { Entry } from "../../../lib/store/mod.ts";
import type { DaqContext } from "../context.ts";
import { deploymentText, readDeployment, waitForDeployment } from "../deployment.ts";
import { absentText, oneLine, rateText, reportText } from "../format.ts";
import {
  configEntry,
  countOption,
  NOT_JSON,
  openStoreFor,
  parseConfigId,
  storeOption,
  timeText,
} from "../store.ts";
import { timeoutOption } from "../timeout_option.ts";

/** `daq logs`: finished acquisitions, and what validators said of them. */
export function logsCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("logs")
    .description("List finished acquisitions, the newest first.")
    .addOption(countOption(5))
    .option("--reports", "with the reports on each")
    .addOption(storeOption())
    .option("--json", "a line of JSON for each")
    .action(async ({ number, reports: withReports, store: address, json }) => {
      await using store = await openStoreFor(address, context);
      for (const entry of await store.logs(number)) {
        const reports = withReports
          ? (await store.reports(entry.id)).map(({ value }) => value)
          : [];
        const { id, time, value: acquisition } = entry;
        context.out(
          json
            ? `${
              stringifyJson({ log_id: id, time, acquisition, ...(withReports && { reports }) })
            }\n`
            : logText(entry) + reports.map((report) => `  ${reportText(report)}\n`).join(""),
        );
      }
    });
}

/** `daq stats`: rates as the store has them. */
export function statsCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("stats")
    .description("List rates, one a second, the newest first.")
    .addOption(countOption(1))
    .addOption(storeOption())
    .option("--json", "a line of JSON for each")
    .action(async ({ number, store: address, json }) => {
      await using store = await openStoreFor(address, context);
      for (const { time, value } of await store.stats(number)) {
        context.out(
          json
            ? `${stringifyJson({ time, stats: value })}\n`
            : `${timeText(time)}  ${statsText(value)}\n`,
        );
      }
    });
}

/** `daq deployment`: which servers have taken up a config. */
export function deploymentCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("deployment")
    .description("Show how far servers are with the current config, or with another one.")
    .argument("[config-id]", "default: the current one", parseConfigId)
    .option("--wait", "wait until servers are done")
    .option("--server <name...>", "servers to expect, besides those that take it up")
    .addOption(timeoutOption(30))
    .addOption(storeOption())
    .option("--json", "print one line of JSON")
    .action(async (id, { wait, server = [], timeout, store: address, json }) => {
      await using store = await openStoreFor(address, context);
      const { id: configId } = await configEntry(store, id);
      const wanted = { servers: server, timeoutMs: timeout * 1000 };
      const state = wait
        ? await waitForDeployment(store, configId, wanted, context)
        : await readDeployment(store, configId, server);
      context.out(json ? `${stringifyJson(state)}\n` : deploymentText(state));
      const failed = state.status === "ERROR" || (wait && state.status !== "SUCCESS");
      if (failed) context.exitCode = ExitCode.failure;
    });
}

/** `id  time  FINISHED 3/3 images: Completed.  /data/x.h5`, or what else was stored. */
function logText({ id, time, value }: Entry<unknown>): string {
  const known = acquisitionSchema.safeParse(value);
  const start = `${id}  ${timeText(time)}  `;
  if (!known.success) return `${start}${value === undefined ? NOT_JSON : oneLine(value)}\n`;
  const { state, message, info, stats } = known.data;
  const done = `${state} ${stats.n_write_completed}/${info.n_images} images${absentText(stats)}`;
  return `${start}${done}: ${oneLine(message)}  ${oneLine(info.output_file)}\n`;
}

const count = z.number().nonnegative();
const statsSchema = z.object({
  detector: z.object({ images_per_second: count, bytes_per_second: count }),
  writer: z.object({
    // The original's logger writes the second name only.
    images_per_second: count.optional(),
    writes_per_second: count.optional(),
    bytes_per_second: count,
  }),
});

function statsText(value: unknown): string {
  const known = statsSchema.safeParse(value);
  if (!known.success) return value === undefined ? NOT_JSON : oneLine(value);
  const { detector, writer } = known.data;
  const images_per_second = writer.images_per_second ?? writer.writes_per_second ?? 0;
  return `detector ${rateText(detector)} | written ${rateText({ ...writer, images_per_second })}`;
}
