import assert from "node:assert/strict";
import fc from "fast-check";
import type { ImageMetadata, WriterActionName } from "../protocol/mod.ts";
import {
  type AcquisitionEvent,
  type AcquisitionLimits,
  type AcquisitionState,
  canTakeImage,
  INITIAL_STATE,
  nextDeadline,
  outstanding,
  type Phase,
  REASON_FILE_MOVED,
  REASON_FILE_OPEN,
  REASON_FILE_REMOVED,
  REASON_NO_FILE,
  REASON_OVERWRITTEN,
  type StartRequest,
  statusOf,
  type Transition,
  transition,
  type WriterCommand,
} from "./mod.ts";

const LIMITS: AcquisitionLimits = {
  writerTimeoutMs: 5000,
  workTimeoutMs: 600_000,
  retryMs: 1000,
  maxOutstanding: 3,
};

const request = (nImages: number): StartRequest => ({
  nImages,
  outputFile: "/data/run.h5",
  runId: 7n,
  json: "{}",
});
const start = (nImages = 2, more: Partial<StartRequest> = {}): AcquisitionEvent => ({
  kind: "start",
  request: { ...request(nImages), ...more },
});
const stop: AcquisitionEvent = { kind: "stop" };
const tick: AcquisitionEvent = { kind: "tick" };
/** The writer begins, or has ended, what may take minutes. */
const working = (working: boolean): AcquisitionEvent => ({ kind: "working", working });
const METADATA: ImageMetadata = {
  imageId: 1n,
  height: 2,
  width: 2,
  size: 8,
  dtype: "uint16",
  status: "good_image",
  compression: "none",
};
const image = (skipped = 0, imageId = 1n): AcquisitionEvent => ({
  kind: "image",
  image: { entry: 1n, skipped, metadata: { ...METADATA, imageId } },
});
/** Images with these ids. */
const images = (...ids: number[]): AcquisitionEvent[] => ids.map((id) => image(0, BigInt(id)));
const yes = (action: WriterActionName, nWritten?: number): AcquisitionEvent => ({
  kind: "answer",
  answer: { ok: true, reason: "", action, ...(nWritten !== undefined && { nWritten }) },
});
const no = (action: WriterActionName, reason: string): AcquisitionEvent => ({
  kind: "answer",
  answer: { ok: false, reason, action },
});
/** An answer of the original writer: it does not say to what. */
const plain = (ok = true, reason = ""): AcquisitionEvent => ({
  kind: "answer",
  answer: { ok, reason },
});

/** Feeds events one ms apart; a `tick` first lets all timeouts pass. */
class Driver {
  state: AcquisitionState = INITIAL_STATE;
  now = { epochS: 1000, monotonicMs: 0 };
  effects: string[] = [];

  feed(...events: AcquisitionEvent[]): this {
    for (const event of events) {
      const ms = event.kind === "tick" ? 5001 : 1;
      this.now = {
        epochS: this.now.epochS + ms / 1000,
        monotonicMs: this.now.monotonicMs + ms,
      };
      const result: Transition = transition(this.state, event, this.now, LIMITS);
      this.state = result.state;
      this.effects = result.effects.map((effect) =>
        effect.kind === "send" ? effect.command.action : effect.kind
      );
    }
    return this;
  }

  get acquisition(): ReturnType<typeof statusOf>["acquisition"] {
    return statusOf(this.state).acquisition;
  }
}

const reach = (...events: AcquisitionEvent[]): Driver => new Driver().feed(...events);
const RECORDING = [start(), yes("create_file")] as const;

/** A way into each situation the machine can be in. */
const SITUATIONS: Record<string, readonly AcquisitionEvent[]> = {
  idle: [],
  lost: [start(), tick],
  "recovering for a start": [start(), tick, start()],
  recovering: [start(), tick, tick],
  "recovering, stop asked": [start(), tick, start(), stop],
  creating: [start()],
  "creating, stop asked": [start(), stop],
  "creating, to overwrite": [start(2, { overwrite: true }), yes("create_file")],
  "recording, none yet": RECORDING,
  recording: [start(5), yes("create_file"), image()],
  "recording, images overdue": [start(5, { noImagesTimeoutMs: 3000 }), yes("create_file")],
  "recording without end": [start(0), yes("create_file"), image()],
  flushing: [...RECORDING, image(), image()],
  closing: [...RECORDING, stop, yes("confirm_last_image", 0)],
  "closing, an image outstanding": [
    start(5),
    yes("create_file"),
    image(),
    image(),
    no("record_image", "ENOSPC"),
    no("confirm_last_image", "ENOSPC"),
  ],
};

const EVENTS: Record<string, AcquisitionEvent> = {
  start: start(),
  stop,
  image: image(),
  "last image": image(99),
  tick,
  send_failed: { kind: "send_failed", reason: "no writer" },
  source_failed: { kind: "source_failed", reason: "ring is gone" },
  driver_started: { kind: "driver_started" },
  created: yes("create_file"),
  "not created": no("create_file", "EACCES"),
  "file open": no("create_file", REASON_FILE_OPEN),
  written: yes("record_image"),
  "not written": no("record_image", "ENOSPC"),
  overwritten: no("record_image", REASON_OVERWRITTEN),
  "no file (image)": no("record_image", REASON_NO_FILE),
  confirmed: yes("confirm_last_image"),
  "not confirmed": no("confirm_last_image", "EIO"),
  "no file (confirm)": no("confirm_last_image", REASON_NO_FILE),
  closed: yes("close_file"),
  "not closed": no("close_file", "EIO"),
  "no file (close)": no("close_file", REASON_NO_FILE),
};

const LOST_UNSTARTED = "lost drop_unsent start_failed ended";
const LOST = "lost drop_unsent ended";
const LOST_RECORDING = "lost drop_unsent stop_images ended";
const FLUSH = "flushing stop_images confirm_last_image";
const CLOSE = "closing close_file";
const REFUSED = "start_refused";
const NOTE = "note";
const FAILED_START = "idle start_failed ended";
const RECOVERING_ANSWERS = {
  created: NOTE,
  "not created": NOTE,
  "file open": NOTE,
  written: NOTE,
  "not written": NOTE,
  overwritten: NOTE,
  "no file (image)": NOTE,
  confirmed: NOTE,
  "not confirmed": NOTE,
  "no file (confirm)": NOTE,
};
const ALL_NOTES = Object.fromEntries(
  Object.entries(EVENTS).filter(([, event]) => event.kind === "answer").map(([name]) => [
    name,
    NOTE,
  ]),
);
const ALL_RECOVER = Object.fromEntries(
  Object.keys(ALL_NOTES).map((name) => [name, "recovering close_file"]),
);

/** "next-phase effects…"; the phase is left out when it stays, a missing entry is "nothing". */
const TABLE: Record<string, Record<string, string>> = {
  idle: {
    ...ALL_NOTES,
    start: "creating create_file",
    driver_started: "close_file",
  },
  lost: {
    ...ALL_RECOVER,
    closed: "idle",
    "not closed": "idle",
    "no file (close)": "idle",
    start: "recovering close_file",
    stop: "recovering close_file",
    tick: "recovering close_file",
  },
  "recovering for a start": {
    ...RECOVERING_ANSWERS,
    start: REFUSED,
    tick: LOST_UNSTARTED,
    send_failed: LOST_UNSTARTED,
    closed: "creating create_file",
    "not closed": "creating create_file",
    "no file (close)": "creating create_file",
  },
  recovering: {
    ...RECOVERING_ANSWERS,
    tick: "lost drop_unsent",
    send_failed: "lost drop_unsent",
    closed: "idle",
    "not closed": "idle",
    "no file (close)": "idle",
  },
  "recovering, stop asked": {
    ...RECOVERING_ANSWERS,
    start: REFUSED,
    tick: LOST_UNSTARTED,
    send_failed: LOST_UNSTARTED,
    closed: FAILED_START,
    "not closed": FAILED_START,
    "no file (close)": FAILED_START,
  },
  creating: {
    ...ALL_NOTES,
    start: REFUSED,
    tick: LOST_UNSTARTED,
    send_failed: LOST_UNSTARTED,
    created: "recording start_images started",
    "not created": FAILED_START,
    "file open": "recovering close_file",
  },
  "creating, stop asked": {
    ...ALL_NOTES,
    start: REFUSED,
    tick: LOST_UNSTARTED,
    send_failed: LOST_UNSTARTED,
    created: "flushing started confirm_last_image",
    "not created": FAILED_START,
    "file open": "recovering close_file",
  },
  "creating, to overwrite": {
    ...ALL_NOTES,
    start: REFUSED,
    tick: LOST_UNSTARTED,
    send_failed: LOST_UNSTARTED,
    confirmed: "recording start_images started",
    "not confirmed": "closing start_failed close_file",
    "no file (confirm)": "closing start_failed close_file",
  },
  "recording, none yet": {
    ...ALL_NOTES,
    start: REFUSED,
    stop: FLUSH,
    image: "record_image",
    "last image": FLUSH,
    send_failed: LOST_RECORDING,
    source_failed: FLUSH,
    "not confirmed": FLUSH,
    "no file (confirm)": FLUSH,
  },
  recording: {
    ...ALL_NOTES,
    start: REFUSED,
    stop: FLUSH,
    image: "record_image",
    "last image": FLUSH,
    tick: LOST_RECORDING,
    send_failed: LOST_RECORDING,
    source_failed: FLUSH,
    "not confirmed": FLUSH,
    "no file (confirm)": FLUSH,
    written: "",
    "not written": FLUSH,
    overwritten: "",
    "no file (image)": FLUSH,
  },
  "recording, images overdue": {
    ...ALL_NOTES,
    start: REFUSED,
    stop: FLUSH,
    image: "record_image",
    "last image": FLUSH,
    tick: FLUSH,
    send_failed: LOST_RECORDING,
    source_failed: FLUSH,
    "not confirmed": FLUSH,
    "no file (confirm)": FLUSH,
  },
  flushing: {
    ...ALL_NOTES,
    start: REFUSED,
    tick: LOST,
    send_failed: LOST,
    written: "",
    "not written": "",
    overwritten: "",
    "no file (image)": "",
    confirmed: CLOSE,
    "not confirmed": CLOSE,
    "no file (confirm)": CLOSE,
  },
  closing: {
    ...ALL_NOTES,
    start: REFUSED,
    tick: LOST,
    send_failed: LOST,
    closed: "idle ended",
    "not closed": "idle ended",
    "no file (close)": "idle ended",
  },
};
TABLE["recording without end"] = { ...TABLE["recording"], "last image": "record_image" };
TABLE["closing, an image outstanding"] = {
  ...TABLE["closing"],
  written: "",
  "not written": "",
  overwritten: "",
  "no file (image)": "",
};

for (const [situation, path] of Object.entries(SITUATIONS)) {
  Deno.test(`transition() takes every event when ${situation}`, () => {
    for (const [name, event] of Object.entries(EVENTS)) {
      const driver = reach(...path);
      const before = driver.state.phase;
      driver.feed(event);
      const [expectedPhase, expectedEffects] = expectation(TABLE[situation]?.[name] ?? "", before);
      assert.deepEqual(
        { phase: driver.state.phase, effects: driver.effects },
        { phase: expectedPhase, effects: expectedEffects },
        `${name} when ${situation}`,
      );
    }
  });
}

/** Transitions of a mermaid diagram, `A → B`: of the n-th one behind a heading. Those to itself are left out. */
function drawn(page: string, heading: string, n = 0): string[] {
  const url = new URL(`../../${page}`, import.meta.url);
  const [, behind = ""] = Deno.readTextFileSync(url).split(`\n${heading}\n`);
  const diagram = behind.split("```mermaid\n")[n + 1]?.split("```")[0] ?? "";
  const transitions = [...diagram.matchAll(/^ *(\w+) --> (\w+): \S.*$/gm)]
    .filter(([, from, to]) => from !== to)
    .map(([, from, to]) => `${from} → ${to}`);
  return [...new Set(transitions)];
}

/** What there is of a state, by the page and the diagram that it is in. */
const DIAGRAMS: readonly [drawn: string[], nameOf: (state: AcquisitionState) => string][] = [
  [drawn("lib/acquisition/README.md", "## States"), ({ phase }) => phase],
  [drawn("docs/reference/rest.md", "## States"), (state) => statusOf(state).state],
  [drawn("docs/reference/rest.md", "## States", 1), (state) => statusOf(state).acquisition.state],
];

/** An agent before this one has left a file open. */
const ORPHAN: readonly AcquisitionEvent[] = [{ kind: "driver_started" }, {
  kind: "answer",
  answer: {
    ...{ ok: true, reason: "", action: "close_file" },
    closed: { path: "/data/old.h5", runId: 3n, nImages: 5, startTime: 900 },
  },
}];

Deno.test("the diagrams of README.md and rest.md have all transitions that the machine makes, and no other", () => {
  const steps: [before: AcquisitionState, after: AcquisitionState][] = [];
  const follow = (events: readonly AcquisitionEvent[]): void => {
    const driver = new Driver();
    for (const event of events) {
      const before = driver.state;
      steps.push([before, driver.feed(event).state]);
    }
  };
  for (const path of Object.values(SITUATIONS)) {
    for (const event of Object.values(EVENTS)) follow([...path, event]);
  }
  follow(ORPHAN);
  for (const [transitions, nameOf] of DIAGRAMS) {
    const made = steps.map(([before, after]) => [nameOf(before), nameOf(after)])
      .filter(([from, to]) => from !== to)
      .map(([from, to]) => `${from} → ${to}`);
    assert.deepEqual([...new Set(made)].sort(), transitions.sort());
  }
});

const PHASES: readonly string[] = [
  "idle",
  "lost",
  "recovering",
  "creating",
  "recording",
  "flushing",
  "closing",
];

function expectation(cell: string, before: Phase): [string, string[]] {
  const words = cell.split(" ").filter((word) => word !== "");
  return PHASES.includes(words[0] ?? "") ? [words[0] ?? before, words.slice(1)] : [before, words];
}

Deno.test("transition() completes a run when every image is on file", () => {
  const driver = reach(start(2));
  assert.equal(statusOf(driver.state).state, "WRITING");
  assert.equal(driver.acquisition.state, "WAITING_IMAGES");
  driver.feed(yes("create_file"), image());
  assert.equal(driver.acquisition.state, "ACQUIRING_IMAGES");
  driver.feed(yes("record_image", 1), image());
  assert.deepEqual(driver.effects, ["record_image", "stop_images", "confirm_last_image"]);
  assert.equal(driver.acquisition.state, "FLUSHING_IMAGES");
  driver.feed(yes("record_image", 2), yes("confirm_last_image", 2), yes("close_file", 2));
  assert.deepEqual(statusOf(driver.state), {
    state: "READY",
    acquisition: {
      state: "FINISHED",
      message: "Completed.",
      info: { nImages: 2, outputFile: "/data/run.h5", runId: 7n },
      stats: {
        nWriteRequested: 2,
        nWriteCompleted: 2,
        nLost: 0,
        nMissing: 0,
        nFailed: 0,
        nNotTaken: 0,
        startTime: 1000.001,
        stopTime: driver.now.epochS,
      },
      ids: { lost: "", missing: "", failed: "" },
    },
  });
});

/** Answers for so many images, and what ends a run. */
const ending = (n: number): AcquisitionEvent[] => [
  ...Array.from({ length: n }, () => yes("record_image")),
  yes("confirm_last_image", n),
  yes("close_file"),
];

Deno.test("transition() fails a run when no image comes for too long, and says what is missing", () => {
  const driver = reach(start(10, { noImagesTimeoutMs: 3000 }), yes("create_file"));
  driver.feed(...images(5, 6, 9), yes("record_image"), yes("record_image"), yes("record_image"));
  driver.feed(tick);
  assert.deepEqual(driver.effects, ["stop_images", "confirm_last_image"]);
  driver.feed(...ending(3).slice(-2));
  assert.equal(driver.acquisition.state, "FAILED");
  assert.equal(driver.acquisition.stats.nMissing, 7);
  assert.match(
    driver.acquisition.message,
    /^ERROR: no image came for 3 s: 3 of 10 images are in \/data\/run\.h5, 7 never came \(missing ids: 7-8\)\. /,
  );
  assert.equal(statusOf(driver.state).state, "READY");
});

Deno.test("transition() fails a run of which no image ever comes", () => {
  const driver = reach(start(10, { noImagesTimeoutMs: 3000 }), yes("create_file"), tick);
  driver.feed(...ending(0));
  assert.match(driver.acquisition.message, /^ERROR: no image came for 3 s: 0 of 10 images are/);
});

Deno.test("nextDeadline() for images starts anew with each image and each answer", () => {
  const driver = reach(start(9, { noImagesTimeoutMs: 3000 }), yes("create_file"));
  assert.equal(nextDeadline(driver.state, LIMITS), 2 + 3000);
  driver.feed(image());
  assert.equal(nextDeadline(driver.state, LIMITS), 3 + 3000, "sooner than the writer's");
  driver.feed(image(), image());
  assert.equal(nextDeadline(driver.state, LIMITS), 3 + 5000, "images wait in the ring");
  driver.feed(yes("record_image"));
  assert.equal(nextDeadline(driver.state, LIMITS), 6 + 3000);
  driver.feed(stop);
  assert.equal(nextDeadline(driver.state, LIMITS), 7 + 5000);
});

Deno.test("transition() writes until stopped when no number is given", () => {
  const driver = reach(start(0), yes("create_file"));
  for (let i = 0; i < 3; i++) driver.feed(...images(i), yes("record_image"));
  driver.feed(tick, image(2, 5n), yes("record_image"), stop);
  assert.equal(driver.state.phase, "flushing");
  driver.feed(...ending(4).slice(-2));
  assert.match(driver.acquisition.message, /^ERROR: 2 images were lost.* 4 images are in/);
  driver.feed(start(0), yes("create_file"), ...images(1), stop, ...ending(1));
  assert.equal(driver.acquisition.message, "Completed.");
});

Deno.test("transition() takes the images of a range, and ends with its last id", () => {
  const range = { startImageId: 100n, stopImageId: 103n };
  const driver = reach(start(0, range), yes("create_file"), ...images(98, 99));
  assert.equal(driver.acquisition.state, "WAITING_IMAGES");
  driver.feed(...images(100, 101, 102));
  driver.feed(yes("record_image"), ...images(103));
  assert.deepEqual(driver.effects, ["record_image", "stop_images", "confirm_last_image"]);
  driver.feed(...ending(4).slice(1));
  assert.equal(driver.acquisition.message, "Completed.");
  assert.equal(driver.acquisition.stats.nMissing, 0);
});

Deno.test("transition() ends a range whose last id never comes, and says which are missing", () => {
  const range = { startImageId: 100n, stopImageId: 106n };
  const driver = reach(start(0, range), yes("create_file"), ...images(101, 102, 104, 200));
  assert.deepEqual(driver.effects, ["stop_images", "confirm_last_image"]);
  driver.feed(yes("record_image"), yes("record_image"), yes("record_image"));
  driver.feed(yes("confirm_last_image", 3));
  const [close] = transition(driver.state, yes("close_file"), driver.now, LIMITS).effects;
  assert.equal(close?.kind, "ended");
  driver.feed(yes("close_file"));
  assert.equal(driver.acquisition.message, "Completed.");
  assert.equal(driver.acquisition.stats.nMissing, 4);
});

Deno.test("transition() fails a range that brings none, or fewer than asked for", () => {
  const range = { startImageId: 100n, stopImageId: 106n };
  const none = reach(start(0, range), yes("create_file"), ...images(99, 107), ...ending(0));
  assert.match(
    none.acquisition.message,
    /^ERROR: image id 106 was reached: 0 images are in .*, 7 never came \(missing ids: 100-106\)/,
  );
  const few = reach(start(7, range), yes("create_file"), ...images(103, 104, 106), ...ending(3));
  assert.match(
    few.acquisition.message,
    /reached: 3 of 7 images.* 4 never came \(missing ids: 100-102, 105\)/,
  );
});

Deno.test("transition() says how many images below its range came when the detector counts anew", () => {
  const range = { startImageId: 100n, stopImageId: 103n };
  const restarted = [...images(98, 99, 100, 101, 1, 2, 3)];
  const driver = reach(start(0, range), yes("create_file"), ...restarted);
  const below = "3 images with ids below 100 came behind others of the range, and were left " +
    "alone: the detector began to count anew.";
  assert.equal(driver.acquisition.message, below, "whoever waits for the run's end can see it");
  const back = reach(start(0, range), yes("create_file"), ...restarted, ...images(102, 103));
  back.feed(...ending(4));
  assert.deepEqual(
    [back.acquisition.state, back.acquisition.message],
    ["FINISHED", `Completed. ${below}`],
  );
  driver.feed(stop, ...ending(2));
  assert.equal(driver.acquisition.message, `Interrupted. ${below}`);
  const timeout = { ...range, noImagesTimeoutMs: 3000 };
  const starved = reach(start(0, timeout), yes("create_file"), ...restarted);
  starved.feed(yes("record_image"), yes("record_image"), tick, ...ending(2).slice(2));
  assert.match(
    starved.acquisition.message,
    /^ERROR: no image of the range came for 3 s: 2 images are in .*, 2 never came.* 3 images with /,
  );
});

Deno.test("transition() counts as lost only what can be of the range", () => {
  const range = { startImageId: 100n, stopImageId: 106n };
  const before = reach(start(0, range), yes("create_file"), image(50, 102n));
  assert.equal(before.acquisition.stats.nLost, 2);
  const behind = reach(start(0, range), yes("create_file"), image(0, 104n), image(50, 155n));
  assert.equal(behind.acquisition.stats.nLost, 2);
  assert.equal(behind.state.phase, "flushing");
});

Deno.test("transition() names the ids of a range that were overwritten, before the request and after it", () => {
  const range = { startImageId: 100n, stopImageId: 106n };
  const driver = reach(
    start(0, range),
    yes("create_file"),
    image(3, 103n),
    ...images(104, 105, 106),
  );
  driver.feed(
    {
      kind: "answer",
      answer: { ok: false, reason: REASON_OVERWRITTEN, action: "record_image", imageId: 103n },
    },
    yes("record_image"),
    yes("record_image"),
  );
  driver.feed(yes("record_image"), yes("confirm_last_image", 3), yes("close_file"));
  assert.deepEqual([driver.acquisition.stats.nLost, driver.acquisition.stats.nMissing], [4, 0]);
  assert.match(
    driver.acquisition.message,
    /^ERROR: 4 images were lost: overwritten .* on file \(ids: 100-103\)\. 3 images are in .*faster/,
  );
  const late = reach(start(0, range), yes("create_file"), image(3, 103n));
  const { message } = late.acquisition;
  assert.match(message, /They were gone before the run could take them: ask for it before/);
});

Deno.test("transition() tells the file how its run ended", () => {
  const driver = reach(start(9), yes("create_file"), ...images(1, 2, 5), stop);
  driver.feed(yes("record_image"), yes("record_image"), yes("record_image"));
  const { effects } = transition(driver.state, yes("confirm_last_image", 3), driver.now, LIMITS);
  assert.deepEqual(effects, [{
    kind: "send",
    command: {
      action: "close_file",
      end: {
        outcome: "Interrupted.",
        account: {
          ...{ written: 3, lost: 0, overwritten: 0, failed: 0, missing: 2, notTaken: 4 },
          ...{ lostIds: "", failedIds: "", missingIds: "3-4" },
        },
        endTime: driver.now.epochS,
      },
    },
  }]);
});

/** An answer to the image with an id. */
const answer = (imageId: number, reason = "", nVisible?: number): AcquisitionEvent => ({
  kind: "answer",
  answer: {
    ...{ ok: reason === "", reason, action: "record_image", imageId: BigInt(imageId) },
    ...(nVisible !== undefined && { nVisible }),
  },
});

/** What an event would have the writer told. */
function commandOf({ state, now }: Driver, event: AcquisitionEvent): WriterCommand | undefined {
  const later = { ...now, monotonicMs: now.monotonicMs + (event.kind === "tick" ? 5001 : 1) };
  return transition(state, event, later, LIMITS).effects
    .flatMap((effect) => effect.kind === "send" ? [effect.command] : [])[0];
}

Deno.test("transition() names lost images apart from those that never came, and all add up", () => {
  const driver = reach(start(20), yes("create_file"), ...images(1, 2, 3));
  driver.feed(answer(1), answer(2, REASON_OVERWRITTEN), image(3, 7n), answer(3), answer(7));
  driver.feed(...images(10), image(2, 14n), answer(10), answer(14, `${REASON_OVERWRITTEN}: x`));
  driver.feed(stop);
  const close = commandOf(driver, yes("confirm_last_image", 4));
  assert.ok(close?.action === "close_file");
  // Of 11, 12 and 13 two were overwritten, one never came.
  assert.deepEqual(close.end?.account, {
    ...{ written: 4, lost: 7, overwritten: 2, failed: 0, missing: 3, notTaken: 6 },
    ...{ lostIds: "2, 4-6, 2 of 11-13, 14", missingIds: "8-9, 1 of 11-13", failedIds: "" },
  });
  driver.feed(yes("confirm_last_image", 4), yes("close_file"));
  assert.match(driver.acquisition.message, /^ERROR: 7 of 20 images were lost.*\(ids: 2, 4-6, /);
  assert.deepEqual(driver.acquisition.ids, {
    lost: "2, 4-6, 2 of 11-13, 14",
    missing: "8-9, 1 of 11-13",
    failed: "",
  });
});

Deno.test("transition() names lost images at the ends of a run, also of detectors that count by more", () => {
  const behind = reach(start(4), yes("create_file"), ...images(100, 104), image(9, 144n));
  assert.deepEqual(behind.acquisition.ids.lost, "108-112");
  const second = reach(
    start(9),
    yes("create_file"),
    ...images(100),
    image(3, 116n),
    ...images(120),
  );
  assert.deepEqual(second.acquisition.ids.lost, "104-112");
  const first = reach(start(9), yes("create_file"), image(3, 50n));
  assert.deepEqual(first.acquisition.ids.lost, "47-49");
});

Deno.test("transition() counts as failed what a silent writer did not confirm, and blames no ring", () => {
  const driver = reach(start(10), yes("create_file"), image(3, 13n), ...images(14));
  driver.feed(answer(13, "", 1), answer(14, "", 1), ...images(15), tick);
  const { message, stats, ids } = driver.acquisition;
  assert.deepEqual(stats, {
    ...{ nWriteRequested: 3, nWriteCompleted: 1, nLost: 3, nFailed: 2, nMissing: 0, nNotTaken: 4 },
    ...{ startTime: stats.startTime, stopTime: driver.now.epochS },
  });
  assert.deepEqual(ids, { lost: "10-12", missing: "", failed: "15, 1 of 13-14" });
  assert.match(
    message,
    /at least 1 image is safe in \S+, of 2 that were written\. .*2 images are not confirmed that/,
  );
  assert.doesNotMatch(message, /faster disk|images are in/);
  // When it is back, it hears how the run of its file ended, before all else.
  const close = commandOf(driver, start());
  assert.ok(close?.action === "close_file" && close.discardEmpty === undefined);
  assert.equal(close.end?.outcome, message);
  assert.equal(close.end?.account?.failed, 2);
});

Deno.test("transition() names no image as failed that may be on file, however many are alone", () => {
  const ids = Array.from({ length: 500 }, (_, i) => i + 1);
  const driver = reach(start(600), yes("create_file"), ...images(...ids));
  // One of two writers is silent.
  driver.feed(...ids.filter((id) => id % 2 === 0).map((id) => answer(id, "", id / 2)), tick);
  assert.equal(driver.acquisition.stats.nFailed, 250);
  assert.equal(driver.acquisition.ids.failed, "250 of 1-500");
});

Deno.test("transition() has a file removed that a silent writer made for a run that did not start", () => {
  const driver = reach(start(), tick);
  for (const retry of [tick, start(), yes("create_file")]) {
    const close = commandOf(driver, retry);
    assert.ok(close?.action === "close_file" && close.discardEmpty);
    assert.match(close.end?.outcome ?? "", /^ERROR: no answer.*not started/);
  }
  driver.feed(start(), yes("close_file"), yes("create_file"), image(), tick);
  const close = commandOf(driver, tick);
  assert.ok(close?.action === "close_file" && close.discardEmpty === undefined);
});

Deno.test("transition() has files overwritten when all are made, and discarded if they cannot be", () => {
  const overwrite = start(2, { overwrite: true });
  const driver = reach(overwrite, yes("create_file"));
  assert.deepEqual(driver.effects, ["confirm_last_image"]);
  assert.equal(driver.acquisition.state, "WAITING_IMAGES");
  const close = commandOf(driver, no("confirm_last_image", "renameat: EPERM"));
  assert.ok(close?.action === "close_file" && close.discardEmpty);
  driver.feed(no("confirm_last_image", "renameat: EPERM"), yes("close_file"));
  assert.match(driver.acquisition.message, /^ERROR: .* not create \S+run\.h5: renameat: EPERM\.$/);
  driver.feed(overwrite, yes("create_file"), stop, yes("confirm_last_image"));
  assert.deepEqual(driver.effects, ["started", "confirm_last_image"]);
  // Nothing is overwritten by an original; it has made its file.
  assert.equal(reach(overwrite, plain()).state.phase, "recording");
});

Deno.test("transition() gives a writer that works more time, whatever is asked of it meanwhile", () => {
  const { writerTimeoutMs, workTimeoutMs } = LIMITS;
  /** How long the writer has for its next answer. */
  const limit = ({ state, now }: Driver): number => nextDeadline(state, LIMITS)! - now.monotonicMs;
  assert.equal(limit(reach(start(), working(true))), workTimeoutMs, "create_file");
  const driver = reach(...RECORDING, working(true));
  assert.equal(nextDeadline(driver.state, LIMITS), undefined);
  assert.equal(limit(driver.feed(image())), workTimeoutMs, "a sync in mid-run");
  driver.feed(tick, image());
  assert.equal(driver.state.phase, "flushing");
  assert.equal(limit(driver.feed(working(false))), writerTimeoutMs, "it has just ended");
  driver.feed(...ending(2).slice(0, 3), working(true), tick, tick);
  assert.equal(driver.state.phase, "closing");
  driver.feed(working(false), yes("close_file"));
  assert.equal(driver.acquisition.message, "Completed.");

  driver.feed(start(), working(true));
  driver.now = { ...driver.now, monotonicMs: driver.now.monotonicMs + workTimeoutMs };
  driver.feed(tick);
  assert.match(driver.acquisition.message, /^ERROR: no answer from the file writer for 600 s; /);
  assert.equal(limit(driver.feed(start())), writerTimeoutMs, "nobody knows what it does now");
});

Deno.test("transition() takes what another driver left in the writer for a run that failed", () => {
  const driver = reach({ kind: "driver_started" });
  assert.deepEqual(driver.effects, ["close_file"]);
  driver.feed(no("close_file", REASON_NO_FILE));
  assert.deepEqual([driver.effects, driver.acquisition.message], [[], "No acquisition yet."]);
  // An original names no action: its first answer is to the close_file, also behind a start.
  const original = reach({ kind: "driver_started" }, start(), plain(false, "no file"));
  assert.equal(original.state.phase, "creating");
  assert.equal(original.feed(plain()).state.phase, "recording");
  driver.feed({ kind: "driver_started" });
  const closed = { path: "/data/old.h5", runId: 3n, nImages: 500, startTime: 900 };
  const left = { ok: true, reason: "", nWritten: 286, nOverwritten: 4, closed };
  driver.feed({ kind: "answer", answer: { ...left, action: "close_file" } });
  assert.deepEqual(driver.effects, ["ended"]);
  const { state, message, info, stats } = driver.acquisition;
  assert.equal(state, "FAILED");
  assert.match(message, /^ERROR: the writer agent ended .*286 images are in \/data\/old\.h5/);
  assert.deepEqual(info, { nImages: 500, outputFile: "/data/old.h5", runId: 3n });
  assert.deepEqual([stats.nWriteCompleted, stats.nLost, stats.nNotTaken], [286, 4, 210]);
  assert.equal(stats.startTime, 900);
  assert.equal(statusOf(driver.state).state, "READY");
});

Deno.test("transition() completes a run with the original writer, which answers no image", () => {
  const driver = reach(start(2), plain(), image(), tick, image());
  assert.equal(outstanding(driver.state), 0);
  assert.equal(driver.state.phase, "flushing");
  driver.feed(plain(), plain());
  assert.equal(driver.acquisition.message, "Completed.");
  assert.equal(driver.acquisition.stats.nWriteCompleted, 2);
});

Deno.test("transition() does not write as another user with a writer that knows no users", () => {
  const driver = reach(start(2, { userId: 5 }), plain());
  assert.deepEqual(driver.effects, ["start_failed", "close_file"]);
  driver.feed(plain());
  assert.match(driver.acquisition.message, /^ERROR: the file writer is an original, .* user_id/);
  assert.equal(driver.acquisition.stats.nWriteRequested, 0);
  const ours = reach(start(2, { userId: 5 }), yes("create_file"));
  assert.equal(ours.state.phase, "recording");
});

Deno.test("transition() says Interrupted when stopped, and keeps the images", () => {
  const driver = reach(start(9), yes("create_file"), image(), stop, yes("record_image"));
  driver.feed(yes("confirm_last_image", 1), yes("close_file"));
  assert.equal(driver.acquisition.state, "FINISHED");
  assert.equal(driver.acquisition.message, "Interrupted.");
  assert.equal(driver.acquisition.stats.nWriteCompleted, 1);
});

Deno.test("transition() counts skipped and overwritten images once each, and fails the run", () => {
  const driver = reach(start(10), yes("create_file"), image(3), image(), image(4));
  assert.equal(driver.acquisition.stats.nWriteRequested, 3);
  assert.equal(driver.state.phase, "flushing", "3 requested + 7 skipped");
  driver.feed(
    yes("record_image"),
    no("record_image", `${REASON_OVERWRITTEN}: entry 4`),
    yes("record_image"),
    yes("confirm_last_image", 2),
    yes("close_file"),
  );
  assert.equal(driver.acquisition.state, "FAILED");
  assert.equal(driver.acquisition.stats.nLost, 8);
  assert.match(driver.acquisition.message, /^ERROR: 8 of 10 images were lost.* 2 images are in/);
});

Deno.test("transition() ends a run whose last images were all skipped", () => {
  const driver = reach(start(3), yes("create_file"), image(), image(50));
  assert.equal(driver.state.phase, "flushing");
  assert.equal(driver.acquisition.stats.nLost, 2);
  assert.equal(driver.acquisition.stats.nWriteRequested, 1);
});

Deno.test("transition() fails the run with the writer's reason when the disk is full", () => {
  const driver = reach(start(9), yes("create_file"), image(), image());
  driver.feed(yes("record_image"), no("record_image", "pwrite: ENOSPC (no space left)."));
  assert.equal(driver.acquisition.state, "FLUSHING_IMAGES");
  driver.feed(no("confirm_last_image", "pwrite: ENOSPC (no space left)."), yes("close_file"));
  assert.equal(statusOf(driver.state).state, "READY");
  assert.equal(driver.acquisition.state, "FAILED");
  assert.match(
    driver.acquisition.message,
    /^ERROR: the file writer failed to write: pwrite: ENOSPC \(no space left\); 1 image is in \S+\. 1 image was not written/,
  );
  assert.equal(driver.acquisition.stats.nWriteCompleted, 1);
});

Deno.test("transition() ends a run whose writer says unasked that it cannot confirm it", () => {
  const driver = reach(start(9), yes("create_file"), image(), yes("record_image"));
  driver.feed(no("confirm_last_image", "EIO"));
  assert.equal(driver.acquisition.state, "FLUSHING_IMAGES");
  driver.feed(no("confirm_last_image", "EIO"), yes("close_file"));
  assert.equal(statusOf(driver.state).state, "READY");
  assert.match(driver.acquisition.message, /^ERROR: the file writer failed to write: EIO; 1 image/);
});

Deno.test("transition() counts images of a removed file as not kept, those of a moved one as written", () => {
  for (const [reason, kept] of [[REASON_FILE_REMOVED, 0], [REASON_FILE_MOVED, 2]] as const) {
    const driver = reach(start(9), yes("create_file"), ...images(5, 6));
    driver.feed(yes("record_image"), yes("record_image"));
    const confirm: AcquisitionEvent = {
      kind: "answer",
      answer: { ok: false, reason, action: "confirm_last_image", nWritten: kept },
    };
    driver.feed(confirm, confirm, yes("close_file"));
    const { stats, message } = driver.acquisition;
    assert.deepEqual([stats.nWriteCompleted, stats.nFailed], [kept, 2 - kept]);
    assert.ok(message.startsWith(`ERROR: the file writer failed to write: ${reason}.`), message);
    assert.doesNotMatch(message, /images are in/);
  }
});

Deno.test("transition() contradicts a writer that confirms another number of images", () => {
  const driver = reach(...RECORDING, image(), image(), yes("record_image"), yes("record_image"));
  driver.feed(yes("confirm_last_image", 1), yes("close_file"));
  assert.match(driver.acquisition.message, /counts 1 images in the file, 2 were acknowledged/);
});

Deno.test("transition() contradicts a writer that confirms before answering every image", () => {
  const driver = reach(...RECORDING, image(), image(), yes("record_image"));
  driver.feed(yes("confirm_last_image", 1), yes("close_file"));
  assert.match(driver.acquisition.message, /answered for 1 of 2 images only/);
});

Deno.test("transition() knows a restarted writer by its answer and is ready at once", () => {
  const driver = reach(start(9), yes("create_file"), image(), no("record_image", REASON_NO_FILE));
  driver.feed(no("confirm_last_image", REASON_NO_FILE), no("close_file", REASON_NO_FILE));
  assert.equal(statusOf(driver.state).state, "READY");
  assert.match(driver.acquisition.message, /^ERROR: the file writer restarted/);
});

Deno.test("transition() says how many images are safe when the writer dies, as far as it knows", () => {
  const written = (nWritten: number, nVisible: number): AcquisitionEvent => ({
    kind: "answer",
    answer: { ok: true, reason: "", action: "record_image", nWritten, nVisible },
  });
  const driver = reach(
    start(9),
    yes("create_file"),
    image(),
    written(1, 0),
    image(),
    written(2, 2),
  );
  driver.feed(image(), written(3, 2), image(), tick);
  assert.match(
    driver.acquisition.message,
    /at least 2 images are safe in \/data\/run\.h5, of 3 that were written\. .*std_h5_writer/,
  );
  const restarted = reach(start(9), yes("create_file"), image(), written(1, 1), image());
  restarted.feed(no("record_image", REASON_NO_FILE));
  assert.match(restarted.acquisition.message, /restarted .*; at least 1 image is safe/);
});

Deno.test("transition() closes a file left open in the writer once, then creates its own", () => {
  const driver = reach(start(), no("create_file", REASON_FILE_OPEN), yes("close_file"));
  assert.equal(driver.state.phase, "creating");
  driver.feed(no("create_file", REASON_FILE_OPEN));
  assert.equal(driver.state.phase, "idle");
  assert.equal(driver.acquisition.state, "FAILED");
});

Deno.test("transition() ignores answers of an earlier run when a new one is created", () => {
  const driver = reach(start(), tick, yes("close_file"), start());
  assert.equal(driver.state.phase, "creating");
  driver.feed(no("close_file", REASON_NO_FILE), no("record_image", REASON_NO_FILE));
  assert.equal(driver.state.phase, "creating");
  driver.feed(yes("create_file"));
  assert.equal(driver.state.phase, "recording");
});

Deno.test("transition() counts more than a million images, in constant memory", () => {
  const n = 1_000_003;
  const driver = reach(start(n), yes("create_file"));
  let state = driver.state;
  const metadata = { ...METADATA };
  const written = yes("record_image");
  for (let i = 0; i < n; i++) {
    const event: AcquisitionEvent = {
      kind: "image",
      image: { entry: BigInt(i), skipped: 0, metadata: { ...metadata, imageId: BigInt(i) } },
    };
    state = transition(state, event, driver.now, LIMITS).state;
    state = transition(state, written, driver.now, LIMITS).state;
  }
  driver.state = state;
  assert.equal(state.phase, "flushing");
  driver.feed(yes("confirm_last_image", n), yes("close_file"));
  assert.equal(driver.acquisition.message, "Completed.");
  assert.equal(driver.acquisition.stats.nWriteCompleted, n);
  assert.ok(
    JSON.stringify(state, (_, value) => typeof value === "bigint" ? `${value}` : value).length <
      1000,
  );
});

Deno.test("nextDeadline() moves with every answer and is absent when none is owed", () => {
  const driver = reach(start(9), yes("create_file"));
  assert.equal(nextDeadline(driver.state, LIMITS), undefined);
  driver.feed(image());
  assert.equal(nextDeadline(driver.state, LIMITS), 3 + 5000);
  driver.feed(image());
  assert.equal(nextDeadline(driver.state, LIMITS), 3 + 5000);
  driver.feed(yes("record_image"));
  assert.equal(nextDeadline(driver.state, LIMITS), 5 + 5000);
  driver.feed(yes("record_image"));
  assert.equal(nextDeadline(driver.state, LIMITS), undefined);
});

Deno.test("canTakeImage() holds images back when too many are outstanding", () => {
  const driver = reach(start(9), yes("create_file"), image(), image());
  assert.equal(canTakeImage(driver.state, LIMITS), true);
  driver.feed(image());
  assert.equal(canTakeImage(driver.state, LIMITS), false);
  driver.feed(yes("record_image"));
  assert.equal(canTakeImage(driver.state, LIMITS), true);
});

/** What the account of a run that has ended promises. */
function assertAddsUp({ acquisition }: Driver, running: boolean): void {
  if (running) return;
  const { info, stats } = acquisition;
  const { nWriteCompleted, nLost, nFailed, nMissing, nNotTaken } = stats;
  const sum = nWriteCompleted + nLost + nFailed + nNotTaken;
  if (info.nImages > 0) assert.ok(sum <= info.nImages && sum + nMissing >= info.nImages);
}

const anyEvent: fc.Arbitrary<AcquisitionEvent> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...Object.values(EVENTS)) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 3 }).map((skipped) => image(skipped)) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 4 }).map((n) => start(n)) },
  { weight: 1, arbitrary: fc.constant(start(3, { noImagesTimeoutMs: 100 })) },
  { weight: 1, arbitrary: fc.constant(start(3, { overwrite: true })) },
  { weight: 1, arbitrary: fc.constant(start(0, { startImageId: 1n, stopImageId: 3n })) },
  { weight: 2, arbitrary: fc.bigInt(0n, 4n).map((id) => image(1, id)) },
  { weight: 1, arbitrary: fc.constantFrom(plain(), plain(false, "EIO")) },
  { weight: 1, arbitrary: fc.boolean().map(working) },
);

Deno.test("transition() stays consistent in any sequence of events", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 60 }), (events) => {
      const driver = new Driver();
      let running = false;
      for (const event of events) {
        const before = DIAGRAMS.map(([, nameOf]) => nameOf(driver.state));
        driver.feed(event);
        for (const [i, [transitions, nameOf]] of DIAGRAMS.entries()) {
          const [from, to] = [before[i], nameOf(driver.state)];
          assert.ok(from === to || transitions.includes(`${from} → ${to}`), `${from} → ${to}`);
        }
        assert.ok(PHASES.includes(driver.state.phase));
        const { run } = driver.state;
        const started = event.kind === "start" && !driver.effects.includes("start_refused");
        assert.ok(!started || !running, "a run was replaced while it was running");
        const ended = driver.effects.includes("ended");
        assert.ok(!ended || running || started, "a run ended that did not run");
        running = run !== undefined && run.stopTime === undefined;
        if (run === undefined) continue;
        assert.ok(run.completed + run.overwritten + run.failed <= run.requested);
        assertAddsUp(driver, running);
        assert.ok(run.answered <= run.requested);
        const { nImages } = run.request;
        assert.ok(nImages === 0 || run.requested + run.skipped <= nImages);
        assert.ok(outstanding(driver.state) >= 0);
        const { state, message } = driver.acquisition;
        assert.equal(running, !["FINISHED", "FAILED"].includes(state));
        if (state === "FAILED") assert.match(message, /^ERROR: .*[^.]\.$/);
        if (message === "Completed.") {
          assert.ok(nImages === 0 || run.completed === nImages);
        }
      }
    }),
    { numRuns: 3000 },
  );
});

Deno.test("transition() always gets to a next run that completes", () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 40 }), (events) => {
      const driver = reach(...events);
      // The writer is well from here on: let what is owed be answered, then run.
      driver.feed(
        working(false),
        stop,
        tick,
        tick,
        yes("close_file"),
        tick,
        tick,
        yes("close_file"),
        stop,
      );
      if (driver.state.phase === "recovering") driver.feed(yes("close_file"));
      assert.equal(statusOf(driver.state).state, "READY", driver.state.phase);
      driver.feed(start(1), yes("create_file"), image(), yes("record_image"));
      driver.feed(yes("confirm_last_image", 1), yes("close_file"));
      assert.equal(driver.acquisition.message, "Completed.");
    }),
    { numRuns: 2000 },
  );
});
