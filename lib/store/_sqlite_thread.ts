import type { SqliteFile } from "./_sqlite_file.ts";
import { StoreError } from "./store_error.ts";

/** What the thread can be asked for. */
export interface SqliteCalls extends Pick<SqliteFile, "append" | "newest" | "get" | "version"> {
  /** To be called first. */
  open(path: string): void;
  close(): void;
}

/** This thread → the Worker. */
export interface SqliteRequest {
  readonly id: number;
  readonly name: keyof SqliteCalls;
  readonly args: readonly unknown[];
}

/** The Worker → this thread. */
export type SqliteAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string };

/** A file of SQLite in a thread of its own: a disk that does not answer holds up nothing else. */
export class SqliteThread implements Disposable {
  readonly #worker: Worker;
  readonly #asked = new Map<number, PromiseWithResolvers<unknown>>();
  #lastId = 0;
  #over: StoreError | undefined;

  /** Starts the thread, which inherits the permissions; `read` of its modules among them. */
  constructor() {
    this.#worker = new Worker(new URL("./_sqlite_worker.ts", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }: MessageEvent<SqliteAnswer>): void => {
      const asked = this.#asked.get(data.id);
      this.#asked.delete(data.id);
      if ("error" in data) asked?.reject(new StoreError(`SQLite: ${data.error}`));
      else asked?.resolve(data.value);
    };
    this.#worker.onerror = (event): void => {
      event.preventDefault();
      this.#end(new StoreError(`the thread of the store has died: ${event.message}`));
    };
  }

  /**
   * Asks for a call, done after those before it.
   *
   * @throws {StoreError} If SQLite refuses, or the thread is over.
   */
  async ask<Name extends keyof SqliteCalls>(
    name: Name,
    ...args: Parameters<SqliteCalls[Name]>
  ): Promise<ReturnType<SqliteCalls[Name]>> {
    if (this.#over !== undefined) throw this.#over;
    const asked = Promise.withResolvers<unknown>();
    const id = ++this.#lastId;
    this.#asked.set(id, asked);
    const request: SqliteRequest = { id, name, args };
    this.#worker.postMessage(request);
    return await asked.promise as ReturnType<SqliteCalls[Name]>; // the Worker calls what has this name
  }

  /** Ends the thread, whatever it is doing; calls that were not answered fail. */
  [Symbol.dispose](): void {
    this.#end(new StoreError("the store is closed"));
  }

  #end(error: StoreError): void {
    this.#over ??= error;
    this.#worker.terminate();
    for (const asked of this.#asked.values()) asked.reject(this.#over);
    this.#asked.clear();
  }
}
