/**
 * Row: whole detectors through the real services, receiver and assembler sharing one CPU: the highest
 * image rate without loss, and what an image costs.
 *
 * @module
 */
import type { Figure } from "./_figure.ts";
import { describeOutcome, type Outcome, TestBed } from "./_test_bed.ts";
import type { BenchDetector } from "./_config.ts";

/** What is measured; the search goes from `from` up in steps of a quarter of it. */
interface Case {
  name: string;
  detector: Omit<BenchDetector, "detector" | "port">;
  /** Rate at which the search begins, images/s. */
  from: number;
}

const CASES: readonly Case[] = [
  {
    name: "Eiger 0.5M, 4 modules, 16 bit",
    detector: { type: "eiger", modules: 4, slots: 512 },
    from: 400,
  },
  {
    name: "Jungfrau converted to float32, 1 module",
    detector: { type: "jungfrau-converted", modules: 1, slots: 512 },
    from: 400,
  },
  {
    name: "GigaFRoST 504 × 252, 8 modules",
    detector: { type: "gigafrost", modules: 8, slots: 1024 },
    from: 1000,
  },
];

/** Measures every detector. */
export async function pipelines(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { name, detector, from } of CASES) {
    figures.push(await highestRate(name, detector, from));
  }
  return figures;
}

async function highestRate(
  name: string,
  detector: Case["detector"],
  from: number,
): Promise<Figure> {
  await using bed = await TestBed.make(detector);
  const send = bed.simulator("--gso");
  await bed.attempt(send, from * bed.packetsPerImage / 4, 1); // compiles what is hot
  const start = from * bed.packetsPerImage;
  // The first rate is low enough for a machine of half the speed: what it loses is shown.
  const best = await bed.highest(send, start, start / 4) ?? await bed.attempt(send, start, 3);
  return figure(name, best, bed.packetsPerImage);
}

function figure(name: string, outcome: Outcome, packetsPerImage: number): Figure {
  const rate = outcome.rate / packetsPerImage;
  const [receiver = 0, assembler = 0] = outcome.cpu;
  const perImage = (share: number): string => `${(1e6 * share / rate).toFixed(0)} µs`;
  return {
    row: "pipelines",
    name: `${name}: highest rate without loss`,
    unit: "images/s",
    ours: outcome.lost === 0 ? rate : `${rate.toFixed(0)} with loss,`,
    note: `${(outcome.rate / 1e3).toFixed(0)} k packets/s; CPU per image: receiver ` +
      `${perImage(receiver)}, assembler ${perImage(assembler)}, so ` +
      `${(rate / (receiver + assembler)).toFixed(0)} images/s per core; ${
        describeOutcome(outcome)
      }`,
  };
}
