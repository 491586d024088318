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
  /** Since when it, or one that must come after it, waits: ns. */
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

/** One run of the detector's counter. */
interface Epoch {
  readonly number: number;
  /** When its first frame came, ns. */
  readonly began: bigint;
  /** Highest image id handed out, -1 for none. */
  released: bigint;
  /** Highest image id seen, -1 for none. */
  newest: bigint;
  /** Nothing comes any more but what its open images lack. */
  ended: boolean;
}

/**
 * Gathers frames by image id and hands the images out in order: when complete, when every module has
 * gone past them (its frames come in order, so it will never deliver), when too many wait, or when they
 * wait too long. Pure: knows neither pixels nor clocks.
 *
 * A restart of the detector's counter begins an epoch; images of the one before come first. Modules
 * pass from epoch to epoch on their own, as each sees the restart. One that missed it is taken along:
 * an epoch ends when an image of a later one is handed out, at the latest `timeoutNs` after the next
 * began, and whoever is still in it then joins those who are ahead.
 */
export class Synchroniser {
  /** Images being gathered, in the order in which they will be handed out. */
  readonly open: OpenImage[] = [];
  readonly #options: SynchroniserOptions;
  readonly #last: bigint[]; // per module: the image id last seen
  readonly #epoch: number[]; // per module: the epoch it is in
  /** Epochs that images may still come from; the last is the current one. */
  #epochs: Epoch[] = [];
  #releasedEpoch = 0;
  #lateInARow = 0;
  #takenAt = 0n;

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
    let epoch = this.#epochOf(frame, now);
    let image = this.#find(epoch, imageId) ?? this.#begin(epoch, imageId, now);
    if (image === undefined && this.#isAstray(now)) {
      epoch = this.#beginEpoch(now);
      image = this.#begin(epoch, imageId, now);
    }
    this.#epoch[module] = epoch.number;
    this.#last[module] = imageId;
    if (image === undefined) {
      this.#lateInARow++;
      return "late";
    }
    if (image.arrived[module] === 1) return "duplicate";
    this.#lateInARow = 0;
    this.#takenAt = now;
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
    this.#releasedEpoch = image.epoch;
    const epoch = this.#epochs.find((e) => e.number === image.epoch);
    if (epoch !== undefined) epoch.released = image.imageId;
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
  #epochOf({ module, imageId, restarted }: SyncFrame, now: bigint): Epoch {
    this.#forgetPast(now);
    const current = this.#epochs.at(-1);
    if (current === undefined) return this.#beginEpoch(now);
    const last = this.#last[module]!;
    if (last < 0n) return this.#firstFitting(0, imageId, module) ?? current;
    const own = this.#epochs.find((e) => e.number === this.#epoch[module]);
    const follows = imageId > last && imageId - last <= LARGEST_GAP;
    if (own === current) {
      if (follows || (!restarted && this.#fits(own, imageId, module))) return own;
      return this.#beginEpoch(now);
    }
    // The module is behind. Does it deliver what is left of its epoch, or has it changed, too?
    if (own !== undefined && !restarted) {
      if (this.#fits(own, imageId, module)) return own;
      if (follows && !own.ended && !this.#isNear(current, imageId)) return own; // late there
    }
    return this.#firstFitting(this.#epoch[module]! + 1, imageId, module) ?? current;
  }

  /** The oldest epoch from `from` on that an image id can belong to. */
  #firstFitting(from: number, imageId: bigint, module: number): Epoch | undefined {
    return this.#epochs.find((e) => e.number >= from && this.#fits(e, imageId, module));
  }

  /** Whether a module's next image id can be this one, in an epoch. */
  #fits(epoch: Epoch, imageId: bigint, module: number): boolean {
    const image = this.#find(epoch, imageId);
    if (image !== undefined) return image.arrived[module] === 0;
    return !epoch.ended && imageId > epoch.released &&
      (epoch.newest < 0n || imageId <= epoch.newest + LARGEST_GAP);
  }

  /** Whether an image id is one that an epoch gathers or is about to. */
  #isNear(epoch: Epoch, imageId: bigint): boolean {
    if (this.#find(epoch, imageId) !== undefined) return true;
    return imageId > epoch.newest && imageId <= epoch.newest + BigInt(this.#options.window);
  }

  /**
   * Whether numbers have gone astray: all that comes is late, and has been for long. Then one wrong
   * number, far ahead, was believed.
   */
  #isAstray(now: bigint): boolean {
    const { window, timeoutNs } = this.#options;
    return this.#lateInARow > window && now - this.#takenAt >= timeoutNs;
  }

  #beginEpoch(now: bigint): Epoch {
    const number = (this.#epochs.at(-1)?.number ?? -1) + 1;
    const epoch: Epoch = { number, began: now, released: -1n, newest: -1n, ended: false };
    this.#epochs.push(epoch);
    return epoch;
  }

  /** Forgets epochs that have ended, but for those with images that still wait. */
  #forgetPast(now: bigint): void {
    if (this.#epochs.length < 2) return;
    this.#epochs = this.#epochs.filter((epoch, i) => {
      const next = this.#epochs[i + 1];
      if (next === undefined) return true;
      epoch.ended ||= this.#releasedEpoch > epoch.number ||
        now - next.began >= this.#options.timeoutNs;
      return !epoch.ended || this.open.some((image) => image.epoch === epoch.number);
    });
  }

  #find(epoch: Epoch, imageId: bigint): OpenImage | undefined {
    for (let i = this.open.length - 1; i >= 0; i--) {
      const image = this.open[i]!;
      if (image.imageId === imageId && image.epoch === epoch.number) return image;
    }
    return undefined;
  }

  #begin(epoch: Epoch, imageId: bigint, now: bigint): OpenImage | undefined {
    if (imageId <= epoch.released || epoch.number < this.#releasedEpoch) return undefined;
    if (imageId > epoch.newest) epoch.newest = imageId;
    let at = this.open.length;
    while (at > 0 && comesBefore(epoch.number, imageId, this.open[at - 1]!)) at--;
    // What must come after it may have waited already.
    const next = this.open[at];
    const since = next !== undefined && next.since < now ? next.since : now;
    const arrived = new Uint8Array(this.#options.modules);
    const image: OpenImage = { imageId, epoch: epoch.number, since, arrived, count: 0 };
    this.open.splice(at, 0, image);
    return image;
  }
}

function comesBefore(epoch: number, imageId: bigint, image: OpenImage): boolean {
  return epoch < image.epoch || (epoch === image.epoch && imageId < image.imageId);
}
