/**
 * One account of everything that happened to packets, frames and images.
 *
 * @module
 */
import { IMAGE_RING_COUNTERS, type ImageRingCounter } from "../assemble/counters.ts";
import { FRAME_RING_COUNTERS, type FrameRingCounter } from "../receive/counters.ts";
import { RingCounters } from "./ring_counters.ts";

/**
 * The account. Every datagram that a detector sent is exactly one of accepted, duplicate, late,
 * malformed, foreign (these arrived) and lost:
 *
 *     sent = accepted + duplicate + late + malformed + foreign + lost
 *     images = images_good + images_incomplete
 *
 * It adds up once everything sent has been delivered or given up; while packets are under way, lost may
 * be a little behind.
 */
export interface Accounting {
  /** Datagrams taken from the sockets: the sum of the next five. */
  packets_received: bigint;
  /** Put into their frame. */
  packets_accepted: bigint;
  /** Came again. */
  packets_duplicate: bigint;
  /** Came after their frame was closed without them. */
  packets_late: bigint;
  /** Wrong length, header version or packet number. */
  packets_malformed: bigint;
  /** Of another detector or module. */
  packets_foreign: bigint;
  /** Never came. */
  packets_lost: bigint;
  /** Accepted, but their frame is in no image: it came too late or was overwritten. */
  packets_dropped: bigint;
  /** Part of the lost ones: dropped by the kernel because a socket's buffer was full. */
  kernel_drops: bigint;
  /** Frames with all packets. */
  frames_good: bigint;
  /** Frames with missing packets. */
  frames_incomplete: bigint;
  /** Images with all packets of all modules. */
  images_good: bigint;
  /** Images with something missing. */
  images_incomplete: bigint;
  /** Image numbers between delivered ones of which nothing came at all. */
  images_skipped: bigint;
  /** Restarts of the detector's counter. */
  restarts: bigint;
  /** Pixels of delivered images that the calibration masks; 0 where images are not corrected. */
  pixels_masked: bigint;
  /** Pixels of delivered images that were saturated. */
  pixels_saturated: bigint;
  /** Pixels of delivered images with a gain code that does not exist. */
  pixels_invalid_gain: bigint;
}

/** Which rings an account is about. */
export interface AccountingRings {
  /** Frame rings, one a module. */
  frames: readonly string[];
  /** Image ring. */
  image: string;
  /** Packets of a complete frame. */
  packetsPerFrame: number;
}

/** Reads the account of a detector from the headers of its rings, from any process. */
export class AccountingReader implements Disposable {
  readonly #frames: RingCounters[];
  readonly #image: RingCounters;
  readonly #packetsPerImage: bigint;

  /** Counts from what the rings hold. */
  constructor(rings: AccountingRings) {
    this.#frames = rings.frames.map((name) => new RingCounters(name, FRAME_RING_COUNTERS.length));
    this.#image = new RingCounters(rings.image, IMAGE_RING_COUNTERS.length);
    this.#packetsPerImage = BigInt(rings.frames.length * rings.packetsPerFrame);
  }

  /** The account now. */
  read(): Accounting {
    const frames = this.#frames.map((counters) => counters.read());
    const images = this.#image.read();
    const f = (name: FrameRingCounter): bigint => {
      const i = FRAME_RING_COUNTERS.indexOf(name);
      return frames.reduce((sum, values) => sum + values[i]!, 0n);
    };
    const image = (name: ImageRingCounter): bigint => images[IMAGE_RING_COUNTERS.indexOf(name)]!;
    const late = f("late");
    const dropped = image("dropped_packets");
    const lost = image("missing_packets") + image("images_skipped") * this.#packetsPerImage - late -
      f("damaged") - dropped;
    const arrived = {
      packets_accepted: f("accepted"),
      packets_duplicate: f("duplicate"),
      packets_late: late,
      packets_malformed: f("malformed"),
      packets_foreign: f("foreign"),
    };
    return {
      packets_received: Object.values(arrived).reduce((sum, n) => sum + n, 0n),
      ...arrived,
      packets_lost: lost > 0n ? lost : 0n,
      packets_dropped: dropped,
      kernel_drops: f("kernel_drops"),
      frames_good: f("frames_good"),
      frames_incomplete: f("frames_incomplete"),
      images_good: image("images_good"),
      images_incomplete: image("images_incomplete"),
      images_skipped: image("images_skipped"),
      restarts: image("restarts"),
      pixels_masked: image("pixels_masked"),
      pixels_saturated: image("pixels_saturated"),
      pixels_invalid_gain: image("pixels_invalid_gain"),
    };
  }

  /** Entries published in the image ring that is there now. */
  get imageHead(): bigint {
    return this.#image.head;
  }

  /** Closes the files. */
  [Symbol.dispose](): void {
    for (const counters of [...this.#frames, this.#image]) counters[Symbol.dispose]();
  }
}

/** What happened between two accounts. */
export function accountingDifference(before: Accounting, after: Accounting): Accounting {
  const difference = { ...after };
  for (const name of Object.keys(after) as (keyof Accounting)[]) {
    const n = after[name] - before[name];
    difference[name] = n > 0n ? n : 0n;
  }
  return difference;
}
