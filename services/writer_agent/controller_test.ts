import assert from "node:assert/strict";
import {
  REASON_OVERWRITTEN,
  type StartRequest,
  type WriterCommand,
} from "../../lib/acquisition/mod.ts";
import type { RunGate } from "../../lib/acquisition/run_locks.ts";
import { FakeImages, FakeWriter, until, WELL } from "./_fakes.ts";
import { AcquisitionController } from "./controller.ts";

function setUp(
  options: { writerTimeoutMs?: number; retryMs?: number } = {},
): { controller: AcquisitionController; writer: FakeWriter; images: FakeImages } & Disposable {
  const writer = new FakeWriter();
  const images = new FakeImages();
  const controller = new AcquisitionController({ writer, images, ...options });
  return { controller, writer, images, [Symbol.dispose]: () => controller.close() };
}

const request = (nImages: number): StartRequest => ({
  nImages,
  outputFile: "/data/x.h5",
  runId: 1n,
  json: "{}",
});

Deno.test("AcquisitionController writes the images published after the start", async () => {
  using world = setUp();
  const { controller, writer, images } = world;
  images.publish(); // before the start
  const outcome = await controller.start(request(3));
  assert.ok(outcome.ok);
  for (let i = 0; i < 5; i++) images.publish();
  const ended = await outcome.ended;
  assert.equal(ended.acquisition.message, "Completed.");
  assert.deepEqual(writer.commands.map(({ action }) => action), [
    "create_file",
    "record_image",
    "record_image",
    "record_image",
    "confirm_last_image",
    "close_file",
  ]);
  assert.deepEqual(controller.totals, { images: 3n, bytes: 36n });
});

Deno.test("AcquisitionController asks for images from the first id of the range on", async () => {
  using world = setUp();
  const { controller, images } = world;
  const outcome = await controller.start({ ...request(1), startImageId: 7n });
  assert.ok(outcome.ok);
  assert.equal(images.from, 7n);
  await controller.stop();
  assert.ok((await controller.start(request(1))).ok);
  assert.equal(images.from, undefined);
});

Deno.test("AcquisitionController asks for leave, keeps it until the file is closed, and starts nothing without", async () => {
  const writer = new FakeWriter();
  const images = new FakeImages();
  let refused: string | undefined;
  let underWay = 0;
  const gate: RunGate = {
    enter: () => {
      if (refused !== undefined) return { refused };
      underWay++;
      return { [Symbol.dispose]: () => void underWay-- };
    },
  };
  const controller = new AcquisitionController({ writer, images, gate });
  try {
    const first = await controller.start(request(1));
    assert.ok(first.ok);
    assert.equal(underWay, 1);
    const busy = await controller.start(request(1));
    assert.ok(!busy.ok && busy.why === "busy");
    assert.equal(underWay, 1);
    refused = "not now";
    images.publish();
    await first.ended;
    await controller.untilSettled();
    assert.equal(underWay, 0);
    const commands = writer.commands.length;
    assert.deepEqual(await controller.start(request(1)), {
      ok: false,
      why: "deploying",
      message: "not now",
    });
    assert.equal(writer.commands.length, commands);
    refused = undefined;
    writer.react = ({ action }) => ({ ok: false, reason: "no", action, nWritten: 0 });
    assert.ok(!(await controller.start(request(1))).ok);
    assert.equal(underWay, 0, "a file that could not be made");
    writer.react = WELL;
    assert.ok((await controller.start(request(1))).ok);
    assert.equal(underWay, 1);
  } finally {
    controller.close();
  }
  assert.equal(underWay, 0, "with the agent");
});

Deno.test("AcquisitionController refuses a second start and leaves the first alone", async () => {
  using world = setUp();
  const { controller, images } = world;
  const first = controller.start(request(1));
  const second = await controller.start(request(2));
  assert.ok(!second.ok && second.why === "busy");
  const outcome = await first;
  assert.ok(outcome.ok);
  images.publish();
  assert.equal((await outcome.ended).acquisition.info.nImages, 1);
});

Deno.test("AcquisitionController.stop() resolves when the file is closed", async () => {
  using world = setUp();
  const { controller, images } = world;
  await controller.start(request(100));
  images.publish();
  await until("image recorded", () => controller.totals.images === 1n);
  await controller.stop();
  assert.equal(controller.status.state, "READY");
  assert.equal(controller.status.acquisition.message, "Interrupted.");
});

Deno.test("AcquisitionController.stop() ends whatever is under way, and the next run works", async (t) => {
  // The action that the writer does not answer keeps the run in its state; answered when stop waits.
  const states: [state: string, silentOn: WriterCommand["action"] | undefined, ends: RegExp][] = [
    ["idle", undefined, /No acquisition yet/],
    ["creating", "create_file", /^Interrupted\.$/],
    ["recording", undefined, /^Interrupted\.$/],
    ["recording, an image outstanding", "record_image", /^Interrupted\.$/],
    ["flushing", "confirm_last_image", /^Interrupted\.$/],
    ["closing", "close_file", /^Interrupted\.$/],
  ];
  for (const [state, silentOn, ends] of states) {
    await t.step(state, async () => {
      using world = setUp();
      const { controller, writer, images } = world;
      const owed: WriterCommand[] = [];
      writer.react = (command, n) => {
        if (command.action !== silentOn) return WELL(command, n);
        owed.push(command);
        return undefined;
      };
      if (state !== "idle") {
        const started = controller.start(request(3));
        if (silentOn !== "create_file") {
          assert.ok((await started).ok);
          images.publish();
          await until("the image is asked for", () => {
            return writer.commands.some(({ action }) => action === "record_image");
          });
        }
      }
      const stopped = controller.stop();
      const again = controller.stop(); // twice
      if (silentOn !== undefined) {
        if (owed.length === 0) await until("the state", () => owed.length > 0);
        writer.react = WELL;
        const [command] = owed;
        writer.answer(WELL(command!, silentOn === "create_file" ? 0 : 1)!);
      }
      await stopped;
      await again;
      assert.match(controller.status.acquisition.message, ends);
      assert.equal(controller.status.state, "READY");
      await controller.stop(); // when idle
      await assertRuns(world);
    });
  }
});

Deno.test("AcquisitionController.stop() before the new files take the place of the old ones ends the run empty", async () => {
  using world = setUp();
  const { controller, writer, images } = world;
  const owed = Promise.withResolvers<WriterCommand>();
  writer.react = (command, n) => {
    if (command.action !== "confirm_last_image") return WELL(command, n);
    writer.react = WELL; // the next one is of the end
    owed.resolve(command);
    return undefined;
  };
  const starting = controller.start({ ...request(3), overwrite: true });
  const confirm = await owed.promise;
  const stopped = [controller.stop(), controller.stop()];
  assert.equal(controller.status.acquisition.state, "WAITING_IMAGES");
  images.publish(); // nobody takes it
  writer.answer(WELL(confirm, 0)!);
  await Promise.all(stopped);
  const started = await starting;
  assert.ok(started.ok);
  assert.equal((await started.ended).acquisition.message, "Interrupted.");
  assert.deepEqual(writer.commands.map(({ action }) => action), [
    "create_file",
    "confirm_last_image",
    "confirm_last_image",
    "close_file",
  ]);
  await assertRuns(world);
});

Deno.test("AcquisitionController.stop() asks a lost writer whether it is back, and waits for no other answer", async (t) => {
  await t.step("it is", async () => {
    using world = setUp();
    await loseWriter(world);
    await Promise.all([world.controller.stop(), world.controller.stop()]);
    assert.equal(world.controller.status.state, "READY");
    assert.match(world.controller.status.acquisition.message, /^ERROR: gone; .* not started/);
    await assertRuns(world);
  });
  await t.step("it is not", async () => {
    using world = setUp();
    const { controller, writer } = world;
    await loseWriter(world);
    writer.react = () => undefined;
    const stopped = controller.stop();
    const again = controller.stop(); // recovering
    writer.fail("still gone");
    await Promise.all([stopped, again]);
    assert.equal(controller.status.state, "UNKNOWN");
    writer.react = WELL;
    await controller.stop();
    await assertRuns(world);
  });
  await t.step("a start waits for it", async () => {
    using world = setUp();
    const { controller, writer } = world;
    await loseWriter(world);
    writer.react = () => undefined;
    const starting = controller.start(request(3));
    const stopped = [controller.stop(), controller.stop()];
    assert.equal(controller.status.acquisition.state, "WAITING_IMAGES");
    writer.react = WELL;
    writer.answer({ ok: true, reason: "", action: "close_file" });
    await Promise.all(stopped);
    const started = await starting;
    assert.ok(!started.ok && started.why === "interrupted");
    const { state, acquisition } = controller.status;
    assert.deepEqual([state, acquisition.message], ["READY", "Interrupted."]);
    assert.equal(
      writer.commands.filter(({ action }) => action === "create_file").length,
      1,
      "of the run before",
    );
    await assertRuns(world);
  });
});

/** Has the writer lost, by a start that cannot be delivered. */
async function loseWriter({ controller, writer }: ReturnType<typeof setUp>): Promise<void> {
  writer.react = () => undefined;
  const starting = controller.start(request(1));
  writer.fail("gone");
  assert.ok(!(await starting).ok);
  assert.equal(controller.status.state, "UNKNOWN");
  writer.react = WELL;
}

/** The next run works. */
async function assertRuns({ controller, images }: ReturnType<typeof setUp>): Promise<void> {
  const next = await controller.start(request(1));
  assert.ok(next.ok);
  images.publish();
  assert.equal((await next.ended).acquisition.message, "Completed.");
}

Deno.test("AcquisitionController takes no more images than the ring holds without an answer", async () => {
  using world = setUp();
  const { controller, writer, images } = world;
  writer.react = (command, n) => command.action === "record_image" ? undefined : WELL(command, n);
  const outcome = await controller.start(request(10));
  assert.ok(outcome.ok);
  for (let i = 0; i < 10; i++) images.publish();
  const recorded = (): number =>
    writer.commands.filter(({ action }) => action === "record_image").length;
  await until("8 slots", () => recorded() === 8 && images.taken === 9);
  writer.react = WELL;
  for (let i = 0; i < 8; i++) {
    writer.answer({ ok: true, reason: "", action: "record_image", nWritten: i + 1 });
  }
  assert.equal((await outcome.ended).acquisition.message, "Completed.");
});

Deno.test("AcquisitionController counts images that were lost in the ring", async () => {
  using world = setUp();
  const { controller, writer, images } = world;
  writer.react = (command, n) =>
    command.action === "record_image" && command.image.metadata.imageId === 0n
      ? { ok: false, reason: REASON_OVERWRITTEN, action: "record_image" }
      : WELL(command, n - 1);
  const outcome = await controller.start(request(10));
  assert.ok(outcome.ok);
  images.publish();
  images.publish(5);
  images.publish();
  images.publish();
  images.publish();
  const { acquisition } = await outcome.ended;
  assert.equal(acquisition.state, "FAILED");
  assert.equal(acquisition.stats.nLost, 6);
  assert.equal(acquisition.stats.nWriteCompleted, 4);
});

Deno.test("AcquisitionController loses a silent writer, finds it again and runs", async () => {
  using world = setUp({ writerTimeoutMs: 30, retryMs: 10 });
  const { controller, writer, images } = world;
  writer.react = () => undefined;
  const failed = await controller.start(request(1));
  assert.ok(!failed.ok && failed.why === "writer_gone");
  assert.match(failed.message, /No answer from the file writer for 0.03 s.*std_h5_writer/);
  assert.equal(controller.status.state, "UNKNOWN");
  writer.react = WELL;
  await until("found again", () => controller.status.state === "READY");
  const outcome = await controller.start(request(1));
  assert.ok(outcome.ok);
  images.publish();
  assert.equal((await outcome.ended).acquisition.message, "Completed.");
});

Deno.test("AcquisitionController waits for a writer that works, longer than for one that is silent", async () => {
  using world = setUp({ writerTimeoutMs: 30 });
  const { controller, writer, images } = world;
  writer.react = (command, nWritten) => {
    if (command.action !== "close_file") return WELL(command, nWritten);
    writer.working(true);
    setTimeout(() => {
      writer.working(false);
      writer.answer(WELL(command, nWritten)!);
    }, 100);
    return undefined;
  };
  const outcome = await controller.start(request(1));
  assert.ok(outcome.ok);
  images.publish();
  const { state, acquisition } = await outcome.ended;
  assert.deepEqual([state, acquisition.message], ["READY", "Completed."]);
});

Deno.test("AcquisitionController fails the run, not itself, when images cannot be followed", async () => {
  using world = setUp();
  const { controller, images } = world;
  const outcome = await controller.start(request(5));
  assert.ok(outcome.ok);
  images.fail(new Error("ring of another version."));
  const { acquisition } = await outcome.ended;
  assert.equal(
    acquisition.message,
    "ERROR: cannot follow the images: ring of another version; 0 images are in /data/x.h5.",
  );
  assert.equal(controller.status.state, "READY");
});

Deno.test("AcquisitionController writes 20 000 images in order", async () => {
  using world = setUp();
  const { controller, writer, images } = world;
  images.slots = 1000;
  const outcome = await controller.start(request(20_000));
  assert.ok(outcome.ok);
  for (let i = 0; i < 20_000; i++) images.publish();
  assert.equal((await outcome.ended).acquisition.message, "Completed.");
  let expected = 0n;
  for (const command of writer.commands) {
    if (command.action === "record_image") assert.equal(command.image.metadata.imageId, expected++);
  }
});
