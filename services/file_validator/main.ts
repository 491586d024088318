/**
 * file_validator: a finished file → a report, in the status of the request and in the store.
 *
 * @module
 */
import { Option } from "@commander-js/extra-typings";
import {
  checkFile,
  fileBelow,
  fileOfAcquisition,
  type FileReport,
  findAcquisition,
  PIXEL_CHECKS,
  validatorReport,
  writtenFileSchema,
} from "../../lib/files/mod.ts";
import {
  defaultServiceSetup,
  readEnv,
  serveEach,
  servePostprocessing,
  UsageError,
} from "../../lib/service/mod.ts";
import { openStore, resolveStore } from "../../lib/store/mod.ts";

const service = await defaultServiceSetup({
  name: "file_validator",
  summary: "Checks each file that the writer has finished, and reports on it.",
  kind: "postprocessing",
  config: "none",
  arguments: (program) =>
    program
      .requiredOption("--data-root <folder...>", "folders whose files it may look at, absolute")
      .addOption(
        new Option("--pixels <which>", "read the pixels of these images (default: sample)")
          .choices(PIXEL_CHECKS),
      )
      .option(
        "--store <address>",
        "redis://… or sqlite:/path: reports are kept there, too (env: STD_DAQ_STORE)",
      )
      .option(
        "--follow-log",
        "check the file of every acquisition in the store's log, instead of those of --primary",
      ),
});
const { options, logger } = service;
const found = resolveStore({ address: options.store, env: readEnv });
const store = found && await openStore(found.address, {
  ...found,
  onNote: (note) => logger.warning("{note}", { note }),
});
if (store !== undefined) service.onStop(() => store[Symbol.asyncDispose](), "store");

if (options.followLog && store === undefined) {
  service.fail(new UsageError("--follow-log: where is the log? Give --store"));
}
if (options.followLog && store !== undefined) {
  await serveEach(service, (signal) => store.watchLogs(signal), async ({ id, value }, signal) => {
    const outputFile = fileOfAcquisition(value);
    if (outputFile === undefined) return;
    await store.addReport(id, validatorReport(await check(outputFile, signal)));
  });
}

await servePostprocessing(service, {
  schema: writtenFileSchema,
  async onRequest(_, { output_file: outputFile }, { result, signal }): Promise<unknown> {
    const report = await check(outputFile, signal);
    const logId = store && await findAcquisition(store, { outputFile, result }, signal);
    if (store !== undefined && logId !== undefined) {
      await store.addReport(logId, validatorReport(report));
    }
    return { ...report, log_id: logId ?? null };
  },
});

async function check(outputFile: string, signal: AbortSignal): Promise<FileReport> {
  const path = await fileBelow(outputFile, options.dataRoot);
  const report = await checkFile(path, { pixels: options.pixels ?? "sample", signal });
  logger.info("checked {file}: {outcome}", {
    file: outputFile,
    outcome: report.valid ? "ok" : "not ok",
    images: report.images,
    problems: report.problems.map(({ message }) => message).join(" "),
  });
  return report;
}
