/**
 * std_data_compress: images in shared memory → compressed images in shared memory.
 *
 * @module
 */
import { TransformCountsReader } from "../../lib/accounting/mod.ts";
import { pixelType } from "../../lib/config/mod.ts";
import {
  COMPRESSED_SUFFIX,
  DTYPE_BYTES,
  IMAGE_SUFFIX,
  imageRingName,
} from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  parseInteger,
  resolveGroup,
  runService,
  UsageError,
} from "../../lib/service/mod.ts";
import { serveTransform, transformInit } from "../../lib/transform/mod.ts";

/** Largest block, bytes. */
const LARGEST_BLOCK = 2 ** 24;

/** Module of the thread that follows the ring. */
const WORKER = new URL("worker.ts", import.meta.url);
/** Module of the compressing threads. */
const COMPRESSOR = new URL("compress_worker.ts", import.meta.url);

await runService({
  name: "std_data_compress",
  summary: "Compresses images in shared memory, bitshuffle and LZ4, into a ring of their own.",
  config: "detector",
  workers: [WORKER, COMPRESSOR],
  arguments: (program) =>
    program
      .option(
        "-t, --threads <n>",
        "threads that compress (default: the config's compression_threads)",
        parseInteger(1, 128),
      )
      .option(
        "-b, --block-size <bytes>",
        "bytes of a block, a multiple of eight pixels; 0: 8192",
        parseInteger(0, LARGEST_BLOCK),
        0,
      )
      .option(
        "--image-slots <n>",
        "slots of both rings (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option("--from <suffix>", "images are those of the ring <detector>-<suffix>", IMAGE_SUFFIX)
      .option("--to <suffix>", "they go to the ring <detector>-<suffix>", COMPRESSED_SUFFIX),
  async run(service): Promise<void> {
    const { config, options } = service;
    const { from, to, blockSize } = options;
    if (from === to) throw new UsageError(`--from and --to are both ${from}: give two names`);
    const dtype = pixelType(config);
    if (blockSize % (8 * DTYPE_BYTES[dtype]) !== 0) {
      throw new UsageError(
        `--block-size ${blockSize} is no multiple of ${
          8 * DTYPE_BYTES[dtype]
        }, eight pixels of ${dtype}`,
      );
    }
    const init = transformInit(config, {
      ...{ operation: "compress", from, to },
      threads: options.threads,
      slots: options.imageSlots,
      blockElements: blockSize / DTYPE_BYTES[dtype],
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
    });
    const counts = new TransformCountsReader(imageRingName(config.detector_name, to));
    await serveTransform(init, { worker: WORKER, hand: COMPRESSOR, counts }, service);
  },
});
