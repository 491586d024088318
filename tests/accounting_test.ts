/**
 * The account: for any mix of simulated faults, packets sent = accepted + duplicate + late + malformed
 * + foreign + lost, images = good + incomplete, exactly as the seed of the simulator predicts; in the
 * status, in the stats log and as attributes of the file.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { modulePlacements } from "../lib/assemble/mod.ts";
import { detectorFor } from "../lib/detector/mod.ts";
import { type DetectorConfig, imageBytes } from "../lib/config/mod.ts";
import { createSimulation, simulateImage } from "../lib/simulate/mod.ts";
import { sourceOf } from "../lib/simulate/simulation.ts";
import {
  type Account,
  type ConfigJson,
  counters,
  eigerConfig,
  gigafrostConfig,
  type H5File,
  jungfrauConfig,
  Pipeline,
  readWithPixels,
  simulate,
  type SimulatorReport,
  until,
} from "./harness/mod.ts";

interface Case {
  what: string;
  config: () => ConfigJson;
  images: number;
  options: string[];
  /** Threads of receiver and assembler, each. */
  workers?: number;
  /** Modules of the images that miss one, in all. */
  absent?: number;
}

const EVERYTHING =
  "--drop 0.004 --duplicate 0.004 --reorder 0.004 --late 0.004 --corrupt 0.004 --foreign 0.004"
    .split(" ");

const CASES: Case[] = [
  {
    what: "nothing goes wrong",
    config: () => jungfrauConfig(2),
    images: 24,
    options: ["--seed", "1"],
  },
  {
    what: "packets are dropped",
    config: () => jungfrauConfig(2),
    images: 24,
    options: ["--seed", "2", "--drop", "0.01"],
  },
  {
    what: "packets come twice, and in another order",
    config: () => jungfrauConfig(2),
    images: 24,
    options: ["--seed", "3", "--duplicate", "0.01", "--reorder", "0.05"],
  },
  {
    what: "packets come when their frame has closed",
    config: () => eigerConfig(4),
    images: 60,
    options: ["--seed", "4", "--late", "0.01"],
  },
  {
    what: "packets are damaged, or another detector's",
    config: () => eigerConfig(4),
    images: 60,
    options: ["--seed", "5", "--corrupt", "0.01", "--foreign", "0.01"],
  },
  {
    what: "everything goes wrong (Jungfrau)",
    config: () => jungfrauConfig(2),
    images: 24,
    options: ["--seed", "6", ...EVERYTHING],
  },
  {
    what: "everything goes wrong (Eiger, two threads for everything)",
    workers: 2,
    config: () => eigerConfig(4),
    images: 60,
    options: ["--seed", "7", ...EVERYTHING],
  },
  {
    what: "everything goes wrong (GigaFRoST, two threads for everything)",
    workers: 2,
    config: () => gigafrostConfig(),
    images: 60,
    options: ["--seed", "10", ...EVERYTHING],
  },
  {
    what: "a link of a GigaFRoST is silent for a while, and packets come in another order",
    config: () => gigafrostConfig({ image_pixel_width: 48, image_pixel_height: 8 }),
    images: 60,
    options: ["--seed", "11", "--stall-module", "5:20:10", "--reorder", "0.1"],
    absent: 10,
  },
  {
    what: "a module is silent for a while, and packets are dropped",
    config: () => eigerConfig(4),
    images: 60,
    options: ["--seed", "8", "--stall-module", "1:20:10", "--drop", "0.002"],
    absent: 10,
  },
  {
    what: "a module is silent all the time",
    config: () => jungfrauConfig(2),
    images: 12,
    options: ["--seed", "9", "--stall-module", "1"],
    absent: 12,
  },
];

for (const { what, config, images, options, workers = 1, absent = 0 } of CASES) {
  Deno.test(`the account is exact when ${what}`, async () => {
    const threads = ["--workers", String(workers)];
    await using pipeline = await Pipeline.start(config(), {
      frameSlots: 128,
      imageSlots: 128,
      args: { std_udp_recv: threads, std_assembler: threads },
    });
    const { path } = await pipeline.write("run.h5", images + 1);
    const faulty = ["--pattern", "ramp", "--rate", "100", "--images", String(images)];
    const { expected, ...report } = await simulate(pipeline, ...faulty, ...options);

    assert.equal(report.sent, expected.sent);
    assert.equal(
      expected.sent,
      expected.accepted + expected.duplicate + expected.late + expected.malformed +
        expected.foreign + expected.lost,
    );
    assert.equal(expected.images, expected.imagesGood + expected.imagesIncomplete);
    const account = await pipeline.accountWhen(
      `the account of ${Deno.inspect(expected)}`,
      (now) => isAsExpected(now, expected),
    );
    assert.equal(account["packets_dropped"], 0n);
    assert.equal(account["kernel_drops"], 0n);
    await assertLogged(pipeline, account);

    // One clean image more ends the acquisition when all that came before has been counted.
    const last = ["--pattern", "ramp", "--images", "1", "--start-id", String(images + 1)];
    await simulate(pipeline, ...last);
    const { acquisition } = await pipeline.finished();
    assert.equal(acquisition.stats.n_write_completed, images + 1);
    const { file, pixels } = await readWithPixels(path);
    assertAttributes(file, withCleanImage(pipeline, account), expected);
    assertRecords(file, expected, images + 1);
    const missing = zeroedPackets(pipeline, file, pixels);
    assert.deepEqual(missing, expected.missingPacketsPerImage);
    const absentModules = Object.values(expected.missingModulesPerImage);
    assert.equal(absentModules.reduce((sum, n) => sum + n, 0), absent);
  });
}

/** The account's names of what the simulator predicts. */
function predicted({ expected: e }: Pick<SimulatorReport, "expected">): Record<string, number> {
  return {
    packets_received: e.accepted + e.duplicate + e.late + e.malformed + e.foreign,
    packets_accepted: e.accepted,
    packets_duplicate: e.duplicate,
    packets_late: e.late,
    packets_malformed: e.malformed,
    packets_foreign: e.foreign,
    packets_lost: e.lost + e.stalled,
    frames_good: e.framesGood,
    frames_incomplete: e.framesIncomplete,
    images_good: e.imagesGood,
    images_incomplete: e.imagesIncomplete,
    images_skipped: 0,
    restarts: 0,
  };
}

function isAsExpected(account: Account, expected: SimulatorReport["expected"]): boolean {
  return Object.entries(predicted({ expected })).every(([name, n]) => account[name] === BigInt(n));
}

/** The stats lines of receiver and assembler come to say the same. */
async function assertLogged(pipeline: Pipeline, account: Account): Promise<void> {
  for (const service of ["std_udp_recv", "std_assembler"] as const) {
    await until(`stats of ${service}`, () => {
      const stats = Object.entries(pipeline.stats(service) ?? {});
      return stats.length > 0 && stats.every(([name, n]) => account[name] === BigInt(Number(n)));
    }, { explain: () => Deno.inspect({ logged: pipeline.stats(service), account }) });
  }
}

function withCleanImage({ config }: Pipeline, account: Account): Account {
  const packets = BigInt(
    config.n_modules * detectorFor(config).packetFormat(config).packetsPerFrame,
  );
  return {
    ...account,
    packets_received: account["packets_received"]! + packets,
    packets_accepted: account["packets_accepted"]! + packets,
    frames_good: account["frames_good"]! + BigInt(config.n_modules),
    images_good: account["images_good"]! + 1n,
  };
}

function assertAttributes(
  file: H5File,
  account: Account,
  { images, imagesIncomplete, missingPacketsPerImage }: SimulatorReport["expected"],
): void {
  const missing = Object.values(missingPacketsPerImage).reduce((sum, n) => sum + n, 0);
  const { run_id: _, ...attributes } = counters(file);
  assert.deepEqual(attributes, {
    ...account,
    images_requested: BigInt(images + 1),
    images_written: BigInt(images + 1),
    images_written_incomplete: BigInt(imagesIncomplete),
    images_overwritten: 0n,
    images_missing: 0n,
    first_image_id: 1n,
    last_image_id: BigInt(images + 1),
    file_images_missing: 0n,
    images_lost: 0n,
    images_failed: 0n,
    images_not_taken: 0n,
    packets_missing: BigInt(missing),
  });
}

/** Every image is there, in order, and marked as what it is. */
function assertRecords(
  file: H5File,
  { missingPacketsPerImage }: SimulatorReport["expected"],
  images: number,
): void {
  assert.deepEqual(
    file.metadata.records,
    Array.from({ length: images }, (_, i) => {
      const id = i + 1;
      return [id, String(id) in missingPacketsPerImage ? 2 : 1];
    }),
  );
}

/**
 * Counts the packets per image whose pixels are all 0, of images that have any; fails if a pixel is
 * neither 0 with its whole packet nor what was simulated.
 */
function zeroedPackets(
  { config }: Pipeline,
  file: H5File,
  read: Uint8Array,
): Record<string, number> {
  const pixels = Buffer.from(read.buffer);
  const bytes = imageBytes(config);
  const packets = packetPlaces(config);
  const zeroed: Record<string, number> = {};
  const images = file.metadata.records.length;
  const simulatedOf = simulatedPixels(config, images);
  file.metadata.records.forEach(([id], i) => {
    const simulated = simulatedOf(id);
    const image = pixels.subarray(i * bytes, (i + 1) * bytes);
    for (const { bytesOfRow, rows } of packets) {
      const isSimulated = (at: number): boolean =>
        image.compare(simulated, at, at + bytesOfRow, at, at + bytesOfRow) === 0;
      const isZero = (at: number): boolean =>
        image.subarray(at, at + bytesOfRow).every((byte) => byte === 0);
      if (rows.every(isSimulated)) continue;
      assert.ok(rows.every(isZero), `image ${id}: foreign pixels in the rows from byte ${rows[0]}`);
      zeroed[id] = (zeroed[id] ?? 0) + 1;
    }
  });
  return zeroed;
}

/** Where the rows of every packet of an image begin in it, and how long they are, bytes. */
function packetPlaces(config: DetectorConfig): { rows: number[]; bytesOfRow: number }[] {
  const detector = detectorFor(config);
  const layout = detector.moduleLayout(config);
  const format = detector.packetFormat(config);
  const perPacket = format.rows?.rowsPerPacket ?? layout.rows / format.packetsPerFrame;
  return modulePlacements(config, layout).flatMap((p) =>
    Array.from({ length: format.packetsPerFrame }, (_, packet) => {
      const first = packet * perPacket;
      const rows = Array.from(
        { length: Math.min(perPacket, p.rows - first) },
        (_, row) => p.to + (first + row) * p.stride,
      );
      return { rows, bytesOfRow: p.chips * (p.run + p.gap) - p.gap };
    })
  );
}

/**
 * The images that the simulator sent, by id. They repeat themselves; the clean one at the end is the first of a run
 * of its own.
 */
function simulatedPixels(config: DetectorConfig, images: number): (id: number) => Uint8Array {
  const options = { pattern: "ramp", images: images - 1, startId: 1 } as const;
  const simulation = createSimulation(config, options);
  const sent = new Map<number, Uint8Array>();
  return (id) => {
    const frame = id === images ? 0 : id - 1;
    const source = sourceOf(simulation, frame);
    const known = sent.get(source);
    if (known !== undefined) return known;
    const pixels = new Uint8Array(simulateImage(config, options, BigInt(frame + 1)).buffer);
    sent.set(source, pixels);
    return pixels;
  };
}
