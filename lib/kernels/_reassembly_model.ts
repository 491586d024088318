/**
 * What the reassembly kernel must do, said without prediction, places and tables of bytes: packets are
 * kept in maps. For tests; image ids are frame numbers here.
 *
 * @module
 */
import { RECEIVE_COUNTERS, type ReceiveCounter } from "./layout.ts";

/** Settings that the kernel has too. */
export interface ModelSettings {
  packetsPerFrame: number;
  payloadBytes: number;
  window: number;
  idleNs: bigint;
  holdLimit: number;
  tableEntries: number;
  version: number;
  detectorType: number;
}

/** A frame as it is published. */
export interface ModelFrame {
  frame: bigint;
  epoch: number;
  missing: number;
  damaged: number;
  pixels: Uint8Array;
}

interface Entry {
  frame: bigint;
  state: "announced" | "open" | "closed";
  /** Payloads of accepted packets. */
  packets: Map<number, Uint8Array>;
  /** Packets that came after the frame was closed. */
  late: Set<number>;
  damaged: number;
  firstNs: bigint;
  epoch: number;
}

interface Packet {
  frame: bigint;
  packet: number;
  identity: bigint;
  payload: Uint8Array;
}

/** The model: one call per datagram. */
export class ReassemblyModel {
  readonly counts: Record<Exclude<ReceiveCounter, "moved">, number>;
  readonly delivered: ModelFrame[] = [];
  readonly #s: ModelSettings;
  readonly #table = new Map<bigint, Entry>();
  #held: Packet[] = [];
  #heldSince = 0n;
  #epoch = 0;
  #oldest = 0n;
  #newest = 0n;
  #identity = 0n;
  #lastAccept = 0n;

  constructor(settings: ModelSettings) {
    this.#s = settings;
    this.counts = Object.fromEntries(
      RECEIVE_COUNTERS.filter((name) => name !== "moved").map((name) => [name, 0]),
    ) as typeof this.counts; // every name is there
  }

  /** One datagram of any length. */
  receive(datagram: Uint8Array, now: bigint): void {
    const s = this.#s;
    const header = new DataView(new ArrayBuffer(48));
    new Uint8Array(header.buffer).set(datagram.subarray(0, 48));
    const right = datagram.byteLength === 48 + s.payloadBytes;
    const packet: Packet = {
      frame: header.getBigUint64(0, true),
      packet: header.getUint32(12, true),
      identity: header.getBigUint64(32, true) & 0xffff_ffff_ffffn,
      payload: datagram.subarray(48),
    };
    const version = header.getUint8(47) === s.version;
    const type = header.getUint8(46) === s.detectorType;
    if (
      !right || !version || !type || packet.packet >= s.packetsPerFrame || packet.frame > 2n ** 62n
    ) {
      // A longer datagram is cut to the expected length: its header tells whose it is.
      const whole = datagram.byteLength >= 48 + s.payloadBytes;
      if (whole && version && !type) this.counts.foreign++;
      else this.#malformed(packet, datagram.byteLength);
      return;
    }
    const entry = this.#admit(packet, now);
    if (entry === undefined) {
      if (this.#hold(packet, now)) this.#believe(now);
      return;
    }
    this.#dropHeld();
    this.#accept(entry, packet, now);
  }

  /** Time passes without packets. */
  expire(now: bigint, timeout: bigint): void {
    if (this.#epoch > 0) {
      for (let frame = this.#oldest; frame <= this.#newest; frame++) {
        const entry = this.#find(frame);
        if (entry?.state !== "open") continue;
        if (now - entry.firstNs < timeout) break;
        this.#closeBelow(frame + 1n);
      }
      this.#closeComplete();
    }
    if (this.#held.length > 0 && now - this.#heldSince >= timeout) this.#dropHeld();
  }

  #index(frame: bigint): bigint {
    return frame % BigInt(this.#s.tableEntries);
  }

  #find(frame: bigint): Entry | undefined {
    const entry = this.#table.get(this.#index(frame));
    return entry?.frame === frame ? entry : undefined;
  }

  #make(frame: bigint, state: Entry["state"], now: bigint, damaged: number): Entry {
    const entry: Entry = {
      frame,
      state,
      packets: new Map(),
      late: new Set(),
      damaged,
      firstNs: now,
      epoch: this.#epoch,
    };
    this.#table.set(this.#index(frame), entry);
    return entry;
  }

  #malformed({ frame, packet }: Packet, bytes: number): void {
    this.counts.malformed++;
    if (bytes < 48 || this.#epoch === 0) return;
    let entry = this.#find(frame);
    if (entry === undefined) {
      if (frame <= this.#newest || frame - this.#newest > BigInt(this.#s.window)) return;
      entry = this.#make(frame, "announced", 0n, 0);
    }
    if (entry.packets.has(packet) || entry.late.has(packet)) return;
    if (entry.damaged + 1 + entry.packets.size > this.#s.packetsPerFrame) return;
    entry.damaged++;
    if (entry.state === "closed") this.counts.damaged++;
  }

  #admit(packet: Packet, now: bigint): Entry | undefined {
    const { frame, identity } = packet;
    const inWindow = frame >= this.#oldest && frame <= this.#newest + BigInt(this.#s.window);
    if (this.#epoch > 0 && !(identity === this.#identity && inWindow)) {
      if (now - this.#lastAccept <= this.#s.idleNs) return undefined;
      this.#beginEpoch(packet);
    } else if (this.#epoch === 0) {
      this.#beginEpoch(packet);
    }
    const entry = this.#find(frame);
    return entry?.state === "open" ? entry : this.#open(frame, now);
  }

  #beginEpoch({ frame, identity }: Packet): void {
    if (this.#epoch > 0) {
      this.#closeBelow(this.#newest + 1n);
      this.counts.restarts++;
      this.#table.clear();
    }
    this.#epoch++;
    this.#oldest = this.#newest = frame;
    this.#identity = identity;
  }

  #open(frame: bigint, now: bigint): Entry {
    if (frame > this.#newest) {
      this.#closeBelow(frame - BigInt(this.#s.window) + 1n);
      this.#newest = frame;
    }
    return this.#make(frame, "open", now, this.#find(frame)?.damaged ?? 0);
  }

  #accept(entry: Entry, { packet, payload }: Packet, now: bigint): void {
    if (entry.packets.has(packet)) {
      this.counts.duplicate++;
      return;
    }
    entry.packets.set(packet, payload.slice());
    this.#lastAccept = now;
    this.counts.accepted++;
    this.#closeComplete();
  }

  #closeComplete(): void {
    for (;;) {
      const entry = this.#find(this.#oldest);
      if (entry?.state !== "open" || entry.packets.size < this.#s.packetsPerFrame) return;
      this.#close(entry);
      this.#oldest++;
    }
  }

  #closeBelow(limit: bigint): void {
    for (; this.#oldest < limit; this.#oldest++) {
      if (this.#oldest > this.#newest) { // many numbers nobody has seen
        this.counts.frames_skipped += Number(limit - this.#oldest);
        this.#oldest = limit;
        return;
      }
      const entry = this.#find(this.#oldest);
      if (entry?.state === "open") {
        this.#close(entry);
        continue;
      }
      this.counts.frames_skipped++;
      this.counts.damaged += entry?.damaged ?? 0;
    }
  }

  #close(entry: Entry): void {
    const { packetsPerFrame, payloadBytes } = this.#s;
    const pixels = new Uint8Array(packetsPerFrame * payloadBytes);
    for (const [packet, payload] of entry.packets) pixels.set(payload, packet * payloadBytes);
    const missing = packetsPerFrame - entry.packets.size;
    entry.damaged = Math.min(entry.damaged, missing);
    entry.state = "closed";
    this.counts.damaged += entry.damaged;
    if (missing === 0) this.counts.frames_good++;
    else this.counts.frames_incomplete++;
    this.counts.missing_packets += missing;
    this.delivered.push({
      frame: entry.frame,
      epoch: entry.epoch,
      missing,
      damaged: entry.damaged,
      pixels,
    });
  }

  #hold(packet: Packet, now: bigint): boolean {
    if (packet.identity !== this.#identity) {
      this.counts.foreign++;
      return false;
    }
    const last = this.#held.at(-1);
    const follows = last === undefined || packet.frame === last.frame + 1n ||
      (packet.frame === last.frame && packet.packet > last.packet);
    if (!follows) this.#dropHeld();
    if (this.#held.length === 0) this.#heldSince = now;
    this.#held.push({ ...packet, payload: packet.payload.slice() });
    return this.#held.length === this.#s.holdLimit;
  }

  #believe(now: bigint): void {
    const held = this.#held;
    this.#held = [];
    const [first] = held;
    if (first!.frame > this.#newest && first!.frame - this.#newest < 1_000_000n) {
      this.#closeBelow(first!.frame);
      this.#newest = first!.frame;
    } else {
      this.#beginEpoch(first!);
    }
    for (const packet of held) {
      const entry = this.#admit(packet, now);
      if (entry === undefined) this.counts.late++;
      else this.#accept(entry, packet, now);
    }
  }

  #dropHeld(): void {
    for (const { frame, packet } of this.#held) {
      const entry = this.#find(frame);
      if (frame >= this.#oldest) this.counts.foreign++;
      else if (entry?.state !== "closed") this.counts.late++;
      else if (entry.packets.has(packet) || entry.late.has(packet)) this.counts.duplicate++;
      else {
        this.counts.late++;
        entry.late.add(packet);
      }
    }
    this.#held = [];
  }
}
