/**
 * What the reassembly kernel must do, said without prediction, places and tables of bytes: packets are
 * kept in maps. For tests; slots are not in it.
 *
 * @module
 */
import { datagramBytes, frameBytes, type PacketFormat, packetPixelBytes } from "../detector/mod.ts";
import { readGigafrostHeader } from "../protocol/mod.ts";
import { RECEIVE_COUNTERS, type ReceiveCounter } from "./layout.ts";

/** Settings that the kernel has too. */
export interface ModelSettings {
  format: PacketFormat;
  /** The module that GigaFRoST's packets must come from. */
  stream: number;
  window: number;
  idleNs: bigint;
  holdLimit: number;
  identityLimit: number;
  tableEntries: number;
}

/** A frame as it is published. */
export interface ModelFrame {
  frame: bigint;
  imageId: bigint;
  epoch: number;
  missing: number;
  damaged: number;
  pixels: Uint8Array;
}

interface Entry {
  frame: bigint;
  /** What its first packet said. */
  imageId: bigint;
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
  imageId: bigint;
  packet: number;
  identity: bigint;
  payload: Uint8Array;
}

/** What a datagram's header says; the packet number of a row that no packet begins with is NaN. */
interface Header {
  frame: bigint;
  imageId: bigint;
  packet: number;
  identity: bigint;
  version: number;
  /** It comes from the right kind of detector, and where that can be told, from the right module. */
  ours: boolean;
}

/** The model: one call per datagram. */
export class ReassemblyModel {
  readonly counts: Record<Exclude<ReceiveCounter, "moved">, number>;
  readonly delivered: ModelFrame[] = [];
  readonly #s: ModelSettings;
  readonly #table = new Map<bigint, Entry>();
  #held: Packet[] = [];
  #heldSince = 0n;
  #votes = 0;
  #epoch = 0;
  #oldest = 0n;
  #newest = 0n;
  /** Who sends; GigaFRoST's stream is known from the start. */
  #identity: bigint | undefined;
  #lastAccept = 0n;

  constructor(settings: ModelSettings) {
    this.#s = settings;
    if (settings.format.rows !== undefined) this.#identity = 0n;
    this.counts = Object.fromEntries(
      RECEIVE_COUNTERS.filter((name) => name !== "moved").map((name) => [name, 0]),
    ) as typeof this.counts; // every name is there
  }

  /** One datagram of any length. */
  receive(datagram: Uint8Array, now: bigint): void {
    const { format } = this.#s;
    const { version, ours, ...header } = this.#header(datagram);
    const packet: Packet = { ...header, payload: datagram.subarray(format.headerBytes) };
    const isPacket = packet.packet < format.packetsPerFrame;
    const right = datagram.byteLength === datagramBytes(format, packet.packet);
    if (
      !right || version !== format.headerVersion || !ours || !isPacket || packet.frame > 2n ** 62n
    ) {
      // A longer datagram is cut to the longest length: its header tells whose it is.
      const lengths = [0, format.packetsPerFrame - 1].map((p) => datagramBytes(format, p));
      const whole = lengths.includes(Math.min(datagram.byteLength, Math.max(...lengths)));
      if (whole && version === format.headerVersion && !ours) this.counts.foreign++;
      else this.#malformed(packet, datagram.byteLength);
      return;
    }
    const entry = this.#admit(packet, now);
    if (entry === undefined) {
      if (this.#hold(packet, now)) this.#believe(now);
      return;
    }
    if (packet.imageId !== entry.imageId) {
      this.#malformed(packet, datagram.byteLength);
      return;
    }
    this.#dropHeld();
    this.#accept(entry, packet, now);
  }

  #header(datagram: Uint8Array): Header {
    const { format, stream } = this.#s;
    const bytes = new Uint8Array(48);
    bytes.set(datagram.subarray(0, 48));
    if (format.rows !== undefined) {
      const header = readGigafrostHeader(bytes);
      const packet = header.startingRow / format.rows.rowsPerPacket;
      return {
        frame: BigInt(header.frameIndex),
        imageId: BigInt(header.frameIndex),
        packet: Number.isInteger(packet) ? packet : NaN,
        identity: 0n,
        version: header.rowBlocks,
        ours: header.protocolId === format.detectorType &&
          header.quadrantId * 2 + header.linkId === stream,
      };
    }
    const view = new DataView(bytes.buffer);
    const frame = view.getBigUint64(0, true);
    const bunchId = BigInt(view.getFloat64(16, true)); // whole and positive in these tests
    const byBunch = format.imageIdField === "bunch_id" ||
      (format.imageIdField === "bunch_id_or_frame_number" && bunchId !== 0n);
    return {
      frame,
      imageId: byBunch ? bunchId : frame,
      packet: view.getUint32(12, true),
      identity: view.getBigUint64(32, true) & 0xffff_ffff_ffffn,
      version: view.getUint8(47),
      ours: view.getUint8(46) === format.detectorType,
    };
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

  #make(
    { frame, imageId }: Pick<Packet, "frame" | "imageId">,
    state: Entry["state"],
    now: bigint,
    damaged: number,
  ): Entry {
    const entry: Entry = {
      frame,
      imageId,
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

  #malformed({ frame, imageId, packet }: Packet, bytes: number): void {
    this.counts.malformed++;
    if (bytes < this.#s.format.headerBytes) return;
    let entry = this.#find(frame);
    if (entry === undefined) {
      if (!this.#isExpected(frame)) return;
      entry = this.#make({ frame, imageId }, "announced", 0n, 0);
    }
    if (entry.packets.has(packet) || entry.late.has(packet)) return;
    if (entry.damaged + 1 + entry.packets.size > this.#s.format.packetsPerFrame) return;
    entry.damaged++;
    if (entry.state === "closed") this.counts.damaged++;
  }

  #isExpected(frame: bigint): boolean {
    if (this.#epoch === 0) return this.#isNearHeld(frame);
    return frame > this.#newest && frame - this.#newest <= BigInt(this.#s.window);
  }

  #isNearHeld(frame: bigint): boolean {
    const first = this.#held[0]?.frame;
    if (first === undefined) return false;
    return (frame > first ? frame - first : first - frame) <= BigInt(this.#s.window);
  }

  #isSilent(now: bigint): boolean {
    return this.#epoch === 0 || now - this.#lastAccept > this.#s.idleNs;
  }

  #admit(packet: Packet, now: bigint): Entry | undefined {
    const { frame, identity } = packet;
    if (identity !== this.#identity) return undefined;
    const inWindow = this.#epoch > 0 && frame >= this.#oldest &&
      frame <= this.#newest + BigInt(this.#s.window);
    if (!inWindow) {
      if (!this.#isSilent(now)) return undefined;
      this.#beginEpoch(packet);
    }
    const entry = this.#find(frame);
    return entry?.state === "open" ? entry : this.#open(packet, now);
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

  #open(packet: Packet, now: bigint): Entry {
    const { frame } = packet;
    if (frame > this.#newest) {
      this.#closeBelow(frame - BigInt(this.#s.window) + 1n);
      this.#newest = frame;
    }
    return this.#make(packet, "open", now, this.#find(frame)?.damaged ?? 0);
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
      if (entry?.state !== "open" || entry.packets.size < this.#s.format.packetsPerFrame) return;
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
    const { format } = this.#s;
    const { packetsPerFrame } = format;
    const pixels = new Uint8Array(frameBytes(format));
    for (const [packet, payload] of entry.packets) {
      const own = payload.subarray(0, packetPixelBytes(format, packet)); // without padding
      pixels.set(own, packet * format.payloadBytes);
    }
    const missing = packetsPerFrame - entry.packets.size;
    entry.damaged = Math.min(entry.damaged, missing);
    entry.state = "closed";
    this.counts.damaged += entry.damaged;
    if (missing === 0) this.counts.frames_good++;
    else this.counts.frames_incomplete++;
    this.counts.missing_packets += missing;
    this.delivered.push({
      frame: entry.frame,
      imageId: entry.imageId,
      epoch: entry.epoch,
      missing,
      damaged: entry.damaged,
      pixels,
    });
  }

  #hold(packet: Packet, now: bigint): boolean {
    const known = packet.identity === this.#identity;
    if (!known && !this.#isSilent(now)) {
      this.counts.foreign++;
      return false;
    }
    const last = this.#held.at(-1);
    const same = last?.identity === packet.identity;
    const follows = same && (packet.frame === last.frame + 1n ||
      (packet.frame === last.frame && packet.packet > last.packet));
    if (last !== undefined && !(known ? follows : same && this.#isNearHeld(packet.frame))) {
      if (!known && --this.#votes > 0) {
        this.counts.foreign++;
        return false;
      }
      this.#dropHeld();
    }
    if (this.#held.length === 0) {
      this.#heldSince = now;
      this.#votes = 0;
    }
    this.#held.push({ ...packet, payload: packet.payload.slice() });
    this.#votes++;
    return this.#held.length === (known ? this.#s.holdLimit : this.#s.identityLimit);
  }

  #believe(now: bigint): void {
    const held = this.#held;
    this.#held = [];
    const [first] = held;
    const known = first!.identity === this.#identity;
    if (known && first!.frame > this.#newest && first!.frame - this.#newest < 1_000_000n) {
      this.#closeBelow(first!.frame);
      this.#newest = first!.frame;
    } else {
      this.#beginEpoch(held.reduce((a, b) => b.frame < a.frame ? b : a));
    }
    for (const packet of held) {
      const entry = this.#admit(packet, now);
      if (entry === undefined) this.counts.late++;
      else if (packet.imageId !== entry.imageId) {
        this.#malformed(packet, datagramBytes(this.#s.format, packet.packet));
      } else this.#accept(entry, packet, now);
    }
  }

  #dropHeld(): void {
    for (const { frame, packet, identity } of this.#held) {
      const entry = this.#find(frame);
      if (identity !== this.#identity || frame >= this.#oldest) this.counts.foreign++;
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
