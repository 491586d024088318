/**
 * std_assembler: frames of all modules → images in shared memory.
 *
 * @module
 */
import { AccountingReader } from "../../lib/accounting/mod.ts";
import { converterSetup, makeConverterQueue } from "../../lib/assemble/mod.ts";
import { imageSlots } from "../../lib/config/mod.ts";
import { detectorFor, ringFrameSlots } from "../../lib/detector/mod.ts";
import { calibrationAddress, frameRingName, imageRingName } from "../../lib/protocol/mod.ts";
import { ipcFolder, parseInteger, resolveGroup, runService } from "../../lib/service/mod.ts";
import { serveCalibrations } from "./calibration_server.ts";
import { startCorrection } from "./correction.ts";
import type { ConverterWorkerInit } from "./converter_worker.ts";
import type { AssembleWorkerInit } from "./worker.ts";

/** Longest question about the calibration, bytes: a path and little more. */
const LONGEST_QUESTION = 16_384;

/** Module of the thread that gathers images. */
const WORKER = new URL("worker.ts", import.meta.url);

await runService({
  name: "std_assembler",
  summary: "Assembles the frames of a detector's modules into images in shared memory.",
  config: "detector",
  workers: [WORKER],
  arguments: (program) =>
    program
      .option(
        "--frame-slots <n>",
        "slots of each frame ring (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option(
        "--image-slots <n>",
        "slots of the image ring (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option(
        "--workers <n>",
        "threads for the pixels; 1: the assembler's own",
        parseInteger(1),
        1,
      ),
  async run(
    { config, options, logger, ready, stopped, onStats, onStop, startWorker },
  ): Promise<void> {
    const slots = {
      frameSlots: ringFrameSlots(config, options.frameSlots),
      imageSlots: options.imageSlots ?? imageSlots(config),
    };
    const correction = await startCorrection(config, logger);
    if (correction !== undefined) onStop(() => correction[Symbol.dispose](), "calibration");
    const modules = Array.from({ length: config.n_modules }, (_, module) => module);
    const workers = Math.min(options.workers, modules.length);
    const laneOf = modules.map((module) => module % workers);
    const converters = workers === 1 ? undefined : {
      queues: Array.from({ length: workers }, makeConverterQueue),
      bell: new SharedArrayBuffer(4),
      laneOf,
    };
    const init: AssembleWorkerInit = {
      config,
      ...slots,
      gid: await resolveGroup(config.shm_group),
      ipcFolder: ipcFolder(),
      converters,
      correction: correction && { maps: correction.maps, board: correction.board },
    };
    const assemble = startWorker(WORKER, {
      name: "assemble",
      init,
      counters: [],
    });
    await assemble.ready; // the image ring is there now
    const hands = (converters?.queues ?? []).map((queue, lane) => {
      const share = modules.filter((module) => laneOf[module] === lane);
      const hand: ConverterWorkerInit = {
        setup: converterSetup(
          config,
          slots.frameSlots,
          slots.imageSlots,
          share,
          correction?.maps,
        ),
        queue,
        bell: converters!.bell,
      };
      const name = `convert-${lane}`;
      return startWorker(new URL("converter_worker.ts", import.meta.url), {
        name,
        init: hand,
        counters: [],
      });
    });
    await Promise.all(hands.map((hand) => hand.ready));

    const accounting = new AccountingReader({
      frames: modules.map((module) => frameRingName(config.detector_name, module)),
      image: imageRingName(config.detector_name),
      packetsPerFrame: detectorFor(config).packetFormat(config).packetsPerFrame,
    });
    onStop(() => accounting[Symbol.dispose](), "accounting");
    onStats(() => {
      const {
        images_good,
        images_incomplete,
        images_skipped,
        packets_lost,
        packets_dropped,
        restarts,
        pixels_masked,
        pixels_saturated,
        pixels_invalid_gain,
      } = accounting.read();
      return {
        images_good,
        images_incomplete,
        images_skipped,
        packets_lost,
        packets_dropped,
        restarts,
        ...(correction === undefined
          ? {}
          : { pixels_masked, pixels_saturated, pixels_invalid_gain }),
      };
    });
    if (correction !== undefined) {
      const { Socket } = await import("../../lib/zmq/mod.ts");
      const socket = new Socket("REP", { maxMessageBytes: LONGEST_QUESTION });
      const end = new AbortController();
      socket.bind(calibrationAddress(config.detector_name, init.ipcFolder), {
        mode: init.gid === undefined ? 0o600 : 0o660,
        ...(init.gid === undefined ? {} : { gid: init.gid }),
      });
      const served = serveCalibrations(socket, correction, logger, end.signal);
      onStop(async () => {
        end.abort();
        await served.catch(() => {}); // it was interrupted
        socket.close();
      }, "calibration socket");
    }
    logger.info("assembling", { modules: modules.length, ...slots, workers });
    ready(slots);
    await stopped;
    accounting.read(); // holds on to the rings, whose last values are told after they have ended
    await assemble.stop(); // before the converters, which it may be waiting for
  },
});
