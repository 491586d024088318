/**
 * std_h5_writer: images from shared memory → HDF5 files.
 *
 * @module
 */
import { imageSlots } from "../../lib/config/mod.ts";
import {
  ipcFolder,
  parseInteger,
  resolveGroup,
  runService,
  UsageError,
  VERSION,
} from "../../lib/service/mod.ts";
import type { WriterWorkerInit } from "./worker.ts";

/** Counters of the worker, in its order. */
const COUNTERS = ["images_written", "bytes_written"] as const;

await runService({
  name: "std_h5_writer",
  summary: "Writes images from shared memory into HDF5 files when the writer agent says so.",
  config: "detector",
  arguments: (program) =>
    program
      .argument("<writer_id>", "which of the detector's writers this is, from 0", writerIdArgument)
      .option(
        "--image-slots <n>",
        "slots of an image ring without an index (default: the config's, or 1000)",
        parseInteger(1),
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
    const init: WriterWorkerInit = {
      config,
      writerId,
      imageSlots: options.imageSlots ?? imageSlots(config),
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
      dataRoots: options.dataRoot.map(absolute),
      attributes: { config: JSON.stringify(config), software: `std-daq ${VERSION}` },
    };
    const worker = startWorker(new URL("worker.ts", import.meta.url), {
      name: "write",
      init,
      counters: COUNTERS,
    });
    await worker.ready;
    onStats(() => worker.counters);
    logger.info("waiting for orders", {
      writer_id: writerId,
      data_roots: init.dataRoots.join(" "),
    });
    ready({ writer_id: writerId });
    await stopped;
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
