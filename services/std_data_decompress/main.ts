/**
 * std_data_decompress: compressed images in shared memory → images in shared memory.
 *
 * @module
 */
import { TransformCountsReader } from "../../lib/accounting/mod.ts";
import { imageShape, imageSlots, pixelType } from "../../lib/config/mod.ts";
import { COMPRESSED_SUFFIX, IMAGE_SUFFIX, imageRingName } from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  parseInteger,
  resolveGroup,
  runService,
  UsageError,
} from "../../lib/service/mod.ts";
import {
  makeTransformQueues,
  type TransformInit,
  transformSetup,
  type TransformWorkerInit,
} from "../../lib/transform/mod.ts";

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
  async run(
    { config, options, logger, ready, stopped, onStats, onStop, startWorker },
  ): Promise<void> {
    const { detector_name: detector } = config;
    const { from, to } = options;
    if (from === to) throw new UsageError(`--from and --to are both ${from}: give two names`);
    const dtype = pixelType(config);
    const [height, width] = imageShape(config);
    const queues = makeTransformQueues(options.threads ?? config.compression_threads);
    const init: TransformInit = {
      ...{ detector, from, to, height, width, dtype, queues },
      operation: "decompress",
      slots: options.imageSlots ?? imageSlots(config),
      blockElements: 0, // images say it themselves
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
    };
    const setup = transformSetup(init);
    const hands = queues.map((queue, i) => {
      const init: TransformWorkerInit = { setup, queue };
      return startWorker(DECOMPRESSOR, { name: `decompress-${i}`, init, counters: [] });
    });
    const worker = startWorker(WORKER, {
      name: "follow",
      init,
      counters: [],
    });
    await Promise.all([worker, ...hands].map((each) => each.ready));
    const counts = new TransformCountsReader(imageRingName(detector, to));
    onStop(() => counts[Symbol.dispose](), "counters");
    onStats(() => ({ ...counts.read() }));
    logger.info("decompressing", { from, to, slots: init.slots, threads: queues.length });
    ready({ from, to, slots: init.slots, threads: queues.length });
    await stopped;
    counts.read(); // holds on to the ring, whose last values are told after it has ended
    await worker.stop(); // before the hands, which it may be waiting for
  },
});
