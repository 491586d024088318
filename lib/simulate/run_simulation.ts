import { setImmediate } from "node:timers";
import { monotonicNs, sleepMicroseconds } from "../os/mod.ts";
import { type FaultPlan, planFaults } from "./fault_plan.ts";
import { type Outcome, OutcomeCounter } from "./outcome.ts";
import { type Pace, PacketSender, type PacketSenderOptions } from "./packet_sender.ts";
import { isFaultFree, type Simulation } from "./simulation.ts";

/** How to run a simulation. */
export interface RunOptions extends PacketSenderOptions {
  /**
   * Send an image's packets evenly over most of its period (100 ms at most), a few at a time, as a
   * detector does that is read out in that time; default: at once. Needs a rate.
   */
  spread?: boolean;
  /** Ends the run after the image that is being sent. */
  signal?: AbortSignal;
  /** Told now and then how many images have been sent. */
  onProgress?(images: number, datagrams: number): void;
  /** Called when the images are made and the sockets open, before the first packet. */
  onReady?(): void;
}

/** What a run did. */
export interface RunResult {
  /** Images sent. */
  readonly images: number;
  /** Datagrams sent, the dropped ones not included. */
  readonly datagrams: number;
  /** From the first to the last packet, s. */
  readonly seconds: number;
  /** What a receiver must have counted. */
  readonly expected: Outcome;
}

/** Longest time for which the event loop is kept waiting, ns. */
const SLICE_NS = 20_000_000n;

/** A sleep may take this much longer than asked, µs; the rest of a wait is spent polling the clock. */
const SLEEP_MARGIN_US = 150;

/** Longest time over which the packets of an image are spread, ns. */
const LONGEST_SPREAD_NS = 100_000_000n;

/** Packets sent at once of each module when they are spread: they fit into the smallest socket buffer. */
const SPREAD_BATCH = 4;

/** A run that fell behind its rate by more than this does not try to catch up, ns. */
const LARGEST_DELAY_NS = 50_000_000n;

/**
 * Sends a simulation's packets, at its rate. The calling thread is busy meanwhile; the event loop
 * runs every 20 ms.
 *
 * @throws {OsError} If packets cannot be sent.
 */
export async function runSimulation(
  simulation: Simulation,
  options: RunOptions = {},
): Promise<RunResult> {
  const spread = (options.spread ?? false) && simulation.rate > 0;
  using sender = new PacketSender(
    simulation,
    spread ? { ...options, batch: SPREAD_BATCH } : options,
  );
  const counter = new OutcomeCounter(simulation);
  const sendImage = isFaultFree(simulation)
    ? cleanImages(sender, counter)
    : faultyImages(simulation, sender, counter);
  options.onReady?.();
  const period = simulation.rate === 0 ? 0n : BigInt(Math.round(1e9 / simulation.rate));
  const start = monotonicNs();
  let due = start, sliceEnd = start + SLICE_NS, images = 0, datagrams = 0;
  for (; images < simulation.images && !options.signal?.aborted; images++) {
    let now = monotonicNs();
    if (period > 0n && due - now > SLICE_NS) {
      await elapse(Number(due - now - SLICE_NS / 2n) / 1e6, options.signal);
      if (options.signal?.aborted) break;
      sliceEnd = monotonicNs() + SLICE_NS;
    } else if (now > sliceEnd) {
      options.onProgress?.(images, datagrams);
      await new Promise<void>((resolve) => setImmediate(() => resolve())); // a timer would take 1 ms
      sliceEnd = monotonicNs() + SLICE_NS;
      if (options.signal?.aborted) break;
    }
    if (period > 0n) {
      now = waitUntil(due);
      due = now - due > LARGEST_DELAY_NS ? now : due;
      due += period;
    }
    datagrams += sendImage.send(images, spread ? evenly(due - period, period) : undefined);
  }
  const seconds = Number(monotonicNs() - start) / 1e9;
  options.onProgress?.(images, datagrams);
  counter.addHeldBack(sendImage.heldBack());
  return { images, datagrams, seconds, expected: counter.finish() };
}

/** Has the batches of an image wait for their share of the time from `begin` on. */
function evenly(begin: bigint, period: bigint): Pace {
  const most = period * 4n / 5n; // the rest is for what a busy machine needs longer
  const span = Number(most < LONGEST_SPREAD_NS ? most : LONGEST_SPREAD_NS);
  return (share) => void waitUntil(begin + BigInt(Math.round(share * span)));
}

/** Sends one image after the other. */
interface ImageSender {
  /** Sends all modules of an image, asking `pace` before each batch; returns the datagrams sent. */
  send(frame: number, pace?: Pace): number;
  /** Packets that were to be sent later. */
  heldBack(): number;
}

function cleanImages(sender: PacketSender, counter: OutcomeCounter): ImageSender {
  return {
    send: (frame, pace) => {
      counter.addCleanFrame();
      return sender.sendFrame(frame, pace);
    },
    heldBack: () => 0,
  };
}

function faultyImages(
  simulation: Simulation,
  sender: PacketSender,
  counter: OutcomeCounter,
): ImageSender {
  const plans: FaultPlan[] = simulation.modules.map((module) => planFaults(simulation, module));
  return {
    send: (_frame, pace) => {
      const schedules = plans.map((plan, index) => {
        const schedule = plan.next()!; // there are as many as images
        counter.addSchedule(index, schedule);
        return schedule.datagrams;
      });
      return sender.sendSchedules(schedules, pace);
    },
    heldBack: () => plans.reduce((sum, plan) => sum + plan.heldBack, 0),
  };
}

/** Lets the event loop run for a while. */
async function elapse(milliseconds: number, signal?: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  const stop = (): void => resolve();
  signal?.addEventListener("abort", stop, { once: true });
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", stop);
}

/** Blocks until a time; returns the time that it is then. */
function waitUntil(due: bigint): bigint {
  let now = monotonicNs();
  while (now < due) {
    const microseconds = Number(due - now) / 1e3;
    if (microseconds > SLEEP_MARGIN_US) {
      sleepMicroseconds(Math.floor(microseconds - SLEEP_MARGIN_US));
    }
    now = monotonicNs();
  }
  return now;
}
