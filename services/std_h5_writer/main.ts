/**
 * std_h5_writer: images from shared memory → HDF5 files.
 *
 * @module
 */
import { imageBytes, imageSlots, pixelType } from "../../lib/config/mod.ts";
import { PIXEL_BYTES } from "../../lib/hdf5/pixel_type.ts"; // not the HDF5 library: only the writing thread loads it
import { effectiveUserId } from "../../lib/os/mod.ts";
import { writtenSuffix } from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  parseInteger,
  resolveGroup,
  runService,
  UsageError,
  VERSION,
} from "../../lib/service/mod.ts";
import { makeTransformQueues, type TransformWorkerInit } from "../../lib/transform/mod.ts";
import { compressorSetup } from "../../lib/writer/compressors.ts";
import { fileOwnership } from "./ownership.ts";
import type { WriterWorkerInit } from "./worker.ts";

/** Counters of the worker, in its order. */
const COUNTERS = ["images_written", "bytes_written"] as const;

/** Module of the writing thread. */
const WORKER = new URL("worker.ts", import.meta.url);
/** Module of the compressing threads. */
const COMPRESSOR = new URL("compress_worker.ts", import.meta.url);

await runService({
  name: "std_h5_writer",
  summary: "Writes images from shared memory into HDF5 files when the writer agent says so.",
  config: "detector",
  workers: [WORKER, COMPRESSOR],
  arguments: (program) =>
    program
      .argument("<writer_id>", "which of the detector's writers this is, from 0", writerIdArgument)
      .option(
        "--image-slots <n>",
        "slots of an image ring without an index (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option(
        "-s, --suffix <suffix>",
        "write the images of the ring <detector>-<suffix> (default: the config's: image, or h5bitshuffle-lz4 with compressed_ring)",
      )
      .requiredOption("--data-root <folder...>", "folders that may be written to"),
  async run(
    { args, config, options, logger, ready, stopped, onStats, startWorker },
  ): Promise<void> {
    const writerId = args[1];
    if (writerId >= config.number_of_writers) {
      throw new UsageError(
        `writer_id ${writerId}: this detector has number_of_writers ${config.number_of_writers}; ` +
          `give a number from 0 to ${config.number_of_writers - 1}`,
      );
    }
    const queues = makeTransformQueues(config.compression_threads);
    const format = { elementBytes: PIXEL_BYTES[pixelType(config)], imageBytes: imageBytes(config) };
    const ownership = await fileOwnership(config, (warning) => logger.warning(warning));
    const init: WriterWorkerInit = {
      ...{ config, writerId, format, queues },
      suffix: options.suffix ?? writtenSuffix(config),
      imageSlots: options.imageSlots ?? imageSlots(config),
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
      dataRoots: options.dataRoot.map(absolute),
      ownership,
      attributes: { config: JSON.stringify(config), software: `std-daq ${VERSION}` },
    };
    const worker = startWorker(WORKER, {
      name: "write",
      init,
      counters: COUNTERS,
    });
    const setup = compressorSetup(format);
    const compressors = queues.map((queue, i) => {
      const init: TransformWorkerInit = { setup, queue };
      return startWorker(COMPRESSOR, { name: `compress-${i}`, init, counters: [] });
    });
    await Promise.all([worker, ...compressors].map(({ ready }) => ready));
    const filesUserId = ownership.user?.uid ?? effectiveUserId();
    onStats(() => ({ ...worker.counters, files_user_id: filesUserId }));
    logger.info("waiting for orders", {
      writer_id: writerId,
      suffix: init.suffix,
      data_roots: init.dataRoots.join(" "),
    });
    ready({ writer_id: writerId });
    await stopped;
    await worker.stop(); // before the compressors, which it may be waiting for
  },
});

function writerIdArgument(text: string): number {
  const id = Number(text);
  if (!Number.isInteger(id) || id < 0) {
    throw new UsageError(`writer_id ${text} is not a number from 0`);
  }
  return id;
}

function absolute(root: string): string {
  if (!root.startsWith("/")) {
    throw new UsageError(`--data-root ${root} is not absolute: give a path from /`);
  }
  return root;
}
