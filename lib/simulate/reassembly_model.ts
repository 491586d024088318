import type { DetectorConfig } from "../config/mod.ts";
import { holdLimit, type PacketFormat } from "../detector/mod.ts";
import { type Datagram, KIND } from "./datagram.ts";

/** What decides how a receiver judges packets. */
export interface ReceiverRules {
  /** Packets of a frame. */
  readonly packetsPerFrame: number;
  /** Frames of a module that may be open at once. */
  readonly window: number;
  /** Consecutive packets with unbelievable numbers that are believed after all. */
  readonly holdLimit: number;
}

/** The rules that std_udp_recv follows with this config. */
export function receiverRules(config: DetectorConfig, format: PacketFormat): ReceiverRules {
  return {
    packetsPerFrame: format.packetsPerFrame,
    window: config.frame_window,
    holdLimit: holdLimit(format),
  };
}

/** Closed frames are remembered for as many frames as the receiver's table has entries. */
const REMEMBERED_FRAMES = 256;

/** A frame that the model knows. */
interface Frame {
  state: "announced" | "open" | "closed";
  readonly has: Uint8Array;
  received: number;
  damaged: number;
}

/** A frame with its fate. */
export interface ModelFrame {
  /** Index of the frame. */
  readonly frame: number;
  /** Packets that it closed without. */
  readonly missing: number;
}

/**
 * What a receiver makes of one module's datagrams: the rules of `assembly/reassemble.ts` once more,
 * without pixels and without time. A frame that only its timeout would close is closed by
 * {@link ReassemblyModel.finish}.
 */
export class ReassemblyModel {
  /** Datagrams by what they were. */
  readonly counts = { accepted: 0, duplicate: 0, late: 0, malformed: 0, foreign: 0, damaged: 0 };
  readonly #rules: ReceiverRules;
  readonly #onClose: (frame: ModelFrame) => void;
  readonly #frames = new Map<number, Frame>();
  #held: { frame: number; packet: number }[] = [];
  #oldest = 0;
  #newest = -1; // no packet yet

  /**
   * A receiver that has seen nothing.
   *
   * @param onClose Told of every frame that closes, in order.
   */
  constructor(rules: ReceiverRules, onClose: (frame: ModelFrame) => void) {
    this.#rules = rules;
    this.#onClose = onClose;
  }

  /** Takes a datagram that arrived. */
  receive({ frame, packet, kind, argument }: Datagram): void {
    switch (kind) {
      case KIND.plain:
        return this.#good(frame, packet);
      case KIND.detector_type:
      case KIND.identity:
        this.counts.foreign++;
        return;
      default:
        this.#malformed(frame, kind === KIND.packet_number ? argument : packet);
    }
  }

  /** Closes what is open: nothing more arrives. */
  finish(): void {
    this.#closeBelow(this.#newest + 1);
    this.#dropHeld();
  }

  #good(frame: number, packet: number): void {
    const entry = this.#admit(frame);
    if (entry === undefined) return this.#hold(frame, packet);
    this.#dropHeld();
    this.#accept(entry, packet);
  }

  #malformed(frame: number, packet: number): void {
    this.counts.malformed++;
    if (this.#newest < 0) return;
    let entry = this.#frames.get(frame);
    if (entry === undefined) {
      if (frame <= this.#newest || frame - this.#newest > this.#rules.window) return;
      entry = this.#makeFrame(frame, "announced");
    }
    if (entry.has[packet]) return;
    if (entry.damaged + 1 + entry.received > this.#rules.packetsPerFrame) return;
    entry.damaged++;
    if (entry.state === "closed") this.counts.damaged++;
  }

  #makeFrame(frame: number, state: Frame["state"]): Frame {
    const has = new Uint8Array(this.#rules.packetsPerFrame);
    const entry = { state, has, received: 0, damaged: 0 };
    this.#frames.set(frame, entry);
    return entry;
  }

  #admit(frame: number): Frame | undefined {
    if (this.#newest < 0) this.#oldest = this.#newest = frame;
    if (frame < this.#oldest || frame - this.#newest > this.#rules.window) return undefined;
    const entry = this.#frames.get(frame);
    if (entry?.state === "open") return entry;
    if (frame > this.#newest) {
      this.#closeBelow(frame - this.#rules.window + 1);
      this.#newest = frame;
      this.#frames.delete(frame - REMEMBERED_FRAMES);
    }
    if (entry === undefined) return this.#makeFrame(frame, "open");
    entry.state = "open";
    return entry;
  }

  #accept(entry: Frame, packet: number): void {
    if (entry.has[packet]) {
      this.counts.duplicate++;
      return;
    }
    entry.has[packet] = 1;
    entry.received++;
    this.counts.accepted++;
    if (entry.received === this.#rules.packetsPerFrame) this.#closeComplete();
  }

  #hold(frame: number, packet: number): void {
    const last = this.#held.at(-1);
    const follows = last === undefined ||
      (frame === last.frame ? packet > last.packet : frame === last.frame + 1);
    if (!follows) this.#dropHeld();
    this.#held.push({ frame, packet });
    if (this.#held.length === this.#rules.holdLimit) this.#believeHeld();
  }

  #believeHeld(): void {
    const held = this.#held;
    this.#held = [];
    const { frame } = held[0]!;
    if (frame <= this.#newest) {
      throw new Error(
        `simulated packets of frame ${frame} look like a restart of the detector's counter`,
      );
    }
    this.#closeBelow(frame);
    this.#newest = frame;
    for (const packet of held) {
      const entry = this.#admit(packet.frame);
      if (entry === undefined) this.counts.late++;
      else this.#accept(entry, packet.packet);
    }
  }

  #dropHeld(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const { frame, packet } of held) this.counts[this.#judge(frame, packet)]++;
  }

  /** What a packet of no open frame is. */
  #judge(frame: number, packet: number): "foreign" | "late" | "duplicate" {
    if (frame >= this.#oldest) return "foreign";
    const entry = this.#frames.get(frame);
    if (entry?.state !== "closed") return "late";
    if (entry.has[packet]) return "duplicate";
    entry.has[packet] = 1;
    return "late";
  }

  #closeComplete(): void {
    for (;;) {
      const entry = this.#frames.get(this.#oldest);
      if (entry?.state !== "open" || entry.received < this.#rules.packetsPerFrame) return;
      this.#close(this.#oldest, entry);
      this.#oldest++;
    }
  }

  #closeBelow(limit: number): void {
    for (; this.#oldest < limit; this.#oldest++) {
      if (this.#oldest > this.#newest) {
        this.#oldest = limit;
        return;
      }
      const entry = this.#frames.get(this.#oldest);
      if (entry?.state === "open") this.#close(this.#oldest, entry);
      else if (entry?.state === "announced") this.counts.damaged += entry.damaged;
    }
  }

  #close(frame: number, entry: Frame): void {
    const missing = this.#rules.packetsPerFrame - entry.received;
    entry.damaged = Math.min(entry.damaged, missing);
    this.counts.damaged += entry.damaged;
    entry.state = "closed";
    this.#onClose({ frame, missing });
  }
}
