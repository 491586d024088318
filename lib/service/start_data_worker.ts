import { ControlBlock, type StartMessage, type WorkerMessage } from "./_worker_messages.ts";
import { DataWorkerError } from "./data_worker_error.ts";
import { restoreError } from "./describe_error.ts";
import type { LogLevel } from "./logging.ts";

/** How to start a data worker. */
export interface DataWorkerOptions<Counter extends string = string> {
  /** For logs and errors, e.g. `receive-0`. */
  name: string;
  /** Given to the worker's function; anything that `postMessage` can clone or share. */
  init: unknown;
  /** Names of its counters, in the order of the worker's indices. */
  counters: readonly Counter[];
  /** Takes the worker's log lines. */
  onLog?: (level: LogLevel, message: string, properties: Record<string, unknown>) => void;
  /** How long {@link DataWorker.stop} waits before it terminates the worker, ms. Default 5000. */
  stopTimeoutMs?: number;
  /** A Worker that has the module already. Default: a new one. */
  loaded?: LoadedWorker;
}

/** A Worker whose module is loaded, or will soon be, and that has nothing to do yet. */
export interface LoadedWorker {
  /** The Worker. */
  readonly worker: Worker;
  /** Resolves when it is loaded; rejects with the module's error. */
  readonly loaded: Promise<void>;
}

/**
 * Loads a data worker ahead of its work.
 *
 * @param url Its module, which calls `runDataWorker`.
 * @param name For the runtime's own messages.
 */
export function loadDataWorker(url: URL, name: string): LoadedWorker {
  const worker = new Worker(url, { type: "module", name });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {}); // whoever starts it cares
  worker.addEventListener("message", ({ data }: MessageEvent<WorkerMessage>) => {
    if (data.type === "loaded") resolve();
  });
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    reject(describeEvent(event));
  });
  return { worker, loaded: promise };
}

function describeEvent(event: ErrorEvent): Error {
  const error = new Error(event.message || "its module could not be loaded");
  error.stack = `${error.message}\n    at ${event.filename}:${event.lineno}:${event.colno}`;
  return error;
}

/** A running data worker, seen from the main thread. */
export interface DataWorker<Counter extends string = string> {
  /** Its name. */
  readonly name: string;
  /** Settles when the worker calls `control.ready(info)`, with `info`; rejects if it dies before. */
  readonly ready: Promise<unknown>;
  /** Resolves when the worker's function has returned, whether asked to or not. */
  readonly ended: Promise<void>;
  /** Never resolves; rejects with a {@link DataWorkerError} when the worker dies. */
  readonly failed: Promise<never>;
  /** The counters now. Each value is whole; together they are not one instant. */
  readonly counters: Record<Counter, bigint>;
  /** Asks the worker to stop, waits for its end, terminates it if that takes too long. Never throws. */
  stop(): Promise<void>;
}

/**
 * Starts a Worker whose module calls `runDataWorker`: a thread with a synchronous, blocking loop, which
 * takes packets or moves images. It inherits this process's permissions, of which it needs `read` for its
 * own modules.
 *
 * @param url The worker's module.
 */
export function startDataWorker<Counter extends string>(
  url: URL,
  options: DataWorkerOptions<Counter>,
): DataWorker<Counter> {
  const { name, init, counters: names, onLog, stopTimeoutMs = 5_000 } = options;
  const { worker, loaded } = options.loaded ?? loadDataWorker(url, name);
  const control = ControlBlock.create(names.length);
  const ready = Promise.withResolvers<unknown>();
  const ended = Promise.withResolvers<void>();
  const failed = Promise.withResolvers<never>();
  const over = Promise.withResolvers<void>();
  // Whoever cares awaits them; a rejection that nobody awaits must not end the process by itself.
  for (const { promise } of [ready, failed]) promise.catch(() => {});

  function fail(cause: Error): void {
    const error = new DataWorkerError(name, cause);
    ready.reject(error);
    failed.reject(error);
    over.resolve();
    worker.terminate();
  }

  loaded.then(() => {
    const start: StartMessage = { type: "start", init, control: control.buffer };
    worker.postMessage(start); // throws if `init` holds what cannot be cloned
  }).catch((error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.onmessage = ({ data }: MessageEvent<WorkerMessage>): void => {
    switch (data.type) {
      case "ready":
        return ready.resolve(data.info);
      case "log":
        return onLog?.(data.level, data.message, data.properties);
      case "failed":
        return fail(restoreError(data.error));
      case "ended":
        ready.reject(new DataWorkerError(name, new Error("it ended before it was ready")));
        ended.resolve();
        over.resolve();
        worker.terminate();
    }
  };
  worker.onerror = (event): void => {
    event.preventDefault();
    fail(describeEvent(event));
  };
  worker.onmessageerror = (): void => fail(new Error("it sent a message that cannot be read"));

  return {
    name,
    ready: ready.promise,
    ended: ended.promise,
    failed: failed.promise,
    get counters(): Record<Counter, bigint> {
      const entries = names.map((key, i) => [key, Atomics.load(control.counters, i)] as const);
      return Object.fromEntries(entries) as Record<Counter, bigint>; // exactly the given names
    },
    async stop(): Promise<void> {
      control.requestStop();
      const timer = setTimeout(() => {
        onLog?.("warning", "did not stop in time and was terminated", { stopTimeoutMs });
        over.resolve();
      }, stopTimeoutMs);
      await over.promise;
      clearTimeout(timer);
      worker.terminate();
      ended.resolve();
    },
  };
}
