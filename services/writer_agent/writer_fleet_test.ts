import assert from "node:assert/strict";
import {
  REASON_FILE_OPEN,
  REASON_NO_FILE,
  REASON_OVERWRITTEN,
  type StartRequest,
} from "../../lib/acquisition/mod.ts";
import { FakeImages, FakeWriter, type Reaction, until, WELL } from "./_fakes.ts";
import { AcquisitionController } from "./controller.ts";
import { CreditWindow } from "./credit_window.ts";
import { WriterFleet } from "./writer_fleet.ts";

const WRITERS = 3;

function setUp(): {
  controller: AcquisitionController;
  writers: FakeWriter[];
  images: FakeImages;
} & Disposable {
  const writers = Array.from({ length: WRITERS }, () => new FakeWriter());
  const images = new FakeImages();
  const writer = new WriterFleet(writers);
  const controller = new AcquisitionController({ writer, images, retryMs: 5 });
  return { controller, writers, images, [Symbol.dispose]: () => controller.close() };
}

const request = (nImages: number): StartRequest => ({
  nImages,
  outputFile: "/data/x.h5",
  runId: 1n,
  json: "{}",
});

/** Fails one action with a reason, does everything else well. */
const failing = (action: string, reason: string): Reaction => (command, nWritten) =>
  command.action === action
    ? { ok: false, reason, action: command.action, nWritten }
    : WELL(command, nWritten);

/** What a writer was told, images by their ids. */
const told = ({ commands }: FakeWriter): string[] =>
  commands.map((command) =>
    command.action === "record_image" ? String(command.image.metadata.imageId) : command.action
  );

Deno.test("WriterFleet gives image i to writer i mod N, and all else to all", async () => {
  using world = setUp();
  const { controller, writers, images } = world;
  for (let run = 0; run < 2; run++) {
    const outcome = await controller.start(request(7));
    assert.ok(outcome.ok);
    for (let i = 0; i < 7; i++) images.publish();
    const { acquisition } = await outcome.ended;
    assert.equal(acquisition.message, "Completed.");
    assert.equal(acquisition.stats.nWriteCompleted, 7);
  }
  const run = (...ids: number[]): string[] => [
    "create_file",
    ...ids.map(String),
    "confirm_last_image",
    "close_file",
  ];
  assert.deepEqual(told(writers[0]!), [...run(0, 3, 6), ...run(0, 3, 6)]);
  assert.deepEqual(told(writers[1]!), [...run(1, 4), ...run(1, 4)]);
  assert.deepEqual(told(writers[2]!), [...run(2, 5), ...run(2, 5)]);
});

Deno.test("writers begin and end at one time, and hear from when to when the images of all came", async () => {
  using world = setUp();
  const { controller, writers, images } = world;
  const counts = { nOverwritten: 0, nIncomplete: 0, packetsMissing: 0 };
  // Writer 0 has neither the first image, which was overwritten, nor the last one; writer 1 has none.
  const times = [{ firstPacketNs: 30n, lastPacketNs: 60n }, {}, {
    ...{ firstPacketNs: 20n, lastPacketNs: 70n },
  }];
  writers.forEach((writer, number) => {
    writer.react = (command, nWritten) => {
      const answer = WELL(command, nWritten)!;
      const isLast = command.action === "confirm_last_image";
      return { ...answer, ...(isLast && { ...counts, ...times[number] }) };
    };
  });
  const outcome = await controller.start(request(7));
  assert.ok(outcome.ok);
  for (let i = 0; i < 7; i++) images.publish();
  await outcome.ended;
  const ends = writers.map(({ commands }) => {
    const create = commands[0], close = commands.at(-1);
    assert.ok(create?.action === "create_file" && close?.action === "close_file");
    const { firstPacketNs, lastPacketNs } = close.end!.account!;
    assert.deepEqual([firstPacketNs, lastPacketNs], [20n, 70n]);
    return [create.startTime, close.end!.endTime];
  });
  assert.deepEqual(ends, [ends[0], ends[0], ends[0]]);
  assert.ok(ends[0]![0]! <= ends[0]![1]!);
});

Deno.test("a file that one writer cannot create fails the start; the others remove theirs", async () => {
  using world = setUp();
  const { controller, writers } = world;
  writers[1]!.react = failing("create_file", "EEXIST");
  const outcome = await controller.start(request(7));
  assert.ok(!outcome.ok && outcome.why === "create_failed");
  assert.match(outcome.message, /EEXIST \(writer 1\)/);
  const discard = [{ action: "close_file", discardEmpty: true }];
  assert.deepEqual(writers.map(({ commands }) => commands.slice(1)), [discard, [], discard]);
  assert.equal(controller.status.state, "READY");
});

Deno.test("files are overwritten when all writers have made theirs, and not before", async () => {
  using world = setUp();
  const { controller, writers } = world;
  writers[1]!.react = failing("create_file", "EACCES");
  const overwrite = { ...request(7), overwrite: true };
  assert.equal((await controller.start(overwrite)).ok, false);
  for (const writer of writers) assert.ok(!told(writer).includes("confirm_last_image"));
  writers[1]!.react = WELL;
  assert.equal((await controller.start(overwrite)).ok, true);
  for (const writer of writers) {
    assert.deepEqual(told(writer).slice(-2), ["create_file", "confirm_last_image"]);
  }
});

Deno.test("a fleet works as long as one of its writers does", () => {
  const writers = Array.from({ length: WRITERS }, () => new FakeWriter());
  const told: boolean[] = [];
  new WriterFleet(writers).listen({
    onAnswer: () => {},
    onWorking: (working) => told.push(working),
    onFailure: () => {},
  });
  writers[0]!.working(true);
  writers[1]!.working(true);
  writers[0]!.working(false);
  writers[1]!.working(false);
  assert.deepEqual(told, [true, true, true, false]);
});

Deno.test("a writer that still has a file open is recovered, with all others", async () => {
  using world = setUp();
  const { controller, writers } = world;
  let open = true;
  writers[2]!.react = (command, nWritten) => {
    if (command.action === "close_file") open = false;
    return command.action === "create_file" && open
      ? { ok: false, reason: `${REASON_FILE_OPEN}: /data/old.h5`, action: "create_file", nWritten }
      : WELL(command, nWritten);
  };
  const outcome = await controller.start(request(7));
  assert.ok(outcome.ok);
  assert.deepEqual(told(writers[2]!), ["create_file", "close_file", "create_file"]);
});

Deno.test("a lost image is one of the run's; a failed one ends it with the writer's number", async () => {
  for (
    const [reason, message] of [
      [REASON_OVERWRITTEN, /^ERROR: 1 of 7 images were lost/],
      ["ENOSPC", /failed to write image 1: ENOSPC \(writer 1\)/],
    ] as const
  ) {
    using world = setUp();
    const { controller, writers, images } = world;
    const fail = failing("record_image", reason);
    writers[1]!.react = (command, nWritten) =>
      nWritten === 1
        ? { ...fail(command, nWritten)!, imageId: 1n }
        : WELL(command, reason === REASON_OVERWRITTEN ? nWritten - 1 : nWritten);
    const outcome = await controller.start(request(7));
    assert.ok(outcome.ok);
    for (let i = 0; i < 7; i++) images.publish();
    const { acquisition } = await outcome.ended;
    assert.equal(acquisition.state, "FAILED");
    assert.match(acquisition.message, message);
    for (const writer of writers) assert.equal(told(writer).at(-1), "close_file");
  }
});

Deno.test("a writer that restarted in mid-run ends the run, and the others close their files", async () => {
  using world = setUp();
  const { controller, writers, images } = world;
  writers[1]!.react = failing("record_image", REASON_NO_FILE);
  const outcome = await controller.start(request(7));
  assert.ok(outcome.ok);
  for (let i = 0; i < 2; i++) images.publish();
  const { acquisition, state } = await outcome.ended;
  assert.match(acquisition.message, /the file writer restarted/);
  assert.equal(state, "READY");
  for (const { commands } of writers) {
    const close = commands.at(-1);
    assert.ok(close?.action === "close_file");
    assert.equal(close.end?.outcome, acquisition.message);
    assert.equal(close.end?.account?.failed, 1);
  }
});

Deno.test("a writer that says unasked that it cannot confirm its images ends the run", async () => {
  using world = setUp();
  const { controller, writers } = world;
  const outcome = await controller.start(request(7));
  assert.ok(outcome.ok);
  writers[1]!.answer({ ok: false, reason: "EIO", action: "confirm_last_image", nWritten: 0 });
  const { acquisition } = await outcome.ended;
  assert.match(acquisition.message, /failed to write: EIO \(writer 1\)/);
  for (const writer of writers) {
    assert.deepEqual(told(writer), ["create_file", "confirm_last_image", "close_file"]);
  }
});

Deno.test("all writers' counts of a run are told to each, for its file", async () => {
  using world = setUp();
  const { controller, writers, images } = world;
  writers.forEach((writer, i) => {
    writer.react = (command, nWritten) => ({
      ...WELL(command, nWritten)!,
      ...(command.action === "confirm_last_image" && { nIncomplete: i, packetsMissing: 10 * i }),
    });
  });
  const outcome = await controller.start(request(7));
  assert.ok(outcome.ok);
  for (let i = 0; i < 7; i++) images.publish();
  await outcome.ended;
  for (const { commands } of writers) {
    const close = commands.at(-1);
    assert.ok(close?.action === "close_file");
    const { written, incomplete, packetsMissing } = close.end?.account ?? {};
    assert.deepEqual([written, incomplete, packetsMissing], [7, 3, 30]);
  }
});

Deno.test("a silent writer loses the fleet; it is asked until all answer, then all is well", async () => {
  const writers = Array.from({ length: WRITERS }, () => new FakeWriter());
  const images = new FakeImages();
  using controller = Object.assign(
    new AcquisitionController({
      writer: new WriterFleet(writers),
      images,
      writerTimeoutMs: 50,
      retryMs: 5,
    }),
    { [Symbol.dispose]: () => controller.close() },
  );
  const silent = writers[1]!;
  silent.react = (command, nWritten) =>
    command.action === "confirm_last_image" || command.action === "close_file"
      ? undefined
      : WELL(command, nWritten);
  const outcome = await controller.start(request(2));
  assert.ok(outcome.ok);
  for (let i = 0; i < 2; i++) images.publish();
  const { acquisition, state } = await outcome.ended;
  assert.match(acquisition.message, /no answer.*2 images were written/);
  assert.equal(state, "UNKNOWN");
  silent.react = WELL;
  await until("all well", () => controller.status.state === "READY");
  const next = await controller.start(request(1));
  assert.ok(next.ok);
});

const CREDIT = 2;

/** Three writers that tell a credit of two images, and a ring of 30 slots; writer 1 answers no image. */
function setUpStalled(writerTimeoutMs = 5000): ReturnType<typeof setUp> & { resume(): void } {
  const writers = Array.from({ length: WRITERS }, () => new FakeWriter());
  const images = new FakeImages();
  images.slots = 30;
  const windows = writers.map((writer) =>
    new CreditWindow(writer, { defaultCredit: () => 15, writerTimeoutMs, workTimeoutMs: 60_000 })
  );
  const writer = new WriterFleet(windows);
  const controller = new AcquisitionController({ writer, images, writerTimeoutMs, retryMs: 5 });
  const well: Reaction = (command, n) => ({ ...WELL(command, n)!, credit: CREDIT });
  for (const each of writers) each.react = well;
  const stalled = writers[1]!;
  stalled.react = (command, n) => command.action === "record_image" ? undefined : well(command, n);
  return {
    ...{ controller, writers, images },
    /** Writer 1 answers the images that it has, and the others at once from now on. */
    resume: (): void => {
      const owed = stalled.commands.filter(({ action }) => action === "record_image");
      stalled.react = well;
      owed.forEach((command, i) => stalled.answer(well(command, i + 1)!));
    },
    [Symbol.dispose]: (): void => {
      for (const window of windows) window[Symbol.dispose]();
      controller.close();
    },
  };
}

/** Ids of the images of a writer, of so many. */
const ownIds = (writer: number, images: number): string[] =>
  Array.from({ length: images }, (_, id) => id).filter((id) => id % WRITERS === writer).map(String);

Deno.test("a writer that stalls holds up its own images, beyond its credit, and no others", async () => {
  using world = setUpStalled();
  const { controller, writers, images } = world;
  const outcome = await controller.start(request(60));
  assert.ok(outcome.ok);
  for (let i = 0; i < 60; i++) images.publish();
  const others = [writers[0]!, writers[2]!];
  await until("all images of the others", () => others.every((writer) => told(writer).length > 20));
  others.forEach((writer, i) => {
    assert.deepEqual(told(writer).slice(1, 21), ownIds(2 * i, 60));
  });
  assert.deepEqual(told(writers[1]!), ["create_file", "1", "4"], "no more than its credit");
  world.resume();
  const { acquisition } = await outcome.ended;
  assert.equal(acquisition.message, "Completed.");
  assert.deepEqual(told(writers[1]!), [
    ...["create_file", ...ownIds(1, 60), "confirm_last_image", "close_file"],
  ]);
});

Deno.test("a stop while images wait for their writer has them written before the file is confirmed", async () => {
  using world = setUpStalled();
  const { controller, writers, images } = world;
  const outcome = await controller.start(request(0));
  assert.ok(outcome.ok);
  for (let i = 0; i < 12; i++) images.publish();
  await until(
    "all images are taken",
    () => controller.status.acquisition.stats.nWriteRequested === 12,
  );
  const stopped = controller.stop();
  assert.deepEqual(told(writers[1]!), ["create_file", "1", "4"]);
  world.resume();
  await stopped;
  const { acquisition } = await outcome.ended;
  assert.equal(acquisition.state, "FINISHED");
  assert.equal(acquisition.stats.nWriteCompleted, 12);
  assert.deepEqual(told(writers[1]!).slice(1), [
    ...[...ownIds(1, 12), "confirm_last_image", "close_file"],
  ]);
});

Deno.test("a writer that is silent while images wait for it is lost, whatever the others answer", async () => {
  using world = setUpStalled(50);
  const { controller, writers, images } = world;
  images.slots = 100_000;
  const outcome = await controller.start(request(0));
  assert.ok(outcome.ok);
  for (let i = 0; i < 30; i++) images.publish();
  await until("the end", () => {
    images.publish();
    return controller.status.acquisition.state === "FAILED";
  });
  const { acquisition } = await outcome.ended;
  assert.match(acquisition.message, /^ERROR: writer 1: no answer from the file writer for 0\.05 s/);
  const { nWriteRequested, nWriteCompleted, nLost, nFailed } = acquisition.stats;
  assert.equal(nWriteCompleted + nLost + nFailed, nWriteRequested);
  assert.ok(nFailed > CREDIT, "those that waited are failed, too");
  assert.equal(told(writers[1]!).filter((what) => /\d/.test(what)).length, CREDIT);
  await until("all well", () => controller.status.state === "READY");
  world.resume();
  const next = await controller.start(request(6));
  assert.ok(next.ok);
  for (let i = 0; i < 6; i++) images.publish();
  assert.equal((await next.ended).acquisition.message, "Completed.");
});
