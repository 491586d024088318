import assert from "node:assert/strict";
import { INITIAL_STATE, statusOf, type WriterStatus } from "../../lib/acquisition/mod.ts";
import { openStore } from "../../lib/store/mod.ts";
import { until } from "./_fakes.ts";
import { LONGEST_JSON, Recorder } from "./recorder.ts";

const RATE = { images_per_second: 5, bytes_per_second: 40 };

function statusAt(stopTime: number | null, message: string): WriterStatus {
  const { state, acquisition } = statusOf(INITIAL_STATE);
  const { info, stats, ids } = acquisition;
  return {
    state,
    acquisition: {
      state: stopTime === null ? "ACQUIRING_IMAGES" : "FINISHED",
      message,
      info: { ...info, outputFile: "/data/a.h5", runId: 2n ** 60n + 1n },
      stats: { ...stats, startTime: 1, stopTime },
      ids,
    },
  };
}

Deno.test("Recorder logs each acquisition once, when it has ended", async () => {
  await using store = await openStore("sqlite::memory:");
  const errors: unknown[] = [];
  let status = statusOf(INITIAL_STATE);
  const added: Promise<unknown>[] = [];
  const track = <Value>(adding: Promise<Value>): Promise<Value> => {
    added.push(adding);
    return adding;
  };
  using recorder = new Recorder({
    store: {
      addLog: (acquisition) => track(store.addLog(acquisition)),
      addStatus: (value) => track(store.addStatus(value)),
      addStats: (stats) => track(store.addStats(stats)),
      reports: (logId) => store.reports(logId),
      problem: null,
    },
    status: () => status,
    rates: () => ({ detector: RATE, writer: RATE }),
    onError: (error) => void errors.push(error),
    onUnlogged: (error) => void errors.push(error),
  });
  for (
    const next of [
      statusAt(null, ""),
      statusAt(2, "Completed."),
      statusAt(2, "Completed."),
      statusAt(null, ""),
      statusAt(3, "Interrupted."),
    ]
  ) recorder.changed(status = next);
  await Promise.all(added);
  const logs = await store.logs(10);
  assert.deepEqual(logs.map(({ value }) => Object(value).message), ["Interrupted.", "Completed."]);
  assert.deepEqual(Object(logs[1]?.value).info, {
    n_images: 0,
    output_file: "/data/a.h5",
    run_id: 2n ** 60n + 1n,
  });
  recorder.sample();
  await Promise.all(added);
  assert.deepEqual((await store.stats(1))[0]?.value, {
    detector: RATE,
    writer: { ...RATE, writes_per_second: 5 },
  });
  assert.equal(Object((await store.statuses(1))[0]?.value).state, "READY");
  assert.deepEqual(errors, []);
});

Deno.test("Recorder.reportsOn() has what others said of that run, what was known when the store is gone", async () => {
  const errors: unknown[] = [];
  const ends: WriterStatus[] = [statusAt(2, "Completed."), statusAt(3, "Interrupted.")];
  const store = await openStore("sqlite::memory:");
  using recorder = new Recorder({
    store,
    status: () => statusOf(INITIAL_STATE),
    rates: () => ({ detector: RATE, writer: RATE }),
    onError: (error) => void errors.push(error),
    onUnlogged: (error) => void errors.push(error),
  });
  const [first, second] = ends.map(({ acquisition }) => acquisition);
  try {
    assert.deepEqual(await recorder.reportsOn(first!), [], "it has not ended yet");
    for (const status of ends) recorder.changed(status);
    await until("both in the log", async () => (await store.logs(2)).length === 2);
    const logId = (await store.logs(2))[1]!.id;
    await store.addReport(logId, { report_type: "a" });
    await store.addReport(logId, { report_type: "b" });
    const both = [{ report_type: "a" }, { report_type: "b" }];
    assert.deepEqual(await recorder.reportsOn(first!), both);
    assert.deepEqual(await recorder.reportsOn(second!), []);
  } finally {
    await store[Symbol.asyncDispose]();
  }
  assert.deepEqual(errors, []);
  assert.equal((await recorder.reportsOn(first!)).length, 2);
});

Deno.test("Recorder tells what the store refuses, of an acquisition all of it within reason", async () => {
  const refused = Promise.withResolvers<unknown>();
  const unlogged = Promise.withResolvers<[error: unknown, json: string]>();
  const refusal = new Error("read-only");
  const refuse = (): Promise<never> => Promise.reject(refusal);
  const status = statusAt(2, "Completed.");
  using recorder = new Recorder({
    store: {
      ...{ addLog: refuse, addStats: () => Promise.resolve(true), addStatus: refuse },
      ...{ reports: refuse, problem: null },
    },
    status: () => statusOf(INITIAL_STATE),
    rates: () => ({ detector: RATE, writer: RATE }),
    onError: refused.resolve,
    onUnlogged: (...args) => unlogged.resolve(args),
  });
  recorder.sample();
  assert.equal(await refused.promise, refusal);
  const ids = { ...status.acquisition.ids, lost: "1, ".repeat(LONGEST_JSON) };
  recorder.changed({ ...status, acquisition: { ...status.acquisition, ids } });
  const [error, json] = await unlogged.promise;
  assert.equal(error, refusal);
  assert.match(
    json,
    /^\{.*"message":"Completed\.".*"output_file":"\/data\/a\.h5".*"run_id":1152921504606846977/,
  );
  assert.equal(json.length, LONGEST_JSON);
});
