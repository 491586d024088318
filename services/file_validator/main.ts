/**
 * file_validator: a finished file → a report, in the status of the request and in the store.
 *
 * @module
 */
import { Option } from "@commander-js/extra-typings";
import {
  checkFile,
  fileBelow,
  findAcquisition,
  PIXEL_CHECKS,
  writtenFileSchema,
} from "../../lib/files/mod.ts";
import { defaultServiceSetup, readEnv, servePostprocessing } from "../../lib/service/mod.ts";
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
      ),
});
const { options, logger } = service;
const found = resolveStore({ address: options.store, env: readEnv });
const store = found && await openStore(found.address, {
  ...found,
  onNote: (note) => logger.warning("{note}", { note }),
});
if (store !== undefined) service.onStop(() => store[Symbol.asyncDispose](), "store");

await servePostprocessing(service, {
  schema: writtenFileSchema,
  async onRequest(_, { output_file: outputFile }, { result, signal }): Promise<unknown> {
    const path = await fileBelow(outputFile, options.dataRoot);
    const report = await checkFile(path, { pixels: options.pixels ?? "sample", signal });
    logger.info("checked {file}: {outcome}", {
      file: outputFile,
      outcome: report.valid ? "ok" : "not ok",
      images: report.images,
      problems: report.problems.map(({ message }) => message).join(" "),
    });
    const logId = store && await findAcquisition(store, { outputFile, result }, signal);
    if (store !== undefined && logId !== undefined) await store.addReport(logId, report);
    return { ...report, log_id: logId ?? null };
  },
});
