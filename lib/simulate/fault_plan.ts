import { GIGAFROST_MODULES } from "../config/mod.ts";
import { identityLimit, packetDataBytes } from "../detector/mod.ts";
import { type Datagram, KIND, plain } from "./datagram.ts";
import { type RandomStream, randomStream } from "./random.ts";
import { type FaultRates, isStalled, type Simulation } from "./simulation.ts";

/** What one module sends while a frame is due. */
export interface FrameSchedule {
  /** Index of the frame. */
  readonly frame: number;
  /** The datagrams in the order in which they are sent; some are of other frames. */
  readonly datagrams: readonly Datagram[];
  /** Packets of this frame that are never sent because they are dropped. */
  readonly dropped: number;
  /** Packets of this frame that are never sent because the module is silent. */
  readonly stalled: number;
}

/** Largest distance of two packets that are swapped. */
const LARGEST_SWAP = 8;

/**
 * Most second copies that wait for the end of their frame. Copies of a closed frame in ascending
 * order look like a detector whose counter restarted if there are too many in a row.
 */
const COPIES_AT_END = 8;

/** Other detectors' numbers in the header; whichever the detector itself does not have is foreign. */
const OTHER_DETECTOR_TYPES = [1, 3];

/** Module ids no simulated module has. */
const OTHER_MODULE_ID = 0x4000;

/** A frame being planned. */
interface Draft {
  readonly frame: number;
  readonly datagrams: Datagram[];
  readonly stalled: boolean;
  /** Whether all its packets are sent as they are. */
  readonly untouched: boolean;
  dropped: number;
  /** Places of packets to be swapped with later ones. */
  readonly swaps: { at: number; distance: number }[];
}

/**
 * Plans what a module sends, fault by fault, without sending it.
 *
 * @returns The frames' schedules, in order.
 */
export function planFaults(simulation: Simulation, module: number): FaultPlan {
  return new FaultPlan(simulation, module);
}

/** One module's schedules, made one by one: the run may be long, or endless. */
export class FaultPlan implements Iterable<FrameSchedule> {
  readonly #simulation: Simulation;
  readonly #module: number;
  readonly #mayCross: boolean;
  readonly #late: Datagram[] = [];
  #begun = -1; // newest frame of which a packet was sent
  #next: Draft | undefined;

  /** Use {@link planFaults}. */
  constructor(simulation: Simulation, module: number) {
    const { config, rate } = simulation;
    this.#simulation = simulation;
    this.#module = module;
    // A packet that crosses into the next frame must find its own one open still: the window must
    // be larger than one frame, and the next frame must come well before the timeout.
    this.#mayCross = config.frame_window > 1 &&
      (rate === 0 || 2_000 / rate < config.frame_timeout_ms);
    this.#next = this.#draft(0);
  }

  /** Packets of frames planned so far that were never given to anyone, and never will be after the end. */
  get heldBack(): number {
    const next = this.#next;
    const crossed = next?.datagrams.filter(({ frame }) => frame < next.frame).length ?? 0;
    return this.#late.length + crossed;
  }

  /** The next frame's schedule; undefined after the last one. */
  next(): FrameSchedule | undefined {
    const current = this.#next;
    if (current === undefined) return undefined;
    this.#next = this.#draft(current.frame + 1);
    this.#swap(current, this.#next);
    const datagrams = this.#withLatePackets(current);
    const isLast = this.#next === undefined;
    return {
      frame: current.frame,
      datagrams,
      // What still waits for its frame to close when the run ends will wait for ever.
      dropped: current.dropped + (isLast ? this.#late.splice(0).length : 0),
      stalled: current.stalled ? this.#simulation.format.packetsPerFrame : 0,
    };
  }

  /** All schedules from here on. */
  *[Symbol.iterator](): Generator<FrameSchedule> {
    for (let schedule = this.next(); schedule !== undefined; schedule = this.next()) yield schedule;
  }

  #draft(frame: number): Draft | undefined {
    const simulation = this.#simulation;
    if (frame >= simulation.images) return undefined;
    const stalled = isStalled(simulation, this.#module, frame);
    // The first packets prove who sends, those after a silence teach where the counter is.
    const returns = !stalled && frame > 0 && isStalled(simulation, this.#module, frame - 1);
    const draft: Draft = {
      frame,
      datagrams: [],
      stalled,
      untouched: stalled || returns,
      dropped: 0,
      swaps: [],
    };
    if (stalled) return draft;
    const random = randomStream(simulation.seed, this.#module, frame, 3);
    const copies: Datagram[] = [];
    const proof = frame === 0 ? identityLimit(simulation.format) : 0;
    for (let packet = 0; packet < simulation.format.packetsPerFrame; packet++) {
      const safe = returns || packet < proof;
      const fault = safe ? undefined : drawFault(simulation.faults, random.unit());
      this.#addPacket(draft, packet, fault, random, copies);
    }
    draft.datagrams.push(...copies);
    return draft;
  }

  #addPacket(
    draft: Draft,
    packet: number,
    fault: keyof FaultRates | undefined,
    random: RandomStream,
    copies: Datagram[],
  ): void {
    const { datagrams, frame } = draft;
    const good = plain(frame, packet);
    switch (fault) {
      case "drop":
        draft.dropped++;
        return;
      case "corrupt":
        datagrams.push(this.#corrupt(good, datagrams, random));
        return;
      case "late":
        if (this.#canBeLate(frame)) this.#late.push(good);
        else datagrams.push(good);
        return;
      case "duplicate":
        datagrams.push(good);
        if (random.unit() < 0.5 && copies.length < COPIES_AT_END) copies.push(good);
        else datagrams.push(good);
        return;
      case "foreign":
        datagrams.push(good, this.#foreign(good, random));
        return;
      case "reorder":
        draft.swaps.push({
          at: datagrams.length,
          distance: 1 + Math.floor(random.unit() * LARGEST_SWAP),
        });
        datagrams.push(good);
        return;
      default:
        datagrams.push(good);
    }
  }

  /** A late packet needs enough frames after its own, so that its frame closes and it still comes. */
  #canBeLate(frame: number): boolean {
    const { images, config } = this.#simulation;
    return frame < images - (config.frame_window + 2);
  }

  #corrupt(good: Datagram, before: readonly Datagram[], random: RandomStream): Datagram {
    const { format } = this.#simulation;
    const { headerBytes, headerVersion } = format;
    const value = random.bits();
    switch (random.bits() % (this.#mayNameOtherImage(good.frame, before) ? 4 : 3)) {
      case 0: { // the header is whole, so that it is known which frame suffers
        const argument = headerBytes + value % packetDataBytes(format, good.packet);
        return { ...good, kind: KIND.truncated, argument };
      }
      case 1:
        return { ...good, kind: KIND.version, argument: (headerVersion + 1 + value % 255) & 0xff };
      case 3:
        return { ...good, kind: KIND.bunch_id, argument: 1 + value % 1000 };
      default: {
        const [first, last] = wrongPacketNumbers(this.#simulation);
        return { ...good, kind: KIND.packet_number, argument: first + value % (last + 1 - first) };
      }
    }
  }

  /**
   * Whether another bunch id tells a packet from its frame's: a good one must come before it, which says
   * what the frame's is, and stay there whatever is swapped.
   */
  #mayNameOtherImage(frame: number, before: readonly Datagram[]): boolean {
    const { format, bunchIds } = this.#simulation;
    if (format.imageIdField === "frame_number" || !bunchIds) return false;
    return before.slice(LARGEST_SWAP, -LARGEST_SWAP)
      .some((datagram) => datagram.frame === frame && datagram.kind === KIND.plain);
  }

  #foreign(good: Datagram, random: RandomStream): Datagram {
    if (random.unit() < 0.5) {
      return { ...good, kind: KIND.identity, argument: this.#otherIdentity(random.bits()) };
    }
    const own = this.#simulation.format.detectorType;
    const argument = OTHER_DETECTOR_TYPES.find((type) => type !== own)!;
    return { ...good, kind: KIND.detector_type, argument };
  }

  #otherIdentity(value: number): number {
    return this.#simulation.format.rows === undefined
      ? OTHER_MODULE_ID + value % 1024
      : (this.#module + 1 + value % (GIGAFROST_MODULES - 1)) % GIGAFROST_MODULES;
  }

  /** Swaps the drafted pairs; the partner may be in the next frame. */
  #swap(draft: Draft, next: Draft | undefined): void {
    const { datagrams, swaps } = draft;
    const taken = new Set(swaps.map(({ at }) => at));
    for (const { at, distance } of swaps) {
      const other = at + distance;
      const crosses = other >= datagrams.length;
      if (crosses && (!this.#mayCross || next === undefined || next.untouched)) continue;
      const list = crosses ? next!.datagrams : datagrams;
      const place = crosses ? other - datagrams.length : other;
      // It has a partner of its own, or would be moved on into the frame after the next.
      if (crosses ? next!.swaps.some((swap) => swap.at === place) : taken.has(place)) continue;
      if (list[place]?.kind !== KIND.plain || datagrams[at]?.kind !== KIND.plain) continue;
      [datagrams[at], list[place]] = [list[place], datagrams[at]!];
    }
  }

  /** Puts packets that are due late between the frame's own. */
  #withLatePackets(draft: Draft): Datagram[] {
    const { frame_window: window } = this.#simulation.config;
    if (draft.untouched) {
      if (!draft.stalled) this.#begun = draft.frame;
      return draft.datagrams;
    }
    const datagrams: Datagram[] = [];
    for (const datagram of draft.datagrams) {
      datagrams.push(datagram);
      if (datagram.kind !== KIND.plain) continue;
      this.#begun = Math.max(this.#begun, datagram.frame);
      // One at a time, each after a good packet: many in a row would look like a restarted counter.
      if (this.#late.length > 0 && this.#late[0]!.frame + window <= this.#begun) {
        datagrams.push(this.#late.shift()!);
      }
    }
    return datagrams;
  }
}

/** The packet numbers past the frame, or the rows past the module's where packets are named by rows. */
function wrongPacketNumbers({ format, layout }: Simulation): [first: number, last: number] {
  return format.rows === undefined
    ? [format.packetsPerFrame, 2 ** 32 - 1]
    : [layout.rows, 2 ** 16 - 1];
}

/** Which fault a number from 0 to 1 stands for. */
function drawFault(rates: FaultRates, draw: number): keyof FaultRates | undefined {
  const order = ["drop", "duplicate", "reorder", "late", "corrupt", "foreign"] as const;
  for (const fault of order) {
    if (draw < rates[fault]) return fault;
    draw -= rates[fault];
  }
  return undefined;
}
