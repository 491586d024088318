import assert from "node:assert/strict";
import type { RunGate } from "../../lib/acquisition/run_locks.ts";
import { FakeImages, FakeWriter, until, WELL } from "./_fakes.ts";
import { brokerRequests, brokerWriteRequestSchema } from "./broker_requests.ts";
import { AcquisitionController } from "./controller.ts";
import { type Clock, SYSTEM_CLOCK } from "./ports.ts";

const FOLDER = { isDirectory: true, isSymlink: false };

/** An agent without processes around it; its reports come when the test says so. */
class World implements Disposable {
  readonly writer = new FakeWriter();
  readonly images = new FakeImages();
  readonly controller: AcquisitionController;
  readonly kill = new AbortController();
  readonly told: unknown[] = [];
  accounting: Record<string, bigint> = { packets_accepted: 10n };
  tick: (() => void) | undefined;

  constructor(gate?: RunGate) {
    const { writer, images } = this;
    this.controller = new AcquisitionController({ writer, images, ...(gate && { gate }) });
  }

  request(members: Record<string, unknown>): Promise<unknown> {
    const clock: Clock = {
      now: () => SYSTEM_CLOCK.now(),
      after: (_ms, callback) => {
        this.tick = callback;
        return () => this.tick = undefined;
      },
    };
    const { onRequest } = brokerRequests({
      controller: this.controller,
      detector: "JF1",
      rules: {
        dataRoots: ["/data"],
        look: (path) => path === "/data" ? FOLDER : undefined,
        writerUserId: 1001,
        allowedUserIds: [1002],
      },
      readAccounting: () => ({ ...this.accounting }),
      clock,
    });
    const request = brokerWriteRequestSchema.parse({ output_file: "/data/a.h5", ...members });
    const tools = {
      signal: this.kill.signal,
      progress: (message: unknown): void => void this.told.push(message),
    };
    return Promise.resolve(onRequest("id", request, tools));
  }

  [Symbol.dispose](): void {
    this.controller.close();
  }
}

Deno.test("a request tells how far it is, and at its end what became of packets meanwhile", async () => {
  using world = new World();
  const done = world.request({ n_images: 2, run_id: 5, user_id: 1001, sources: "JF1" });
  await until("images are taken", () => world.told.length === 1);
  world.images.publish();
  await until("an image on file", () => world.controller.totals.images === 1n);
  world.tick?.();
  const counts = (told: unknown): unknown => Object(told).n_write_completed;
  assert.deepEqual(world.told.map(counts), [0, 1]);
  world.accounting = { packets_accepted: 266n, images_good: 2n };
  world.images.publish();
  const result = Object(await done);
  assert.equal(result.status, "Completed.");
  assert.deepEqual(result.accounting, { packets_accepted: 256n, images_good: 2n });
  assert.ok(result.init_timestamp <= result.end_timestamp);
  assert.equal(world.tick, undefined, "the reports have ended");
});

Deno.test("a request that is killed before its file is there leaves none and frees the writer", async () => {
  using world = new World();
  world.writer.react = () => undefined; // it takes its time
  const done = world.request({ n_images: 2 });
  await until("asked for a file", () => world.writer.commands.length === 1);
  world.kill.abort();
  world.writer.react = WELL;
  world.writer.answer({ ok: true, reason: "", action: "create_file", nWritten: 0 });
  await assert.rejects(done);
  assert.equal(world.controller.status.state, "READY");
  assert.equal(world.writer.commands.at(-1)?.action, "close_file");
});

Deno.test("a request that finds the writer busy fails and leaves the other one alone", async () => {
  using world = new World();
  const first = world.request({ n_images: 1 });
  await assert.rejects(world.request({ n_images: 1, output_file: "/data/b.h5" }), /running/);
  await until("images are taken", () => world.told.length === 1);
  world.images.publish();
  assert.equal(Object(await first).output_file, "/data/a.h5");
});

Deno.test("a request that comes while a config is deployed fails with that reason, and writes nothing", async () => {
  using world = new World({ enter: () => ({ refused: "A config is being deployed" }) });
  await assert.rejects(world.request({ n_images: 1 }), /^Error: A config is being deployed$/);
  assert.deepEqual([world.writer.commands, world.told], [[], []]);
});

Deno.test("pulse ids are image ids, and other people's requests are refused", async () => {
  using world = new World();
  const done = world.request({ start_pulse_id: 5, stop_pulse_id: 2 });
  await assert.rejects(done, /stop_image_id: 2 comes before start_image_id 5/);
  await assert.rejects(world.request({ n_images: 1, sources: ["PCO"] }), /of JF1, and not of PCO/);
  await assert.rejects(
    world.request({ n_images: 1, user_id: 7 }),
    /user_id: files are written as user 1001 \(writer_user_id\), or one of 1002, not as 7\./,
  );
  assert.deepEqual(world.writer.commands, []);
});

for (
  const [request, wrong] of [
    [{ start_pulse_id: 5, start_image_id: 6 }, "start_pulse_id: 5 contradicts start_image_id 6"],
    [{ stop_pulse_id: 9, stop_image_id: 8 }, "stop_pulse_id: 9 contradicts stop_image_id 8"],
    [{ start_pulse_id: 5, start_image_id: 5, stop_pulse_id: 9, stop_image_id: 9 }, undefined],
    [{ start_pulse_id: 5, stop_image_id: 9 }, undefined],
  ] as const
) {
  Deno.test(`a range by pulse and by image id: ${JSON.stringify(request)}`, () => {
    const parsed = brokerWriteRequestSchema.safeParse({ output_file: "/data/a.h5", ...request });
    const [issue] = parsed.error?.issues ?? [];
    const said = issue && `${issue.path.join(".")}: ${issue.message}`;
    assert.equal(
      said,
      wrong && `${wrong}: both mean one id, give one of them`,
    );
  });
}

Deno.test("the writer is told of another user, and only of one who is allowed", async () => {
  for (const [user_id, told] of [[0, undefined], [1001, undefined], [1002, 1002]]) {
    using world = new World();
    const done = world.request({ n_images: 1, user_id });
    await until("images are taken", () => world.told.length === 1);
    const [create] = world.writer.commands;
    assert.equal(create?.action === "create_file" ? create.request.userId : null, told);
    world.images.publish();
    await done;
  }
});
