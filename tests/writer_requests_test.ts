/** Requests to write through RabbitMQ: from a client to a file, with a simulated detector. */
import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { BrokerClient, type RequestOutcome, resolveBroker } from "../lib/broker/mod.ts";
import { openStore } from "../lib/store/mod.ts";
import { testContext } from "../services/daq/_test_context.ts";
import { runDaq } from "../services/daq/program.ts";
import {
  DaqRun,
  imageIds,
  jungfrauConfig,
  Pipeline,
  PythonPeer,
  RabbitMq,
  readWithH5py,
  Redis,
  startFileService,
  TcpProxy,
  TestDetector,
  type TestProcess,
  until,
} from "./harness/mod.ts";

const TAG = "test.writer";
const END = { timeoutMs: 60_000 };

let rabbit: RabbitMq;
let redis: Redis;
/** The agent's way to RabbitMQ. */
let proxy: TcpProxy;
/** The agent of this pipeline takes requests through RabbitMQ, and has its store in Redis. */
let pipeline: Pipeline;
let detector: TestDetector;
Deno.test.beforeAll(async () => {
  [rabbit, redis] = await Promise.all([RabbitMq.start(), Redis.start()]);
  proxy = new TcpProxy(rabbit.port);
  const url = rabbit.url.replace(String(rabbit.port), String(proxy.port));
  pipeline = await Pipeline.start(jungfrauConfig(1), {
    args: { writer_agent: ["--broker", url, "--tag", TAG, "--store", redis.url] },
    broker: { address: url },
    store: { address: redis.url },
  });
  detector = new TestDetector(pipeline.config);
});
Deno.test.afterAll(async () => {
  detector[Symbol.dispose]();
  await pipeline[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  await Promise.all([rabbit[Symbol.asyncDispose](), redis[Symbol.asyncDispose]()]);
});

let sent = 0;
/** Sends so many images; tells their ids. */
function send(count: number): number[] {
  const ids = Array.from({ length: count }, (_, i) => sent + 1 + i);
  sent += count;
  detector.send(ids[0]!, sent);
  return ids;
}

/** Waits until so many images of the run are on file. */
async function written(count: number): Promise<void> {
  await pipeline.status(
    `${count} images`,
    ({ acquisition }) => acquisition.stats.n_write_completed === count,
  );
}

function client(): Promise<BrokerClient> {
  return BrokerClient.connect({ broker: resolveBroker({ url: rabbit.url }) });
}

/** The message of a request's end. */
function last({ services }: RequestOutcome): unknown {
  return Object.values(services)[0]?.at(-1)?.message;
}

/** What the agent said of a request: each action once, in the order of their first. */
function actions({ services }: RequestOutcome): string[] {
  return [...new Set(Object.values(services).flat().map(({ action }) => action))];
}

/** Resolves when the agent takes images for a request; without an id, for the next one. */
async function taking(asker: BrokerClient, id?: string): Promise<void> {
  for await (const { requestId, action, message } of asker.statuses()) {
    if (id !== undefined && requestId !== id) continue;
    if (action === "request_progress") return;
    ok(action === "request_start", `${action}: ${JSON.stringify(message)}`);
  }
}

Deno.test("a request becomes a file: daq request, with what became of every image", async () => {
  await using watcher = await client();
  const asking = testContext();
  const path = pipeline.path("daq.h5");
  const request = {
    output_file: path,
    n_images: 5,
    run_id: 7,
    sources: [pipeline.name],
    sample: "x",
  };
  const started = taking(watcher);
  const asked = runDaq([
    ...["request", TAG, JSON.stringify(request), "--wait", "--json"],
    ...["--broker", rabbit.url],
  ], asking);
  await started;
  const before = Date.now() / 1000;
  const ids = send(5);
  strictEqual(await asked, 0, asking.stderr);
  const { services } = JSON.parse(asking.stdout);
  const { accounting, init_timestamp, end_timestamp, ...result } =
    services.writer_agent.at(-1).message;
  deepStrictEqual(result, {
    state: "FINISHED",
    status: "Completed.",
    output_file: path,
    run_id: 7,
    n_images: 5,
    n_write_requested: 5,
    n_write_completed: 5,
    n_lost: 0,
    n_missing: 0,
    n_failed: 0,
    n_not_taken: 0,
  });
  ok(init_timestamp <= before && before <= end_timestamp);
  strictEqual(accounting.images_good, 5);
  strictEqual(accounting.packets_accepted, 5 * 128);
  deepStrictEqual(imageIds(await readWithH5py(path)), ids);
});

Deno.test("file_validator and preview go on with a request's file, and Redis has what they found", async () => {
  const names = { file_validator: "test.validator", preview: "test.preview" };
  const follows = { primary: "writer_agent", tag: TAG, broker: rabbit.url };
  const options = { follows, store: redis.url };
  const start = (service: keyof typeof names): TestProcess =>
    startFileService(service, { ...options, name: names[service], dataRoot: pipeline.dataRoot });
  await using validator = start("file_validator");
  await using preview = start("preview");
  await Promise.all([validator.ready(), preview.ready()]);
  await using asker = await client();
  const path = pipeline.path("checked.h5");
  const id = await asker.send(TAG, { output_file: path, n_images: 4, file_format: "both" });
  await taking(asker, id);
  const ids = send(4);
  const { services } = await asker.wait(id, { services: Object.values(names), ...END });
  const report = services[names.file_validator]?.at(-1)?.message;
  ok(typeof report === "object" && report !== null && "log_id" in report && "image_ids" in report);
  deepStrictEqual(report.image_ids, {
    ...{ first: ids[0], last: ids[3], step: 1, duplicates: 0, repeated: 0, descents: 0 },
    ...{ missing: 0, gaps: [] },
  });
  await using store = await openStore(redis.url);
  // The agent tells what the store has by now.
  const { acquisition } = await pipeline.client.status();
  strictEqual(acquisition.info.output_file, path);
  const types = acquisition.reports.map((entry) => Object(entry).report_type);
  deepStrictEqual(types.toSorted(), ["file_validator", "preview"]);
  const { report: found } = Object(acquisition.reports[types.indexOf("file_validator")]);
  const { readable, n_images, image_id_range, pixels } = found; // of the original, but for pixels
  deepStrictEqual([readable, n_images, image_id_range], [true, 4, [ids[0], ids[3]]]);
  deepStrictEqual([pixels.images_read, pixels.of_images], [4, 4]);
  // The config says nothing of the experiment, and NXmx wants to know.
  match(JSON.stringify(found.problems), /sensor_material is missing \(required\)/);
  const gif = await store.preview(String(report.log_id)) ?? new Uint8Array();
  strictEqual(new TextDecoder().decode(gif.subarray(0, 6)), "GIF89a");
  for (const service of [validator, preview]) strictEqual((await service.stop()).code, 0);
});

Deno.test("a client written with pika asks for a file, as one of the original would", async () => {
  await using watcher = await client();
  await using peer = await PythonPeer.start(rabbit, "client", TAG);
  const path = pipeline.path("pika.h5");
  const started = taking(watcher);
  const id = await peer.request({ output_file: path, n_images: 3, user_id: 0 });
  await started;
  const ids = send(3);
  const statuses = await peer.statuses(id);
  strictEqual(statuses[0]?.action, "request_start");
  strictEqual(statuses.at(-1)?.action, "request_success");
  const { n_write_completed, output_file } = Object(statuses.at(-1)?.message);
  deepStrictEqual({ n_write_completed, output_file }, { n_write_completed: 3, output_file: path });
  deepStrictEqual(imageIds(await readWithH5py(path)), ids);

  const refused = await peer.request({ output_file: "/etc/passwd", n_images: 1 });
  const [, failed] = await peer.statuses(refused);
  strictEqual(failed?.action, "request_fail");
  match(String(failed?.message), /^The request is wrong: output_file: /);
});

Deno.test("a kill closes the file and ends the request as Interrupted.; the next one is served", async () => {
  await using asker = await client();
  const path = pipeline.path("killed.h5");
  const id = await asker.send(TAG, { output_file: path, n_images: 1000 });
  await taking(asker, id);
  const ids = send(4);
  await written(4);
  await asker.kill(TAG, id);
  const outcome = await asker.wait(id, END);
  deepStrictEqual([outcome.status, last(outcome)], ["request_fail", "Interrupted."]);
  deepStrictEqual(actions(outcome), ["request_start", "request_progress", "request_fail"]);
  deepStrictEqual(imageIds(await readWithH5py(path)), ids);
  strictEqual((await pipeline.client.status()).state, "READY");

  const next = await asker.send(TAG, { output_file: pipeline.path("next.h5"), n_images: 1 });
  await taking(asker, next);
  send(1);
  strictEqual((await asker.wait(next, END)).status, "request_success");
});

Deno.test("one REST and several broker requests race for one writer: exactly one wins", async () => {
  await using asker = await client();
  for (let round = 0; round < 5; round++) {
    const [ours, theirs] = ["rest", "broker"].map((by) => pipeline.path(`${by}_${round}.h5`));
    const id = crypto.randomUUID();
    const said = asker.statuses();
    const [rest] = await Promise.allSettled([
      pipeline.client.writeAsync({ output_file: ours!, n_images: 1 }),
      asker.send(TAG, { output_file: theirs!, n_images: 1 }, { requestId: id }),
    ]);
    // The broker's answer: images are taken, or the writer is not free.
    let answer = "";
    for await (const { requestId, action, message } of said) {
      if (requestId !== id || action === "request_start") continue;
      answer = action;
      if (action === "request_fail") match(String(message), /acquisition.*(running|runs)|busy/i);
      break;
    }
    const [restWon, brokerWon] = [rest.status === "fulfilled", answer === "request_progress"];
    ok(restWon !== brokerWon, `round ${round}: REST ${rest.status}, broker ${answer}`);
    send(1);
    const { acquisition } = await pipeline.finished();
    strictEqual(acquisition.info.output_file, restWon ? ours : theirs);
    await rejects(Deno.stat(restWon ? theirs! : ours!), Deno.errors.NotFound);
  }
});

Deno.test("a range of pulse ids: what comes before and after it is not in the file", async () => {
  await using asker = await client();
  const path = pipeline.path("range.h5");
  const id = await asker.send(TAG, {
    output_file: path,
    start_pulse_id: sent + 3,
    stop_pulse_id: sent + 5,
    channels: [],
    metadata: { proposal: "p1" },
  });
  await taking(asker, id);
  const ids = send(7);
  const outcome = await asker.wait(id, END);
  strictEqual(outcome.status, "request_success", String(last(outcome)));
  deepStrictEqual(imageIds(await readWithH5py(path)), ids.slice(2, 5));

  // All of it is in the ring by now.
  const again = pipeline.path("range_again.h5");
  const past = await asker.request(TAG, {
    output_file: again,
    start_pulse_id: ids[1],
    stop_pulse_id: ids[6],
  }, END);
  strictEqual(past.status, "request_success", String(last(past)));
  deepStrictEqual(imageIds(await readWithH5py(again)), ids.slice(1));
});

Deno.test("requests that are not for this agent fail with what to do", async () => {
  await using asker = await client();
  const output_file = pipeline.path("never.h5");
  const cases: [unknown, RegExp][] = [
    [{ n_images: 1 }, /output_file/],
    [{ output_file }, /n_images: expected the number of images/],
    [{ output_file, n_images: "many" }, /n_images/],
    [{ output_file, n_images: 1, start_pulse_id: 5, start_image_id: 6 }, /5 contradicts start_im/],
    [{ output_file, n_images: 1, sources: ["PCO"] }, /images of E2E\w*, and not of PCO|not of PCO/],
    [{ output_file, n_images: 1, user_id: 1234 }, /not as 1234\. Leave it out/],
    [{ output_file: "/tmp/never.h5", n_images: 1 }, /output_file|folder/],
  ];
  for (const [request, reason] of cases) {
    const outcome = await asker.request(TAG, request, END);
    strictEqual(outcome.status, "request_fail");
    match(String(last(outcome)), reason);
  }
  await rejects(Deno.stat(output_file), Deno.errors.NotFound);
});

Deno.test("with its store in Redis, a request's acquisition is in the log, also when Redis was away", async () => {
  await using asker = await client();
  const run = async (name: string): Promise<void> => {
    const id = await asker.send(TAG, { output_file: pipeline.path(name), n_images: 1 });
    await taking(asker, id);
    send(1);
    strictEqual((await asker.wait(id, END)).status, "request_success");
  };
  await redis.halt();
  await run("away.h5");
  await redis.resume();
  await run("back.h5");
  await using store = await openStore(redis.url);
  const logs = await until("both runs in the log", async () => {
    const found = await store.logs(9);
    return found.length === 2 && found;
  });
  deepStrictEqual(
    logs.map(({ value }) => Object(value).info.output_file),
    [pipeline.path("back.h5"), pipeline.path("away.h5")],
  );
});

Deno.test("a run that fails: its counts are told before the reason", async () => {
  await using asker = await client();
  const id = await asker.send(TAG, { output_file: pipeline.path("f.h5"), n_images: 100 });
  await taking(asker, id);
  send(2);
  await written(2);
  await pipeline.kill("std_h5_writer");
  send(1);
  const outcome = await asker.wait(id, END);
  strictEqual(outcome.status, "request_fail");
  match(String(last(outcome)), /^ERROR: /);
  const [report] = Object.values(outcome.services)[0]!.slice(-2);
  strictEqual(report?.action, "request_progress");
  const { n_write_completed, n_failed, n_not_taken, end_timestamp } = Object(report?.message);
  // What was not published yet is gone with the writer, perhaps.
  ok(n_write_completed + n_failed >= 2);
  strictEqual(n_write_completed + n_failed + n_not_taken, 100);
  ok(end_timestamp > 0);
  await pipeline.start("std_h5_writer");
  await pipeline.status("the writer is back", ({ state }) => state === "READY");
});

Deno.test("the agent is stopped in mid-request: the file is closed, the request fails", async () => {
  await using asker = await client();
  const path = pipeline.path("stopped.h5");
  const id = await asker.send(TAG, { output_file: path, n_images: 100 });
  await taking(asker, id);
  const ids = send(2);
  await written(2);
  await pipeline.stop("writer_agent");
  const outcome = await asker.wait(id, END);
  strictEqual(last(outcome), "Interrupted. The service was stopped.");
  deepStrictEqual(imageIds(await readWithH5py(path)), ids);
});

Deno.test("an agent that starts while RabbitMQ is away takes requests when it is back", async () => {
  proxy.cut();
  const agent = await pipeline.start("writer_agent");
  const path = pipeline.path("without.h5");
  await pipeline.client.writeAsync({ output_file: path, n_images: 1 });
  const ids = send(1);
  await pipeline.finished();
  deepStrictEqual(imageIds(await readWithH5py(path)), ids);
  const said = (start: string): Promise<unknown> =>
    until(start, () => agent.log.some(({ message }) => message.startsWith(start)));
  await said("no requests are taken yet: amqp://");
  proxy.mend();
  await said("requests are taken from now on");
  await using asker = await client();
  const id = await asker.send(TAG, { output_file: pipeline.path("back_again.h5"), n_images: 1 });
  await taking(asker, id);
  send(1);
  strictEqual((await asker.wait(id, END)).status, "request_success");
});

Deno.test("daq run --broker gives the agent its broker, and no command line shows the password", async () => {
  const tag = "test.daq_run";
  const { daq } = await DaqRun.start(jungfrauConfig(1), {
    args: ["--broker", rabbit.url, "--tag", tag],
  });
  await using _running = daq;
  await using asker = await client();
  const path = daq.path("run.h5");
  const id = await asker.send(tag, { output_file: path, n_images: 2 });
  await taking(asker, id);
  const sent = await daq.command("simulate", daq.configPath, "--images", "2");
  strictEqual(sent.code, 0, sent.err);
  strictEqual((await asker.wait(id, END)).status, "request_success");
  deepStrictEqual(imageIds(await readWithH5py(path)), [1, 2]);
  const agent = daq.services().writer_agent;
  ok(!Deno.readTextFileSync(`/proc/${agent}/cmdline`).includes(rabbit.password));
});
