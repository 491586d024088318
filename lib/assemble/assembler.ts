/**
 * Frames of all modules → images in the image ring.
 *
 * @module
 */
import type { EntryCount, RingEntry, RingIndex, RingWriter } from "../ring/mod.ts";
import type { CalibrationFollower, ImageCalibration } from "./calibration_board.ts";
import type { Converters } from "./converters.ts";
import { imageCounterIndex, type ImageRingCounter } from "./counters.ts";
import type { ModuleSource, SourceFrame } from "./module_source.ts";
import { type OpenImage, Synchroniser } from "./synchroniser.ts";

const IMAGE_GOOD = 1;
const IMAGE_MISSING_PACKETS = 2;

/** A larger jump of the detector's frame number is a restart, not that many lost images. */
const LARGEST_GAP = 1_000_000n;

/** Frames taken per {@link Assembler.pump}: under load, too, its caller notices a stop and the time. */
const FRAMES_PER_PUMP = 256;

/** What an assembler works with. */
export interface AssemblerOptions {
  /** Frames of each module. */
  sources: readonly ModuleSource[];
  /** The image ring. */
  ring: RingWriter;
  converters: Converters;
  /** Packets of a complete frame. */
  packetsPerFrame: number;
  /** Images gathered at once. */
  window: number;
  /** Time after its first frame at which an image is given up waiting for, ns. */
  timeoutNs: bigint;
  /** Calibrations, for images that are corrected. */
  calibrations?: CalibrationFollower | undefined;
  /** Frame number of the last image of a former assembler: what is missing behind it is counted. */
  goesOnAfter?: bigint | undefined;
  /** The public message of an image. */
  encodeMetadata(image: AssembledImage): Uint8Array;
  /** Sends it; called after the entry is in the index. */
  publish(metadata: Uint8Array): void;
}

/** What the public message of an image is made of. */
export interface AssembledImage {
  imageId: bigint;
  /** 1 good, 2 missing packets. */
  status: number;
  /** Frame struct of the first of its modules. */
  frameMessage: Uint8Array | undefined;
  /** The calibration that made its pixels; undefined where they are as received. */
  calibrationId: bigint | undefined;
}

/** An image and the work on it. */
class ImageInWork {
  readonly image: OpenImage;
  readonly slot: number;
  /** All its modules are corrected with this one. */
  readonly calibration: ImageCalibration | undefined;
  /** Jobs that have not ended. */
  pending = 0;
  /** Modules whose pixels are in place. */
  readonly placed: Uint8Array;
  missingPackets = 0;
  damagedPackets = 0;
  saturated = 0;
  invalidGain = 0;
  masked = 0;
  firstNs = 0n;
  completeNs = 0n;
  frameIndex = 0n;
  /** Frame struct of the first of its modules. */
  frameMessage: Uint8Array | undefined;
  /** Entries of its modules' frames in their rings, as far as these have an index. */
  readonly entries = new Map<number, bigint>();
  #messageModule = Infinity;

  constructor(
    image: OpenImage,
    slot: number,
    modules: number,
    calibration: ImageCalibration | undefined,
  ) {
    this.image = image;
    this.slot = slot;
    this.calibration = calibration;
    this.placed = new Uint8Array(modules);
  }

  /** Notes what a module's frame says. */
  note(module: number, frame: SourceFrame): void {
    if (frame.entry !== undefined) this.entries.set(module, frame.entry);
    if (this.firstNs === 0n || frame.firstNs < this.firstNs) this.firstNs = frame.firstNs;
    if (frame.completeNs > this.completeNs) this.completeNs = frame.completeNs;
    if (module < this.#messageModule) {
      this.#messageModule = module;
      this.frameMessage = frame.message;
      this.frameIndex = frame.frameIndex;
    }
  }
}

/** Puts images together; {@link pump} does what can be done now and never waits. */
export class Assembler {
  readonly #options: AssemblerOptions;
  readonly #synchroniser: Synchroniser;
  readonly #index: RingIndex;
  readonly #inWork = new Map<OpenImage, ImageInWork>();
  readonly #bySlot = new Map<number, ImageInWork>();
  readonly #released: ImageInWork[] = [];
  #last: { epoch: number; frameIndex: bigint } | undefined;
  /** No image has been published yet. */
  #first = true;

  constructor(options: AssemblerOptions) {
    this.#options = options;
    this.#index = options.ring.index;
    this.#synchroniser = new Synchroniser({
      modules: options.sources.length,
      // An image in work must never be overtaken by the ring.
      window: Math.max(1, Math.min(options.window, Math.floor(options.ring.spec.slots / 2))),
      timeoutNs: options.timeoutNs,
    });
    const { goesOnAfter: frameIndex } = options;
    if (frameIndex !== undefined) this.#last = { epoch: 0, frameIndex };
  }

  /**
   * Takes frames that are there, one of each module in turn, and publishes the images that are due.
   *
   * @param now Time, ns; must not step back.
   * @returns Whether there was anything to do.
   */
  pump(now: bigint): boolean {
    const { sources, converters, calibrations } = this.#options;
    calibrations?.follow();
    let taken = 0;
    for (let again = true; again && taken < FRAMES_PER_PUMP;) {
      again = false;
      for (let module = 0; module < sources.length; module++) {
        const source = sources[module]!;
        const frame = source.next(now);
        this.#countOverruns(source.takeOverruns());
        if (frame === undefined) continue;
        this.#take(module, frame, now);
        taken++;
        again = true;
      }
      converters.poll();
      this.#release(now);
    }
    return taken > 0 || this.#released.length > 0;
  }

  /**
   * Publishes what is due, and leaves the frames of images that still lack some to the next assembler;
   * for the end of the service.
   */
  stop(): void {
    while (this.#released.length > 0) this.#waitForWork();
    const inWork = [...this.#inWork.values()];
    for (const [module, source] of this.#options.sources.entries()) {
      const entries = inWork.flatMap(({ entries }) => entries.get(module) ?? []);
      const first = entries.reduce<bigint | undefined>(
        (least, entry) => least === undefined || entry < least ? entry : least,
        undefined,
      );
      source.leaveOff(first, this.#last?.frameIndex);
    }
  }

  #take(module: number, frame: SourceFrame, now: bigint): void {
    const image = this.#synchroniser.add({
      module,
      imageId: frame.imageId,
      restarted: frame.restarted,
    }, now);
    if (image === "late" || image === "duplicate") {
      return this.#drop("frames_late", frame.missingPackets);
    }
    const work = this.#inWork.get(image) ?? this.#begin(image);
    if (work === undefined) return this.#drop("frames_late", frame.missingPackets);
    work.note(module, frame);
    // Counted anew since the former assembler's last image: no number is missing behind that one.
    if (this.#first && frame.restarted && this.#last) this.#last.epoch = -1;
    work.pending++;
    const { slot, slotLock, missingPackets, damagedPackets } = frame;
    this.#options.converters.submit({
      operation: "convert",
      module,
      frameSlot: slot,
      imageSlot: work.slot,
      missingPackets,
      bank: work.calibration?.bank ?? 0,
      done: ({ saturated, invalidGain }) => {
        work.pending--;
        if (this.#options.sources[module]!.isIntact({ slot, slotLock })) {
          work.placed[module] = 1;
          work.saturated += saturated;
          work.invalidGain += invalidGain;
          work.masked += work.calibration?.masked[module] ?? 0;
          work.missingPackets += missingPackets;
          work.damagedPackets += damagedPackets;
          return;
        }
        // Overwritten while it was copied: as good as missing. #finish blanks it.
        this.#drop("frames_overrun", missingPackets);
      },
    });
  }

  /** Gives an image its slot; undefined when one that comes after it is there already. */
  #begin(image: OpenImage): ImageInWork | undefined {
    const { ring, sources, calibrations } = this.#options;
    const slot = Number(image.imageId % BigInt(ring.spec.slots));
    // Another image in this slot (a restart, or ids in large steps) has to leave first.
    const standing = this.#bySlot.get(slot);
    if (standing !== undefined) {
      const { open } = this.#synchroniser;
      if (open.indexOf(standing.image) > open.indexOf(image)) return undefined;
      this.#expel(standing);
    }
    ring.lockSlot(slot);
    const work = new ImageInWork(image, slot, sources.length, calibrations?.take());
    this.#inWork.set(image, work);
    this.#bySlot.set(slot, work);
    return work;
  }

  /** Publishes an image now, and those before it. */
  #expel(work: ImageInWork): void {
    while (this.#inWork.has(work.image)) {
      const image = this.#synchroniser.expel();
      if (image === undefined) break;
      this.#leave(image);
    }
    while (this.#bySlot.get(work.slot) === work) this.#waitForWork();
  }

  #release(now: bigint): void {
    for (
      let image = this.#synchroniser.next(now);
      image !== undefined;
      image = this.#synchroniser.next(now)
    ) {
      this.#leave(image);
    }
    this.#publishReady();
  }

  #leave(image: OpenImage): void {
    const work = this.#inWork.get(image);
    this.#inWork.delete(image);
    if (work !== undefined) this.#released.push(work);
  }

  #waitForWork(): void {
    if (this.#options.converters.poll() > 0) this.#options.converters.wait();
    this.#publishReady();
  }

  /** Publishes released images from the front, as far as their work is done. */
  #publishReady(): void {
    for (let work = this.#released[0]; work !== undefined; work = this.#released[0]) {
      if (work.pending > 0 || !this.#blankMissing(work)) return;
      this.#released.shift();
      this.#publish(work);
    }
  }

  /** Zeroes the places of modules that did not come; false while that is being done. */
  #blankMissing(work: ImageInWork): boolean {
    for (let module = 0; module < work.placed.length; module++) {
      if (work.placed[module] !== 0) continue;
      work.placed[module] = 2;
      work.missingPackets += this.#options.packetsPerFrame;
      work.pending++;
      this.#options.converters.submit({
        operation: "blank",
        module,
        frameSlot: 0,
        imageSlot: work.slot,
        missingPackets: this.#options.packetsPerFrame,
        bank: 0,
        done: () => void work.pending--,
      });
    }
    return work.pending === 0;
  }

  #publish(work: ImageInWork): void {
    const { ring, encodeMetadata, publish, calibrations } = this.#options;
    const { imageId, epoch } = work.image;
    const status = work.missingPackets === 0 ? IMAGE_GOOD : IMAGE_MISSING_PACKETS;
    const calibrationId = work.calibration?.id;
    const metadata = encodeMetadata({
      imageId,
      status,
      frameMessage: work.frameMessage,
      calibrationId,
    });
    const [maskLow, maskHigh] = moduleMask(work.placed);
    const entry: RingEntry = {
      imageId,
      slot: work.slot,
      status,
      firstNs: work.firstNs,
      completeNs: work.completeNs,
      frameIndex: work.frameIndex,
      payloadBytes: ring.spec.slotBytes,
      missingPackets: work.missingPackets,
      damagedPackets: work.damagedPackets,
      epoch,
      maskLow,
      maskHigh,
      calibrationId: calibrationId ?? 0n,
      metadata,
    };
    this.#bySlot.delete(work.slot);
    ring.publish(entry, this.#countsOf(work));
    this.#last = { epoch, frameIndex: work.frameIndex };
    this.#first = false;
    publish(metadata);
    if (work.calibration !== undefined) calibrations?.release(work.calibration);
  }

  /** What is counted with an image. */
  #countsOf(work: ImageInWork): EntryCount[] {
    const last = this.#last;
    const restarted = last !== undefined && last.epoch !== work.image.epoch;
    const gap = last === undefined || restarted ? 0n : work.frameIndex - last.frameIndex - 1n;
    return [
      count(work.missingPackets === 0 ? "images_good" : "images_incomplete", 1),
      count("missing_packets", work.missingPackets),
      count("pixels_masked", work.masked),
      count("pixels_saturated", work.saturated),
      count("pixels_invalid_gain", work.invalidGain),
      count("images_skipped", gap > 0n && gap < LARGEST_GAP ? gap : 0),
      count("restarts", restarted ? 1 : 0),
    ];
  }

  /** Counts a frame that gets into no image. */
  #drop(why: "frames_late" | "frames_overrun", missingPackets: number): void {
    this.#add(why, 1n);
    this.#add("dropped_packets", BigInt(this.#options.packetsPerFrame - missingPackets));
  }

  /** Counts frames that were overwritten unread; nobody knows any more what they lacked. */
  #countOverruns(frames: bigint): void {
    this.#add("frames_overrun", frames);
    this.#add("dropped_packets", frames * BigInt(this.#options.packetsPerFrame));
  }

  #add(counter: ImageRingCounter, n: bigint): void {
    if (n > 0n) this.#index.addCounter(imageCounterIndex(counter), n);
  }
}

function count(counter: ImageRingCounter, n: number | bigint): EntryCount {
  return [imageCounterIndex(counter), BigInt(n)];
}

/** Bit masks of the modules that are in place: 0–63 and 64–127. */
function moduleMask(placed: Uint8Array): [bigint, bigint] {
  let low = 0n;
  let high = 0n;
  for (let module = 0; module < placed.length; module++) {
    if (placed[module] !== 1) continue;
    if (module < 64) low |= 1n << BigInt(module);
    else high |= 1n << BigInt(module - 64);
  }
  return [low, high];
}
