import assert from "node:assert/strict";
import fc from "fast-check";
import { holdLimit, identityLimit, type ImageIdField, type RowPackets } from "../detector/mod.ts";
import { GIGAFROST_HEADER, SLS_HEADER } from "../protocol/mod.ts";
import {
  DETECTOR_TYPE,
  FakeReceiver,
  type FakeReceiverOptions,
  makePacket,
  STREAM,
  testFormat,
  VERSION,
} from "./_fake_receiver.ts";
import { ReassemblyModel } from "./_reassembly_model.ts";

const SECOND = 1_000_000_000n;
const TABLE_ENTRIES = 256;

/** Datagrams counted so far, of every kind. */
function counted(receiver: FakeReceiver): bigint {
  const { accepted, duplicate, late, malformed, foreign } = receiver.counts;
  return accepted + duplicate + late + malformed + foreign;
}

/** Whether a frame published after frame `i` lies in its slot. */
function slotTakenAfter({ published }: FakeReceiver, i: number, slots: number): boolean {
  const slot = published[i]!.imageId % BigInt(slots);
  return published.slice(i + 1).some(({ imageId }) => imageId % BigInt(slots) === slot);
}

/** What a detector and a network may do. */
type Step =
  | { do: "send"; packets: number }
  | { do: "drop"; packets: number }
  | { do: "repeat"; back: number }
  | { do: "overtake"; ahead: number }
  | { do: "short"; bytes: number }
  | { do: "long"; bytes: number }
  | { do: "version"; version: number }
  | { do: "packet_number"; past: number }
  | { do: "type"; type: number }
  | { do: "module"; module: number; packets: number }
  | { do: "image"; rings: number }
  | { do: "jump"; frames: number }
  | { do: "restart"; frame: number }
  | { do: "batch" }
  | { do: "wait"; ns: number }
  | { do: "expire"; ns: number };

const n = (max: number, min = 1): fc.Arbitrary<number> => fc.integer({ min, max });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ do: fc.constant("send" as const), packets: n(40) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("drop" as const), packets: n(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("repeat" as const), back: n(60, 0) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("overtake" as const), ahead: n(30) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("short" as const), bytes: n(200, 0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("long" as const), bytes: n(50) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("version" as const), version: n(255, 0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("packet_number" as const), past: n(9, 0) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("type" as const), type: n(255, 0) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("module" as const), module: n(9), packets: n(40) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("image" as const), rings: n(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("jump" as const), frames: n(60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), frame: n(500, 0) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("batch" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ns: n(3000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("expire" as const), ns: n(500, 0) }) },
);

const settings: fc.Arbitrary<FakeReceiverOptions> = fc.record({
  packetsPerFrame: fc.constantFrom(1, 2, 3, 4, 5, 8, 16, 63, 64, 65, 128),
  payloadBytes: fc.constantFrom(8, 24, 64),
  slots: n(40, 16),
  window: n(8),
  batch: n(32),
  idleNs: fc.constant(2000n),
});

/** Frame numbers are the image ids of packets without a bunch id; those with one are of another image. */
const bunchSettings = settings.map((options) => ({
  ...options,
  imageIdField: "bunch_id_or_frame_number" as const,
}));

/** GigaFRoST's packets: the last one shorter, or with other padding; few rows to a packet, and many. */
const gigafrostSettings: fc.Arbitrary<FakeReceiverOptions> = fc.record({
  settings,
  rowsPerPacket: n(40),
  lastShare: fc.integer({ min: 1, max: 8 }),
  padding: fc.constantFrom(0, 4, 36),
  lastPadding: fc.constantFrom(0, 4, 36),
}).map(({ settings, rowsPerPacket, lastShare, padding, lastPadding }) => {
  const rows: RowPackets = settings.packetsPerFrame === 1
    ? {
      rowsPerPacket,
      lastPayloadBytes: settings.payloadBytes,
      paddingBytes: padding,
      lastPaddingBytes: padding,
    }
    : {
      rowsPerPacket,
      lastPayloadBytes: settings.payloadBytes * lastShare / 8,
      paddingBytes: padding,
      lastPaddingBytes: lastPadding,
    };
  return { ...settings, rows };
});

/** Turns steps into batches of datagrams, and plays them to the receiver and to the model. */
function play(steps: readonly Step[], options: FakeReceiverOptions): void {
  const { packetsPerFrame, idleNs, window, rows } = options;
  const format = testFormat(options);
  using receiver = new FakeReceiver(options);
  const model = new ReassemblyModel({
    format,
    stream: STREAM,
    window,
    idleNs,
    holdLimit: holdLimit(format),
    identityLimit: identityLimit(format),
    tableEntries: TABLE_ENTRIES,
  });
  const versionAt = rows === undefined ? SLS_HEADER.at.version : GIGAFROST_HEADER.at.rowBlocks;
  let now = SECOND;
  let frame = 100n, packet = 0;
  let sent = 0;
  let queue: Uint8Array[] = [];
  const history: Uint8Array[] = [];
  const overtaken = new Set<string>();
  const at = (ahead: number): [bigint, number] => {
    const place = packet + ahead;
    return [frame + BigInt(Math.floor(place / packetsPerFrame)), place % packetsPerFrame];
  };
  const put = (datagram: Uint8Array): void => {
    queue.push(datagram);
    sent++;
  };
  const flush = (): void => {
    now += 10n;
    receiver.deliver(queue, now);
    for (const datagram of queue) model.receive(datagram, now);
    queue = [];
  };
  const damaged = (change: (datagram: Uint8Array) => Uint8Array): void => {
    put(change(makePacket(options, frame, packet)));
    [frame, packet] = at(1);
  };
  for (const s of steps) {
    switch (s.do) {
      case "send":
      case "drop":
        for (let i = 0; i < s.packets; i++, [frame, packet] = at(1)) {
          if (overtaken.delete(`${frame} ${packet}`)) continue;
          const datagram = makePacket(options, frame, packet);
          history.push(datagram);
          if (s.do === "send") put(datagram);
        }
        break;
      case "repeat": {
        const datagram = history.at(-1 - s.back);
        if (datagram !== undefined) put(datagram);
        break;
      }
      case "overtake": {
        const [f, p] = at(s.ahead);
        overtaken.add(`${f} ${p}`);
        put(makePacket(options, f, p));
        break;
      }
      case "short":
        damaged((d) => d.subarray(0, Math.min(s.bytes, d.byteLength - 1)));
        break;
      case "long":
        damaged((d) => {
          const longer = new Uint8Array(d.byteLength + s.bytes);
          longer.set(d);
          return longer;
        });
        break;
      case "version":
        damaged((d) => d.with(versionAt, s.version === VERSION ? 9 : s.version));
        break;
      case "packet_number":
        put(makePacket(options, frame, packetsPerFrame + s.past));
        break;
      case "type":
        put(makePacket(options, frame, packet, { type: s.type === DETECTOR_TYPE ? 9 : s.type }));
        break;
      case "module":
        for (let i = 0; i < s.packets; i++) {
          const module = rows === undefined ? 100 + s.module : (STREAM + 1 + s.module % 7) % 8;
          put(makePacket(options, ...at(i), { module, nonce: 1 }));
        }
        break;
      case "image": { // another image, which would lie in the same slot
        const bunchId = Number(frame) + s.rings * options.slots;
        put(makePacket(options, frame, packet, { bunchId, nonce: 2 }));
        [frame, packet] = at(1);
        break;
      }
      case "jump":
        frame += BigInt(s.frames);
        packet = 0;
        break;
      case "restart":
        frame = BigInt(s.frame);
        packet = 0;
        break;
      case "batch":
        flush();
        break;
      case "wait":
        flush();
        now += BigInt(s.ns);
        break;
      case "expire":
        flush();
        now += BigInt(s.ns);
        receiver.receiver.expire(now, 300n);
        model.expire(now, 300n);
        break;
    }
  }
  flush();
  now += 10_000n;
  receiver.receiver.expire(now, 300n);
  model.expire(now, 300n);

  assert.equal(counted(receiver), BigInt(sent), "every datagram is counted exactly once");
  const { moved: _, kernel_drops: __, ...counts } = receiver.counts;
  assert.deepEqual(
    counts,
    Object.fromEntries(Object.entries(model.counts).map(([k, v]) => [k, BigInt(v)])),
  );
  assert.equal(receiver.published.length, model.delivered.length);
  let last = { frame: -1n, epoch: 0 };
  model.delivered.forEach((expected, i) => {
    const { pixels, entry, ...found } = receiver.published[i]!;
    const { pixels: expectedPixels, ...fields } = expected;
    assert.deepEqual(found, fields);
    assert.ok(found.epoch > last.epoch || (found.epoch === last.epoch && found.frame > last.frame));
    last = found;
    if (pixels !== undefined) assert.deepEqual(pixels, expectedPixels, `frame ${found.frame}`);
    else assert.ok(slotTakenAfter(receiver, i, options.slots), `frame ${found.frame} was lost`);
    const later = receiver.pixelsOf(entry);
    if (later !== undefined) assert.deepEqual(later, expectedPixels, `frame ${found.frame} later`);
  });
  receiver.checkCanaries();
}

Deno.test("the receiver does what the model says, whatever detector and network do", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), bunchSettings, play),
    { numRuns: Number(Deno.env.get("PROPERTY_RUNS") ?? 200) },
  );
});

Deno.test("the receiver does the same when the kernel brings packets together", () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 60 }),
      bunchSettings,
      fc.integer({ min: 2, max: 7 }),
      (steps, options, segments) => play(steps, { ...options, segments }),
    ),
    { numRuns: Number(Deno.env.get("PROPERTY_RUNS") ?? 200) },
  );
});

Deno.test("the receiver does what the model says with GigaFRoST's packets of several lengths", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60 }), gigafrostSettings, play),
    { numRuns: Number(Deno.env.get("PROPERTY_RUNS") ?? 200) },
  );
});

Deno.test("the receiver does the same with GigaFRoST's packets of one length that come together", () => {
  const together = fc.record({ settings, rowsPerPacket: n(40), segments: n(7, 2) });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 60 }),
      together,
      (steps, { settings, rowsPerPacket, segments }) => {
        const lastPayloadBytes = settings.payloadBytes;
        const rows = { rowsPerPacket, lastPayloadBytes, paddingBytes: 0, lastPaddingBytes: 0 };
        play(steps, { ...settings, rows, segments });
      },
    ),
    { numRuns: Number(Deno.env.get("PROPERTY_RUNS") ?? 100) },
  );
});

const small: FakeReceiverOptions = {
  packetsPerFrame: 4,
  payloadBytes: 16,
  slots: 16,
  window: 4,
  batch: 32,
  idleNs: SECOND,
};

/** Packets `from` … `to` − 1 of a frame. */
function packets(frame: number, from = 0, to = small.packetsPerFrame): Uint8Array[] {
  return Array.from({ length: to - from }, (_, i) => makePacket(small, BigInt(frame), from + i));
}

/** A whole frame's pixels. */
function pixelsOf(frame: number, missing: number[] = []): Uint8Array {
  return new Uint8Array(
    packets(frame).flatMap((packet, i) => [
      ...(missing.includes(i) ? new Uint8Array(small.payloadBytes) : packet.subarray(48)),
    ]),
  );
}

Deno.test("the receiver never publishes a frame with the pixels of one that took its slot", () => {
  using receiver = new FakeReceiver(small);
  // Frame 17 lies in the slot of frame 1, with which the restarted counter goes on.
  const proof = [1, 2, 3, 4].flatMap((frame) => packets(frame));
  receiver.deliver([...packets(17, 0, 3), ...proof], SECOND);
  receiver.receiver.expire(3n * SECOND, 1n);
  const [closed, restarted] = receiver.published;
  assert.deepEqual([closed!.frame, closed!.missing, closed!.epoch], [17n, 1, 1]);
  assert.deepEqual([restarted!.frame, restarted!.missing, restarted!.epoch], [1n, 0, 2]);
  assert.equal(closed!.pixels, undefined);
  assert.deepEqual(restarted!.pixels, pixelsOf(1));
  receiver.deliver(packets(5), 4n * SECOND);
  assert.deepEqual(receiver.pixelsOf(restarted!.entry), pixelsOf(1));
});

Deno.test("the receiver leaves a frame that it gave up to its readers when the next packets come", () => {
  using receiver = new FakeReceiver(small);
  receiver.deliver([...packets(20), ...packets(21, 0, 3)], SECOND);
  receiver.receiver.expire(2n * SECOND, 1n);
  assert.equal(receiver.published.length, 2);
  receiver.deliver(packets(21, 3), 2n * SECOND); // too late
  receiver.deliver(packets(22), 2n * SECOND);
  assert.equal(receiver.published.length, 3);
  assert.equal(receiver.counts.late, 1n);
  assert.deepEqual(receiver.pixelsOf(0n), pixelsOf(20));
  assert.deepEqual(receiver.pixelsOf(1n), pixelsOf(21, [3]));
  assert.deepEqual(receiver.pixelsOf(2n), pixelsOf(22));
});

Deno.test("the receiver publishes a frame whose packets come in reverse, batch by batch", () => {
  using receiver = new FakeReceiver(small);
  for (const packet of packets(5).reverse()) receiver.deliver([packet], SECOND);
  assert.deepEqual(receiver.published[0]!.pixels, pixelsOf(5));
  receiver.deliver(packets(6), SECOND);
  assert.deepEqual(receiver.published[1]!.pixels, pixelsOf(6));
  assert.equal(receiver.counts.accepted, 8n);
});

for (const frame of [2n ** 62n + 1n, 2n ** 63n, 2n ** 64n - 2n, 2n ** 64n - 1n]) {
  Deno.test(`the receiver counts frame number ${frame} as malformed, first or later`, () => {
    using receiver = new FakeReceiver(small);
    for (let round = 1; round <= 2; round++) {
      receiver.deliver([0, 1, 2, 3].map((p) => makePacket(small, frame, p)), SECOND);
      receiver.deliver(packets(round), SECOND);
      receiver.receiver.expire(SECOND, SECOND);
      assert.equal(receiver.counts.malformed, BigInt(4 * round));
      assert.equal(receiver.published.length, round);
    }
    receiver.checkCanaries();
  });
}

const bunchId = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 32 }),
  fc.double(),
  fc.constantFrom(NaN, Infinity, -Infinity, -1, -0, 2 ** 53, 1.8446744073709552e19, 1e300, 0.5),
);

Deno.test("the receiver takes bunch ids of any value and step without mixing frames", () => {
  const wide = { ...small, imageIdField: "bunch_id" as const };
  const image = fc.record({ bunchId, packets: n(4), copies: n(2) });
  fc.assert(
    fc.property(fc.array(image, { minLength: 1, maxLength: 40 }), n(64), (images, chunk) => {
      using receiver = new FakeReceiver(wide);
      const datagrams = images.flatMap((image, i) =>
        Array.from(
          { length: image.packets * image.copies },
          (_, p) =>
            makePacket(small, BigInt(50 + i), p % image.packets, { bunchId: image.bunchId }),
        )
      );
      let now = SECOND;
      for (let i = 0; i < datagrams.length; i += chunk) {
        receiver.deliver(datagrams.slice(i, i + chunk), now++);
      }
      receiver.receiver.expire(2n * SECOND, 1n);
      assert.equal(counted(receiver), BigInt(datagrams.length));
      for (const { frame, imageId, pixels, entry } of receiver.published) {
        const { bunchId, packets } = images[Number(frame) - 50]!;
        assert.equal(imageId, saturated(bunchId));
        const missing = [0, 1, 2, 3].filter((p) => p >= packets);
        for (const seen of [pixels, receiver.pixelsOf(entry)]) {
          // A frame may have been closed early, because another one took its slot.
          if (seen && receiver.counts.late === 0n && receiver.counts.foreign === 0n) {
            assert.deepEqual(seen, pixelsOf(Number(frame), missing));
          }
        }
      }
      receiver.checkCanaries();
    }),
    { numRuns: 300 },
  );
});

Deno.test("the receiver numbers images by their frame where the bunch id is 0, if it may", () => {
  const ids = (imageIdField: ImageIdField, bunches: number[]): bigint[] => {
    using receiver = new FakeReceiver({ ...small, imageIdField });
    bunches.forEach((bunchId, i) => {
      const frame = BigInt(7 + i);
      receiver.deliver(
        [0, 1, 2, 3].map((p) => makePacket(small, frame, p, { bunchId })),
        SECOND,
      );
    });
    return receiver.published.map(({ imageId }) => imageId);
  };
  const virtual = [0, 0, 0], real = [500, 502, 504];
  assert.deepEqual(ids("bunch_id_or_frame_number", virtual), [7n, 8n, 9n]);
  assert.deepEqual(ids("bunch_id_or_frame_number", real), [500n, 502n, 504n]);
  assert.deepEqual(ids("bunch_id_or_frame_number", [0.5, NaN, -3]), [7n, 8n, 9n]);
  assert.deepEqual(ids("bunch_id", virtual), [0n, 0n, 0n]);
  assert.deepEqual(ids("frame_number", real), [7n, 8n, 9n]);
});

Deno.test("the receiver takes no restart for proved that good packets contradict, in their places or not", () => {
  const limit = holdLimit(testFormat(small));
  const old = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((frame) => packets(frame)).slice(0, limit);
  assert.equal(old.length, limit);
  for (const packet of [1, 2, 3]) { // the predicted one, and others
    using receiver = new FakeReceiver(small);
    receiver.deliver([...packets(20), ...packets(21, 0, 1)], SECOND);
    receiver.deliver(old.slice(0, limit - 1), SECOND);
    receiver.deliver(packets(21, packet, packet + 1), SECOND);
    receiver.deliver(old.slice(limit - 1), SECOND);
    receiver.receiver.expire(3n * SECOND, 1n);
    const { restarts, late } = receiver.counts;
    assert.deepEqual({ restarts, late }, { restarts: 0n, late: BigInt(limit) });
    receiver.checkCanaries();
  }
});

Deno.test("the receiver puts no packet of another bunch id into a frame", () => {
  using receiver = new FakeReceiver({ ...small, imageIdField: "bunch_id" });
  const of = (frame: number, bunchIds: number[]): Uint8Array[] =>
    bunchIds.map((bunchId, p) => makePacket(small, BigInt(frame), p, { bunchId }));
  receiver.deliver([...of(7, [500, 500, 501, 500]), ...of(8, [501, 501, 501, 501])], SECOND);
  receiver.receiver.expire(3n * SECOND, 1n);
  const [mixed, whole] = receiver.published;
  assert.deepEqual([mixed!.imageId, mixed!.missing, mixed!.damaged], [500n, 1, 1]);
  assert.deepEqual(receiver.pixelsOf(0n), pixelsOf(7, [2]));
  assert.deepEqual([whole!.imageId, whole!.missing], [501n, 0]);
  const { accepted, malformed, damaged } = receiver.counts;
  assert.deepEqual({ accepted, malformed, damaged }, {
    accepted: 7n,
    malformed: 1n,
    damaged: 1n,
  });
  receiver.checkCanaries();
});

Deno.test("the receiver compares bunch ids also of the packets that prove a restart", () => {
  using receiver = new FakeReceiver({ ...small, imageIdField: "bunch_id" });
  const of = (frame: number, bunchId: number): Uint8Array[] =>
    [0, 1, 2, 3].map((p) => makePacket(small, BigInt(frame), p, { bunchId }));
  receiver.deliver(of(1000, 5000), SECOND);
  const proof = [1, 2, 3, 4].flatMap((frame) => of(frame, 6000 + frame));
  proof[6] = makePacket(small, 2n, 2, { bunchId: 9 });
  receiver.deliver(proof, SECOND);
  receiver.receiver.expire(3n * SECOND, 1n);
  const seen = receiver.published.map(({ imageId, missing, epoch }) => [imageId, missing, epoch]);
  assert.deepEqual(seen, [
    [5000n, 0, 1],
    [6001n, 0, 2],
    [6002n, 1, 2],
    [6003n, 0, 2],
    [6004n, 0, 2],
  ]);
  assert.equal(receiver.counts.malformed, 1n);
});

Deno.test("the receiver lets bunch ids be anything where they do not number the images", () => {
  using receiver = new FakeReceiver({ ...small, imageIdField: "frame_number" });
  const bunchIds = [1, 2, NaN, -5];
  receiver.deliver(bunchIds.map((bunchId, p) => makePacket(small, 7n, p, { bunchId })), SECOND);
  assert.deepEqual(receiver.published.map(({ imageId, missing }) => [imageId, missing]), [[7n, 0]]);
});

/** A double as a u64: what does not fit becomes the nearest that does, NaN becomes 0. */
function saturated(value: number): bigint {
  if (Number.isNaN(value) || value <= 0) return 0n;
  return value >= 2 ** 64 ? 2n ** 64n - 1n : BigInt(Math.trunc(value));
}

/** Datagrams cut from random bytes. */
function* randomDatagrams(count: number, lengths: number): Generator<Uint8Array> {
  let pool = new Uint8Array(0);
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 256 > pool.byteLength) {
      pool = crypto.getRandomValues(new Uint8Array(65536));
      at = 0;
    }
    const bytes = i % 2 === 0 ? 64 : pool[at]! % lengths;
    yield pool.subarray(at, at + bytes);
    at += 64 + (pool[at]! & 63);
  }
}

Deno.test("a million random datagrams make no frame, and each is counted", () => {
  const count = 1_000_000;
  using receiver = new FakeReceiver({ ...small, batch: 128 });
  receiver.deliver(packets(10), SECOND); // a detector is running
  let batch: Uint8Array[] = [];
  for (const datagram of randomDatagrams(count, 128)) {
    if (batch.push(datagram) < 128) continue;
    receiver.deliver(batch, SECOND);
    batch = [];
  }
  receiver.deliver(batch, SECOND);
  receiver.receiver.expire(2n * SECOND, 1n);
  const { accepted, malformed, foreign, late, duplicate } = receiver.counts;
  assert.equal(counted(receiver), BigInt(count + 4));
  assert.equal(accepted, 4n);
  assert.equal(malformed + foreign, BigInt(count));
  assert.equal(late + duplicate, 0n);
  assert.equal(receiver.published.length, 1);
  receiver.checkCanaries();
});

Deno.test("random datagrams of any length make no frame of a GigaFRoST, and each is counted", () => {
  const count = 200_000;
  const rows = { rowsPerPacket: 3, lastPayloadBytes: 16, paddingBytes: 8, lastPaddingBytes: 0 };
  const options = { ...small, payloadBytes: 24, rows, batch: 128 };
  using receiver = new FakeReceiver(options);
  receiver.deliver([0, 1, 2, 3].map((p) => makePacket(options, 10n, p)), SECOND);
  let batch: Uint8Array[] = [];
  for (const datagram of randomDatagrams(count, 80)) { // whole ones have 64 bytes, or 48
    if (batch.push(datagram) < 128) continue;
    receiver.deliver(batch, SECOND);
    batch = [];
  }
  receiver.deliver(batch, SECOND);
  receiver.receiver.expire(2n * SECOND, 1n);
  const { accepted, malformed, foreign } = receiver.counts;
  assert.equal(accepted, 4n);
  assert.equal(malformed + foreign, BigInt(count));
  assert.equal(receiver.published.length, 1);
  receiver.checkCanaries();
});

Deno.test("packets that differ from good ones in random numbers only are all counted, none mixed up", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          frame: fc.oneof(
            fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            fc.bigInt({ min: 2n ** 62n - 3n, max: 2n ** 62n + 3n }),
            fc.bigInt({ min: 0n, max: 40n }),
          ),
          packet: fc.oneof(n(3, 0), n(2 ** 32 - 1, 0)),
          module: n(8, 7),
          wait: n(2 ** 31, 0),
        }),
        { maxLength: 200 },
      ),
      (all) => {
        using receiver = new FakeReceiver(small);
        let now = SECOND;
        for (const { frame, packet, module, wait } of all) {
          now += BigInt(wait) & 0x7000_0000n; // mostly shorter than the silence, at times longer
          receiver.deliver([makePacket(small, frame, packet, { module })], now);
        }
        receiver.receiver.expire(now + 2n * SECOND, 1n);
        assert.equal(counted(receiver), BigInt(all.length));
        const { frames_good, frames_incomplete, accepted, missing_packets } = receiver.counts;
        const frames = BigInt(receiver.published.length);
        assert.equal(frames_good + frames_incomplete, frames);
        assert.equal(accepted + missing_packets, 4n * frames);
        receiver.checkCanaries();
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("the receiver predicts again after the kernel began or ceased to bring packets together", () => {
  const options = { ...small, segments: 4, batch: 8 };
  using receiver = new FakeReceiver(options);
  for (
    const [limit, frames] of [[1, [1, 2, 3, 4]], [4, [5, 6, 7, 8]], [1, [9, 10]], [3, [
      11,
      12,
    ]]] as const
  ) {
    receiver.bundleLimit = limit;
    for (const frame of frames) receiver.deliver(packets(frame), SECOND);
  }
  assert.deepEqual(receiver.published.map((f) => f.frame), [
    1n,
    2n,
    3n,
    4n,
    5n,
    6n,
    7n,
    8n,
    9n,
    10n,
    11n,
    12n,
  ]);
  for (const { frame, pixels } of receiver.published) {
    assert.deepEqual(pixels, pixelsOf(Number(frame)));
  }
  const { moved } = receiver.counts;
  // The first frame, and those in which the number of packets a message changed.
  assert.ok(moved <= 20n, `${moved} of 48 packets were moved`);
  receiver.checkCanaries();
});

Deno.test("the receiver takes frames of one packet, a thousand of them in one call", () => {
  const single = { ...small, packetsPerFrame: 1, slots: 2048, segments: 25, batch: 64 };
  using receiver = new FakeReceiver(single);
  const frames = Array.from({ length: 3200 }, (_, i) => i + 1);
  receiver.deliver(frames.map((frame) => makePacket(single, BigInt(frame), 0)), SECOND);
  assert.deepEqual(receiver.published.map((f) => Number(f.frame)), frames);
  assert.ok(receiver.published.every(({ missing }) => missing === 0));
  for (const { frame, pixels } of receiver.published) {
    assert.deepEqual(pixels, pixelsOf(Number(frame)).subarray(0, single.payloadBytes));
  }
  receiver.checkCanaries();
});

Deno.test("the receiver leaves three quarters of the ring to its readers, however small the frames", () => {
  const single = { ...small, packetsPerFrame: 1, slots: 64, batch: 128 };
  using receiver = new FakeReceiver(single);
  for (let frame = 1; frame <= 200; frame++) {
    receiver.deliver([makePacket(single, BigInt(frame), 0)], SECOND);
  }
  assert.equal(receiver.published.length, 200);
  receiver.receiver.arm();
  const readable = receiver.published.filter(({ entry }) => receiver.pixelsOf(entry) !== undefined);
  assert.equal(readable.length, 48);
  receiver.checkCanaries();
});

Deno.test("the receiver counts each of several strange datagrams that came together", () => {
  using receiver = new FakeReceiver({ ...small, segments: 4, batch: 8 });
  receiver.deliver(packets(1), SECOND);
  receiver.receiver.arm();
  receiver.putTogether(0, [100, 100, 40].map((n) => new Uint8Array(n)));
  receiver.receiver.handle(1, SECOND);
  assert.equal(receiver.counts.malformed, 3n);
  receiver.deliver(packets(2), SECOND);
  assert.deepEqual(receiver.published.map((f) => f.pixels), [pixelsOf(1), pixelsOf(2)]);
  receiver.checkCanaries();
});
