import { deepStrictEqual, match, rejects, strictEqual } from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { openStore } from "./open_store.ts";
import type { Store } from "./store.ts";

/** A path for a store, removed with all that SQLite puts beside it. */
class StorePath implements Disposable {
  readonly #folder = Deno.makeTempDirSync({ prefix: "std-daq-sqlite-" });
  readonly path = `${this.#folder}/store.sqlite`;

  open(onNote: (note: string) => void = () => {}): Promise<Store> {
    return openStore(`sqlite:${this.path}`, { onNote });
  }

  /** Holds the file, as a disk does that does not answer. */
  hold(): DatabaseSync {
    const holder = new DatabaseSync(this.path);
    holder.exec("BEGIN IMMEDIATE");
    return holder;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.#folder, { recursive: true });
  }
}

Deno.test("SQLite: a disk that does not answer holds up nobody, and what waits is not written twice", async () => {
  using file = new StorePath();
  const notes: string[] = [];
  const [away, back] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await using store = await file.open((note) => {
    notes.push(note);
    (note.includes("is away") ? away : back).resolve();
  });
  const holder = file.hold();
  const logged = [store.addLog("first"), store.addLog("second")]; // this thread goes on: it lets go
  await away.promise;
  match(notes[0]!, /^sqlite:\/.*: the store is away, entries wait: no answer for 1 s$/);
  strictEqual(store.problem, "no answer for 1 s");
  holder.exec("COMMIT");
  holder.close();
  await Promise.all(logged);
  await back.promise;
  strictEqual(store.problem, null);
  deepStrictEqual((await store.logs(9)).map(({ value }) => value), ["second", "first"]);
});

Deno.test("SQLite: several that use a new file at once all get it", async () => {
  using file = new StorePath();
  // All find it empty, and then wait to be the one that makes the tables.
  const holder = new DatabaseSync(file.path);
  holder.exec("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
  const opening = Promise.all([file.open(), file.open(), file.open()]);
  // Too short a time would only let a defect pass, never fail.
  await new Promise((resolve) => setTimeout(resolve, 300));
  holder.exec("COMMIT");
  holder.close();
  const stores = await opening;
  await Promise.all(stores.map((store, i) => store.addLog(i)));
  strictEqual((await stores[0]!.logs(9)).length, 3);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

Deno.test("SQLite: a store that is closed while the disk does not answer says what could not be stored", async () => {
  using file = new StorePath();
  const notes: string[] = [];
  const store = await file.open((note) => void notes.push(note));
  const holder = file.hold();
  const lost = rejects(store.addLog({ output_file: "/a.h5" }), /closed before the entry was/);
  await store[Symbol.asyncDispose]();
  await lost;
  match(notes.at(-1)!, /^sqlite:\/.*: not stored in daq:log: \{"output_file":"\/a\.h5"\}$/);
  holder.close();
});
