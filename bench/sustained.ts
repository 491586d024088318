/**
 * Row 2: packets of one Jungfrau module through the real services without loss: receive, reassemble,
 * assemble, publish.
 *
 * @module
 */
import type { Figure } from "./_figure.ts";
import { describeOutcome, type Outcome, type Send, TestBed } from "./_test_bed.ts";

const PACKET_BYTES = 8240;
/** What is asked: packets/s. */
const ASKED = 200_000;
/** Slots of the rings: a third of a second at this rate; the services' own choice would be 1000. */
const SLOTS = 512;

/** Measures: `rounds` runs of `seconds` at the asked rate by each sender, then searches for the highest rates. */
export async function sustained(seconds: number, rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  {
    await using bed = await jungfrauBed([]);
    const SENDERS = [
      ["udp_simulator", bed.simulator()],
      // The sender's CPU does most of the network's work on loopback: segmentation by the kernel
      // takes some of it away, the receiver still gets one packet after the other.
      ["udp_simulator --gso", bed.simulator("--gso")],
    ] as const;
    for (const [who, send] of SENDERS) {
      const outcomes: Outcome[] = [];
      for (let i = 0; i < rounds; i++) {
        outcomes.push(await bed.attempt(send, ASKED * 1.02, seconds));
      }
      figures.push({
        ...line(`receive … publish, ${rounds} × ${seconds} s, ${who}`, middle(outcomes)),
        floor: { of: "value", sense: "at least", limit: ASKED / 1e3 },
      });
    }
    figures.push(await highest("the same, highest rate of the C sender", bed, bed.sender, 0.9));
  }
  // Segmentation by the kernel, as on a path that offers it: the sender is no longer the limit.
  await using bed = await jungfrauBed(["--gro"]);
  figures.push(await highest("the same with GSO and GRO", bed, bed.simulator("--gso"), 1));
  return figures;
}

/** The highest rate without loss, from a share of what is asked up; what is lost at that is shown. */
async function highest(name: string, bed: TestBed, send: Send, from: number): Promise<Figure> {
  const best = await bed.highest(send, from * ASKED, 0.1 * ASKED);
  return line(name, best ?? await bed.attempt(send, from * ASKED, 3));
}

/** The run of the middle rate, with the losses of all. */
function middle(outcomes: readonly Outcome[]): Outcome {
  const sorted = outcomes.toSorted((a, b) => a.rate - b.rate);
  const sum = (of: (outcome: Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    ...sorted[sorted.length >> 1]!,
    packets: sum(({ packets }) => packets),
    images: sum(({ images }) => images),
    lost: sum(({ lost }) => lost),
    kernelDrops: sum(({ kernelDrops }) => kernelDrops),
    dropped: sum(({ dropped }) => dropped),
  };
}

/** A bed for one Jungfrau module, warm. */
async function jungfrauBed(receiverArgs: readonly string[]): Promise<TestBed> {
  const bed = await TestBed.make({ type: "jungfrau-raw", modules: 1, slots: SLOTS }, receiverArgs);
  await bed.attempt(bed.sender, ASKED / 4, 1); // compiles what is hot
  return bed;
}

function line(name: string, outcome: Outcome): Figure {
  const { rate, lost } = outcome;
  return {
    row: "sustained",
    name,
    unit: "k packets/s",
    ours: lost === 0 ? rate / 1e3 : `${(rate / 1e3).toFixed(0)} with loss,`,
    note: `${(rate * PACKET_BYTES / 1e9).toFixed(2)} GB/s, ${describeOutcome(outcome)}`,
  };
}
