import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import {
  type DetectorConfig,
  imageBytes,
  imageSlots,
  loadConfig,
} from "../../../lib/config/mod.ts";
import { DaqClient, DaqUnreachableError } from "../../../lib/http/mod.ts";
import { DEFAULT_IPC_FOLDER, runAddress } from "../../../lib/protocol/names.ts";
import {
  formatForPeople,
  formatLine,
  LOG_LEVELS,
  type LogLine,
  parseInteger,
  parsePort,
  passes,
  type StorePermission,
  Supervisor,
  UsageError,
} from "../../../lib/service/mod.ts";
import { describeBroker, resolveBroker } from "../../../lib/broker/broker_options.ts";
import { describeStore } from "../../../lib/store/mod.ts";
import { parseByteSize } from "../byte_size.ts";
import type { DaqContext } from "../context.ts";
import { DrawnLine } from "../drawn_line.ts";
import { statusLine } from "../format.ts";
import { resolveBrokerFor } from "../broker.ts";
import { pause } from "../../../lib/os/pause.ts";
import { resolveStoreFor, storeOption } from "../store.ts";
import { imageSuffixes, pipelineCommands, ringNames } from "../pipeline.ts";
import { serveRunControl } from "../run_control.ts";
import { type PipelinePlan, RunningPipeline } from "../running_pipeline.ts";

const DRAW_PERIOD_MS = 1_000;
const DEFAULT_DATA_ROOT = "data";
/** Bytes of a question to a running `daq run`. */
const LONGEST_QUESTION = 4_096;

/** `daq run`: the whole local pipeline, until Ctrl-C. */
export function runCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("run")
    .description("Run receivers, assembler, writer and REST interface on this machine.")
    .argument("<config>", "detector config, a JSON file")
    .option("--api-port <port>", "port of the REST interface on 127.0.0.1", parsePort, 5000)
    .option(
      "--data-root <dir...>",
      `folders that files may be written to (default: ./${DEFAULT_DATA_ROOT})`,
    )
    .option(
      "--ram <size>",
      "memory for all rings, e.g. 4G (default: a quarter of what /dev/shm has free)",
      parseByteSize,
    )
    .option("--workers <n>", "threads of the assembler", parseInteger(1, 64))
    .addOption(storeOption())
    .option("--server <name>", "take up the configs of the store, as the server of this name")
    .option("--broker <url>", "RabbitMQ to take requests from (env: BROKER_URL, BROKER_HOST)")
    .option("--tag <pattern>", "which requests of the broker are for this detector (default: #)")
    .addOption(
      new Option("--log-level <level>", "least important line to show").choices(LOG_LEVELS),
    )
    .action(async (configPath, options) => {
      const path = resolve(configPath);
      const { config, warnings } = await loadConfig(path);
      for (const warning of warnings) context.err(`config: ${warning}\n`);
      const store = resolveStoreFor(options.store, context);
      if (options.server !== undefined && store === undefined) {
        throw new UsageError("--server takes up the configs of a store: give --store, too");
      }
      await runPipeline(context, config, {
        configPath: path,
        apiPort: options.apiPort,
        dataRoots: await dataRoots(options.dataRoot),
        ramBytes: options.ram,
        workers: options.workers,
        logLevel: options.logLevel,
        store,
        server: options.server,
        broker: resolveBrokerFor(options.broker, context),
        tag: options.tag,
      });
    });
}

/** What `daq run` was told. */
export interface RunOptions {
  /** Absolute path of the detector config. */
  configPath: string;
  /** Port of the REST interface. */
  apiPort: number;
  /** Folders that files may be written to, real paths. */
  dataRoots: string[];
  /** Memory for all rings, bytes; default: a quarter of what is free. */
  ramBytes: number | undefined;
  /** Threads of the assembler. */
  workers: number | undefined;
  /** Least important line to show. */
  logLevel: typeof LOG_LEVELS[number] | undefined;
  /** Where acquisitions, statuses and rates are kept. */
  store?: StorePermission | undefined;
  /** Name of this server, which takes up the configs of the store. */
  server?: string | undefined;
  /** RabbitMQ that the agent takes requests from. */
  broker?: StorePermission | undefined;
  /** Which of its requests are for this detector, a topic pattern. */
  tag?: string | undefined;
}

/**
 * Runs the services of a pipeline until the context's signal aborts, and leaves nothing behind.
 *
 * @param commandsFor Makes the services' commands; a test gives its own.
 * @throws {ServiceStartError} If one does not start, or has to be given up.
 * @throws {RingSpaceError} If the rings do not fit.
 */
export async function runPipeline(
  context: DaqContext,
  config: DetectorConfig,
  options: RunOptions,
  commandsFor: typeof pipelineCommands = pipelineCommands,
): Promise<void> {
  // System calls are for this command only: `daq status` and the like run without FFI.
  const { fitRings, removeRings } = await import("../../../lib/ring/mod.ts");
  const { fileSystemSpace, removeUnservedSocket } = await import("../../../lib/os/mod.ts");
  const { detectorFor, frameBytes, ringFrameSlots } = await import("../../../lib/detector/mod.ts");

  const ipcFolder = context.env("STD_DAQ_IPC_DIR") ?? DEFAULT_IPC_FOLDER;
  removeRings(ringNames(config)); // those that killed services left: their memory is free for the next
  // Another config is given the same room, whatever it fills.
  const freeBytes = fileSystemSpace("/dev/shm").availableBytes;
  const deployer = options.server === undefined ? undefined : {
    server: options.server,
    runAddress: runAddress(config.detector_name, ipcFolder),
  };
  const plan = (config: DetectorConfig): PipelinePlan => {
    const fit = fitRings({
      modules: config.n_modules,
      frameBytes: frameBytes(detectorFor(config).packetFormat(config)),
      imageBytes: imageBytes(config),
      imageRings: imageSuffixes(config).length,
      maxFrameSlots: ringFrameSlots(config),
      maxImageSlots: imageSlots(config),
      budgetBytes: options.ramBytes,
    }, freeBytes);
    const commands = commandsFor(config, {
      ...options,
      frameSlots: fit.frameSlots,
      imageSlots: fit.imageSlots,
      ringBytes: fit.bytes,
      libzmq: context.env("STD_DAQ_LIBZMQ"),
      deployer,
    });
    return { config, fit, commands };
  };

  using line = new DrawnLine(context);
  const threshold = options.logLevel ?? "warning";
  const supervisor = new Supervisor({
    onLog: (entry) => {
      if (passes(entry.level, threshold)) line.log(logText(context, entry));
    },
    onState: ({ name, state, restarts, lastExit }) => {
      if (state !== "waiting") return;
      line.log(`${name} died (exit status ${lastExit}), restart ${restarts + 1} follows\n`);
    },
  });
  const pipeline = new RunningPipeline(config, {
    supervisor,
    plan,
    ipcFolder,
    removeRings: (names) => void removeRings(names), // only what no living process writes
    removeSocket: removeUnservedSocket, // what is served belongs to another run of this detector
  });
  const onAbort = (): void => void supervisor.stop();
  context.signal.addEventListener("abort", onAbort, { once: true });
  if (context.signal.aborted) onAbort();
  const control = new AbortController();
  let controlled: Promise<void> | undefined;
  try {
    const client = new DaqClient({ baseUrl: `http://127.0.0.1:${options.apiPort}` });
    if (deployer !== undefined) {
      const { Socket } = await import("../../../lib/zmq/mod.ts");
      const socket = new Socket("REP", { maxMessageBytes: LONGEST_QUESTION });
      socket.bind(deployer.runAddress, { mode: 0o600 });
      const { configPath } = options;
      const onNote = (note: string): void => line.log(`${note}\n`);
      const about = { pipeline, supervisor, client, configPath, onNote };
      controlled = serveRunControl(socket, about, control.signal).catch((error) => {
        if (!control.signal.aborted) line.log(`configs are not taken up any more: ${error}\n`);
      })
        .finally(() => socket.close());
    }
    await pipeline.start((name) => line.draw(`starting ${name} …`));
    const { fit } = pipeline.plan;
    const api = `http://127.0.0.1:${options.apiPort}`;
    line.draw("");
    context.out(`ready ${
      JSON.stringify({
        api,
        detector: config.detector_name,
        data_roots: options.dataRoots,
        frame_slots: fit.frameSlots,
        image_slots: fit.imageSlots,
        ram_bytes: fit.bytes,
        ...(options.store && { store: describeStore(options.store.address) }),
        ...(options.broker &&
          { broker: describeBroker(resolveBroker({ url: options.broker.address })) }),
      })
    }\n`);
    await Promise.race([
      supervisor.failed,
      watch(client, context, line, config.stats_collection_period),
    ]);
  } catch (error) {
    if (!context.signal.aborted) throw error; // what a stop interrupts is not a failure
  } finally {
    context.signal.removeEventListener("abort", onAbort);
    line.draw("stopping …");
    control.abort();
    await controlled;
    await supervisor.stop();
    pipeline.removeAll();
  }
}

/** Shows the state until the signal aborts: every second on a terminal, else every `period` seconds. */
async function watch(
  client: DaqClient,
  context: DaqContext,
  line: DrawnLine,
  period: number,
): Promise<void> {
  const { signal, interactive } = context;
  while (!signal.aborted) {
    await pause(interactive ? DRAW_PERIOD_MS : period * 1_000, signal);
    if (signal.aborted) return;
    const text = await describe(client, signal);
    if (interactive) line.draw(text);
    else context.err(`${text}\n`);
  }
}

async function describe(client: DaqClient, signal: AbortSignal): Promise<string> {
  try {
    const [stats, writer] = await Promise.all([client.stats(signal), client.status(signal)]);
    return statusLine(stats, writer);
  } catch (error) {
    // The agent may just be restarting; the supervisor knows when to give up.
    if (error instanceof DaqUnreachableError) return "no answer from the writer agent";
    throw error;
  }
}

function logText(context: DaqContext, entry: LogLine): string {
  return context.interactive ? formatForPeople(entry) : formatLine(entry);
}

/** Real paths of the folders given; `./data`, made if need be, when none is. */
async function dataRoots(folders: readonly string[] | undefined): Promise<string[]> {
  if (folders === undefined) await Deno.mkdir(DEFAULT_DATA_ROOT, { recursive: true });
  return await Promise.all((folders ?? [DEFAULT_DATA_ROOT]).map(async (folder) => {
    try {
      const path = await Deno.realPath(folder);
      if ((await Deno.stat(path)).isDirectory) return path;
    } catch (cause) {
      if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    }
    throw new UsageError(`--data-root ${folder} is not a folder: create it first`);
  }));
}
