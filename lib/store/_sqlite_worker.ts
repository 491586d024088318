/**
 * The thread of a file of SQLite: does one call after the other, as `_sqlite_thread.ts` asks for them.
 *
 * @module
 */
import { SqliteFile } from "./_sqlite_file.ts";
import type { SqliteAnswer, SqliteCalls, SqliteRequest } from "./_sqlite_thread.ts";

/** The scope of a dedicated Worker, which Deno's window types do not have. */
interface WorkerScope {
  postMessage(message: SqliteAnswer): void;
  onmessage: ((event: MessageEvent<SqliteRequest>) => void) | null;
}

const scope = globalThis as unknown as WorkerScope; // this module only runs in a Worker
let opened: SqliteFile | undefined;
const calls: SqliteCalls = {
  open: (path) => void (opened = new SqliteFile(path)),
  append: (entry, now) => file().append(entry, now),
  newest: (key, count) => file().newest(key, count),
  get: (key, id) => file().get(key, id),
  version: () => file().version(),
  close: () => file()[Symbol.dispose](),
};

scope.onmessage = ({ data: { id, name, args } }): void => {
  try {
    const call = calls[name] as (...args: readonly unknown[]) => unknown; // `ask` has checked them
    scope.postMessage({ id, value: call(...args) });
  } catch (error) {
    scope.postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
};

function file(): SqliteFile {
  if (opened === undefined) throw new Error("the file is not open");
  return opened;
}
