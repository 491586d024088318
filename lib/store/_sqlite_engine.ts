import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { pause } from "../os/pause.ts";
import type { Engine, Fields, NewEntry, StoredEntry } from "./_engine.ts";
import { StoreError } from "./store_error.ts";

const SCHEMA_VERSION = 1;
/** How soon an entry of another process is noticed, ms. */
const WATCH_MS = 100;
const SCHEMA = `
  CREATE TABLE entries (
    key TEXT NOT NULL, ms INTEGER NOT NULL, seq INTEGER NOT NULL,
    fields TEXT NOT NULL,  -- JSON: texts by field
    bytes BLOB,            -- the one field that is no text, named by ...
    bytes_field TEXT,
    PRIMARY KEY (key, ms, seq)
  ) WITHOUT ROWID;
  CREATE TABLE streams (key TEXT PRIMARY KEY, expires INTEGER) WITHOUT ROWID;
  CREATE INDEX streams_expires ON streams (expires) WHERE expires IS NOT NULL;
  PRAGMA user_version = ${SCHEMA_VERSION};
`;

/** Streams in a file of SQLite: built into Deno, for one machine. */
export class SqliteEngine implements Engine {
  readonly #database: DatabaseSync;
  readonly #now: () => number;
  readonly #select: StatementSync;
  readonly #selectOne: StatementSync;
  /** A file that was opened is there. */
  readonly problem = null;
  /** Counts what this process has written; SQLite itself counts what others have. */
  #writes = 0;

  /**
   * Opens or makes the file.
   *
   * @throws {StoreError} If it cannot be opened, or is of a later version or no store.
   */
  constructor(path: string, now: () => number) {
    this.#now = now;
    this.#database = openDatabase(path);
    const columns = "SELECT ms, seq, fields, bytes, bytes_field FROM entries WHERE key = ?";
    this.#select = this.#database.prepare(`${columns} ORDER BY ms DESC, seq DESC LIMIT ?`);
    this.#selectOne = this.#database.prepare(`${columns} AND ms = ? AND seq = ?`);
  }

  append(entry: NewEntry): Promise<string> {
    return attempt(() => {
      const run = (sql: string, ...values: (string | number | Uint8Array | null)[]): void =>
        void this.#database.prepare(sql).run(...values);
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const id = this.#nextId(entry.key);
        const { texts, bytes, bytesField } = split(entry.fields);
        run(
          "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
          ...[entry.key, id.ms, id.seq, JSON.stringify(texts), bytes, bytesField],
        );
        this.#trim(entry, run);
        this.#database.exec("COMMIT");
        this.#writes++;
        return `${id.ms}-${id.seq}`;
      } catch (error) {
        this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  newest(key: string, count: number): Promise<StoredEntry[]> {
    return attempt(() => this.#select.all(key, count).map(toEntry));
  }

  get(key: string, id: string): Promise<StoredEntry | undefined> {
    return attempt(() => {
      const [ms = 0, seq = 0] = id.split("-").map(Number);
      const row = this.#selectOne.get(key, ms, seq);
      return row && toEntry(row);
    });
  }

  async *watch(key: string, signal: AbortSignal): AsyncGenerator<StoredEntry, void, void> {
    let [seen, last]: [string, string | undefined] = ["", undefined];
    while (!signal.aborted) {
      const version = await attempt(() => this.#version());
      const [newest] = version === seen ? [] : await this.newest(key, 1);
      seen = version;
      if (newest !== undefined && newest.id !== last) {
        last = newest.id;
        yield newest;
      }
      await pause(WATCH_MS, signal);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return attempt(() => this.#database.close());
  }

  /** Another one whenever something may have changed; asking costs next to nothing. */
  #version(): string {
    const others = this.#database.prepare("PRAGMA data_version").get()?.data_version;
    return `${others} ${this.#writes}`;
  }

  #trim(
    { key, maxLength, notBefore, idleMs }: NewEntry,
    run: (sql: string, ...values: (string | number)[]) => void,
  ): void {
    if (notBefore !== undefined) {
      run("DELETE FROM entries WHERE key = ? AND ms < ?", key, notBefore);
    }
    run(
      "DELETE FROM entries WHERE key = ?1 AND (ms, seq) <= (SELECT ms, seq FROM entries " +
        "WHERE key = ?1 ORDER BY ms DESC, seq DESC LIMIT 1 OFFSET ?2)",
      ...[key, maxLength],
    );
    if (idleMs === undefined) return;
    run("INSERT OR REPLACE INTO streams VALUES (?, ?)", key, this.#now() + idleMs);
    const idle = "SELECT key FROM streams WHERE expires < ?";
    run(`DELETE FROM entries WHERE key IN (${idle})`, this.#now());
    run("DELETE FROM streams WHERE expires < ?", this.#now());
  }

  /** After the last one, even when the clock was set back. */
  #nextId(key: string): { ms: number; seq: number } {
    const last = this.#select.get(key, 1);
    const ms = Math.floor(this.#now());
    if (last === undefined || Number(last.ms) < ms) return { ms, seq: 0 };
    return { ms: Number(last.ms), seq: Number(last.seq) + 1 };
  }
}

function openDatabase(path: string): DatabaseSync {
  try {
    const database = new DatabaseSync(path);
    // Several processes may have it open: readers do not wait, writers wait for one another.
    database.exec(
      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000",
    );
    const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
    if (version === 0) database.exec(`BEGIN EXCLUSIVE; ${SCHEMA} COMMIT`);
    else if (version !== SCHEMA_VERSION) {
      database.close();
      throw new Error(`it has version ${version}, expected ${SCHEMA_VERSION}`);
    }
    return database;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new StoreError(
      `store ${path} cannot be opened: ${reason}. Check that its folder exists and may be written, ` +
        "and that the file is a store of this version",
      { cause },
    );
  }
}

async function attempt<T>(work: () => T): Promise<T> {
  try {
    return await Promise.resolve(work());
  } catch (cause) {
    throw new StoreError(`SQLite: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function split(
  fields: Fields,
): { texts: Record<string, string>; bytes: Uint8Array | null; bytesField: string | null } {
  const texts: Record<string, string> = {};
  let [bytes, bytesField]: [Uint8Array | null, string | null] = [null, null];
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === "string") texts[name] = value;
    else [bytes, bytesField] = [value, name];
  }
  return { texts, bytes, bytesField };
}

function toEntry(row: Record<string, SQLOutputValue>): StoredEntry {
  const { ms, seq, fields, bytes, bytes_field } = row;
  const stored: Record<string, string | Uint8Array> = JSON.parse(String(fields));
  if (bytes instanceof Uint8Array) stored[String(bytes_field)] = bytes;
  return { id: `${ms}-${seq}`, fields: stored };
}
