import { atMost } from "../os/at_most.ts";
import { pause } from "../os/pause.ts";
import { type Engine, type NewEntry, noteLost, type StoredEntry } from "./_engine.ts";
import { SqliteThread } from "./_sqlite_thread.ts";
import { type QueueLimits, WriteQueue } from "./_write_queue.ts";
import { StoreError } from "./store_error.ts";

/** How soon an entry of another process is noticed, ms. */
const WATCH_MS = 100;
/** A disk that takes longer to write an entry, or to close the file, is away, ms. */
const WRITE_MS = 1_000;
/** Pause until a late answer is asked for again, ms. */
const RETRY_MS = 100;
/** Longest wait of who reads, ms. */
const READ_MS = 5_000;
/** Longest time to write what waits, ms; an answer and the close of the file add {@link WRITE_MS} at most. */
const CLOSE_MS = 2_000;

/** Where the file is. */
export interface SqliteEngineOptions {
  path: string;
  /** Bounds of what waits while the disk does not answer. */
  limits: QueueLimits;
  onNote: (message: string) => void;
  /** Clock, ms since 1970. */
  now: () => number;
}

/** The disk has not answered yet, or another process holds the file. */
class AwayError extends Error {}

/** Streams in a file of SQLite: built into Deno, for one machine. Nothing waits for the disk but who reads. */
export class SqliteEngine implements Engine {
  readonly #thread: SqliteThread;
  readonly #queue: WriteQueue;
  readonly #where: string;
  readonly #now: () => number;
  readonly #onNote: (message: string) => void;
  /** The oldest entry of the queue, on its way. */
  #writing: Promise<string> | undefined;

  private constructor(thread: SqliteThread, { path, limits, onNote, now }: SqliteEngineOptions) {
    this.#thread = thread;
    this.#where = `sqlite:${path}`;
    this.#now = now;
    this.#onNote = onNote;
    this.#queue = new WriteQueue({
      limits,
      write: (entry) => this.#write(entry),
      isAway: (error) => error instanceof AwayError,
      untilBack: (signal) => pause(RETRY_MS, signal),
      onNote: (message) => onNote(`${this.#where}: ${message}`),
    });
  }

  /**
   * Opens or makes the file.
   *
   * @throws {StoreError} If it cannot be opened, or is of a later version or no store.
   */
  static async open(options: SqliteEngineOptions): Promise<SqliteEngine> {
    const thread = new SqliteThread();
    try {
      await thread.ask("open", options.path);
      return new SqliteEngine(thread, options);
    } catch (cause) {
      thread[Symbol.dispose]();
      throw new StoreError(
        `store ${options.path} cannot be opened: ${
          reasonOf(cause)
        }. Check that its folder exists ` +
          "and may be written, and that the file is a store of this version",
        { cause },
      );
    }
  }

  get problem(): string | null {
    return this.#queue.problem;
  }

  append(entry: NewEntry): Promise<string | undefined> {
    return this.#queue.add(entry);
  }

  async newest(key: string, count: number): Promise<StoredEntry[]> {
    return await this.#read(this.#thread.ask("newest", key, count));
  }

  async get(key: string, id: string): Promise<StoredEntry | undefined> {
    return await this.#read(this.#thread.ask("get", key, id));
  }

  async *watch(key: string, signal: AbortSignal): AsyncGenerator<StoredEntry, void, void> {
    let [seen, last]: [string, string | undefined] = ["", undefined];
    while (!signal.aborted) {
      const version = await this.#thread.ask("version");
      const [newest] = version === seen ? [] : await this.#thread.ask("newest", key, 1);
      seen = version;
      if (newest !== undefined && newest.id !== last) {
        last = newest.id;
        yield newest;
      }
      await pause(WATCH_MS, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const lost = await this.#queue.close(CLOSE_MS);
    // A file that is not closed is none the worse: whoever opens it next finds what was written.
    if (lost.length === 0) await soon(this.#thread.ask("close"), WRITE_MS).catch(() => {});
    this.#thread[Symbol.dispose]();
    noteLost(lost, this.#where, this.#onNote);
  }

  /** Writes the oldest entry of the queue; asked again for one whose answer was late, it waits for that. */
  async #write(entry: NewEntry): Promise<string> {
    this.#writing ??= this.#thread.ask("append", entry, this.#now());
    try {
      const id = await soon(this.#writing, WRITE_MS);
      this.#writing = undefined;
      return id;
    } catch (error) {
      if (error instanceof AwayError) throw error; // it is still under way
      this.#writing = undefined;
      // Another process has had the file for longer than SQLite waits.
      if (reasonOf(error).endsWith("database is locked")) throw new AwayError(reasonOf(error));
      throw error;
    }
  }

  async #read<Value>(answer: Promise<Value>): Promise<Value> {
    try {
      return await soon(answer, READ_MS);
    } catch (cause) {
      throw new StoreError(
        `${this.#where} could not be read: ${reasonOf(cause)}. Check the disk that it is on`,
        { cause },
      );
    }
  }
}

/** @throws {AwayError} If it takes longer. */
async function soon<Value>(answer: Promise<Value>, limitMs: number): Promise<Value> {
  if (!await atMost(limitMs, answer)) throw new AwayError(`no answer for ${limitMs / 1000} s`);
  return await answer;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
