// deno-lint-ignore-file no-console -- a demonstration talks to whoever runs it
/**
 * The main job, shown: a pipeline on a simulated Jungfrau, then on recorded data of a real Eiger 9M;
 * both files are read back and compared pixel by pixel with what was sent.
 *
 *   deno task demo
 */
import { createHash } from "node:crypto";
import { type DetectorConfig, imageBytes, parseConfig } from "../lib/config/mod.ts";
import { readImageFile } from "../lib/hdf5/mod.ts";
import { DaqClient } from "../lib/http/mod.ts";
import { indexMemoryBytes, RingFollower, RingReader, SharedMemory } from "../lib/ring/mod.ts";
import { imageRingName } from "../lib/protocol/mod.ts";
import { simulateImage } from "../lib/simulate/mod.ts";
import { freePorts, readRecording, recordedConfig, RECORDING } from "./demo_data.ts";
import { JSON_LINE, LocalPipeline, runDaqCommand } from "./demo_pipeline.ts";

const IMAGES = 1000;
const IMAGES_PER_SECOND = 400;

/** Memory for the rings: enough for 17 images of 40 MB and their frames. */
const RAM = "1500M";

/** What a part of the demonstration came to. */
interface Part {
  title: string;
  file: string;
  images: number;
  packets: number;
  seconds: number;
  bytes: number;
  account: Record<string, bigint>;
  /** From an image's last packet to its ImageMetadata, µs. */
  latencies: number[];
  verified: string;
}

const folder = await Deno.makeTempDir({ prefix: "std-daq-demo-" });

async function demonstrate(): Promise<void> {
  const started = performance.now();
  const parts = [await simulatedJungfrau(), await recordedEiger()];
  for (const part of parts) printPart(part);
  const seconds = (performance.now() - started) / 1000;
  console.log(`\nDone in ${seconds.toFixed(1)} s. The files stay in ${folder}.`);
}

/** Two Jungfrau modules, simulated, as fast as a beamline would run them. */
async function simulatedJungfrau(): Promise<Part> {
  const { config, path } = await makeConfig("jungfrau", {
    ...JSON.parse(
      await Deno.readTextFile(new URL("../docs/examples/jungfrau-1m.json", import.meta.url)),
    ),
  });
  const file = `${folder}/jungfrau.h5`;
  const pattern = "photons";
  const result = await measure(config, path, file, IMAGES, async () => {
    const line = await runDaqCommand([
      "simulate",
      path,
      ...[
        "--images",
        String(IMAGES),
        "--rate",
        String(IMAGES_PER_SECOND),
        "--pattern",
        pattern,
        "--json",
      ],
    ]);
    const sent = JSON.parse(line.findLast((l) => JSON_LINE.test(l) && l.includes('"sent"'))!);
    return { packets: Number(sent.sent), seconds: Number(sent.seconds) };
  });
  using written = readImageFile(file);
  const ids = written.imageIds();
  let compared = 0;
  for (let i = 0; i < ids.length; i += 50) {
    const expected = simulateImage(config, { pattern, images: IMAGES }, ids[i]!);
    if (!same(written.image(i), expected)) {
      throw new Error(`${file}: image ${ids[i]} is not what was sent`);
    }
    compared++;
  }
  if (ids.length !== IMAGES) {
    throw new Error(`${file} holds ${ids.length} images, ${IMAGES} were asked for`);
  }
  return {
    title: "Jungfrau, 2 modules, simulated",
    ...result,
    verified: `${ids.length} images in order, every 50th compared pixel by pixel (${compared})`,
  };
}

/** One image of a real Eiger 9M at 32 bit, replayed packet by packet. */
async function recordedEiger(): Promise<Part> {
  const { config, path } = await makeConfig("eiger-9m", recordedConfig());
  const dumps = await readRecording(folder);
  const file = `${folder}/eiger-9m.h5`;
  const result = await measure(config, path, file, 1, async () => {
    const line = await runDaqCommand(["replay", path, ...dumps, "--rate", "40000", "--json"]);
    const sent = JSON.parse(line.findLast((l) => JSON_LINE.test(l))!);
    return { packets: Number(sent.sent), seconds: Number(sent.seconds) };
  });
  for (const dump of dumps) await Deno.remove(dump);
  using written = readImageFile(file);
  const pixels = written.image(0);
  const bytes = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength);
  const digest = createHash("sha256").update(bytes).digest("hex");
  if (digest !== RECORDING.imageSha256) {
    throw new Error(`${file}: the image is not the recorded one (${digest})`);
  }
  return {
    title: "Eiger 9M, 72 modules, recorded from the real detector",
    ...result,
    verified: "byte-identical to the image the original std-daq made of the same packets (SHA-256)",
  };
}

/** Runs a pipeline, has `images` images written, and collects the account. */
async function measure(
  config: DetectorConfig,
  configPath: string,
  file: string,
  images: number,
  send: () => Promise<{ packets: number; seconds: number }>,
): Promise<Omit<Part, "title" | "verified">> {
  console.log(`starting the pipeline of ${config.detector_name} …`);
  const [apiPort] = freePorts(1);
  await using pipeline = await LocalPipeline.start(configPath, {
    apiPort: apiPort!,
    dataRoot: folder,
    ram: RAM,
  });
  const client = new DaqClient({ baseUrl: pipeline.api });
  await client.writeAsync({ output_file: file, n_images: images });
  const latencies = new LatencyCollector(config);
  const { packets, seconds } = await send();
  const end = await client.waitForEnd();
  latencies.collect();
  const { state, message } = end.acquisition;
  if (state !== "FINISHED") throw new Error(`The acquisition ended as ${state}: ${message}`);
  const { accounting } = await client.stats();
  latencies.close();
  const bytes = images * imageBytes(config);
  return {
    file,
    images,
    packets,
    seconds,
    bytes,
    account: accounting,
    latencies: latencies.microseconds,
  };
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

await demonstrate();
