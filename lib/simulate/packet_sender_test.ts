import assert from "node:assert/strict";
import type { DetectorConfig } from "../config/mod.ts";
import { IOVEC, MMSGHDR, UdpSocket } from "../os/mod.ts";
import {
  bunchIdFromDetSpec1,
  type GigafrostHeader,
  readGigafrostHeader,
  readSlsHeader,
  type SlsHeader,
} from "../protocol/mod.ts";
import { SharedMemory } from "../ring/mod.ts";
import { eigerConfig, gigafrostConfig, jungfrauConfig } from "./_testing.ts";
import { type Datagram, KIND, plain } from "./datagram.ts";
import { PacketSender } from "./packet_sender.ts";
import { simulateImage } from "./simulate_image.ts";
import { createSimulation } from "./simulation.ts";

const ROOM = 64;
const PLACE_BYTES = 16_384;

/** A socket that takes datagrams as they are. */
class Receiver implements Disposable {
  readonly #socket = new UdpSocket({
    bind: { address: "127.0.0.1", port: 0 },
    receiveBufferBytes: 4 * 2 ** 20,
  });
  readonly #memory = new SharedMemory(ROOM * (PLACE_BYTES + MMSGHDR.bytes + IOVEC.bytes));
  readonly #messages = this.#memory.allocate(ROOM * MMSGHDR.bytes);
  readonly #places = this.#memory.allocate(ROOM * PLACE_BYTES);

  constructor() {
    const { dv, base } = this.#memory;
    const iovecs = this.#memory.allocate(ROOM * IOVEC.bytes);
    for (let i = 0; i < ROOM; i++) {
      const iovec = iovecs + i * IOVEC.bytes;
      dv.setBigUint64(iovec + IOVEC.base, base + BigInt(this.#places + i * PLACE_BYTES), true);
      dv.setBigUint64(iovec + IOVEC.length, BigInt(PLACE_BYTES), true);
      const message = this.#messages + i * MMSGHDR.bytes;
      dv.setBigUint64(message + MMSGHDR.iov, base + BigInt(iovec), true);
      dv.setBigUint64(message + MMSGHDR.iovCount, 1n, true);
    }
  }

  get port(): number {
    return this.#socket.port;
  }

  /** The datagrams that wait, at most 64. */
  take(): Uint8Array[] {
    const n = this.#socket.receiveBatch(this.#memory.base + BigInt(this.#messages), ROOM);
    return Array.from({ length: n }, (_, i) => {
      const length = this.#memory.dv.getUint32(
        this.#messages + i * MMSGHDR.bytes + MMSGHDR.length,
        true,
      );
      const at = this.#places + i * PLACE_BYTES;
      return this.#memory.u8.slice(at, at + length);
    });
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** Ports for modules that are not next to each other. */
function ports(...receivers: Receiver[]): Record<string, unknown> {
  return { submodule_info: receivers.map(({ port }, submodule) => ({ submodule, port })) };
}

function header(frame: number, packet: number, changes: Partial<SlsHeader>): SlsHeader {
  return {
    frameNumber: BigInt(frame),
    expLength: 1000,
    packetNumber: packet,
    detSpec1: 0n,
    timestamp: 0n,
    modId: 0,
    row: 0,
    column: 0,
    detSpec2: 0,
    detSpec3: 0,
    detSpec4: 0,
    detType: 1,
    version: 2,
    ...changes,
  };
}

for (const gso of [false, true]) {
  const how = gso ? "cut by the kernel (gso)" : "one message each";
  Deno.test(`PacketSender sends whole frames of every module, packets ${how}`, () => {
    using first = new Receiver();
    using second = new Receiver();
    const config = eigerConfig({ bit_depth: 8, ...ports(first, second) });
    const options = { startId: 40, rate: 100, pattern: "photons" as const };
    using sender = new PacketSender(createSimulation(config, options), { gso });
    assert.equal(sender.sendFrame(2), 64);
    [first, second].forEach((receiver, module) => {
      const packets = receiver.take();
      assert.deepEqual(packets.map(({ length }) => length), Array(32).fill(4144));
      packets.forEach((packet, i) => {
        const identity = { modId: module, row: 0, column: module, timestamp: 200_000n };
        assert.deepEqual(readSlsHeader(packet), header(42, i, identity));
      });
    });
  });
}

Deno.test("PacketSender sends the pixels that simulateImage() shows, with a Jungfrau's bunch id", () => {
  using receiver = new Receiver();
  const config: DetectorConfig = jungfrauConfig({ n_modules: 1, ...ports(receiver) });
  const options = { startId: 7, bunchOffset: 2_000_000, pattern: "gain" as const };
  using sender = new PacketSender(createSimulation(config, options));
  const image = new Uint8Array(simulateImage(config, options, 2_000_010n).buffer);
  for (let packet = 0; packet < 128; packet += 8) {
    sender.sendSchedules([Array.from({ length: 8 }, (_, i) => plain(3, packet + i))]);
    receiver.take().forEach((bytes, i) => {
      const { detSpec1, detSpec3, frameNumber, packetNumber } = readSlsHeader(bytes);
      assert.equal(bunchIdFromDetSpec1(detSpec1), 2_000_010n);
      assert.equal(frameNumber, 10n);
      assert.equal(detSpec3, 10);
      assert.equal(packetNumber, packet + i);
      const at = packetNumber * 8192;
      assert.deepEqual(bytes.subarray(48), image.subarray(at, at + 8192));
    });
  }
});

Deno.test("PacketSender sends the source images of one forced gain after the other", () => {
  using receiver = new Receiver();
  const config = jungfrauConfig({ n_modules: 1, ...ports(receiver) });
  const options = {
    pattern: "dark",
    gains: [0, 2],
    framesPerGain: 3,
    sourceImages: 2,
    startId: 0,
  } as const;
  using sender = new PacketSender(createSimulation(config, options));
  for (let frame = 0; frame < 8; frame++) {
    sender.sendSchedules([[plain(frame, 100)]]);
    const image = new Uint8Array(simulateImage(config, options, BigInt(frame)).buffer);
    const [packet] = receiver.take();
    assert.deepEqual(
      packet?.subarray(48),
      image.subarray(100 * 8192, 101 * 8192),
      `frame ${frame}`,
    );
  }
});

Deno.test("PacketSender spoils exactly what a schedule says", () => {
  using receiver = new Receiver();
  const config = eigerConfig({ n_modules: 1, ...ports(receiver) });
  using sender = new PacketSender(createSimulation(config));
  const spoilt = (kind: number, argument: number): Datagram => ({ ...plain(0, 5), kind, argument });
  const schedule = [
    spoilt(KIND.truncated, 1000),
    spoilt(KIND.version, 9),
    spoilt(KIND.packet_number, 4_000_000_000),
    spoilt(KIND.detector_type, 3),
    spoilt(KIND.identity, 77),
    plain(0, 5),
  ];
  assert.equal(sender.sendSchedules([schedule]), 6);
  const packets = receiver.take();
  assert.deepEqual(packets.map(({ length }) => length), [1000, 4144, 4144, 4144, 4144, 4144]);
  assert.deepEqual(packets.map(readSlsHeader), [
    header(1, 5, {}),
    header(1, 5, { version: 9 }),
    header(1, 4_000_000_000, {}),
    header(1, 5, { detType: 3 }),
    header(1, 5, { modId: 77 }),
    header(1, 5, {}),
  ]);
});

function gigafrostHeader(changes: Partial<GigafrostHeader>): GigafrostHeader {
  return {
    protocolId: 0xcb,
    rowBlocks: 21,
    quadrantRows: 126,
    swappedRows: false,
    quadrantId: 2,
    linkId: 1,
    corrMode: 5,
    scanId: 1,
    frameIndex: 1,
    doNotStore: false,
    startingRow: 0,
    frameTimestamp: 0n,
    exposureTime: 1000n,
    syncTime: 200_000,
    scanTime: 100_000,
    ...changes,
  };
}

for (const gso of [false, true]) {
  const how = gso ? "cut by the kernel (gso)" : "one message each";
  Deno.test(`PacketSender sends a GigaFRoST's packets, the last one shorter, ${how}`, () => {
    using receiver = new Receiver();
    const config = gigafrostConfig({ submodule_info: [{ submodule: 5, port: receiver.port }] });
    const options = { startId: 300, rate: 100, modules: [5] };
    using sender = new PacketSender(createSimulation(config, options), { gso });
    assert.equal(sender.sendFrame(2), 4);
    const packets = receiver.take();
    assert.deepEqual(packets.map(({ length }) => length), [6494, 6494, 6494, 4568]);
    packets.forEach((packet, i) => {
      const own = { frameIndex: 302, startingRow: 17 * i, frameTimestamp: 200_000n };
      assert.deepEqual(readGigafrostHeader(packet), gigafrostHeader(own));
    });
  });
}

Deno.test("PacketSender spoils exactly what a schedule says of a GigaFRoST", () => {
  using receiver = new Receiver();
  const config = gigafrostConfig({ submodule_info: [{ submodule: 5, port: receiver.port }] });
  using sender = new PacketSender(createSimulation(config, { modules: [5] }));
  const spoilt = (kind: number, argument: number): Datagram => ({ ...plain(0, 3), kind, argument });
  const schedule = [
    spoilt(KIND.truncated, 20),
    spoilt(KIND.truncated, 1000),
    spoilt(KIND.version, 9),
    spoilt(KIND.packet_number, 50),
    spoilt(KIND.detector_type, 3),
    spoilt(KIND.identity, 6),
  ];
  assert.equal(sender.sendSchedules([schedule]), 6);
  const [short, ...packets] = receiver.take();
  assert.equal(short?.length, 20);
  assert.deepEqual(packets.map(({ length }) => length), [1000, 4568, 4568, 4568, 4568]);
  const startingRow = 51;
  assert.deepEqual(packets.map(readGigafrostHeader), [
    gigafrostHeader({ startingRow }),
    gigafrostHeader({ startingRow, rowBlocks: 9 }),
    gigafrostHeader({ startingRow: 50 }),
    gigafrostHeader({ startingRow, protocolId: 3 }),
    gigafrostHeader({ startingRow, quadrantId: 3, linkId: 0 }),
  ]);
});

Deno.test("PacketSender goes on when nobody listens", () => {
  const port = ((): number => {
    using closed = new Receiver();
    return closed.port;
  })();
  const config = eigerConfig({ n_modules: 1, start_udp_port: port });
  using sender = new PacketSender(createSimulation(config));
  for (let frame = 0; frame < 5; frame++) assert.equal(sender.sendFrame(frame), 64);
});

Deno.test("PacketSender refuses schedules while the kernel cuts its messages", () => {
  const config = eigerConfig({ n_modules: 1 });
  using sender = new PacketSender(createSimulation(config), { gso: true });
  assert.throws(() => sender.sendSchedules([[plain(0, 0)]]), /gso.*exclude/);
});
