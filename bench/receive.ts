/**
 * Row 1: what receiving and reassembling a packet costs, against a loop that only receives.
 *
 * @module
 */
import { unlink } from "../lib/os/mod.ts";
import { dataPath, indexPath } from "../lib/ring/mod.ts";
import { compare, type Figure, median } from "./_figure.ts";
import { benchName } from "./_names.ts";
import {
  freePort,
  MEASURED_CPU,
  native,
  type Program,
  readyLine,
  run,
  script,
  SENDER_CPU,
  start,
} from "./_run.ts";

/** Frames in the ring: 128 MiB, more than the caches hold. */
const RING_BYTES = 128 * 2 ** 20;
const BATCH = 128;

/** Packets/s, within what a sender on the other core keeps up with. */
const RATE = 200_000;
/** First packets, not counted: by then the compiler has done with the loop. */
const WARM_UP = 200_000;

/** Runs that may be spoilt by other programs. */
const MOST_ATTEMPTS = 8;

/** CPU time per packet, µs, and packets per receive call. */
interface Cost {
  cost: number;
  batch: number;
}

const DETECTORS = [
  {
    type: "jungfrau-raw",
    label: "Jungfrau, 8240 B",
    sender: "jungfrau",
    payload: 8192,
    perFrame: 128,
  },
  { type: "eiger", label: "Eiger, 4144 B", sender: "eiger", payload: 4096, perFrame: 64 },
] as const;

/** Measures; `rounds` runs of each side in turn. */
export async function receive(rounds: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  const packets = 300_000;
  for (const { type, label, sender, payload, perFrame } of DETECTORS) {
    const slots = RING_BYTES / (payload * perFrame);
    const places = slots * perFrame;
    const name = benchName("receive");
    /** A run; again when packets were lost, because then something else had the CPU. */
    const one = async (make: (port: number) => Program): Promise<Cost> => {
      const frames = Math.ceil((WARM_UP + packets) / perFrame) + 20;
      for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        const port = freePort();
        try {
          await using receiver = start(make(port), { cpu: MEASURED_CPU });
          await readyLine(receiver);
          const load = native("send", "127.0.0.1", port, sender, perFrame, frames, RATE, 64);
          await run(load, SENDER_CPU);
          const result = await receiver.result();
          if (result.packets! < packets) continue;
          return { cost: result.cpu_us! / result.packets!, batch: result.packets! / result.calls! };
        } finally {
          unlink(dataPath(name));
          unlink(indexPath(name));
        }
      }
      throw new Error(`packets were lost in ${MOST_ATTEMPTS} runs: the machine is too busy`);
    };
    const bare = (mode: string) => (port: number): Program =>
      native("receive", port, payload, places, BATCH, WARM_UP, packets, mode, dataPath(name));
    const ours = [], ring = [], small = [];
    for (let i = 0; i < rounds; i++) {
      ring.push(await one(bare("ring")));
      ours.push(
        await one((port) =>
          script("receive_ours.ts", port, type, slots, BATCH, WARM_UP, packets, name)
        ),
      );
      small.push(await one(bare("small")));
    }
    const costs = (runs: { cost: number }[]): number[] => runs.map(({ cost }) => cost);
    const batches = (runs: { batch: number }[]): string =>
      median(runs.map(({ batch }) => batch)).toFixed(0);
    figures.push({
      row: "receive",
      name: `receive + reassemble, CPU per packet, ${label}`,
      unit: "µs",
      ...compare(costs(ours), costs(ring)),
      floor: { of: "ratio", sense: "at most", limit: 1.1 },
      note: `C receives into a ring as large; packets per call ${batches(ours)}, theirs ${
        batches(ring)
      }`,
    }, {
      row: "receive",
      name: "… against C that forgets them",
      unit: "µs",
      ...compare(costs(ours), costs(small)),
      note: "C receives into one buffer that stays in the cache: no pixel reaches memory",
    });
  }
  return figures;
}
