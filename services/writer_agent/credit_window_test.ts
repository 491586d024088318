import assert from "node:assert/strict";
import {
  REASON_NO_FILE,
  type StartRequest,
  type WriterAnswer,
  type WriterCommand,
} from "../../lib/acquisition/mod.ts";
import type { ImageMetadata } from "../../lib/protocol/mod.ts";
import { FakeWriter } from "./_fakes.ts";
import { CreditWindow } from "./credit_window.ts";

const request: StartRequest = { nImages: 9, outputFile: "/data/x.h5", runId: 1n, json: "{}" };
const CREATE: WriterCommand = { action: "create_file", request, startTime: 0 };

/** A window on a writer that says what the test says; time goes by when the test says so. */
class Bench implements Disposable {
  readonly writer = new FakeWriter();
  /** What came of it. */
  readonly heard: string[] = [];
  readonly window: CreditWindow;
  #nowMs = 0;
  #timers: { at: number; callback: () => void }[] = [];
  #sent = 0;

  constructor() {
    this.writer.react = () => undefined;
    this.window = new CreditWindow(this.writer, {
      ...{ defaultCredit: () => 3, writerTimeoutMs: 5000, workTimeoutMs: 600_000 },
      clock: {
        now: () => ({ epochS: 0, monotonicMs: this.#nowMs }),
        after: (ms, callback) => {
          const timer = { at: this.#nowMs + ms, callback };
          this.#timers.push(timer);
          return () => this.#timers = this.#timers.filter((each) => each !== timer);
        },
      },
    });
    this.window.listen({
      onAnswer: ({ action }) => this.heard.push(String(action)),
      onWorking: (working) => this.heard.push(`working ${working}`),
      onFailure: (reason) => this.heard.push(reason),
    });
  }

  /** Creates a file, and has that answered. */
  create(more: Partial<WriterAnswer> = {}): void {
    this.window.send(CREATE);
    this.answer("create_file", more);
  }

  images(count: number): void {
    for (let i = 0; i < count; i++) {
      const metadata: ImageMetadata = {
        ...{ imageId: BigInt(this.#sent++), height: 1, width: 1, size: 2 },
        ...{ dtype: "uint16", status: "good_image", compression: "none" },
      };
      this.window.send({ action: "record_image", image: { skipped: 0, metadata } });
    }
  }

  answer(action: NonNullable<WriterAnswer["action"]>, more: Partial<WriterAnswer> = {}): void {
    this.writer.answer({ ok: true, reason: "", action, ...more });
  }

  /** Lets time go by. */
  pass(ms: number): void {
    const end = this.#nowMs + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#nowMs = next.at;
      next.callback();
    }
    this.#nowMs = end;
  }

  /** What the writer was sent, images by their ids. */
  get sent(): string {
    return this.writer.commands.map((command) =>
      command.action === "record_image" ? command.image.metadata.imageId : command.action
    ).join(" ");
  }

  [Symbol.dispose](): void {
    this.window[Symbol.dispose]();
    assert.deepEqual(this.#timers, []);
  }
}

Deno.test("CreditWindow has no more images at a writer than it takes, and keeps all in order", () => {
  using bench = new Bench();
  bench.create({ credit: 2 });
  bench.images(6);
  bench.window.send({ action: "confirm_last_image" });
  assert.equal(bench.sent, "create_file 0 1");
  bench.answer("record_image", { credit: 2 });
  assert.equal(bench.sent, "create_file 0 1 2");
  bench.answer("record_image", { credit: 4 }); // it takes more
  assert.equal(bench.sent, "create_file 0 1 2 3 4 5 confirm_last_image");
});

Deno.test("CreditWindow takes a smaller credit, at once, for what is sent from then on, and 0 for 1", () => {
  using bench = new Bench();
  bench.create({ credit: 3 });
  bench.images(6);
  for (let answered = 0; answered < 2; answered++) bench.answer("record_image", { credit: 0 });
  assert.equal(bench.sent, "create_file 0 1 2");
  bench.answer("record_image");
  assert.equal(bench.sent, "create_file 0 1 2 3");
});

Deno.test("CreditWindow gives the default to a writer that tells no credit, in each run", () => {
  using bench = new Bench();
  for (const more of [{}, { credit: 1 }, {}]) {
    bench.writer.commands.length = 0;
    bench.create(more);
    bench.images(5);
    assert.equal(bench.writer.commands.length, 1 + ("credit" in more ? 1 : 3));
    bench.window.dropUnsent();
  }
});

Deno.test("CreditWindow sends all images to an original, which answers none", () => {
  using bench = new Bench();
  bench.window.send(CREATE);
  bench.writer.answer({ ok: true, reason: "" });
  bench.images(20);
  assert.equal(bench.writer.commands.length, 21);
  bench.pass(60_000);
  assert.deepEqual(bench.heard, ["undefined"]);
});

Deno.test("CreditWindow awaits nothing of a writer that was started again", () => {
  using bench = new Bench();
  bench.create({ credit: 2 });
  bench.images(6);
  bench.window.send({ action: "confirm_last_image" });
  bench.answer("record_image", { ok: false, reason: REASON_NO_FILE });
  assert.equal(bench.sent, "create_file 0 1 2 3");
  bench.answer("record_image", { ok: false, reason: REASON_NO_FILE });
  assert.equal(bench.sent, "create_file 0 1 2 3 4 5 confirm_last_image");
});

Deno.test("CreditWindow loses a writer that owes an answer for too long, later while it works", () => {
  using bench = new Bench();
  bench.create();
  bench.pass(60_000);
  bench.images(2);
  bench.pass(4000);
  bench.answer("record_image");
  bench.pass(4000);
  bench.writer.working(true);
  bench.pass(500_000);
  bench.writer.working(false);
  bench.pass(4000);
  const before = ["create_file", "record_image", "working true", "working false"];
  assert.deepEqual(bench.heard, before);
  bench.pass(1000);
  assert.deepEqual(bench.heard, [...before, "no answer from the file writer for 5 s"]);
});
