import type { DetectorConfig } from "../config/mod.ts";
import { holdLimit, identityLimit, type PacketFormat } from "../detector/mod.ts";
import { type Datagram, KIND } from "./datagram.ts";

/** What decides how a receiver judges packets. */
export interface ReceiverRules {
  /** Packets of a frame. */
  readonly packetsPerFrame: number;
  /** Frames of a module that may be open at once. */
  readonly window: number;
  /** Consecutive packets with unbelievable numbers that are believed after all. */
  readonly holdLimit: number;
  /** Packets of one sender that prove who sends; 0 where packets name the stream they belong to. */
  readonly identityLimit: number;
}

/** The rules that std_udp_recv follows with this config. */
export function receiverRules(config: DetectorConfig, format: PacketFormat): ReceiverRules {
  return {
    packetsPerFrame: format.packetsPerFrame,
    window: config.frame_window,
    holdLimit: holdLimit(format),
    identityLimit: format.rows === undefined ? identityLimit(format) : 0,
  };
}

/** Closed frames are remembered for as many frames as the receiver's table has entries. */
const REMEMBERED_FRAMES = 256;

/** The module itself, where other senders have the module id that a fault gave them. */
const ITSELF = -1;

/** A packet that is not believed yet. */
interface HeldPacket {
  readonly frame: number;
  readonly packet: number;
  readonly sender: number;
}

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
  #held: HeldPacket[] = [];
  #votes = 0;
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
        return this.#good(frame, packet, ITSELF);
      case KIND.identity:
        if (this.#knowsSender) this.counts.foreign++;
        else this.#good(frame, packet, argument);
        return;
      case KIND.detector_type:
        this.counts.foreign++;
        return;
      default: // what has another bunch id comes when its frame has begun, see planFaults()
        this.#malformed(frame, kind === KIND.packet_number ? argument : packet);
    }
  }

  /** Closes what is open: nothing more arrives. */
  finish(): void {
    this.#closeBelow(this.#newest + 1);
    this.#dropHeld();
  }

  get #begun(): boolean {
    return this.#newest >= 0;
  }

  /** Whether it is proved who sends. */
  get #knowsSender(): boolean {
    return this.#begun || this.#rules.identityLimit === 0;
  }

  #good(frame: number, packet: number, sender: number): void {
    const entry = this.#knowsSender ? this.#admit(frame) : undefined;
    if (entry === undefined) return this.#hold({ frame, packet, sender });
    this.#dropHeld();
    this.#accept(entry, packet);
  }

  #malformed(frame: number, packet: number): void {
    this.counts.malformed++;
    let entry = this.#frames.get(frame);
    if (entry === undefined) {
      if (!this.#isExpected(frame)) return;
      entry = this.#makeFrame(frame, "announced");
    }
    if (entry.has[packet]) return;
    if (entry.damaged + 1 + entry.received > this.#rules.packetsPerFrame) return;
    entry.damaged++;
    if (entry.state === "closed") this.counts.damaged++;
  }

  /** Whether a frame may begin soon. */
  #isExpected(frame: number): boolean {
    return this.#begun
      ? frame > this.#newest && frame - this.#newest <= this.#rules.window
      : this.#isNearHeld(frame);
  }

  #isNearHeld(frame: number): boolean {
    const [first] = this.#held;
    return first !== undefined && Math.abs(frame - first.frame) <= this.#rules.window;
  }

  #makeFrame(frame: number, state: Frame["state"]): Frame {
    const has = new Uint8Array(this.#rules.packetsPerFrame);
    const entry = { state, has, received: 0, damaged: 0 };
    this.#frames.set(frame, entry);
    return entry;
  }

  #admit(frame: number): Frame | undefined {
    if (!this.#begun) this.#oldest = this.#newest = frame;
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

  #hold(packet: HeldPacket): void {
    const known = this.#knowsSender;
    if (this.#held.length > 0 && !(known ? this.#continues(packet) : this.#supports(packet))) {
      if (!known && --this.#votes > 0) {
        this.counts.foreign++;
        return;
      }
      this.#dropHeld();
    }
    if (this.#held.length === 0) this.#votes = 0;
    this.#held.push(packet);
    this.#votes++;
    const limit = known ? this.#rules.holdLimit : this.#rules.identityLimit;
    if (this.#held.length === limit) this.#believeHeld();
  }

  /** Whether a packet goes on where the last held one ended. */
  #continues({ frame, packet }: HeldPacket): boolean {
    const last = this.#held.at(-1)!;
    return frame === last.frame ? packet > last.packet : frame === last.frame + 1;
  }

  /** Whether a packet is of the held ones' sender, and of a frame close to the first. */
  #supports({ frame, sender }: HeldPacket): boolean {
    return sender === this.#held[0]!.sender && this.#isNearHeld(frame);
  }

  #believeHeld(): void {
    const held = this.#held;
    this.#held = [];
    if (this.#begun) this.#skipTo(held[0]!.frame);
    else this.#beginWith(held);
    for (const packet of held) {
      const entry = this.#admit(packet.frame);
      if (entry === undefined) this.counts.late++;
      else this.#accept(entry, packet.packet);
    }
  }

  #skipTo(frame: number): void {
    if (frame <= this.#newest) {
      throw new Error(
        `simulated packets of frame ${frame} look like a restart of the detector's counter`,
      );
    }
    this.#closeBelow(frame);
    this.#newest = frame;
  }

  #beginWith(held: readonly HeldPacket[]): void {
    if (held[0]!.sender !== ITSELF) {
      throw new Error(
        `${held.length} simulated packets of module ${
          held[0]!.sender
        } look like this receiver's own`,
      );
    }
    this.#oldest = this.#newest = Math.min(...held.map(({ frame }) => frame));
  }

  #dropHeld(): void {
    const held = this.#held;
    if (held.length === 0) return;
    this.#held = [];
    for (const packet of held) this.counts[this.#judge(packet)]++;
  }

  /** What a packet of no open frame is. */
  #judge({ frame, packet }: HeldPacket): "foreign" | "late" | "duplicate" {
    if (!this.#begun || frame >= this.#oldest) return "foreign";
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
