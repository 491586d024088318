/**
 * Row 2: packets of one Jungfrau module through the real services without loss: receive, reassemble,
 * assemble, publish.
 *
 * @module
 */
import type { Figure } from "./_figure.ts";
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

const PACKETS_PER_FRAME = 128;
const PACKET_BYTES = 8240;
/** What is asked: packets/s, of the sender that can send so many. */
const ASKED = 200_000;
const ASKED_OF = "udp_simulator --gso";
/** Slots of the rings: a third of a second at this rate; the services' own choice would be 1000. */
const SLOTS = 512;
/** End of the search for the highest rate. */
const MOST_STEPS = 12;

/** What came of one run. */
interface Outcome {
  rate: number;
  packets: number;
  lost: number;
  kernelDrops: number;
  /** Received, but overwritten before the assembler came to them. */
  dropped: number;
  images: number;
  /** Share of a CPU that receiver and assembler took, 0 to 1. */
  cpu: number[];
}

/** Sends at a rate (packets/s) for a time (s); returns what was really sent, and how fast. */
type Send = (rate: number, seconds: number) => Promise<{ packets: number; rate: number }>;

/** Measures: `seconds` at the asked rate by each sender, then searches for the highest rates. */
export async function sustained(seconds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  {
    await using bed = await TestBed.make([]);
    for (
      const [who, send] of [
        ["udp_simulator", bed.simulator()],
        // The sender's CPU does most of the network's work on loopback: segmentation by the kernel
        // takes some of it away, the receiver still gets one packet after the other.
        ["udp_simulator --gso", bed.simulator("--gso")],
        ["C sender", bed.sender],
      ] as const
    ) {
      const outcome = await bed.attempt(send, ASKED * 1.01, seconds);
      figures.push({
        ...line(`receive … publish, ${seconds} s, ${who}`, outcome),
        // The other two are what their sender can do on loopback: for information.
        ...(who === ASKED_OF && {
          floor: { of: "value", sense: "at least", limit: ASKED / 1e3 },
        }),
      });
    }
    const best = await bed.highest(bed.sender, 1.1 * ASKED, 0.1 * ASKED);
    if (best) figures.push(line("the same, highest rate without loss, 3 s", best));
  }
  // Segmentation by the kernel, as on a path that offers it: the sender is no longer the limit.
  await using bed = await TestBed.make(["--gro"]);
  const best = await bed.highest(bed.simulator("--gso"), 1.25 * ASKED, 0.25 * ASKED);
  if (best) figures.push(line("the same with GSO and GRO", best));
  return figures;
}

/** Receiver and assembler on one CPU, and senders for the other. */
class TestBed implements AsyncDisposable {
  readonly #pipeline: Pipeline;
  readonly #services: readonly Running[];
  readonly #port: number;

  private constructor(pipeline: Pipeline, services: readonly Running[], port: number) {
    this.#pipeline = pipeline;
    this.#services = services;
    this.#port = port;
  }

  static async make(receiverArgs: readonly string[]): Promise<TestBed> {
    const port = freePort();
    const pipeline = await Pipeline.make({ type: "jungfrau-raw", modules: 1, port, slots: SLOTS });
    const bed = new TestBed(pipeline, [
      await pipeline.start("std_udp_recv", receiverArgs, { cpu: MEASURED_CPU }),
      await pipeline.start("std_assembler", [], { cpu: MEASURED_CPU }),
    ], port);
    await bed.attempt(bed.sender, ASKED / 4, 1); // compiles what is hot
    return bed;
  }

  /** The C sender. */
  readonly sender: Send = async (rate, seconds) => {
    const frames = Math.round(rate * seconds / PACKETS_PER_FRAME);
    const args = ["127.0.0.1", this.#port, "jungfrau", PACKETS_PER_FRAME, frames, rate, 64];
    const sent = await run(native("send", ...args), SENDER_CPU);
    return { packets: sent.packets!, rate: sent.packets! / sent.seconds! };
  };

  /** The simulator with further arguments. */
  simulator(...args: string[]): Send {
    return async (rate, seconds) => {
      const images = Math.round(rate * seconds / PACKETS_PER_FRAME);
      const imageRate = String(rate / PACKETS_PER_FRAME);
      const running = this.#pipeline.spawn(
        "udp_simulator",
        [
          "--rate",
          imageRate,
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
      lost: sent.packets - images * PACKETS_PER_FRAME,
      kernelDrops: Number(after.kernel_drops - before.kernel_drops),
      dropped: Number(after.packets_dropped - before.packets_dropped),
      images,
      cpu: cpu.map((n, i) => (n - cpuBefore[i]!) * sent.rate / sent.packets / 1e6),
    };
  }

  /** Goes up in steps, 3 s each, until something is lost or the sender can do no more. */
  async highest(send: Send, from: number, step: number): Promise<Outcome | undefined> {
    let best: Outcome | undefined;
    for (let rate = from; rate <= MOST_STEPS * step + from; rate += step) {
      const outcome = await this.attempt(send, rate, 3);
      if (outcome.lost > 0) break;
      if (best !== undefined && outcome.rate < best.rate * 1.01) break; // the sender's limit
      best = outcome;
    }
    return best;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pipeline[Symbol.asyncDispose]();
  }
}

function line(name: string, outcome: Outcome): Figure {
  const { rate, lost, kernelDrops, dropped, images, cpu } = outcome;
  const [receiver, assembler] = cpu.map((share) => `${(100 * share).toFixed(0)} %`);
  return {
    row: "sustained",
    name,
    unit: "k packets/s",
    ours: lost === 0 ? rate / 1e3 : `${(rate / 1e3).toFixed(0)} with loss,`,
    note: `${(rate * PACKET_BYTES / 1e9).toFixed(2)} GB/s, ${images} images, ` +
      `${lost} packets lost ` +
      `(${kernelDrops} by the kernel, ${dropped} overwritten); ` +
      `CPU: receiver ${receiver}, assembler ${assembler}`,
  };
}
