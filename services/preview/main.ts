/**
 * preview: a finished file → a GIF or PNG of five of its images, in the store and beside the file.
 *
 * @module
 */
import { Option } from "@commander-js/extra-typings";
import { basename, dirname } from "node:path";
import {
  type AcquisitionReport,
  fileBelow,
  fileOfAcquisition,
  findAcquisition,
  writtenFileSchema,
} from "../../lib/files/mod.ts";
import { File } from "../../lib/os/mod.ts";
import { PREVIEW_FORMATS, previewFile } from "../../lib/preview/mod.ts";
import {
  defaultServiceSetup,
  parseInteger,
  readEnv,
  serveEach,
  servePostprocessing,
  UsageError,
} from "../../lib/service/mod.ts";
import { openStore, resolveStore } from "../../lib/store/mod.ts";
import { writePicture } from "./picture_file.ts";

const service = await defaultServiceSetup({
  name: "preview",
  summary: "Draws some images of each file that the writer has finished.",
  kind: "postprocessing",
  config: "none",
  arguments: (program) =>
    program
      .requiredOption("--data-root <folder...>", "folders whose files it may look at, absolute")
      .option(
        "--store <address>",
        "redis://… or sqlite:/path: GIFs are kept there (env: STD_DAQ_STORE)",
      )
      .option(
        "--follow-log",
        "draw the file of every acquisition in the store's log, instead of those of --primary",
      )
      .option("--beside", "write the picture beside the file: run.h5 → run.gif")
      .addOption(
        new Option("--format <format>", "of the picture beside the file (default: gif)")
          .choices(PREVIEW_FORMATS),
      )
      .option("--images <n>", "how many, evenly over the file (default: 5)", parseInteger(1, 100))
      .option(
        "--side <px>",
        "longest side of each, at most (default: 512)",
        parseInteger(16, 4096),
      ),
});
/** So many warnings of pictures that are not their file's owner's, each once. */
const MOST_TOLD = 100;
const told = new Set<string>();

const { options, logger } = service;
const { dataRoot: roots, images = 5, side: longestSide = 512, format = "gif" } = options;
const found = resolveStore({ address: options.store, env: readEnv });
const store = found && await openStore(found.address, {
  ...found,
  onNote: (note) => logger.warning("{note}", { note }),
});
if (store !== undefined) service.onStop(() => store[Symbol.asyncDispose](), "store");

if (store === undefined && !options.beside) {
  service.fail(new UsageError("where do pictures go? Give --store, or --beside"));
}

if (options.followLog && store === undefined) {
  service.fail(new UsageError("--follow-log: where is the log? Give --store"));
}
if (options.followLog && store !== undefined) {
  await serveEach(service, (signal) => store.watchLogs(signal), async ({ id, value }, signal) => {
    const outputFile = fileOfAcquisition(value);
    if (outputFile !== undefined) await draw(outputFile, () => Promise.resolve(id), signal);
  });
}

await servePostprocessing(service, {
  schema: writtenFileSchema,
  async onRequest(_, { output_file: outputFile }, { result, signal }): Promise<unknown> {
    const find = async (): Promise<string | undefined> =>
      store && await findAcquisition(store, { outputFile, result }, signal);
    return await draw(outputFile, find, signal);
  },
});

/** Draws a file; `find` has the id of its acquisition in the store, if there is one. */
async function draw(
  outputFile: string,
  find: () => Promise<string | undefined>,
  signal: AbortSignal,
): Promise<unknown> {
  const path = await fileBelow(outputFile, roots);
  const how = { images, longestSide, signal };
  const gif = await previewFile(path, { ...how, format: "gif" });
  const beside = options.beside && format !== "gif"
    ? await previewFile(path, { ...how, format })
    : gif;
  const logId = await find();
  if (store !== undefined && logId !== undefined) await store.setPreview(logId, gif.bytes);
  // Last: what fails before can be asked for again, and no picture is in the way.
  const picture = options.beside ? await writeBeside(outputFile, path, beside.bytes) : null;
  const { rows, range, bytes: { byteLength: bytes } } = gif;
  if (store !== undefined && logId !== undefined) {
    const report = { rows, range, bytes, picture };
    await store.addReport(logId, { report_type: "preview", report } satisfies AcquisitionReport);
  }
  logger.info("drew {file}", { file: outputFile, rows: rows.join(" "), bytes });
  return { file: outputFile, rows, range, bytes, picture, log_id: logId ?? null };
}

/**
 * Writes the picture where the file is, links in its path followed, which may not lead out of the roots; it is of
 * the same user, group and mode as the file itself.
 */
async function writeBeside(outputFile: string, file: string, bytes: Uint8Array): Promise<string> {
  const name = basename(outputFile).replace(/\.(h5|hdf5)$/, "") + `.${format}`;
  const folder = await Deno.realPath(dirname(outputFile));
  using image = File.open(file);
  writePicture(`${folder}/${name}`, bytes, {
    roots: await Promise.all(roots.map((root) => Deno.realPath(root))),
    owner: image.owner(),
    onWarning: (warning) => {
      if (told.size < MOST_TOLD && !told.has(warning)) logger.warning(warning);
      told.add(warning);
    },
  });
  return `${dirname(outputFile)}/${name}`;
}
