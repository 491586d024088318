/**
 * Row 2: packets of one Jungfrau module through the real services without loss: receive, reassemble,
 * assemble, publish.
 *
 * @module
 */
import type { Figure } from "./_figure.ts";
import { describeOutcome, type Outcome, TestBed } from "./_test_bed.ts";

const PACKET_BYTES = 8240;
/** What is asked: packets/s, of the sender that can send so many. */
const ASKED = 200_000;
const ASKED_OF = "udp_simulator --gso";
/** Slots of the rings: a third of a second at this rate; the services' own choice would be 1000. */
const SLOTS = 512;

/** Measures: `seconds` at the asked rate by each sender, then searches for the highest rates. */
export async function sustained(seconds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  {
    await using bed = await jungfrauBed([]);
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
  await using bed = await jungfrauBed(["--gro"]);
  const best = await bed.highest(bed.simulator("--gso"), 1.25 * ASKED, 0.25 * ASKED);
  if (best) figures.push(line("the same with GSO and GRO", best));
  return figures;
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
