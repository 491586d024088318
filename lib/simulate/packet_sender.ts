import { modulePort } from "../config/mod.ts";
import { datagramBytes, frameBytes, type ModuleLayout, packetDataBytes } from "../detector/mod.ts";
import {
  HEADER_BYTES,
  HEADER_KINDS,
  instantiateKernels,
  type KernelExports,
  SIMULATOR_DATAGRAM,
  SIMULATOR_MODULE,
} from "../kernels/mod.ts";
import { IOVEC, MMSGHDR, SOL_UDP, UDP_SEGMENT, UdpSocket } from "../os/mod.ts";
import { SLS_HEADER } from "../protocol/sls_header.ts";
import { SharedMemory } from "../ring/mod.ts";
import type { Datagram } from "./datagram.ts";
import { fillFrame, type RawPixels } from "./pattern.ts";
import { distinctImages, type Simulation } from "./simulation.ts";

/** How to send. */
export interface PacketSenderOptions {
  /** Receiver's address, dotted IPv4. Default 127.0.0.1. */
  address?: string;
  /** Packets per system call and module. Default 64. */
  batch?: number;
  /** Let the kernel cut large messages into packets (UDP_SEGMENT): fewer system calls. */
  gso?: boolean;
}

/** Called before each batch with the share of the image's packets that have been sent, 0 to 1: may wait. */
export type Pace = (share: number) => void;

const DEFAULT_BATCH = 64;

/** A burst of a few frames fits, so that the sender rarely waits for the receiver. */
const SEND_BUFFER_BYTES = 16 * 2 ** 20;

/** Largest UDP message over IPv4, which segmentation cuts into packets. */
const LARGEST_MESSAGE = 65_507;

const EXPOSURE_TICKS = 1_000; // 100 µs

/** Frames that show the sources of one block: as good as without end. */
const LONGEST_BLOCK = 2 ** 32 - 1;

/** A datagram may be sent twice and another one added: room for the schedule of a frame. */
const SCHEDULE_PER_PACKET = 4;

/** One module: its socket and its kernel state. */
interface Lane {
  readonly module: number;
  readonly socket: UdpSocket;
  readonly state: number;
  readonly vector: bigint;
  readonly scheduleAt: number;
}

/**
 * Sends the packets of all modules of a simulation, each module from a socket of its own to its own
 * port. The pixels are made once; a kernel writes headers and send vectors, one system call takes a
 * batch, and JavaScript touches no packet.
 */
export class PacketSender implements Disposable {
  readonly #memory: SharedMemory;
  readonly #kernels: KernelExports;
  readonly #lanes: Lane[] = [];
  readonly #batch: number;
  readonly #packetsPerFrame: number;
  readonly #gso: boolean;

  /**
   * Makes all distinct images: takes about 10 ms per module and image.
   *
   * @throws {OsError} If a socket cannot be made.
   */
  constructor(simulation: Simulation, options: PacketSenderOptions = {}) {
    const { format } = simulation;
    this.#packetsPerFrame = format.packetsPerFrame;
    this.#gso = options.gso ?? false;
    this.#batch = this.#gso ? format.packetsPerFrame : options.batch ?? DEFAULT_BATCH;
    this.#memory = new SharedMemory(simulation.modules.length * this.#moduleBytes(simulation));
    this.#kernels = instantiateKernels(this.#memory.memory);
    try {
      for (const module of simulation.modules) {
        this.#lanes.push(this.#makeLane(simulation, module, options.address ?? "127.0.0.1"));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Sends a frame of every module, a batch of each in turn.
   *
   * @param frame Index of the frame, from 0.
   * @param pace Asked before each batch.
   * @returns Packets sent.
   */
  sendFrame(frame: number, pace?: Pace): number {
    const perFrame = this.#packetsPerFrame;
    for (let first = 0; first < perFrame; first += this.#batch) {
      pace?.(first / perFrame);
      const n = Math.min(this.#batch, perFrame - first);
      for (const lane of this.#lanes) {
        send(lane, this.#kernels.packetiseFrame(lane.state, frame, first, n));
      }
    }
    return perFrame * this.#lanes.length;
  }

  /**
   * Sends one list of datagrams per module, a batch of each in turn.
   *
   * @param schedules In the order of the simulation's modules.
   * @param pace Asked before each batch.
   * @returns Datagrams sent.
   * @throws {RangeError} If a list is longer than four times a frame, or segmentation is on: it
   * cannot change the length of single packets.
   */
  sendSchedules(schedules: readonly (readonly Datagram[])[], pace?: Pace): number {
    if (this.#gso) throw new RangeError("Segmentation (gso) and faults exclude each other");
    let longest = 0, sent = 0;
    this.#lanes.forEach((lane, i) => {
      const datagrams = schedules[i] ?? [];
      this.#writeSchedule(lane, datagrams);
      longest = Math.max(longest, datagrams.length);
      sent += datagrams.length;
    });
    for (let first = 0; first < longest; first += this.#batch) {
      pace?.(first / longest);
      this.#lanes.forEach((lane, i) => {
        const n = Math.min(this.#batch, (schedules[i]?.length ?? 0) - first);
        if (n > 0) send(lane, this.#kernels.packetiseSchedule(lane.state, first, n));
      });
    }
    return sent;
  }

  /** Closes the sockets. */
  [Symbol.dispose](): void {
    for (const lane of this.#lanes) lane.socket.close();
  }

  #writeSchedule(lane: Lane, datagrams: readonly Datagram[]): void {
    if (datagrams.length > SCHEDULE_PER_PACKET * this.#packetsPerFrame) {
      throw new RangeError(
        `${datagrams.length} datagrams for one frame; at most ` +
          `${SCHEDULE_PER_PACKET * this.#packetsPerFrame} can be scheduled`,
      );
    }
    const words = this.#memory.u32;
    let at = lane.scheduleAt / 4;
    for (const datagram of datagrams) {
      words[at + SIMULATOR_DATAGRAM.frame / 4] = datagram.frame;
      words[at + SIMULATOR_DATAGRAM.packet / 4] = datagram.packet;
      words[at + SIMULATOR_DATAGRAM.kind / 4] = datagram.kind;
      words[at + SIMULATOR_DATAGRAM.argument / 4] = datagram.argument;
      at += SIMULATOR_DATAGRAM.$bytes / 4;
    }
  }

  /** Memory one module needs, with room for alignment. */
  #moduleBytes(simulation: Simulation): number {
    const { format } = simulation;
    return distinctImages(simulation) * frameBytes(format) + SIMULATOR_MODULE.$bytes +
      SCHEDULE_PER_PACKET * format.packetsPerFrame * SIMULATOR_DATAGRAM.$bytes +
      this.#batch * (HEADER_BYTES + MMSGHDR.bytes + 2 * IOVEC.bytes) + 1024;
  }

  #makeLane(simulation: Simulation, module: number, address: string): Lane {
    const { config, format, sourceImages, framesPerGain } = simulation;
    const images = distinctImages(simulation);
    const memory = this.#memory;
    const state = memory.allocate(SIMULATOR_MODULE.$bytes);
    const messagesAt = memory.allocate(this.#batch * MMSGHDR.bytes);
    const scheduleAt = memory.allocate(
      SCHEDULE_PER_PACKET * format.packetsPerFrame * SIMULATOR_DATAGRAM.$bytes,
    );
    const sourcesAt = memory.allocate(images * frameBytes(format));
    for (let source = 0; source < images; source++) {
      const at = sourcesAt + source * frameBytes(format);
      this.#makeFrame(simulation, module, source, at);
    }
    const set = (field: keyof typeof SIMULATOR_MODULE, value: number): void =>
      memory.dv.setUint32(state + SIMULATOR_MODULE[field], value, true);
    set("batch", this.#batch);
    set("segments", this.#gso ? Math.floor(LARGEST_MESSAGE / datagramBytes(format)) : 1);
    set("header_kind", HEADER_KINDS.indexOf(format.rows === undefined ? "sls" : "gigafrost"));
    set("header_bytes", format.headerBytes);
    set("payload_bytes", packetDataBytes(format, 0));
    set("last_payload_bytes", packetDataBytes(format, format.packetsPerFrame - 1));
    set("packets_per_frame", format.packetsPerFrame);
    set("rows_per_packet", format.rows?.rowsPerPacket ?? 0);
    set("sources_at", sourcesAt);
    set("sources", sourceImages);
    set("blocks", images / sourceImages);
    set("frames_per_block", Math.min(framesPerGain, LONGEST_BLOCK));
    set("headers_at", memory.allocate(this.#batch * HEADER_BYTES));
    set("messages_at", messagesAt);
    set("iovecs_at", memory.allocate(this.#batch * 2 * IOVEC.bytes));
    set("schedule_at", scheduleAt);
    set("has_bunch", simulation.bunchIds ? 1 : 0);
    set("daq_record", simulation.detector.gainSwitching ? 1 : 0);
    if (this.#gso) {
      const control = memory.allocate(SEGMENT_CONTROL_BYTES);
      writeSegmentControl(memory.dv, control, datagramBytes(format));
      set("control_at", control);
      set("control_bytes", SEGMENT_CONTROL_BYTES);
    }
    const setWide = (field: keyof typeof SIMULATOR_MODULE, value: bigint): void =>
      memory.dv.setBigUint64(state + SIMULATOR_MODULE[field], value, true);
    setWide("host_base", memory.base);
    setWide("first_frame", BigInt(simulation.startId));
    setWide("first_bunch", BigInt(simulation.startId + simulation.bunchOffset));
    setWide("frame_ticks", BigInt(Math.round(1e7 / (simulation.rate || 1_000))));
    this.#writeTemplate(state + SIMULATOR_MODULE.template, simulation, module);
    return {
      module,
      socket: new UdpSocket({
        connect: { address, port: modulePort(config, module) },
        sendBufferBytes: SEND_BUFFER_BYTES,
      }),
      state,
      vector: memory.base + BigInt(messagesAt),
      scheduleAt,
    };
  }

  /** What all packets of a module have in common; the rest of the header is the kernel's. */
  #writeTemplate(at: number, { format, config, detector }: Simulation, module: number): void {
    const { dv, u8 } = this.#memory;
    const template = detector.packetTemplate?.(config, module);
    if (template !== undefined) return u8.set(template, at);
    const header = SLS_HEADER.at;
    dv.setUint32(at + header.expLength, EXPOSURE_TICKS, true);
    dv.setUint16(at + header.modId, module, true);
    // Eiger: two half modules side by side.
    const columns = config.detector_type === "eiger" ? 2 : 1;
    dv.setUint16(at + header.row, Math.floor(module / columns), true);
    dv.setUint16(at + header.column, module % columns, true);
    dv.setUint8(at + header.detType, format.detectorType);
    dv.setUint8(at + header.version, format.headerVersion);
  }

  /** Puts a frame at `at` as its packets carry it. */
  #makeFrame(simulation: Simulation, module: number, source: number, at: number): void {
    const { format, layout, detector, config } = simulation;
    const { memory, u8 } = this.#memory;
    if (layout.packedBits === undefined || detector.packFrame === undefined) {
      return fillFrame(simulation, module, source, pixelsAt(layout, memory.buffer, at));
    }
    const pixels = pixelsAt(layout, new ArrayBuffer(framePixels(layout) * layout.pixelBytes), 0);
    fillFrame(simulation, module, source, pixels);
    detector.packFrame(config, pixels, u8.subarray(at, at + frameBytes(format)));
  }
}

/** A module's pixels in a buffer. */
function pixelsAt(layout: ModuleLayout, buffer: ArrayBufferLike, at: number): RawPixels {
  const count = framePixels(layout);
  return layout.pixelBytes === 1
    ? new Uint8Array(buffer, at, count)
    : layout.pixelBytes === 2
    ? new Uint16Array(buffer, at, count)
    : new Uint32Array(buffer, at, count);
}

function framePixels({ rows, chips, runPixels }: ModuleLayout): number {
  return rows * chips * runPixels;
}

function send(lane: Lane, messages: number): void {
  let done = 0;
  // A closed port is reported once per datagram that met it; the next call goes on.
  while (done < messages) {
    done += lane.socket.sendBatch(lane.vector + BigInt(done * MMSGHDR.bytes), messages - done);
  }
}

/** CMSG_SPACE(sizeof(u16)) on 64-bit machines. */
const SEGMENT_CONTROL_BYTES = 24;

/** `struct cmsghdr` {u64 length, i32 SOL_UDP, i32 UDP_SEGMENT} and the segment size, u16. */
function writeSegmentControl(view: DataView, at: number, segmentBytes: number): void {
  view.setBigUint64(at, 18n, true);
  view.setInt32(at + 8, SOL_UDP, true);
  view.setInt32(at + 12, UDP_SEGMENT, true);
  view.setUint16(at + 16, segmentBytes, true);
}
