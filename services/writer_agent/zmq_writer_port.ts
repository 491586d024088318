/**
 * The file writer over ZeroMQ, as std-daq has it: the driver binds a PUSH for commands and connects a
 * PULL for answers.
 *
 * @module
 */
import { isSplit, partPath, type WriterCommand } from "../../lib/acquisition/mod.ts";
import {
  decodeWriterResponse,
  driverAddress,
  encodeWriterAction,
  type WriterAction,
  writerAddress,
  type WriterResponse,
} from "../../lib/protocol/mod.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import type { WriterPort, WriterPortHandlers } from "./ports.ts";

/** std-daq's high-water mark. */
const HIGH_WATER_MARK = 50_000;
/** An answer is a few numbers and one reason. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** A writer that says that it works is looked for so often, ms: faster than another one can start. */
const LOOK_EVERY_MS = 250;

/** How to reach a file writer. */
export interface ZmqWriterPortOptions {
  readonly detector: string;
  /** Number of the writer, from 0. */
  readonly writerId: number;
  /** Writers that share the images; default 1. */
  readonly writers?: number;
  /** Folder of the ipc sockets; default /tmp. */
  readonly ipcFolder?: string | undefined;
  /** Group that may connect too (mode 0660 instead of 0600). */
  readonly gid?: number | undefined;
  /** Longest wait for a writer to be connected, ms. */
  readonly sendTimeoutMs: number;
  /** Messages that are no answers. */
  readonly onMalformed?: (error: unknown) => void;
}

/** A file writer in another process. */
export class ZmqWriterPort implements WriterPort, Disposable {
  readonly #options: ZmqWriterPortOptions;
  readonly #commands: Socket;
  readonly #answers: Socket;
  readonly #address: string;
  readonly #drained = new Set<() => void>();
  #queue: Uint8Array[] = [];
  #sending: AbortController | undefined;
  #handlers: WriterPortHandlers | undefined;
  /** Looks for the writer while it works and cannot answer. */
  #watch: ReturnType<typeof setInterval> | undefined;

  /** @throws {ZmqError} EADDRINUSE when another driver serves this writer. */
  constructor(options: ZmqWriterPortOptions) {
    const { detector, writerId, ipcFolder, gid } = options;
    this.#options = options;
    this.#address = driverAddress(detector, writerId, ipcFolder);
    this.#commands = new Socket("PUSH", { sendHighWaterMark: HIGH_WATER_MARK, lingerMs: 0 });
    this.#answers = new Socket("PULL", {
      receiveHighWaterMark: HIGH_WATER_MARK,
      maxMessageBytes: MAX_ANSWER_BYTES,
    });
    try {
      this.#commands.bind(this.#address, gid === undefined ? {} : { mode: 0o660, gid });
      this.#answers.connect(writerAddress(detector, writerId, ipcFolder));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  listen(handlers: WriterPortHandlers): void {
    this.#handlers = handlers;
    this.#receive(handlers).catch((error) => handlers.onFailure(String(error)));
  }

  send(command: WriterCommand): void {
    const bytes = encodeWriterAction(this.#actionOf(command));
    if (this.#queue.length === 0 && this.#commands.trySend(bytes)) return;
    this.#queue.push(bytes);
    if (this.#sending === undefined) this.#deliver();
  }

  dropUnsent(): void {
    this.#queue = [];
    this.#sending?.abort();
    this.#sending = undefined;
    this.#wake();
  }

  drained(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.add(resolve));
  }

  /** Closes the sockets and removes the address. */
  close(): void {
    this.dropUnsent();
    clearInterval(this.#watch);
    this.#commands.close();
    this.#answers.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Sends what is queued, waiting for a writer to connect or to catch up. */
  async #deliver(): Promise<void> {
    const sending = new AbortController();
    this.#sending = sending;
    const { sendTimeoutMs } = this.#options;
    try {
      for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
        await this.#commands.send(next, { signal: sending.signal, timeoutMs: sendTimeoutMs });
        if (sending.signal.aborted) return;
        this.#queue.shift();
      }
      this.#sending = undefined;
      this.#wake();
    } catch (error) {
      if (sending.signal.aborted) return;
      this.dropUnsent();
      this.#handlers?.onFailure(this.#explain(error));
    }
  }

  async #receive(handlers: WriterPortHandlers): Promise<void> {
    for await (const [bytes] of this.#answers.messages()) {
      const response = this.#decode(bytes ?? new Uint8Array());
      if (response === undefined) continue;
      const { code, working, ...rest } = response;
      if (working === undefined) handlers.onAnswer({ ok: code === "success", ...rest });
      else this.#onWorking(working);
    }
  }

  #onWorking(working: boolean): void {
    clearInterval(this.#watch);
    if (working) this.#watch = setInterval(() => this.#look(), LOOK_EVERY_MS);
    this.#handlers?.onWorking(working);
  }

  /** Whether the process of the writer that works is still there. */
  #look(): void {
    if (this.#queue.length > 0 || this.#commands.isWritable) return;
    this.#onWorking(false);
    this.#handlers?.onFailure("the file writer ended while it made, closed or synced a file");
  }

  #decode(bytes: Uint8Array): WriterResponse | undefined {
    try {
      return decodeWriterResponse(bytes);
    } catch (error) {
      this.#options.onMalformed?.(error);
      return undefined;
    }
  }

  #actionOf(command: WriterCommand): WriterAction {
    switch (command.action) {
      case "create_file": {
        const { outputFile, nImages, imagesPerFile = 0, runId, json } = command.request;
        const { compression, compressionThreads, fileFormat, nexus, fsync } = command.request;
        const { overwrite, createFolders, userId } = command.request;
        const { writerId, writers = 1 } = this.#options;
        const split = { outputFile, writers, imagesPerFile };
        return {
          action: "create_file",
          path: isSplit(split) ? partPath(outputFile, writerId) : outputFile,
          writerId,
          nImages,
          acknowledgeImages: true,
          runId,
          request: json,
          ...(isSplit(split) && { split }),
          ...(compression !== undefined && { compression }),
          ...(compressionThreads !== undefined && { compressionThreads }),
          ...(fileFormat !== undefined && { fileFormat }),
          ...(nexus !== undefined && { nexus }),
          ...(fsync !== undefined && { fsync }),
          ...(overwrite && { overwrite }),
          ...(createFolders !== undefined && { createFolders }),
          ...(userId !== undefined && { userId }),
          startTime: command.startTime,
        };
      }
      case "record_image": {
        const { metadata, entry } = command.image;
        return { action: "record_image", metadata, ...(entry !== undefined && { entry }) };
      }
      case "confirm_last_image":
      case "close_file":
        return command;
    }
  }

  #explain(error: unknown): string {
    if (error instanceof Error && "code" in error && error.code === "ETIMEDOUT") {
      return `no file writer took commands at ${this.#address} for ` +
        `${this.#options.sendTimeoutMs / 1000} s`;
    }
    return error instanceof Error ? error.message : String(error);
  }

  #wake(): void {
    for (const wake of this.#drained) wake();
    this.#drained.clear();
  }
}
