/**
 * Bad input while a good stream runs: counted, logged at a limited rate, never a crash, never in an
 * image.
 */
import assert from "node:assert/strict";
import { AccountingReader } from "../lib/accounting/mod.ts";
import {
  frameRingName,
  imageRingName,
  SLS_DETECTOR_TYPE,
  SLS_HEADER_BYTES,
  SLS_HEADER_VERSION,
  type SlsHeader,
  writeSlsHeader,
} from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import {
  type Account,
  jungfrauConfig,
  PATIENT,
  Pipeline,
  readWithH5py,
  sha256,
  simulate,
  simulatorReport,
  startSimulator,
  UdpSource,
  until,
} from "./harness/mod.ts";

const PACKET_BYTES = 8240;
const PACKETS_PER_FRAME = 128;
const RATE = 10;
const MILLION = 1_000_000;
/** Datagrams under way at most, so that the kernel never has to drop any. */
const MOST_UNDERWAY = 20_000;

/** One kind of bad datagram, and what it must be counted as. */
interface Kind {
  what: string;
  countedAs: "malformed" | "foreign";
  make: () => Uint8Array;
}

const random = (below: number): number => Math.floor(Math.random() * below);

/** A whole packet of the simulated module, far from the frames that it sends, with changes. */
function packet(changes: Partial<SlsHeader> = {}, bytes = PACKET_BYTES): Uint8Array {
  const datagram = new Uint8Array(Math.max(bytes, SLS_HEADER_BYTES)).fill(0xbb, SLS_HEADER_BYTES);
  writeSlsHeader(new DataView(datagram.buffer), 0, {
    frameNumber: 1n,
    expLength: 0,
    packetNumber: random(PACKETS_PER_FRAME),
    detSpec1: 0n,
    timestamp: 0n,
    modId: 0,
    row: 0,
    column: 0,
    detSpec2: 0,
    detSpec3: 0,
    detSpec4: 0,
    detType: SLS_DETECTOR_TYPE.jungfrau,
    version: SLS_HEADER_VERSION,
    ...changes,
  });
  return datagram.subarray(0, bytes);
}

/** A frame number that no detector reaches; never two in a row that could be consecutive. */
const farFrame = (): bigint => 2n ** 40n + BigInt(random(2 ** 40));

const KINDS: Kind[] = [
  { what: "empty datagrams", countedAs: "malformed", make: () => new Uint8Array(0) },
  { what: "less than a header", countedAs: "malformed", make: () => packet({}, 1 + random(47)) },
  { what: "headers alone", countedAs: "malformed", make: () => packet({}, SLS_HEADER_BYTES) },
  { what: "a byte too short", countedAs: "malformed", make: () => packet({}, PACKET_BYTES - 1) },
  { what: "a byte too long", countedAs: "malformed", make: () => packet({}, PACKET_BYTES + 1) },
  { what: "much too long", countedAs: "malformed", make: () => packet({}, 60_000) },
  {
    what: "wrong versions",
    countedAs: "malformed",
    make: () => packet({ version: 3 + random(250) }),
  },
  {
    what: "packet numbers just past the frame",
    countedAs: "malformed",
    make: () => packet({ packetNumber: PACKETS_PER_FRAME }),
  },
  {
    what: "packet numbers far past the frame",
    countedAs: "malformed",
    make: () => packet({ packetNumber: 0xffff_ffff - random(1000) }),
  },
  {
    what: "packets of an Eiger",
    countedAs: "foreign",
    make: () => packet({ detType: SLS_DETECTOR_TYPE.eiger }),
  },
  { what: "Eiger's length", countedAs: "malformed", make: () => packet({}, 4144) },
  {
    what: "unknown modules",
    countedAs: "foreign",
    make: () => packet({ modId: 1 + random(1000) }),
  },
  { what: "other rows", countedAs: "foreign", make: () => packet({ row: 1 + random(10) }) },
  {
    what: "impossible frames",
    countedAs: "foreign",
    make: () => packet({ frameNumber: farFrame() }),
  },
];

Deno.test("bad datagrams of every kind are counted as what they are, and are in no image", async () => {
  const perKind = 50;
  await using run = await GoodStream.start();
  using source = new UdpSource(run.pipeline.config);
  // Mixed, as they would come.
  for (let i = 0; i < perKind; i++) for (const { make } of KINDS) source.push(0, make());
  source.flush();

  const expected = (kind: Kind["countedAs"]): bigint =>
    BigInt(perKind * KINDS.filter(({ countedAs }) => countedAs === kind).length);
  await run.pipeline.accountWhen(
    "the account of all bad datagrams",
    (account) =>
      account["packets_malformed"] === expected("malformed") &&
      account["packets_foreign"] === expected("foreign"),
  );
  await run.assertUnharmed(perKind * KINDS.length);
});

Deno.test("a million random datagrams are counted, logged at a limited rate, and are in no image", async () => {
  await using run = await GoodStream.start();
  await sendRandom(run.pipeline, MILLION);
  const account = await run.assertUnharmed(MILLION);
  const bad = ["duplicate", "late", "malformed", "foreign"] as const;
  const counted = bad.map((kind) => Number(account[`packets_${kind}`]));
  assert.equal(counted.reduce((sum, n) => sum + n, 0), MILLION);
  assert.ok(Number(account["packets_malformed"]) > 0.7 * MILLION);
  assert.ok(Number(account["packets_foreign"]) > 0.1 * MILLION);
});

Deno.test("a stray packet is in no image and makes no stranger of the module, at the start and after a pause", async () => {
  await using pipeline = await Pipeline.start(jungfrauConfig(1));
  using source = new UdpSource(pipeline.config);
  const stray = (frameNumber: bigint): void => {
    source.push(0, packet({ modId: 777, frameNumber, packetNumber: 0 }));
    source.flush();
  };
  stray(1n);
  await simulate(pipeline, "--images", "4");
  await pipeline.images(4);
  // As long as a pause between two acquisitions: the receiver has been silent for its time-out.
  const since = performance.now();
  const silence = 2 * pipeline.config.frame_timeout_ms;
  await until("a silence", () => performance.now() - since > silence);
  stray(1n);
  stray(5n);
  await simulate(pipeline, "--images", "4", "--start-id", "5");
  await pipeline.images(8);
  const account = await pipeline.accountWhen(
    "all packets",
    (now) => now["packets_received"] === BigInt(8 * PACKETS_PER_FRAME + 3),
  );
  const { packets_accepted, packets_foreign, packets_lost, images_good, images_incomplete } =
    account;
  assert.deepEqual(
    { packets_accepted, packets_foreign, packets_lost, images_good, images_incomplete },
    {
      packets_accepted: BigInt(8 * PACKETS_PER_FRAME),
      packets_foreign: 3n,
      packets_lost: 0n,
      images_good: 8n,
      images_incomplete: 0n,
    },
  );
  assert.equal(account["restarts"], 0n);
});

/** A pipeline that receives and writes good images all the time. */
class GoodStream implements AsyncDisposable {
  readonly pipeline: Pipeline;
  readonly #simulator: ReturnType<typeof startSimulator>;
  readonly #path: string;
  readonly #since = performance.now();

  private constructor(pipeline: Pipeline, path: string) {
    this.pipeline = pipeline;
    this.#path = path;
    this.#simulator = startSimulator(pipeline, "--pattern", "ramp", "--rate", String(RATE));
  }

  static async start(): Promise<GoodStream> {
    // Patient: a stream that pauses on a busy machine must not pass for silent, after which a receiver
    // believes any packet.
    const pipeline = await Pipeline.start(jungfrauConfig(1, PATIENT));
    try {
      const { path } = await pipeline.write("good.h5", MILLION);
      const stream = new GoodStream(pipeline, path);
      await pipeline.images(3);
      return stream;
    } catch (error) {
      await pipeline[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends the stream; all of it arrived, nothing else is in the file, nobody died, and few words were made. */
  async assertUnharmed(bad: number): Promise<Account> {
    const { pipeline } = this;
    const before = await pipeline.account();
    await pipeline.images(Number(before["images_good"]) + 3); // it still runs
    this.#simulator.kill("SIGTERM");
    const { expected } = await simulatorReport(this.#simulator);
    const account = await pipeline.accountWhen(
      `${expected.sent} good and ${bad} bad datagrams`,
      (now) => now["packets_received"] === BigInt(expected.sent + bad),
    );
    await pipeline.images(expected.images);
    await pipeline.status(
      "all images on file",
      ({ acquisition }) => acquisition.stats.n_write_completed === expected.images,
    );
    await pipeline.client.stop();

    assert.equal(account["packets_accepted"], BigInt(expected.sent));
    const file = await readWithH5py(this.#path);
    assert.equal(file.attributes["images_good"], String(expected.images));
    for (const nothing of ["images_incomplete", "images_skipped", "packets_lost", "restarts"]) {
      assert.equal(file.attributes[nothing], "0", nothing);
    }
    const images = expected.images;
    assert.deepEqual(
      file.metadata.records,
      Array.from({ length: images }, (_, i) => [i + 1, 1]),
    );
    const sources = Array.from({ length: 8 }, (_, i) => {
      const options = { pattern: "ramp", images: 8 } as const;
      return sha256(new Uint8Array(simulateImage(pipeline.config, options, BigInt(i + 1)).buffer));
    });
    assert.deepEqual(file.data.sha256, file.data.sha256.map((_, i) => sources[i % 8]));

    const seconds = (performance.now() - this.#since) / 1000;
    const { log } = pipeline.service("std_udp_recv");
    assert.ok(log.length <= 3 * seconds + 20, `${log.length} lines in ${seconds} s`);
    await until(
      "a warning of bad packets",
      () =>
        pipeline.service("std_udp_recv").log.some(({ message }) =>
          message.startsWith("bad packets")
        ),
    );
    await until("word of it in the log", () => {
      const stats = pipeline.stats("std_udp_recv");
      return stats?.["packets_malformed"] === Number(account["packets_malformed"]) &&
        stats["packets_foreign"] === Number(account["packets_foreign"]);
    });
    return account;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#simulator[Symbol.asyncDispose]();
    await this.pipeline[Symbol.asyncDispose]();
  }
}

/** Sends random bytes of random length, some of them behind headers that are all but right. */
async function sendRandom({ config, name }: Pipeline, count: number): Promise<void> {
  using source = new UdpSource(config);
  using account = new AccountingReader({
    frames: [frameRingName(name, 0)],
    image: imageRingName(name),
    packetsPerFrame: PACKETS_PER_FRAME,
  });
  const noise = new Uint8Array(2 ** 20);
  for (let at = 0; at < noise.length; at += 65_536) {
    crypto.getRandomValues(noise.subarray(at, at + 65_536));
  }
  const whole = packet();
  const header = new DataView(whole.buffer, whole.byteOffset);
  for (let i = 0; i < count; i++) {
    const at = random(noise.length - 2000);
    if (i % 64 === 0) source.push(0, wholeNoise(noise));
    else if (i % 4 === 0) {
      // The right length, version, type and packet number: only the module or the frame is not.
      header.setBigUint64(0, farFrame(), true);
      header.setUint32(12, i % PACKETS_PER_FRAME, true);
      header.setUint16(32, i % 8 === 0 ? 0 : 1 + random(65_534), true);
      source.push(0, whole);
    } else source.push(0, noise.subarray(at, at + random(500)));
    if (i % 4096 !== 0) continue;
    await until("the receiver to keep up", () => {
      const { packets_received } = account.read();
      return i - Number(packets_received) < MOST_UNDERWAY;
    }, { limitMs: 60_000 });
  }
  source.flush();
}

/** A datagram of the right length, random from its first byte on. */
function wholeNoise(noise: Uint8Array): Uint8Array {
  const at = random(noise.length - PACKET_BYTES);
  return noise.subarray(at, at + PACKET_BYTES);
}
