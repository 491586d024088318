/**
 * A service that makes images of images, from its Workers' start to its end.
 *
 * @module
 */
import { type DetectorConfig, imageShape, imageSlots, pixelType } from "../config/mod.ts";
import { type TransformInit, transformSetup, type TransformWorkerInit } from "./run_transform.ts";
import { makeTransformQueues } from "./transform_queue.ts";

/** What a service has to say besides its config. */
export interface TransformChoices
  extends Pick<TransformInit, "operation" | "from" | "to" | "blockElements" | "gid" | "ipcFolder"> {
  /** Threads that transform; default: the config's. */
  threads: number | undefined;
  /** Slots of either ring; default: the config's. */
  slots: number | undefined;
}

/** What it tells its thread. */
export function transformInit(
  config: DetectorConfig,
  { threads, slots, ...choices }: TransformChoices,
): TransformInit {
  const [height, width] = imageShape(config);
  return {
    ...choices,
    detector: config.detector_name,
    ...{ height, width, dtype: pixelType(config) },
    slots: slots ?? imageSlots(config),
    queues: makeTransformQueues(threads ?? config.compression_threads),
  };
}

/** A Worker of the service. */
interface TransformWorker {
  readonly ready: Promise<unknown>;
  stop(): Promise<unknown>;
}

/** What it has of its service, see `ServiceContext` of lib/service. */
export interface TransformService {
  readonly logger: { info(message: string, details: Record<string, unknown>): void };
  readonly stopped: Promise<unknown>;
  startWorker(url: URL, options: { name: string; init: unknown; counters: [] }): TransformWorker;
  onStats(read: () => Record<string, unknown>): void;
  onStop(step: () => void, name: string): void;
  ready(details: Record<string, unknown>): void;
}

/** The parts of a service that are its own. */
export interface TransformParts {
  /** Module of the thread that follows the ring. */
  worker: URL;
  /** Module of the threads that transform. */
  hand: URL;
  /** What it has counted, read from the ring that it writes. */
  counts: { read(): object } & Disposable;
}

/** Starts the Workers, tells what they count, and stops them in the right order. */
export async function serveTransform(
  init: TransformInit,
  { worker: workerUrl, hand, counts }: TransformParts,
  { logger, ready, stopped, onStats, onStop, startWorker }: TransformService,
): Promise<void> {
  const { operation, from, to, slots, queues } = init;
  const setup = transformSetup(init);
  const hands = queues.map((queue, i) => {
    const init: TransformWorkerInit = { setup, queue };
    return startWorker(hand, { name: `${operation}-${i}`, init, counters: [] });
  });
  const worker = startWorker(workerUrl, { name: "follow", init, counters: [] });
  await Promise.all([worker, ...hands].map((each) => each.ready));
  onStop(() => counts[Symbol.dispose](), "counters");
  onStats(() => ({ ...counts.read() }));
  const details = { from, to, slots, threads: queues.length };
  logger.info(`${operation}ing`, details);
  ready(details);
  await stopped;
  counts.read(); // holds on to the ring, whose last values are told after it has ended
  await worker.stop(); // before the hands, which it may be waiting for
}
