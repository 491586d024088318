import { DatabaseSync, type SQLOutputValue, type StatementSync } from "node:sqlite";
import type { Fields, NewEntry, StoredEntry } from "./_engine.ts";

const SCHEMA_VERSION = 1;
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
/** A stream is looked at for entries too many once it may have grown by this part of its length. */
const TRIM_PARTS = 100;

/** Streams in a file of SQLite. Everything blocks the calling thread until the disk has done it. */
export class SqliteFile implements Disposable {
  readonly #database: DatabaseSync;
  readonly #select: StatementSync;
  readonly #selectOne: StatementSync;
  /** Entries that were added here, by stream; of those that are not trimmed each time. */
  readonly #added = new Map<string, number>();
  /** Counts what was written here; SQLite itself counts what others have. */
  #writes = 0;

  /**
   * Opens or makes the file.
   *
   * @throws If it cannot be opened, or is of a later version or no store.
   */
  constructor(path: string) {
    this.#database = openDatabase(path);
    const columns = "SELECT ms, seq, fields, bytes, bytes_field FROM entries WHERE key = ?";
    this.#select = this.#database.prepare(`${columns} ORDER BY ms DESC, seq DESC LIMIT ?`);
    this.#selectOne = this.#database.prepare(`${columns} AND ms = ? AND seq = ?`);
  }

  /**
   * Adds an entry. One that may be dropped is not waited for until it is on the disk.
   *
   * @param now ms since 1970.
   * @returns Its id.
   */
  append(entry: NewEntry, now: number): string {
    const synchronous = entry.worth === undefined ? "FULL" : "NORMAL";
    this.#database.exec(`PRAGMA synchronous = ${synchronous}`);
    const id = transact(this.#database, "IMMEDIATE", () => {
      const { ms, seq } = this.#nextId(entry.key, now);
      const { texts, bytes, bytesField } = split(entry.fields);
      this.#run(
        "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?)",
        ...[entry.key, ms, seq, JSON.stringify(texts), bytes, bytesField],
      );
      this.#trim(entry, now);
      return `${ms}-${seq}`;
    });
    this.#writes++;
    return id;
  }

  /** Entries of a stream, the newest first. */
  newest(key: string, count: number): StoredEntry[] {
    return this.#select.all(key, count).map(toEntry);
  }

  /** One entry. */
  get(key: string, id: string): StoredEntry | undefined {
    const [ms = 0, seq = 0] = id.split("-").map(Number);
    const row = this.#selectOne.get(key, ms, seq);
    return row && toEntry(row);
  }

  /** Another one whenever something may have changed; asking costs next to nothing. */
  version(): string {
    const others = this.#database.prepare("PRAGMA data_version").get()?.data_version;
    return `${others} ${this.#writes}`;
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #run(sql: string, ...values: (string | number | Uint8Array | null)[]): void {
    this.#database.prepare(sql).run(...values);
  }

  #trim({ key, maxLength, notBefore, idleMs }: NewEntry, now: number): void {
    if (notBefore !== undefined) {
      this.#run("DELETE FROM entries WHERE key = ? AND ms < ?", key, notBefore);
    }
    if (this.#mayBeTooLong(key, maxLength)) {
      this.#run(
        "DELETE FROM entries WHERE key = ?1 AND (ms, seq) <= (SELECT ms, seq FROM entries " +
          "WHERE key = ?1 ORDER BY ms DESC, seq DESC LIMIT 1 OFFSET ?2)",
        ...[key, maxLength],
      );
    }
    if (idleMs === undefined) return;
    this.#run("INSERT OR REPLACE INTO streams VALUES (?, ?)", key, now + idleMs);
    const idle = "SELECT key FROM streams WHERE expires < ?";
    this.#run(`DELETE FROM entries WHERE key IN (${idle})`, now);
    this.#run("DELETE FROM streams WHERE expires < ?", now);
  }

  /** To find the entries too many, all others are walked through: tens of ms for those of a day. */
  #mayBeTooLong(key: string, maxLength: number): boolean {
    const every = Math.ceil(maxLength / TRIM_PARTS);
    if (every <= 1) return true;
    const added = this.#added.get(key) ?? 0;
    this.#added.set(key, added + 1);
    return added % every === 0;
  }

  /** After the last one, even when the clock was set back. */
  #nextId(key: string, now: number): { ms: number; seq: number } {
    const last = this.#select.get(key, 1);
    const ms = Math.floor(now);
    if (last === undefined || Number(last.ms) < ms) return { ms, seq: 0 };
    return { ms: Number(last.ms), seq: Number(last.seq) + 1 };
  }
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    // Several processes may have it open: readers do not wait, writers wait for one another.
    database.exec("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL");
    if (versionOf(database) === 0) makeTables(database);
    const version = versionOf(database);
    if (version === SCHEMA_VERSION) return database;
    throw new Error(`it has version ${version}, expected ${SCHEMA_VERSION}`);
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Makes the tables, unless another process has done so in the meantime. */
function makeTables(database: DatabaseSync): void {
  transact(database, "EXCLUSIVE", () => {
    if (versionOf(database) === 0) database.exec(SCHEMA);
  });
}

function transact<Value>(
  database: DatabaseSync,
  kind: "IMMEDIATE" | "EXCLUSIVE",
  work: () => Value,
): Value {
  database.exec(`BEGIN ${kind}`);
  try {
    const value = work();
    database.exec("COMMIT");
    return value;
  } catch (error) {
    // A full disk has ended it already: the error is to say that, and not that there is none to end.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()?.user_version);
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
