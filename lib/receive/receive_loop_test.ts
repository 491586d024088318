import assert from "node:assert/strict";
import type { PacketFormat } from "../detector/mod.ts";
import { IOVEC, MMSGHDR, UdpSocket } from "../os/mod.ts";
import { RingFollower, RingReader, SharedMemory } from "../ring/mod.ts";
import { indexMemory, TestName } from "../ring/_test_ring.ts";
import { type FrameRingCounts, readFrameCounts } from "./counters.ts";
import { frameRingSpec, groSegments, ModuleReceiver } from "./module_receiver.ts";
import { type ReceiveLane, runReceiveLoop } from "./receive_loop.ts";

const FORMAT: PacketFormat = {
  headerBytes: 48,
  payloadBytes: 64,
  packetsPerFrame: 4,
  headerVersion: 2,
  detectorType: 1,
  imageIdField: "frame_number",
};

/** A module's socket, receiver and detector, and a reader of its ring. */
class Lane implements ReceiveLane, Disposable {
  readonly socket: UdpSocket;
  readonly receiver: ModuleReceiver;
  readonly #stack = new DisposableStack();
  readonly #sender: UdpSocket;
  readonly #packet = new SharedMemory(4096);
  readonly #at: number;
  readonly #follower: RingFollower;

  constructor(receiveBufferBytes = 1 << 20) {
    const stack = this.#stack;
    const { name } = stack.use(new TestName());
    const bind = { address: "127.0.0.1", port: 0 };
    this.socket = stack.use(new UdpSocket({ bind, receiveBufferBytes }));
    this.receiver = stack.use(
      new ModuleReceiver({
        format: FORMAT,
        ring: frameRingSpec({ name, format: FORMAT, slots: 64, dtype: 1, rows: 4, columns: 64 }),
        window: 4,
        idleNs: 1n << 62n,
        writeMessage: () => {},
        onFrame: () => {},
      }),
    );
    const connect = { address: "127.0.0.1", port: this.socket.port };
    this.#sender = stack.use(new UdpSocket({ connect }));
    this.#at = this.#packet.allocate(1024);
    const { dv, base } = this.#packet;
    const iovec = this.#at + MMSGHDR.bytes;
    const bytes = iovec + IOVEC.bytes;
    dv.setBigUint64(this.#at + MMSGHDR.iov, base + BigInt(iovec), true);
    dv.setBigUint64(this.#at + MMSGHDR.iovCount, 1n, true);
    dv.setBigUint64(iovec + IOVEC.base, base + BigInt(bytes), true);
    dv.setBigUint64(iovec + IOVEC.length, BigInt(48 + FORMAT.payloadBytes), true);
    dv.setUint8(bytes + 46, FORMAT.detectorType);
    dv.setUint8(bytes + 47, FORMAT.headerVersion);
    this.#follower = new RingFollower(stack.use(RingReader.open(indexMemory(), name)), 0n);
  }

  /** Sends packets of a frame; default: all of them. */
  send(frame: number, packets: readonly number[] = [0, 1, 2, 3]): void {
    const { dv, base } = this.#packet;
    const bytes = this.#at + MMSGHDR.bytes + IOVEC.bytes;
    dv.setBigUint64(bytes, BigInt(frame), true);
    for (const packet of packets) {
      dv.setUint32(bytes + 12, packet, true);
      assert.equal(this.#sender.sendBatch(base + BigInt(this.#at), 1), 1);
    }
  }

  /** Frames published since the last call: image id, and `-` with what is missing. */
  frames(): string[] {
    const told = [];
    for (let r = this.#follower.next(); r !== undefined; r = this.#follower.next()) {
      told.push(`${r.imageId}${r.missingPackets === 0 ? "" : `-${r.missingPackets}`}`);
    }
    return told;
  }

  get counts(): FrameRingCounts {
    return readFrameCounts(this.receiver.ring.index);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/** Runs the loop until `done` says so; it is asked between batches. Fails after five seconds. */
function runUntil(lanes: readonly Lane[], done: () => boolean, frameTimeoutNs = 1n << 62n): void {
  const deadline = performance.now() + 5_000;
  runReceiveLoop(lanes, {
    frameTimeoutNs,
    stopping: () => {
      assert.ok(performance.now() < deadline, "nothing came within 5 s");
      return done();
    },
  });
}

Deno.test("runReceiveLoop() takes the packets of several sockets into their own rings", () => {
  using first = new Lane();
  using second = new Lane();
  for (let frame = 1; frame <= 50; frame++) {
    first.send(frame);
    second.send(1000 + frame, frame % 10 === 0 ? [0, 2] : undefined);
  }
  runUntil(
    [first, second],
    () => second.counts.accepted === 190n && first.counts.accepted === 200n,
  );
  assert.deepEqual(first.frames(), Array.from({ length: 50 }, (_, i) => `${i + 1}`));
  const expected = Array.from({ length: 50 }, (_, i) => `${1001 + i}${i % 10 === 9 ? "-2" : ""}`);
  assert.deepEqual(second.frames(), expected);
});

Deno.test("runReceiveLoop() goes on when more comes while it runs", () => {
  using lane = new Lane();
  const published: string[] = [];
  let frame = 0;
  runUntil([lane], () => {
    published.push(...lane.frames());
    if (published.length === frame && frame < 20) lane.send(++frame);
    return published.length === 20;
  });
  assert.deepEqual(published, Array.from({ length: 20 }, (_, i) => `${i + 1}`));
});

Deno.test("runReceiveLoop() closes a frame that waits longer than its timeout", () => {
  using lane = new Lane();
  lane.send(7, [0, 1, 3]);
  const published: string[] = [];
  runUntil([lane], () => published.push(...lane.frames()) > 0, 30_000_000n);
  assert.deepEqual(published, ["7-1"]);
});

Deno.test("runReceiveLoop() delivers what it has of open frames when it ends", () => {
  using lane = new Lane();
  lane.send(7, [0, 1]);
  lane.send(8, [0, 1, 2]);
  runUntil([lane], () => lane.counts.accepted === 5n);
  assert.deepEqual(lane.frames(), ["7-2", "8-1"]);
});

Deno.test("runReceiveLoop() counts what the kernel dropped", () => {
  using lane = new Lane(4096);
  for (let frame = 1; frame <= 500; frame++) lane.send(frame);
  runUntil([lane], () => lane.counts.kernel_drops > 0n);
  const { accepted, kernel_drops } = lane.counts;
  assert.equal(accepted + kernel_drops, 2000n);
});

Deno.test("runReceiveLoop() ends when told, with nothing received and with packets waiting", () => {
  using lane = new Lane();
  const begin = performance.now();
  let asked = 0;
  runUntil([lane], () => ++asked > 1);
  assert.ok(performance.now() - begin < 1_000);
  lane.send(1);
  runUntil([lane], () => true);
  assert.equal(lane.counts.accepted, 0n);
});

Deno.test("groSegments() lets packets come together only if all are of one length, without padding", () => {
  const rows = { rowsPerPacket: 2, lastPayloadBytes: 64, paddingBytes: 0, lastPaddingBytes: 0 };
  const large = { ...FORMAT, payloadBytes: 8192 };
  assert.equal(groSegments(large), 7);
  assert.equal(groSegments({ ...FORMAT, rows }), 128);
  for (const changes of [{ lastPayloadBytes: 32 }, { paddingBytes: 36, lastPaddingBytes: 36 }]) {
    assert.equal(groSegments({ ...FORMAT, rows: { ...rows, ...changes } }), 1);
  }
});
