/**
 * Helpers of the assembler's tests: small modules that write real frame rings, converters that take
 * their time, and an assembler whose images can be looked at.
 *
 * @module
 */
import {
  indexMemoryBytes,
  mapSlots,
  RingFollower,
  RingReader,
  RingWriter,
  SharedMemory,
  slotMemoryBytes,
} from "../ring/mod.ts";
import { TestName } from "../ring/_test_ring.ts";
import { Assembler } from "./assembler.ts";
import { type Converters, type ConvertJob, doJob, InlineConverters } from "./converters.ts";
import { type ImageRingCounts, readImageCounts } from "./counters.ts";
import { type ConverterSetup, ModuleConverter } from "./module_converter.ts";
import { ModuleSource } from "./module_source.ts";

/** Bytes of a module's frame: 4 rows of 64. */
export const FRAME_BYTES = 256;

/** Packets of a frame. */
export const PACKETS = 8;

/** What a receiver says of a frame. */
export interface TestFrame {
  missing?: number;
  epoch?: number;
  frameIndex?: number;
}

/** The pixels' value of a module in an image: never 0. */
export function valueOf(module: number, imageId: number): number {
  return 1 + (imageId * 7 + module * 31) % 255;
}

/** A receiver: writes frames of one value each. */
export class TestReceiver implements Disposable {
  readonly writer: RingWriter;
  readonly #module: number;
  readonly #memory: SharedMemory;
  readonly #framesAt: number;

  constructor(name: string, module: number, slots: number) {
    this.#module = module;
    this.#memory = new SharedMemory(
      indexMemoryBytes(slots) + slotMemoryBytes(FRAME_BYTES, slots),
    );
    this.writer = RingWriter.create(this.#memory, {
      name,
      slotBytes: FRAME_BYTES,
      slots,
      dtype: 1,
      height: 4,
      width: 64,
      geometry: 0n,
    });
    this.#framesAt = mapSlots(this.#memory, this.writer.data, FRAME_BYTES, 0, slots, {
      writable: true,
    });
  }

  /** Overwrites the slot of an image without publishing it: what comes next is under way. */
  spoil(imageId: number): number {
    const slot = imageId % this.writer.spec.slots;
    this.writer.lockSlot(slot);
    const at = this.#framesAt + slot * FRAME_BYTES;
    this.#memory.u8.fill(valueOf(this.#module, imageId), at, at + FRAME_BYTES);
    return slot;
  }

  /** Publishes a frame. */
  publish(imageId: number, { missing = 0, epoch = 1, frameIndex = imageId }: TestFrame = {}): void {
    const slot = this.spoil(imageId);
    const metadata = new Uint8Array(64);
    metadata[0] = this.#module;
    this.writer.publish({
      imageId: BigInt(imageId),
      slot,
      status: missing === 0 ? 1 : 2,
      firstNs: BigInt(1000 + imageId),
      completeNs: BigInt(2000 + imageId),
      frameIndex: BigInt(frameIndex),
      payloadBytes: FRAME_BYTES,
      missingPackets: missing,
      damagedPackets: 0,
      epoch,
      maskLow: 0n,
      maskHigh: 0n,
      metadata,
    });
  }

  [Symbol.dispose](): void {
    this.writer.close();
  }
}

/** Converters that do a job only when told, or when they are waited for; modules in any order. */
export class SlowConverters implements Converters {
  readonly #hands: ModuleConverter;
  readonly #jobs: ConvertJob[][];
  readonly #done: (() => void)[] = [];
  /** Picks the module whose job is done next. */
  pick: (n: number) => number = () => 0;

  constructor(hands: ModuleConverter, modules: number) {
    this.#hands = hands;
    this.#jobs = Array.from({ length: modules }, () => []);
  }

  submit(job: ConvertJob): void {
    this.#jobs[job.module]!.push(job);
  }

  /** Does one job; false when there is none. */
  work(): boolean {
    const waiting = this.#jobs.filter((jobs) => jobs.length > 0);
    const job = waiting[this.pick(waiting.length) % Math.max(1, waiting.length)]?.shift();
    if (job === undefined) return false;
    const invalid = doJob(this.#hands, job);
    this.#done.push(() => job.done(invalid));
    return true;
  }

  poll(): number {
    for (const done of this.#done.splice(0)) done();
    return this.#jobs.reduce((n, jobs) => n + jobs.length, 0);
  }

  wait(): void {
    this.work();
  }

  attach(module: number): void {
    this.#hands.attach(module);
  }
}

/** An image as it was when it was published. */
export interface TestImage {
  imageId: number;
  epoch: number;
  status: number;
  missing: number;
  mask: bigint;
  /** The value of each module's pixels, "mixed" where they differ. */
  values: (number | "mixed")[];
  /** First of the frame struct: the module it is of. */
  messageModule: number | undefined;
}

/** How to make a {@link Rig}. */
export interface RigOptions {
  modules: number;
  frameSlots?: number;
  imageSlots?: number;
  window?: number;
  /** Most bytes of a converter's memory. */
  largestMemory?: number;
  /** Makes the converters; default: in the calling thread. */
  converters?(setup: ConverterSetup, hands: () => ModuleConverter): Converters;
}

/** Receivers, an assembler and its image ring. */
export class Rig implements Disposable {
  readonly receivers: TestReceiver[] = [];
  readonly assembler: Assembler;
  readonly ring: RingWriter;
  readonly frameNames: string[];
  readonly imageName: string;
  readonly images: TestImage[] = [];
  now = 1_000_000n;
  /** Time after which an image is given up, ns. */
  static readonly TIMEOUT = 1_000n;
  readonly #stack = new DisposableStack();

  constructor(options: RigOptions) {
    const { modules, frameSlots = 64, imageSlots = 16, window = 4 } = options;
    const imageBytes = modules * FRAME_BYTES;
    const stack = this.#stack;
    const names = Array.from({ length: modules + 1 }, () => stack.use(new TestName()).name);
    this.imageName = names.pop()!;
    this.frameNames = names;
    const memory = new SharedMemory(
      2 * indexMemoryBytes(imageSlots) + slotMemoryBytes(imageBytes, imageSlots),
    );
    this.ring = stack.use(RingWriter.create(memory, {
      name: this.imageName,
      slotBytes: imageBytes,
      slots: imageSlots,
      dtype: 1,
      height: 4 * modules,
      width: 64,
      geometry: 1n,
    }));
    const setup: ConverterSetup = {
      image: { name: this.imageName, slotBytes: imageBytes, slots: imageSlots },
      modules: names.map((name, module) => ({
        module,
        ring: { name, slotBytes: FRAME_BYTES, slots: frameSlots },
        conversion: { kind: "copy" },
        borders: undefined,
        placement: {
          to: module * FRAME_BYTES,
          rows: 4,
          bandRows: 4,
          bandGap: 0,
          chips: 1,
          run: 64,
          gap: 0,
          stride: 64,
          pixel: 1,
          mirrored: false,
          transposed: false,
        },
      })),
    };
    const hands = (): ModuleConverter => new ModuleConverter(setup, options.largestMemory);
    const converters = options.converters?.(setup, hands) ?? new InlineConverters(hands());
    for (const [module, name] of names.entries()) {
      this.receivers.push(stack.use(new TestReceiver(name, module, frameSlots)));
    }
    const indexes = new SharedMemory(modules * indexMemoryBytes(frameSlots));
    const sources = setup.modules.map(({ module, ring }) =>
      stack.use(
        new ModuleSource({
          ...ring,
          memory: indexes,
          resumeAfter: undefined,
          onAttach: () => converters.attach(module),
        }),
      )
    );
    const reader = stack.use(RingReader.open(memory, this.imageName));
    const follower = new RingFollower(reader, 0n);
    const imagesAt = mapSlots(memory, reader.data, imageBytes, 0, imageSlots, { writable: false });
    this.assembler = new Assembler({
      sources,
      ring: this.ring,
      converters,
      packetsPerFrame: PACKETS,
      window,
      timeoutNs: Rig.TIMEOUT,
      encodeMetadata: ({ imageId, frameMessage }) =>
        Uint8Array.of(Number(imageId & 0xffn), frameMessage?.[0] ?? 0xff),
      publish: (metadata) => {
        const record = follower.next()!; // it is in the index before it is told of
        const at = imagesAt + record.slot * imageBytes;
        this.images.push({
          imageId: Number(record.imageId),
          epoch: record.epoch,
          status: record.status,
          missing: record.missingPackets,
          mask: record.maskLow,
          values: names.map((_, module) => {
            const from = at + module * FRAME_BYTES;
            const pixels = memory.u8.subarray(from, from + FRAME_BYTES);
            return pixels.every((p) => p === pixels[0]) ? pixels[0]! : "mixed";
          }),
          messageModule: metadata[1] === 0xff ? undefined : metadata[1],
        });
      },
    });
    this.pump(); // attaches: what was published before is not for us
  }

  /** Pumps once, a nanosecond later. */
  pump(): boolean {
    return this.assembler.pump(++this.now);
  }

  /** A new receiver of a module, whose former one has ended. */
  restartReceiver(module: number): TestReceiver {
    const { slots } = this.receivers[module]!.writer.spec;
    return new TestReceiver(this.frameNames[module]!, module, slots);
  }

  /** Publishes a frame of every module. */
  publishAll(imageId: number, frame: TestFrame = {}): void {
    for (const receiver of this.receivers) receiver.publish(imageId, frame);
  }

  /** Pumps until nothing is left, past the timeout. */
  finish(): void {
    for (let i = 0; i < 10; i++) this.pump(); // it says it is busy as long as converters are
    this.now += Rig.TIMEOUT;
    this.pump();
    this.assembler.stop();
  }

  /** What was counted. */
  get counts(): ImageRingCounts {
    return readImageCounts(this.ring.index);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}
