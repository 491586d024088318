/**
 * std_data_decompress: compressed images in shared memory → images in shared memory.
 *
 * @module
 */
import { TransformCountsReader } from "../../lib/accounting/mod.ts";
import { COMPRESSED_SUFFIX, IMAGE_SUFFIX, imageRingName } from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  parseInteger,
  resolveGroup,
  runService,
  UsageError,
} from "../../lib/service/mod.ts";
import { serveTransform, transformInit } from "../../lib/transform/mod.ts";

/** Module of the thread that follows the ring. */
const WORKER = new URL("worker.ts", import.meta.url);
/** Module of the decompressing threads. */
const DECOMPRESSOR = new URL("decompress_worker.ts", import.meta.url);

await runService({
  name: "std_data_decompress",
  summary: "Decompresses images in shared memory (bitshuffle and LZ4) into an image ring.",
  config: "detector",
  workers: [WORKER, DECOMPRESSOR],
  arguments: (program) =>
    program
      .option(
        "-t, --threads <n>",
        "threads that decompress (default: the config's compression_threads)",
        parseInteger(1, 128),
      )
      .option(
        "--image-slots <n>",
        "slots of both rings (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option(
        "--from <suffix>",
        "images are those of the ring <detector>-<suffix>",
        COMPRESSED_SUFFIX,
      )
      .option("--to <suffix>", "they go to the ring <detector>-<suffix>", IMAGE_SUFFIX),
  async run(service): Promise<void> {
    const { config, options } = service;
    const { from, to } = options;
    if (from === to) throw new UsageError(`--from and --to are both ${from}: give two names`);
    const init = transformInit(config, {
      ...{ operation: "decompress", from, to },
      threads: options.threads,
      slots: options.imageSlots,
      blockElements: 0, // images say it themselves
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
    });
    const counts = new TransformCountsReader(imageRingName(config.detector_name, to));
    await serveTransform(init, { worker: WORKER, hand: DECOMPRESSOR, counts }, service);
  },
});
