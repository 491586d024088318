/**
 * writer_agent: takes requests to write, drives the file writer through them.
 *
 * @module
 */
import { statSync } from "node:fs";
import { ringShare } from "../../lib/acquisition/mod.ts";
import { runGate } from "../../lib/acquisition/run_locks.ts";
import { COMPRESSED_SUFFIX, writtenSuffix } from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  limited,
  parseInteger,
  parsePort,
  readEnv,
  RequestTaker,
  resolveGroup,
  runService,
  UsageError,
} from "../../lib/service/mod.ts";
import { describeBroker } from "../../lib/broker/broker_options.ts";
import { atMost } from "../../lib/os/at_most.ts";
import { openStore, resolveStore } from "../../lib/store/mod.ts";
import { type Accounting, createApi } from "./api.ts";
import { brokerRequests } from "./broker_requests.ts";
import { AcquisitionController, REFERENCE_SLOTS, WORK_TIMEOUT_MS } from "./controller.ts";
import { CreditWindow } from "./credit_window.ts";
import { Recorder } from "./recorder.ts";
import { RingImageSource } from "./ring_image_source.ts";
import { Statistics } from "./statistics.ts";
import type { WriteRequestRules } from "./write_request.ts";
import { WriterFleet } from "./writer_fleet.ts";
import { ZmqWriterPort } from "./zmq_writer_port.ts";

const HOST = "127.0.0.1";
/** A run is closed in an orderly way when the agent stops, if the writer is that quick. */
const RUN_LIMIT_MS = 4000;
/** Answers under way have so long then: the store, which comes next, is to have its time. */
const REST_LIMIT_MS = 1000;
/** Deliveries are given up a little before answers are, to give the better reason. */
const SEND_MARGIN_MS = 200;

await runService({
  name: "writer_agent",
  summary: "Takes requests to write images into files and drives the file writer through them.",
  kind: "primary",
  config: "detector",
  arguments: (program) =>
    program
      .option("--port <port>", `port of the REST interface on ${HOST}`, parsePort, 5000)
      .requiredOption("--data-root <dir...>", "folders that files may be written to, absolute")
      .option(
        "-s, --suffix <suffix>",
        "follow the ring <detector>-<suffix>, as the writers do (default: the config's)",
      )
      .option("--sync-timeout <s>", "longest answer time of write_sync, s", parseInteger(1), 60)
      .option("--writer-timeout <s>", "the writer is lost after so long, s", parseInteger(1), 5)
      .option("--allow-host <name...>", "further host names to answer to")
      .option(
        "--store <address>",
        "keep acquisitions and rates in redis://… or sqlite:/path (env: STD_DAQ_STORE, REDIS_URL, …)",
      )
      .option("--errors-as-200", "answer errors with HTTP 200, for clients of the original")
      .option("--frame-slots <n>", "taken for uniformity; the ring itself tells", parseInteger(1))
      .option("--image-slots <n>", "taken for uniformity; the ring itself tells", parseInteger(1)),
  async run(service): Promise<void> {
    const { config, options, logger, onStop } = service;
    const dataRoots = options.dataRoot.map(checkRoot);
    const detector = config.detector_name;
    const writerTimeoutMs = options.writerTimeout * 1000;
    const notes = limited(logger, "notes", 5);

    // First: RabbitMQ is told of the end when the run is closed and the store has it.
    const requests = service.broker.isNamed ? new RequestTaker(service) : undefined;
    const gid = await resolveGroup(config.shm_group);
    const suffix = options.suffix ?? writtenSuffix(config);
    const images = new RingImageSource({ detector, ipcFolder: ipcFolder(), suffix });
    onStop(() => images.close(), "images");
    const writers = Array.from({ length: config.number_of_writers }, (_, writerId) => {
      const writer = new ZmqWriterPort({
        ...{ detector, writerId, gid },
        writers: config.number_of_writers,
        ipcFolder: ipcFolder(),
        sendTimeoutMs: writerTimeoutMs - SEND_MARGIN_MS,
        onMalformed: (error) => notes.log("warning", "malformed answer of the writer", { error }),
      });
      onStop(() => writer.close(), `file writer ${writerId}`);
      const window = new CreditWindow(writer, {
        defaultCredit: () => ringShare(images.slots ?? REFERENCE_SLOTS, config.number_of_writers),
        writerTimeoutMs,
        workTimeoutMs: WORK_TIMEOUT_MS,
      });
      onStop(() => window[Symbol.dispose](), `window of file writer ${writerId}`);
      return window;
    });
    const [first, ...more] = writers;
    const writer = first !== undefined && more.length === 0 ? first : new WriterFleet(writers);
    let recorder: Recorder | undefined;
    const controller = new AcquisitionController({
      writer,
      images,
      gate: runGate(detector, ipcFolder()),
      writerTimeoutMs,
      onNote: (note) => notes.log("warning", "{note}", { note }),
      onChange: (status) => {
        const { state, acquisition: { state: acquisition, message, info, stats } } = status;
        logger.info("writer {state}, acquisition {acquisition} {message}", {
          state,
          acquisition,
          message,
          output_file: info.outputFile,
          ...stats,
        });
        recorder?.changed(status);
      },
    });
    onStop(() => controller.close(), "controller");
    const statistics = new Statistics(config, () => controller.totals);
    onStop(() => statistics[Symbol.dispose](), "statistics");
    const found = resolveStore({ address: options.store, env: readEnv });
    if (found !== undefined) {
      const { address, ...secrets } = found;
      const store = await openStore(address, {
        ...secrets,
        onNote: (note) => logger.warning("{note}", { note }),
      });
      onStop(() => store[Symbol.asyncDispose](), "store");
      const kept = recorder = new Recorder({
        store,
        status: () => controller.status,
        rates: () => statistics.rates(),
        onError: (error) => notes.log("error", "the store refused an entry", { error }),
        // Never held back: the log of acquisitions is nowhere else.
        onUnlogged: (error, acquisition) =>
          logger.error("the store refused an acquisition, which is: {acquisition}", {
            acquisition,
            error,
          }),
      });
      onStop(() => kept[Symbol.dispose](), "recorder");
    }

    controller.closeOrphan();

    const rules: WriteRequestRules = {
      dataRoots,
      writers: config.number_of_writers,
      compressionThreads: config.compression_threads,
      compressedImages: suffix === COMPRESSED_SUFFIX,
      noImagesTimeoutS: config.no_images_timeout,
      createFolders: config.create_directories,
      writerUserId: config.switch_user_active === false ? undefined : config.writer_user_id,
      allowedUserIds: config.allowed_user_ids,
    };
    const api = createApi({
      ...rules,
      controller,
      syncTimeoutMs: options.syncTimeout * 1000,
      readRates: () => statistics.rates(),
      readAccounting: () => statistics.accounting(),
      readReports: async (acquisition) => await recorder?.reportsOn(acquisition) ?? [],
      errorsAs200: options.errorsAs200 ?? false,
      allowedHosts: options.allowHost ?? [],
      onError: (error) => logger.error("a request failed unexpectedly", { error }),
    });
    const server = Deno.serve(
      { hostname: HOST, port: options.port, onListen: () => {} },
      api.fetch,
    );
    server.finished.then(() =>
      service.signal.aborted || service.fail(new Error("the REST interface ended"))
    );
    onStop(async () => void await atMost(REST_LIMIT_MS, server.shutdown()), "REST interface");
    onStop(() => endRun(controller), "acquisition");
    const readAccounting = (): Accounting => statistics.accounting();
    await requests?.take(brokerRequests({ controller, detector, rules, readAccounting }));

    service.onHealth(
      "writer",
      () => controller.status.state === "UNKNOWN" ? "the file writer does not answer" : null,
    );
    service.onStats(() => ({
      writer_state: controller.status.state,
      acquisition_state: controller.status.acquisition.state,
      images_written: controller.totals.images,
      bytes_written: controller.totals.bytes,
    }));
    service.ready({
      api: `http://${HOST}:${server.addr.port}`,
      data_roots: dataRoots,
      ...(service.broker.isNamed && { broker: describeBroker(service.broker.address()) }),
    });
    await service.stopped;
  },
});

/** @throws {UsageError} If it is no absolute path of a folder. */
function checkRoot(root: string): string {
  const isFolder = root.startsWith("/") &&
    statSync(root, { throwIfNoEntry: false })?.isDirectory() === true;
  if (isFolder) return root.replace(/(?<=.)\/+$/, "");
  throw new UsageError(
    `--data-root ${root} is not an absolute path of a folder: create it, or give its full path`,
  );
}

/** Closes the file of a run that is under way, within reason. */
async function endRun(controller: AcquisitionController): Promise<void> {
  if (controller.status.state !== "WRITING") return;
  await atMost(RUN_LIMIT_MS, controller.stop());
}
