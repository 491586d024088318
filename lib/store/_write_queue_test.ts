import assert from "node:assert/strict";
import type { NewEntry } from "./_engine.ts";
import { WriteQueue } from "./_write_queue.ts";

class AwayError extends Error {}

/** A store that is away when a test says so. */
class FakeStore {
  away = false;
  /** Loses the answer to the next write. */
  loseAnswer = false;
  readonly written: string[] = [];
  readonly notes: string[] = [];
  readonly again: boolean[] = [];
  #back: (() => void) | undefined;

  queue(maxEntries: number, maxBytes = 1e6): WriteQueue {
    return new WriteQueue({
      limits: { maxEntries, maxBytes },
      write: async ({ key }, again) => {
        await Promise.resolve();
        if (this.away) throw new AwayError("no answer");
        this.again.push(again);
        if (key === "bad") throw new Error("wrong type");
        this.written.push(key);
        if (!this.loseAnswer) return `${this.written.length}-0`;
        this.loseAnswer = false;
        throw new AwayError("cut off");
      },
      isAway: (error) => error instanceof AwayError,
      untilBack: (signal) => {
        const { promise, resolve } = Promise.withResolvers<void>();
        signal.addEventListener("abort", () => resolve());
        if (!this.away) resolve();
        this.#back = resolve;
        return promise;
      },
      onNote: (message) => void this.notes.push(message),
    });
  }

  return(): void {
    this.away = false;
    this.#back?.();
  }
}

function entry(key: string, worth?: number): NewEntry {
  const fields = { json: "0123456789" };
  return { key, fields, worth, maxLength: 1, notBefore: undefined, idleMs: undefined };
}

/** Lets the queue find out that the store is away. */
const aTurn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

Deno.test("entries are written in order, and a refused one does not keep the others", async () => {
  const store = new FakeStore();
  const queue = store.queue(10);
  const [a, bad, b] = [queue.add(entry("a")), queue.add(entry("bad")), queue.add(entry("b"))];
  await assert.rejects(bad, /wrong type/);
  assert.deepEqual([await a, await b], ["1-0", "2-0"]);
  assert.deepEqual(store.notes, []);
});

Deno.test("while the store is away entries wait, and the least worth are dropped first", async () => {
  const store = new FakeStore();
  const queue = store.queue(4);
  store.away = true;
  const first = queue.add(entry("log 0"));
  await aTurn();
  const worth = { stat: 0, report: 3 };
  const kept = ["report 1", "stat 1", "stat 2"].map((key) =>
    queue.add(entry(key, key.startsWith("stat") ? worth.stat : worth.report))
  );
  const logs = ["log 1", "log 2"].map((key) => queue.add(entry(key)));
  assert.deepEqual([await kept[1], await kept[2]], [undefined, undefined]); // the stats
  logs.push(queue.add(entry("log 3")));
  assert.equal(await kept[0], undefined);
  logs.push(queue.add(entry("log 4"))); // beyond the bound: logs are never dropped
  assert.equal(queue.length, 5);
  store.return();
  await Promise.all([first, ...logs]);
  assert.deepEqual(store.written, ["log 0", "log 1", "log 2", "log 3", "log 4"]);
  assert.deepEqual(store.notes, [
    "the store is away, entries wait: no answer",
    "5 entries wait that must not be dropped, more than the store's buffer is meant for: bring " +
    "the store back",
    "the store is back: 5 entries were written late, 3 dropped",
  ]);
});

Deno.test("the bound on bytes holds as well", async () => {
  const store = new FakeStore();
  const queue = store.queue(1000, 50);
  store.away = true;
  queue.add(entry("log"));
  await aTurn();
  const stats = ["a", "b", "c", "d"].map((key) => queue.add(entry(key, 0)));
  assert.equal(await stats[0], undefined);
  assert.equal(queue.length, 4);
  store.return();
  await stats[3];
  assert.deepEqual(store.written, ["log", "b", "c", "d"]);
});

Deno.test("a write whose answer was lost is said to be another attempt", async () => {
  const store = new FakeStore();
  const queue = store.queue(10);
  store.loseAnswer = true;
  await queue.add(entry("a"));
  await queue.add(entry("b"));
  assert.deepEqual(store.again, [false, true, false]);
});

Deno.test("close() gives back what could not be written", async () => {
  const store = new FakeStore();
  const queue = store.queue(10);
  store.away = true;
  const waiting = [queue.add(entry("a")), queue.add(entry("b"))];
  const lost = await queue.close(1);
  assert.deepEqual(lost.map(({ key }) => key), ["a", "b"]);
  assert.deepEqual(await Promise.all(waiting), [undefined, undefined]);
});

Deno.test("a queue is closed in time though the store takes an entry and does not answer", async () => {
  const answer = Promise.withResolvers<string>();
  const notes: string[] = [];
  const queue = new WriteQueue({
    limits: { maxEntries: 9, maxBytes: 1e6 },
    write: () => answer.promise,
    isAway: () => true,
    untilBack: () => Promise.resolve(),
    onNote: (note) => void notes.push(note),
  });
  const added = [queue.add(entry("log 0")), queue.add(entry("log 1"))];
  assert.deepEqual((await queue.close(10)).map(({ key }) => key), ["log 0", "log 1"]);
  assert.deepEqual(await Promise.all(added), [undefined, undefined]);
  answer.reject(new Error("no answer")); // too late
  await aTurn();
  assert.equal(queue.length, 0);
  assert.deepEqual(notes, ["the store is away, entries wait: no answer"]);
});
