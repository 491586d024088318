import assert from "node:assert/strict";
import fc from "fast-check";
import { type OpenImage, type SyncFrame, Synchroniser } from "./synchroniser.ts";

const TIMEOUT = 1_000n;

/** A synchroniser with a clock, that notes what it hands out. */
class Bench {
  readonly synchroniser: Synchroniser;
  readonly modules: number;
  /** Images handed out: epoch, image id, how many modules came. */
  readonly images: { epoch: number; imageId: bigint; count: number; waited: bigint }[] = [];
  now = 1_000_000n;
  /** When the first frame of an open image came. */
  readonly #began = new Map<OpenImage, bigint>();

  constructor(modules: number, window = 50) {
    this.modules = modules;
    this.synchroniser = new Synchroniser({ modules, window, timeoutNs: TIMEOUT });
  }

  add(module: number, imageId: number | bigint, restarted = false): "taken" | "late" | "duplicate" {
    const frame: SyncFrame = { module, imageId: BigInt(imageId), restarted };
    const image = this.synchroniser.add(frame, this.now);
    if (typeof image === "string") return image;
    if (!this.#began.has(image)) this.#began.set(image, this.now);
    return "taken";
  }

  /** Gives a frame of every module. */
  addAll(imageId: number | bigint, restarted = false): void {
    for (let module = 0; module < this.modules; module++) this.add(module, imageId, restarted);
  }

  /** Takes the images that are due. */
  release(): void {
    for (;;) {
      const image = this.synchroniser.next(this.now);
      if (image === undefined) return;
      const waited = this.now - this.#began.get(image)!;
      const { epoch, imageId, count } = image;
      this.images.push({ epoch, imageId, count, waited });
    }
  }

  /** Takes the images that are due at once, and those that are when the timeout is over. */
  finish(): void {
    this.release();
    this.now += TIMEOUT;
    this.release();
  }

  /** `epoch:id`, with `-` and the number of missing modules where there are any. */
  get told(): string[] {
    return this.images.map(({ epoch, imageId, count }) =>
      `${epoch}:${imageId}${count === this.modules ? "" : `-${this.modules - count}`}`
    );
  }

  /** What must hold whatever comes. */
  assertInvariants(): void {
    let before: { epoch: number; imageId: bigint } | undefined;
    for (const image of this.images) {
      if (before !== undefined) {
        assert.ok(
          image.epoch > before.epoch ||
            (image.epoch === before.epoch && image.imageId > before.imageId),
          `not in order, or twice: ${this.told.join(" ")}`,
        );
      }
      assert.ok(image.count >= 1 && image.count <= this.modules);
      before = image;
    }
  }
}

Deno.test("next() hands out a complete image at once, in the order of ids", () => {
  const bench = new Bench(2);
  bench.add(0, 1);
  bench.add(0, 2);
  bench.release();
  assert.deepEqual(bench.told, []);
  bench.add(1, 1);
  bench.release();
  assert.deepEqual(bench.told, ["0:1"]);
  bench.add(1, 2);
  bench.release();
  assert.deepEqual(bench.told, ["0:1", "0:2"]);
});

Deno.test("next() waits no longer for a module that has gone past the image", () => {
  const bench = new Bench(2);
  bench.add(0, 1);
  bench.add(0, 2);
  bench.add(1, 2);
  bench.release();
  assert.deepEqual(bench.told, ["0:1-1", "0:2"]);
});

Deno.test("next() gives up at the timeout, not before", () => {
  const bench = new Bench(2);
  bench.add(0, 1);
  bench.now += TIMEOUT - 1n;
  bench.release();
  assert.deepEqual(bench.told, []);
  bench.now += 1n;
  bench.release();
  assert.deepEqual(bench.told, ["0:1-1"]);
  assert.equal(bench.add(1, 1), "late");
});

Deno.test("next() does not let an image wait longer because one before it began later", () => {
  const bench = new Bench(3);
  bench.add(0, 10);
  for (const [module, imageId] of [[1, 5], [2, 3]] as const) {
    bench.now += TIMEOUT - 1n - (bench.now - 1_000_000n);
    bench.add(module, imageId);
  }
  bench.now = 1_000_000n + TIMEOUT;
  bench.release();
  assert.equal(bench.images.at(-1)?.imageId, 10n);
});

Deno.test("next() hands out the oldest when more images wait than the window holds", () => {
  const bench = new Bench(2, 3);
  for (let id = 1; id <= 5; id++) bench.add(0, id);
  bench.release();
  assert.deepEqual(bench.told, ["0:1-1", "0:2-1"]);
});

Deno.test("add() tells a duplicate from a late frame", () => {
  const bench = new Bench(2);
  bench.add(0, 1);
  bench.addAll(2);
  bench.add(0, 3);
  bench.release();
  assert.equal(bench.add(1, 3), "taken");
  bench.release();
  assert.deepEqual(bench.told, ["0:1-1", "0:2", "0:3"]);
});

Deno.test("a detector's restart begins an epoch, its images come after the former ones", () => {
  const bench = new Bench(2);
  bench.addAll(7);
  bench.add(0, 8);
  bench.add(0, 1, true); // module 0 is ahead
  bench.add(1, 8);
  bench.add(1, 1, true);
  bench.release();
  assert.deepEqual(bench.told, ["0:7", "0:8", "1:1"]);
});

Deno.test("a restart to the id of an image that waits is not taken for a part of it", () => {
  const bench = new Bench(2);
  bench.add(0, 1);
  bench.add(0, 2);
  bench.add(1, 1);
  bench.release();
  bench.add(0, 2, true); // again 2, after a restart
  bench.add(1, 2);
  bench.add(1, 2, true);
  bench.release();
  assert.deepEqual(bench.told, ["0:1", "0:2", "1:2"]);
});

Deno.test("runs of one image each are paired by their order, however far modules are apart", () => {
  const bench = new Bench(2);
  for (let run = 0; run < 4; run++) bench.add(0, 1, run > 0);
  for (let run = 0; run < 4; run++) bench.add(1, 1, run > 0);
  bench.release();
  assert.deepEqual(bench.told, ["0:1", "1:1", "2:1", "3:1"]);
});

Deno.test("a restart is known by its ids alone where the source tells none", () => {
  const bench = new Bench(2);
  for (const id of [5, 6, 7]) bench.addAll(id);
  bench.release();
  for (const id of [1, 2]) bench.addAll(id);
  bench.release();
  assert.deepEqual(bench.told, ["0:5", "0:6", "0:7", "1:1", "1:2"]);
});

Deno.test("a restarted receiver with ids going on begins no epoch, not even when it is late", () => {
  const bench = new Bench(2);
  for (const id of [1, 2, 3]) bench.addAll(id);
  for (const id of [4, 5, 6]) bench.add(0, id);
  bench.now += TIMEOUT;
  bench.release();
  assert.equal(bench.add(1, 5, true), "late");
  assert.equal(bench.add(1, 6), "late");
  bench.addAll(7);
  bench.release();
  assert.deepEqual(bench.told.slice(-2), ["0:6-1", "0:7"]);
});

Deno.test("a module whose restart comes late joins the others, it does not begin an epoch", () => {
  const bench = new Bench(3);
  for (const id of [10, 11]) bench.addAll(id);
  for (const id of [1, 2, 3, 4]) for (const m of [0, 1]) bench.add(m, id, id === 1);
  bench.finish();
  for (const id of [1, 2, 3, 4]) bench.add(2, id, id === 1);
  for (const id of [5, 6]) bench.addAll(id);
  bench.release();
  assert.deepEqual(bench.told.slice(-3), ["1:4-1", "1:5", "1:6"]);
});

Deno.test("a module that was away while the others restarted joins them, whatever its id", () => {
  for (const id of [3, 60, 100, 160, 1_000]) {
    const bench = new Bench(3);
    for (const i of [49, 50]) bench.addAll(i);
    for (let i = 51; i <= 100; i++) for (const m of [0, 1]) bench.add(m, i);
    bench.finish();
    for (let i = 1; i < id; i++) {
      for (const m of [0, 1]) bench.add(m, i, i === 1);
      bench.release();
      bench.now += 20n;
    }
    bench.now += TIMEOUT;
    for (const i of [id, id + 1, id + 2]) bench.addAll(i); // module 2 tells of no restart
    bench.release();
    assert.deepEqual(bench.told.slice(-3), [`1:${id}`, `1:${id + 1}`, `1:${id + 2}`]);
    bench.assertInvariants();
  }
});

Deno.test("modules come together again when one alone believed in a restart", () => {
  const bench = new Bench(3);
  bench.addAll(100);
  bench.add(1, 5_000_000_000, true); // nonsense, and back
  bench.add(1, 101, true);
  for (const m of [0, 2]) bench.add(m, 101);
  bench.finish();
  for (let id = 102; id < 110; id++) {
    bench.addAll(id);
    bench.release();
  }
  assert.deepEqual(bench.told.slice(-4).map((t) => t.split(":")[1]), ["106", "107", "108", "109"]);
  bench.assertInvariants();
});

Deno.test("one wrong id far ahead does not make everything late for ever", () => {
  const bench = new Bench(2, 4);
  bench.addAll(1);
  bench.add(1, 900_000_000); // module 1 dies of it
  bench.finish();
  for (let id = 2; id < 40; id++) {
    bench.add(0, id);
    bench.release();
    bench.now += TIMEOUT / 4n;
  }
  bench.finish();
  assert.equal(bench.told.at(-1), "1:39-1");
  bench.assertInvariants();
});

/** One frame lost by a module, or not. */
function losses(modules: number): fc.Arbitrary<boolean[][]> {
  const lost = fc.boolean().chain((l) => l ? fc.boolean() : fc.constant(false));
  return fc.array(fc.array(lost, { minLength: modules, maxLength: modules }), {
    minLength: 1,
    maxLength: 30,
  });
}

Deno.test("images are complete exactly when no module lost its part, for any interleaving", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 5 }).chain((modules) =>
      fc.record({
        modules: fc.constant(modules),
        lost: losses(modules),
        step: fc.integer({ min: 1, max: 1000 }),
        turns: fc.infiniteStream(fc.nat(modules - 1)),
      })
    ),
    ({ modules, lost, step, turns }) => {
      const bench = new Bench(modules);
      const queues = Array.from(
        { length: modules },
        (_, m) => lost.flatMap((flags, i) => flags[m] ? [] : [7 + i * step]),
      );
      for (const turn of turns) {
        if (queues.every((queue) => queue.length === 0)) break;
        const m = queues[turn]!.length > 0 ? turn : queues.findIndex((q) => q.length > 0);
        assert.equal(bench.add(m, queues[m]!.shift()!), "taken");
        bench.release();
      }
      bench.finish();
      const expected = lost.flatMap((flags, i) => {
        const missing = flags.filter((flag) => flag).length;
        if (missing === modules) return [];
        return [`0:${7 + i * step}${missing === 0 ? "" : `-${missing}`}`];
      });
      assert.deepEqual(bench.told, expected);
    },
  ));
});

/** Something that happens to a detector or to one of its modules. */
type Happening =
  | { kind: "images"; n: number; skew: number[] }
  | { kind: "loss"; module: number; n: number }
  | { kind: "away"; module: number; n: number }
  | { kind: "restart"; at: number }
  | { kind: "receiver"; module: number }
  | { kind: "nonsense"; module: number; id: number; flagged: boolean }
  | { kind: "pause"; ns: number };

function happenings(modules: number): fc.Arbitrary<Happening[]> {
  const module = fc.nat(modules - 1);
  const few = fc.integer({ min: 1, max: 8 });
  const skew = fc.array(fc.nat(6), { minLength: modules, maxLength: modules });
  return fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant("images" as const), n: few, skew }) },
      fc.record({ kind: fc.constant("loss" as const), module, n: few }),
      fc.record({ kind: fc.constant("away" as const), module, n: few }),
      fc.record({ kind: fc.constant("restart" as const), at: fc.nat(40) }),
      fc.record({ kind: fc.constant("receiver" as const), module }),
      fc.record({
        kind: fc.constant("nonsense" as const),
        module,
        id: fc.oneof(fc.nat(100), fc.nat(2 ** 31 - 1), fc.maxSafeNat()),
        flagged: fc.boolean(),
      }),
      fc.record({ kind: fc.constant("pause" as const), ns: fc.nat(2500) }),
    ),
    { maxLength: 30 },
  );
}

/** A detector that all of that happens to; its frames reach a synchroniser in the end. */
class Detector {
  readonly #bench: Bench;
  /** Frames under way, per module. */
  readonly #queues: { imageId: number; restarted: boolean }[][];
  /** Images that a module loses, and that it holds back. */
  readonly #lose: number[];
  readonly #hold: number[];
  /** What a receiver remembers: the last id, and whether it must tell of a restart. */
  readonly #seen: number[];
  readonly #flag: boolean[];
  #next = 1;

  constructor(bench: Bench) {
    this.#bench = bench;
    const none = Array.from({ length: bench.modules }, () => 0);
    this.#queues = none.map(() => []);
    this.#lose = [...none];
    this.#hold = [...none];
    this.#seen = [...none];
    this.#flag = none.map(() => false);
  }

  happen(what: Happening): void {
    switch (what.kind) {
      case "images":
        for (let i = 0; i < what.n; i++) this.image(what.skew);
        return;
      case "loss":
        this.#lose[what.module]! += what.n;
        return;
      case "away":
        this.#hold[what.module]! += what.n;
        return;
      case "restart":
        this.#next = what.at;
        return;
      case "receiver":
        this.#flag[what.module] = true;
        return;
      case "nonsense":
        this.#queues[what.module]!.push({ imageId: what.id, restarted: what.flagged });
        this.#flag[what.module] ||= what.flagged;
        return;
      case "pause":
        this.#bench.now += BigInt(what.ns);
        this.#bench.release();
    }
  }

  /** Sends an image; of module m, `skew[m]` frames may stay under way. */
  image(skew: readonly number[]): void {
    const imageId = this.#next++;
    for (const [m, queue] of this.#queues.entries()) {
      if (this.#lose[m]! > 0) this.#lose[m]!--;
      else {
        const restarted = this.#flag[m]! || imageId <= this.#seen[m]!;
        queue.push({ imageId, restarted });
        this.#seen[m] = imageId;
        this.#flag[m] = false;
      }
      if (this.#hold[m]! > 0) this.#hold[m]!--;
      else this.#deliver(m, skew[m]!);
    }
    this.#bench.now += 10n;
    this.#bench.release();
  }

  /** Lets everything arrive. */
  settle(): void {
    this.#lose.fill(0);
    this.#hold.fill(0);
    for (const m of this.#queues.keys()) this.#deliver(m, 0);
    this.#bench.finish();
    this.#bench.finish();
  }

  #deliver(m: number, leave: number): void {
    const queue = this.#queues[m]!;
    while (queue.length > leave) {
      const { imageId, restarted } = queue.shift()!;
      this.#bench.add(m, imageId, restarted);
      if (this.#bench.modules % 2 === 0) this.#bench.release();
    }
  }
}

Deno.test("after any mess images stay in order, and clean ones soon come out complete", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4 }).chain((modules) =>
        fc.record({
          modules: fc.constant(modules),
          window: fc.integer({ min: 1, max: 12 }),
          mess: happenings(modules),
        })
      ),
      ({ modules, window, mess }) => {
        const bench = new Bench(modules, window);
        const detector = new Detector(bench);
        for (const what of mess) detector.happen(what);
        detector.settle();
        assert.equal(bench.synchroniser.open.length, 0, "something waits for ever");
        const before = bench.images.length;
        const together = new Array<number>(modules).fill(0);
        for (let i = 0; i < 60; i++) detector.image(together);
        bench.finish();
        bench.assertInvariants();
        const clean = bench.images.slice(before);
        const tail = clean.slice(-40);
        assert.equal(tail.length, 40, `not all came out: ${bench.told.join(" ")}`);
        assert.ok(
          tail.every((image) => image.count === modules),
          `not complete: ${bench.told.slice(before).join(" ")}`,
        );
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("nothing waits longer than the timeout, whatever comes", () => {
  fc.assert(fc.property(
    fc.array(fc.record({
      module: fc.nat(3),
      imageId: fc.nat(30),
      restarted: fc.boolean(),
      dt: fc.nat(300),
    })),
    (frames) => {
      const bench = new Bench(4, 6);
      for (const { module, imageId, restarted, dt } of frames) {
        bench.now += BigInt(dt);
        bench.release();
        bench.add(module, imageId, restarted);
        bench.release();
        assert.ok(bench.synchroniser.open.length <= 6);
      }
      for (let i = 0; i < 10; i++) {
        bench.now += TIMEOUT / 10n;
        bench.release();
      }
      assert.equal(bench.synchroniser.open.length, 0);
      bench.assertInvariants();
      for (const { waited } of bench.images) assert.ok(waited <= TIMEOUT + 300n, `${waited} ns`);
    },
  ));
});
