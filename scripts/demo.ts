// deno-lint-ignore-file no-console -- a demonstration talks to whoever runs it
/**
 * The main job, shown: a pipeline on a simulated Jungfrau, then on recorded data of a real Eiger 9M;
 * both files are read back and compared pixel by pixel with what was sent.
 *
 *   deno task demo
 */
import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { type DetectorConfig, imageBytes, parseConfig } from "../lib/config/mod.ts";
import { readImageFile } from "../lib/hdf5/mod.ts";
import { DaqClient, type Writer } from "../lib/http/mod.ts";
import { UdpSocket } from "../lib/os/mod.ts";
import { indexMemoryBytes, RingFollower, RingReader, SharedMemory } from "../lib/ring/mod.ts";
import { imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import { freePorts, readRecording, recordedConfig, RECORDING } from "./demo_data.ts";
import { JSON_LINE, LocalPipeline, runDaqCommand } from "./demo_pipeline.ts";

/** How much is sent, and how fast. */
interface Pace {
  images: number;
  imagesPerSecond: number;
  /** Recorded packets per second, all modules together. */
  replayRate: number;
}

/** What a machine takes that is set up for a detector: 0.42 GB/s. */
const FULL: Pace = { images: 500, imagesPerSecond: 200, replayRate: 40_000 };

/** For a user whose socket buffers the kernel keeps too small for a burst: packets trickle. */
const GENTLE: Pace = { images: 60, imagesPerSecond: 8, replayRate: 4_000 };

/** Socket buffer that holds two frames of a Jungfrau module: less, and a short pause loses packets. */
const ENOUGH_BUFFER_BYTES = 4 * 2 ** 20;

/** Images of which one is compared pixel by pixel. */
const COMPARE_EVERY = 25;

/** Status of an image of which nothing is missing. */
const IMAGE_GOOD = 1n;

/** Longest wait for images after the last packet: they have come by then, or were lost as a whole. */
const LAST_IMAGE_MS = 20_000;

/**
 * Memory for the rings: enough for all 500 images of 2 MB, so that no disk is too slow for them, and for
 * 17 images of 40 MB, with their frames.
 */
const RAM = "1500M";

/** What a part of the demonstration came to. */
interface Part {
  title: string;
  file: string;
  /** Images in the file. */
  images: number;
  /** Images that were ordered. */
  asked: number;
  packets: number;
  seconds: number;
  bytes: number;
  account: Record<string, bigint>;
  /** From an image's last packet to its ImageMetadata, µs. */
  latencies: number[];
  verified: string;
}

async function demonstrate(folder: string, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const bufferBytes = grantedBufferBytes();
  const pace = bufferBytes < ENOUGH_BUFFER_BYTES ? GENTLE : FULL;
  if (pace === GENTLE) {
    console.log(
      `The kernel grants sockets ${bufferBytes} bytes here: packets are sent slowly, a detector's would be ` +
        `lost. Allow more with: sysctl -w net.core.rmem_max=${ENOUGH_BUFFER_BYTES * 32}`,
    );
  }
  const parts = [
    await simulatedJungfrau(folder, pace, signal),
    await recordedEiger(folder, pace, signal),
  ];
  for (const part of parts) printPart(part);
  const seconds = (performance.now() - started) / 1000;
  // By what was sent: the account does not know of images that were to follow the last one.
  const lost = parts.reduce(
    (n, part) => n + part.packets - Number(part.account.packets_accepted),
    0,
  );
  if (lost > 0) {
    throw new DemonstrationError(
      `${lost} packets were lost on the way: the machine is too busy, or its socket buffers are too small. ` +
        `Nothing else is wrong: what is missing is marked in the files, which stay in ${folder}.`,
    );
  }
  for (const { file, images, asked } of parts) {
    if (images === asked) continue;
    throw new DemonstrationError(`${file} holds ${images} images, ${asked} were asked for`);
  }
  console.log(`\nDone in ${seconds.toFixed(1)} s. The files stay in ${folder}.`);
}

/** The demonstration did not show what it is to show; the message says why. */
class DemonstrationError extends Error {}

/** Receive buffer that this user may have, bytes. */
function grantedBufferBytes(): number {
  const wanted = {
    bind: { address: "127.0.0.1", port: 0 },
    receiveBufferBytes: ENOUGH_BUFFER_BYTES,
  };
  using socket = new UdpSocket(wanted);
  return socket.receiveBufferBytes;
}

/** Two Jungfrau modules, simulated, as fast as a beamline would run them. */
async function simulatedJungfrau(folder: string, pace: Pace, signal: AbortSignal): Promise<Part> {
  const example = new URL("../docs/examples/jungfrau-1m.json", import.meta.url);
  const { config, path } = await makeConfig(
    folder,
    "jungfrau",
    JSON.parse(await Deno.readTextFile(example)),
  );
  const file = `${folder}/jungfrau.h5`;
  const pattern = "photons";
  const { images } = pace;
  const result = await measure({ config, path, file, images, signal }, async () => {
    const line = await runDaqCommand([
      "simulate",
      path,
      ...["--images", String(images), "--rate", String(pace.imagesPerSecond), "--pattern", pattern],
      ...(pace === GENTLE ? ["--spread"] : []),
      "--json",
    ], signal);
    const sent = JSON.parse(line.findLast((l) => JSON_LINE.test(l) && l.includes('"sent"'))!);
    return { packets: Number(sent.sent), seconds: Number(sent.seconds) };
  });
  using written = readImageFile(file);
  const ids = written.imageIds();
  const statuses = written.statuses();
  let compared = 0;
  for (let i = 0; i < ids.length; i++) {
    if (i > 0 && ids[i]! <= ids[i - 1]!) {
      throw new DemonstrationError(`${file}: image ${ids[i]} follows image ${ids[i - 1]}`);
    }
    if (i % COMPARE_EVERY !== 0 || statuses[i] !== IMAGE_GOOD) continue;
    const expected = simulateImage(config, { pattern, images }, ids[i]!);
    if (!same(written.image(i), expected)) {
      throw new DemonstrationError(`${file}: image ${ids[i]} is not what was sent`);
    }
    compared++;
  }
  return {
    title: "Jungfrau, 2 modules, simulated",
    ...result,
    verified:
      `${ids.length} images in order, every ${COMPARE_EVERY}th compared pixel by pixel (${compared})`,
  };
}

/** One image of a real Eiger 9M at 32 bit, replayed packet by packet. */
async function recordedEiger(folder: string, pace: Pace, signal: AbortSignal): Promise<Part> {
  const { config, path } = await makeConfig(folder, "eiger-9m", recordedConfig());
  const dumps = await readRecording(folder);
  const file = `${folder}/eiger-9m.h5`;
  const result = await measure({ config, path, file, images: 1, signal }, async () => {
    const line = await runDaqCommand([
      "replay",
      path,
      ...dumps,
      "--rate",
      String(pace.replayRate),
      "--json",
    ], signal);
    const sent = JSON.parse(line.findLast((l) => JSON_LINE.test(l))!);
    return { packets: Number(sent.sent), seconds: Number(sent.seconds) };
  });
  for (const dump of dumps) await Deno.remove(dump);
  using written = readImageFile(file);
  return {
    title: "Eiger 9M, 72 modules, recorded from the real detector",
    ...result,
    verified: verdict(written),
  };
}

/** Compares the recorded image with what the original made of the same packets. */
function verdict(written: ReturnType<typeof readImageFile>): string {
  if (written.statuses()[0] !== IMAGE_GOOD) return "not compared: packets are missing";
  const pixels = written.image(0);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== RECORDING.imageSha256) {
    throw new DemonstrationError(`${written.path}: the image is not the recorded one (${digest})`);
  }
  return "byte-identical to the image the original std-daq made of the same packets (SHA-256)";
}

/** What is to be run. */
interface Run {
  config: DetectorConfig;
  /** Where the config is. */
  path: string;
  /** The file to write. */
  file: string;
  images: number;
  signal: AbortSignal;
}

/** Runs a pipeline, has images written, and collects the account. */
async function measure(
  { config, path, file, images, signal }: Run,
  send: () => Promise<{ packets: number; seconds: number }>,
): Promise<Omit<Part, "title" | "verified">> {
  signal.throwIfAborted();
  console.log(`starting the pipeline of ${config.detector_name} …`);
  const [apiPort] = freePorts(1);
  await using pipeline = await LocalPipeline.start(path, {
    apiPort: apiPort!,
    dataRoot: dirname(file),
    ram: RAM,
  });
  signal.throwIfAborted();
  const client = new DaqClient({ baseUrl: pipeline.api });
  const run = await client.writeAsync({ output_file: file, n_images: images });
  const latencies = new LatencyCollector(config);
  const { packets, seconds } = await send();
  const { acquisition } = await endOf(client, run, signal);
  latencies.collect();
  if (acquisition.state !== "FINISHED") {
    throw new DemonstrationError(
      `The acquisition ended as ${acquisition.state}: ${acquisition.message}`,
    );
  }
  const { accounting } = await client.stats();
  latencies.close();
  const written = acquisition.stats.n_write_completed;
  return {
    file,
    images: written,
    asked: images,
    packets,
    seconds,
    bytes: written * imageBytes(config),
    account: accounting,
    latencies: latencies.microseconds,
  };
}

/** Waits for the end of the acquisition; ends it when images that were lost as a whole keep it waiting. */
async function endOf(client: DaqClient, run: Writer, signal: AbortSignal): Promise<Writer> {
  const late = AbortSignal.timeout(LAST_IMAGE_MS);
  try {
    return await client.waitForEnd(run, { signal: AbortSignal.any([signal, late]) });
  } catch (error) {
    signal.throwIfAborted();
    if (!late.aborted) throw error;
    return await client.stop();
  }
}

/** Reads from the image ring's index how long after its last packet each image was published. */
class LatencyCollector {
  readonly microseconds: number[] = [];
  readonly #reader: RingReader;
  readonly #follower: RingFollower;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(config: DetectorConfig) {
    const memory = new SharedMemory(indexMemoryBytes(65536));
    this.#reader = RingReader.open(memory, imageRingName(config.detector_name));
    this.#follower = new RingFollower(this.#reader);
    this.#timer = setInterval(() => this.collect(), 50);
  }

  collect(): void {
    for (let record = this.#follower.next(); record !== undefined; record = this.#follower.next()) {
      this.microseconds.push(Number(record.publishedNs - record.completeNs) / 1000);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#reader.close();
  }
}

/** Writes a config with free ports and a name of its own. */
async function makeConfig(
  folder: string,
  name: string,
  settings: Record<string, unknown>,
): Promise<{ config: DetectorConfig; path: string }> {
  const ports = freePorts(Number(settings.n_modules));
  const own = { ...settings, detector_name: `demo-${name}-${Deno.pid}`, start_udp_port: ports[0] };
  const path = `${folder}/${name}.json`;
  await Deno.writeTextFile(path, JSON.stringify(own, null, 2));
  return { config: parseConfig(own).config, path };
}

function same(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function printPart(part: Part): void {
  const { account } = part;
  const sorted = part.latencies.toSorted((a, b) => a - b);
  const quantile = (q: number): string =>
    sorted.length === 0
      ? "-"
      : `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!)} µs`;
  const rows: [string, string][] = [
    [
      "images",
      `${part.images} written; ${account.images_good} good, ${account.images_incomplete} incomplete`,
    ],
    ["packets", `${part.packets} sent, ${account.packets_accepted} accepted`],
    [
      "losses",
      ["lost", "late", "duplicate", "malformed", "foreign"].map((kind) =>
        `${account[`packets_${kind}`]} ${kind}`
      )
        .join(", "),
    ],
    [
      "data",
      `${(part.bytes / 1e9).toFixed(2)} GB in ${part.seconds.toFixed(2)} s: ${
        (part.bytes / 1e9 / part.seconds).toFixed(2)
      } GB/s`,
    ],
    ["latency", `last packet to metadata: median ${quantile(0.5)}, 99 % below ${quantile(0.99)}`],
    ["verified", part.verified],
    ["file", part.file],
  ];
  console.log(`\n${part.title}`);
  for (const [name, text] of rows) console.log(`  ${name.padEnd(9)} ${text}`);
}

/** Runs it; Ctrl-C and SIGTERM end it and leave nothing running. Returns the exit status. */
async function main(): Promise<number> {
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, onSignal);
  const folder = await Deno.makeTempDir({ prefix: "std-daq-demo-" });
  try {
    await demonstrate(folder, stop.signal);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted && !(error instanceof DemonstrationError)) throw error;
    if (error instanceof DemonstrationError) console.error(`\n${error.message}`);
    else console.error("interrupted");
    return 1;
  }
}

Deno.exit(await main());
