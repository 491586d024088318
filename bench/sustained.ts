/**
 * Row 2: packets of one Jungfrau module through the real services without loss: receive, reassemble,
 * assemble, publish.
 *
 * @module
 */
import type { Figure } from "./_figure.ts";
import { cpuMicroseconds } from "./_process.ts";
import { Pipeline } from "./_pipeline.ts";
import { freePort, MEASURED_CPU, native, readyLine, run, SENDER_CPU } from "./_run.ts";

const PACKETS_PER_FRAME = 128;
const PACKET_BYTES = 8240;
/** What is asked: packets/s. */
const ASKED = 200_000;

/** What came of one run. */
interface Outcome {
  rate: number;
  packets: number;
  lost: number;
  kernelDrops: number;
  images: number;
  /** Share of a CPU that receiver and assembler took, 0 to 1. */
  cpu: number[];
}

/** Measures: `seconds` at the asked rate by each sender, then a search for the highest rate. */
export async function sustained(seconds: number): Promise<Figure[]> {
  const port = freePort();
  await using pipeline = await Pipeline.make({
    type: "jungfrau-raw",
    modules: 1,
    port,
    slots: 128,
  });
  const running = [
    await pipeline.start("std_udp_recv", [], { cpu: MEASURED_CPU }),
    await pipeline.start("std_assembler", [], { cpu: MEASURED_CPU }),
  ];

  const simulator = async (
    packetRate: number,
    s: number,
  ): Promise<{ packets: number; rate: number }> => {
    const images = Math.round(packetRate * s / PACKETS_PER_FRAME);
    const running = pipeline.spawn("udp_simulator", [
      "--rate",
      String(packetRate / PACKETS_PER_FRAME),
      "--images",
      String(images),
      "--json",
    ], { cpu: SENDER_CPU });
    await readyLine(running);
    const { datagrams, packets_per_second } = await running.result();
    return { packets: datagrams!, rate: packets_per_second! };
  };
  const sender = async (
    packetRate: number,
    s: number,
  ): Promise<{ packets: number; rate: number }> => {
    const frames = Math.round(packetRate * s / PACKETS_PER_FRAME);
    const args = ["127.0.0.1", port, "jungfrau", PACKETS_PER_FRAME, frames, packetRate, 64];
    const { packets, seconds } = await run(native("send", ...args), SENDER_CPU);
    return { packets: packets!, rate: packets! / seconds! };
  };
  const attempt = async (
    send: (rate: number, s: number) => Promise<{ packets: number; rate: number }>,
    rate: number,
    s: number,
  ): Promise<Outcome> => {
    const before = await pipeline.settled();
    const cpuBefore = await Promise.all(running.map(({ pid }) => cpuMicroseconds(pid)));
    const sent = await send(rate, s);
    const cpu = await Promise.all(running.map(({ pid }) => cpuMicroseconds(pid)));
    const after = await pipeline.settled();
    const images = Number(after.images_good - before.images_good);
    return {
      rate: sent.rate,
      packets: sent.packets,
      lost: sent.packets - images * PACKETS_PER_FRAME,
      kernelDrops: Number(after.kernel_drops - before.kernel_drops),
      images,
      cpu: cpu.map((n, i) => (n - cpuBefore[i]!) * sent.rate / sent.packets / 1e6),
    };
  };

  await attempt(sender, ASKED / 4, 1); // compiles what is hot
  const figures: Figure[] = [];
  const line = (name: string, outcome: Outcome, asked: boolean): Figure => {
    const { rate, lost, kernelDrops, images, cpu } = outcome;
    const [receiver, assembler] = cpu.map((share) => `${(100 * share).toFixed(0)} %`);
    const note = `${(rate * PACKET_BYTES / 1e9).toFixed(2)} GB/s, ${images} images, ` +
      `${lost} packets lost, ${kernelDrops} dropped by the kernel; ` +
      `CPU: receiver ${receiver}, assembler ${assembler}`;
    const whole = lost === 0;
    return {
      row: "sustained",
      name,
      unit: "k packets/s",
      ours: whole ? rate / 1e3 : `${(rate / 1e3).toFixed(0)} with loss,`,
      ...(asked ? { floor: { of: "value", sense: "at least", limit: ASKED / 1e3 } as const } : {}),
      note,
    };
  };
  const simulated = await attempt(simulator, ASKED * 1.01, seconds);
  figures.push(line(`receive … publish, ${seconds} s, udp_simulator`, simulated, true));
  const bare = await attempt(sender, ASKED * 1.01, seconds);
  figures.push(line(`receive … publish, ${seconds} s, C sender`, bare, true));

  // The highest rate, in steps, as far as sender and services go.
  let best: Outcome | undefined;
  for (let rate = 1.1 * ASKED; rate <= 2 * ASKED; rate += 0.1 * ASKED) {
    const outcome = await attempt(sender, rate, 3);
    if (outcome.lost > 0) break;
    if (best !== undefined && outcome.rate < best.rate * 1.01) break; // the sender's limit
    best = outcome;
  }
  if (best !== undefined) {
    figures.push(line("the same, highest rate without loss, 3 s", best, false));
  }
  return figures;
}
