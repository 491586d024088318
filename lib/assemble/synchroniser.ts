/**
 * Frames of all modules → images, in order.
 *
 * @module
 */

/** A frame on its way into an image. */
export interface SyncFrame {
  readonly module: number;
  readonly imageId: bigint;
  /** The module's stream started anew before this frame: restart of detector or receiver. */
  readonly restarted: boolean;
}

/** An image that is being gathered. */
export interface OpenImage {
  readonly imageId: bigint;
  /** Restarts of the detector's counter seen by the assembler before this image. */
  readonly epoch: number;
  /** When its first frame came, ns. */
  readonly since: bigint;
  /** Modules whose frame came, one flag each. */
  readonly arrived: Uint8Array;
  /** How many they are. */
  count: number;
}

/** Limits of the synchroniser. */
export interface SynchroniserOptions {
  modules: number;
  /** Images gathered at once. */
  window: number;
  /** Time after its first frame at which an image is given up waiting for, ns. */
  timeoutNs: bigint;
}

/** Image ids may jump ahead by this much; a larger jump is a restart. */
const LARGEST_GAP = 1_000_000_000n;

/**
 * Gathers frames by image id and hands the images out in order: when complete, when every module has
 * gone past them (its frames come in order, so it will never deliver), when too many wait, or when they
 * wait too long. A restart of the detector's counter begins an epoch; images of the one before come
 * first. Pure: knows neither pixels nor clocks.
 */
export class Synchroniser {
  /** Images being gathered, in the order in which they will be handed out. */
  readonly open: OpenImage[] = [];
  readonly #options: SynchroniserOptions;
  readonly #last: bigint[]; // per module: the image id last seen
  readonly #epoch: number[]; // per module: the epoch it is in
  readonly #released = new Map<number, bigint>(); // per epoch: highest image id handed out
  #current = 0;

  constructor(options: SynchroniserOptions) {
    this.#options = options;
    this.#last = new Array<bigint>(options.modules).fill(-1n);
    this.#epoch = new Array<number>(options.modules).fill(0);
  }

  /**
   * Takes a frame.
   *
   * @returns The image it belongs to, or `"late"` when that has been handed out, or `"duplicate"`
   * when the module has already given its part.
   */
  add(frame: SyncFrame, now: bigint): OpenImage | "late" | "duplicate" {
    const { module, imageId } = frame;
    const epoch = this.#epochOf(frame);
    this.#epoch[module] = epoch;
    this.#last[module] = imageId;
    const image = this.#find(epoch, imageId) ?? this.#begin(epoch, imageId, now);
    if (image === undefined) return "late";
    if (image.arrived[module] === 1) return "duplicate";
    image.arrived[module] = 1;
    image.count++;
    return image;
  }

  /** The next image to hand out, or undefined while it is worth waiting for. */
  next(now: bigint): OpenImage | undefined {
    const image = this.open[0];
    return image !== undefined && this.#isDue(image, now) ? this.expel() : undefined;
  }

  /** Hands out the first image, due or not. */
  expel(): OpenImage | undefined {
    const image = this.open.shift();
    if (image === undefined) return undefined;
    this.#released.set(image.epoch, image.imageId);
    for (const epoch of this.#released.keys()) {
      if (epoch < image.epoch && this.#epoch.every((e) => e > epoch)) this.#released.delete(epoch);
    }
    return image;
  }

  #isDue(image: OpenImage, now: bigint): boolean {
    const { modules, window, timeoutNs } = this.#options;
    if (image.count === modules || this.open.length > window) return true;
    if (now - image.since >= timeoutNs) return true;
    for (let m = 0; m < modules; m++) {
      if (image.arrived[m] === 1) continue;
      const passed = this.#epoch[m]! > image.epoch ||
        (this.#epoch[m] === image.epoch && this.#last[m]! > image.imageId);
      if (!passed) return false;
    }
    return true;
  }

  /** The epoch a frame belongs to; begins one when it must. */
  #epochOf({ module, imageId, restarted }: SyncFrame): number {
    const epoch = this.#epoch[module]!;
    const last = this.#last[module]!;
    if (last < 0n) return this.#current;
    if (restarted || imageId <= last) {
      return this.#fits(this.#current, imageId, module) ? this.#current : ++this.#current;
    }
    // A module that is behind, and too late there, may have missed the restart of the others.
    const late = imageId <= (this.#released.get(epoch) ?? -1n);
    return late && epoch < this.#current && this.#isNear(imageId) ? this.#current : epoch;
  }

  /** Whether an image id can follow in an epoch. */
  #fits(epoch: number, imageId: bigint, module: number): boolean {
    const image = this.#find(epoch, imageId);
    if (image !== undefined) return image.arrived[module] === 0;
    const newest = this.#newest(epoch);
    if (newest === undefined) return true;
    return imageId > (this.#released.get(epoch) ?? -1n) && imageId <= newest + LARGEST_GAP;
  }

  /** Whether an image id is one that the current epoch gathers or is about to. */
  #isNear(imageId: bigint): boolean {
    if (this.#find(this.#current, imageId) !== undefined) return true;
    const newest = this.#newest(this.#current) ?? 0n;
    return imageId > newest && imageId <= newest + BigInt(this.#options.window);
  }

  #newest(epoch: number): bigint | undefined {
    for (let i = this.open.length - 1; i >= 0; i--) {
      if (this.open[i]!.epoch === epoch) return this.open[i]!.imageId;
    }
    return this.#released.get(epoch);
  }

  #find(epoch: number, imageId: bigint): OpenImage | undefined {
    for (let i = this.open.length - 1; i >= 0; i--) {
      const image = this.open[i]!;
      if (image.epoch === epoch && image.imageId === imageId) return image;
    }
    return undefined;
  }

  #begin(epoch: number, imageId: bigint, since: bigint): OpenImage | undefined {
    const released = this.#released.get(epoch);
    if (released !== undefined && imageId <= released) return undefined;
    const arrived = new Uint8Array(this.#options.modules);
    const image: OpenImage = { imageId, epoch, since, arrived, count: 0 };
    let at = this.open.length;
    while (at > 0 && comesBefore(image, this.open[at - 1]!)) at--;
    this.open.splice(at, 0, image);
    return image;
  }
}

function comesBefore(a: OpenImage, b: OpenImage): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.imageId < b.imageId);
}
