/**
 * Receiver and assembler of a detector on one CPU, and senders for the other.
 *
 * @module
 */
import { detectorFor } from "../lib/detector/mod.ts";
import type { BenchDetector } from "./_config.ts";
import { cpuMicroseconds } from "./_process.ts";
import { Pipeline } from "./_pipeline.ts";
import {
  freePort,
  MEASURED_CPU,
  native,
  readyLine,
  run,
  type Running,
  SENDER_CPU,
} from "./_run.ts";

/** End of a search for the highest rate. */
const MOST_STEPS = 12;

/** Length of one step of the search, s. */
const STEP_SECONDS = 3;

/** What came of one run. */
export interface Outcome {
  /** Packets per second, as sent. */
  rate: number;
  packets: number;
  /** Packets that are in no complete image. */
  lost: number;
  kernelDrops: number;
  /** Received, but overwritten before the assembler came to them. */
  dropped: number;
  /** Complete images. */
  images: number;
  /** Share of a CPU that receiver and assembler took, 0 to 1. */
  cpu: number[];
}

/** Sends at a rate (packets/s) for a time (s); returns what was really sent, and how fast. */
export type Send = (rate: number, seconds: number) => Promise<{ packets: number; rate: number }>;

/** The services of a detector, at work. */
export class TestBed implements AsyncDisposable {
  /** Packets of an image, all modules. */
  readonly packetsPerImage: number;
  readonly #pipeline: Pipeline;
  readonly #services: readonly Running[];

  private constructor(pipeline: Pipeline, services: readonly Running[]) {
    this.#pipeline = pipeline;
    this.#services = services;
    const { config } = pipeline;
    this.packetsPerImage = config.n_modules *
      detectorFor(config).packetFormat(config).packetsPerFrame;
  }

  /** Starts receiver and assembler, pinned to the measured CPU. */
  static async make(
    detector: Omit<BenchDetector, "detector" | "port">,
    receiverArgs: readonly string[] = [],
  ): Promise<TestBed> {
    const pipeline = await Pipeline.make({ ...detector, port: freePort() });
    return new TestBed(pipeline, [
      await pipeline.start("std_udp_recv", receiverArgs, { cpu: MEASURED_CPU }),
      await pipeline.start("std_assembler", [], { cpu: MEASURED_CPU }),
    ]);
  }

  /** The C sender; for one Jungfrau module. */
  readonly sender: Send = async (rate, seconds) => {
    const { packetsPerImage } = this;
    const frames = Math.round(rate * seconds / packetsPerImage);
    const port = this.#pipeline.config.start_udp_port;
    const args = ["127.0.0.1", port, "jungfrau", packetsPerImage, frames, rate, 64];
    const sent = await run(native("send", ...args), SENDER_CPU);
    return { packets: sent.packets!, rate: sent.packets! / sent.seconds! };
  };

  /** The simulator with further arguments. */
  simulator(...args: string[]): Send {
    return async (rate, seconds) => {
      const images = Math.round(rate * seconds / this.packetsPerImage);
      const running = this.#pipeline.spawn(
        "udp_simulator",
        [
          "--rate",
          String(rate / this.packetsPerImage),
          "--images",
          String(images),
          // One image stays in the sender's cache: on loopback the sender does most of the work.
          "--source-images",
          "1",
          "--json",
          ...args,
        ],
        { cpu: SENDER_CPU },
      );
      await readyLine(running);
      const { datagrams, packets_per_second } = await running.result();
      return { packets: datagrams!, rate: packets_per_second! };
    };
  }

  /** Sends, waits for the rest to arrive, and counts. */
  async attempt(send: Send, rate: number, seconds: number): Promise<Outcome> {
    const pipeline = this.#pipeline;
    const cpuTimes = (): Promise<number[]> =>
      Promise.all(this.#services.map(({ pid }) => cpuMicroseconds(pid)));
    const before = await pipeline.settled();
    const cpuBefore = await cpuTimes();
    const sent = await send(rate, seconds);
    const cpu = await cpuTimes();
    const after = await pipeline.settled();
    const images = Number(after.images_good - before.images_good);
    return {
      rate: sent.rate,
      packets: sent.packets,
      lost: sent.packets - images * this.packetsPerImage,
      kernelDrops: Number(after.kernel_drops - before.kernel_drops),
      dropped: Number(after.packets_dropped - before.packets_dropped),
      images,
      cpu: cpu.map((n, i) => (n - cpuBefore[i]!) * sent.rate / sent.packets / 1e6),
    };
  }

  /** Goes up in steps until something is lost or the sender can do no more. */
  async highest(send: Send, from: number, step: number): Promise<Outcome | undefined> {
    let best: Outcome | undefined;
    for (let rate = from; rate <= MOST_STEPS * step + from; rate += step) {
      const outcome = await this.attempt(send, rate, STEP_SECONDS);
      if (outcome.lost > 0) break;
      if (best !== undefined && outcome.rate < best.rate * 1.01) break; // the sender's limit
      best = outcome;
    }
    return best;
  }

  /** Stops everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipeline[Symbol.asyncDispose]();
  }
}

/** What was lost and which share of a CPU the services took, in words. */
export function describeOutcome({ lost, kernelDrops, dropped, images, cpu }: Outcome): string {
  const [receiver, assembler] = cpu.map((share) => `${(100 * share).toFixed(0)} %`);
  return `${images} images, ${lost} packets lost ` +
    `(${kernelDrops} by the kernel, ${dropped} overwritten); ` +
    `CPU: receiver ${receiver}, assembler ${assembler}`;
}
