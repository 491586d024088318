/**
 * What the tests of this folder share: images in rings, and hands in the test's own thread.
 *
 * @module
 */
import { decodeImageMetadata, encodeImageMetadata, type ImageMetadata } from "../protocol/mod.ts";
import {
  dataPath,
  indexMemoryBytes,
  indexPath,
  RingReader,
  RingRecord,
  type RingSpec,
  RingWriter,
  SharedMemory,
} from "../ring/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";
import { TestName } from "../ring/_test_ring.ts";
import { TRANSFORM_COUNTERS, type TransformCounter, transformCounterIndex } from "./counters.ts";
import { ImageSource } from "./image_source.ts";
import { ImageTransformer } from "./image_transformer.ts";
import { formerPlace, notePlace } from "./source_place.ts";
import {
  type RingFiles,
  SlotTransformer,
  type TransformJob,
  type TransformOperation,
  type TransformResult,
} from "./slot_transformer.ts";
import type { Hands } from "./transform_queue.ts";

/** Size of an image: 64 × 32 pixels of 16 bit. */
export const IMAGE_BYTES = 64 * 32 * 2;
/** Slots of the rings. */
export const SLOTS = 8;

/** What the rings are. */
const RING = {
  ...{ slotBytes: IMAGE_BYTES, slots: SLOTS, dtype: ImageMetadataDtype.uint16 },
  ...{ height: 32, width: 64 },
};

/** Pixels that differ from image to image: few counts, or all bits at random. */
export function pixelsOf(imageId: number, noise = false): Uint8Array<ArrayBuffer> {
  let x = imageId + 1;
  return new Uint8Array(IMAGE_BYTES).map((_, i) => {
    x ^= x << 13, x ^= x >>> 17, x ^= x << 5;
    return noise ? x >>> 8 : i % 2 === 0 ? x >>> 8 & 3 : 0;
  });
}

/** A ring of images. */
export function makeRing(name: string, changes: Partial<RingSpec> = {}): RingWriter {
  return RingWriter.create(new SharedMemory(indexMemoryBytes(SLOTS)), {
    ...{ ...RING, name, geometry: 0n },
    ...changes,
  });
}

/** The message of an image. */
export function metadataOf(imageId: number, more: Partial<ImageMetadata> = {}): ImageMetadata {
  return {
    imageId: BigInt(imageId),
    ...{ height: 32, width: 64, size: IMAGE_BYTES, dtype: "uint16" },
    ...{ status: "good_image", compression: "none" },
    ...more,
  };
}

/** Publishes an image as an assembler does. */
export function publish(
  ring: RingWriter,
  imageId: number,
  bytes: Uint8Array = pixelsOf(imageId),
  more: Partial<ImageMetadata> = {},
): void {
  const slot = imageId % SLOTS;
  ring.lockSlot(slot);
  ring.data.writeAt(bytes, slot * IMAGE_BYTES);
  ring.publish({
    ...{ imageId: BigInt(imageId), slot, status: 1 + imageId % 2, firstNs: 5n, completeNs: 6n },
    ...{ frameIndex: 7n, payloadBytes: bytes.length, missingPackets: 3, damagedPackets: 1 },
    ...{ epoch: 2, maskLow: 9n, maskHigh: 8n, calibrationId: 4n },
    metadata: encodeImageMetadata(metadataOf(imageId, { size: bytes.length, ...more })),
  });
}

/** Works in the test's own thread, when {@link InlineHands.work} is called. */
export class InlineHands implements Hands {
  readonly transformer: SlotTransformer;
  readonly reasons: string[] = [];
  readonly #jobs: { job: TransformJob; done: (result: TransformResult) => void }[] = [];
  #done: (() => void)[] = [];

  constructor(operation: TransformOperation) {
    const sizes = { imageBytes: IMAGE_BYTES, elementBytes: 2, blockElements: 0 } as const;
    // Two segments, as for rings of some GiB.
    this.transformer = new SlotTransformer({ operation, ...sizes }, 2 ** 20 + 64 * 1024);
  }

  get free(): boolean {
    return this.#jobs.length < 4;
  }

  attach(files: RingFiles): void {
    this.transformer.attach(files);
  }

  submit(job: TransformJob, done: (result: TransformResult) => void): void {
    this.#jobs.push({ job, done });
  }

  /** Works on all images, the newest first. */
  work(): void {
    for (const { job, done } of this.#jobs.splice(0).toReversed()) {
      const result = this.transformer.transform(job);
      if (result.reason !== undefined) this.reasons.push(result.reason);
      this.#done.push(() => done(result));
    }
  }

  poll(): void {
    for (const done of this.#done.splice(0)) done();
  }

  wait(): void {
    this.work();
  }
}

/** A service between two rings, without its threads. */
export class TestTransform implements Disposable {
  readonly hands: InlineHands;
  readonly ring: RingWriter;
  readonly transformer: ImageTransformer;
  readonly messages: Uint8Array[] = [];
  readonly #source: ImageSource;
  #now = 0n;

  constructor(operation: TransformOperation, from: string, to: string) {
    this.hands = new InlineHands(operation);
    this.ring = makeRing(to);
    this.#source = new ImageSource({
      ...{ ...RING, name: from, goesOnAt: formerPlace(this.ring) },
      memory: new SharedMemory(indexMemoryBytes(SLOTS)),
      onAttach: (fd, place) => {
        if (place !== undefined) notePlace(this.ring, place);
        this.hands.attach({ from: fd, to: this.ring.data.fd, slots: SLOTS });
      },
    });
    this.transformer = new ImageTransformer({
      ...{ source: this.#source, ring: this.ring, hands: this.hands },
      publish: (message) => void this.messages.push(message),
    });
    try {
      this.#source.attach();
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Takes what is there, and nothing else. */
  pump(): void {
    this.transformer.pump(this.#now += 1_000_000_000n);
  }

  /** Does all there is to do. */
  settle(): void {
    do {
      this.hands.work();
      this.pump();
    } while (this.transformer.pending > 0);
    this.pump();
  }

  count(name: TransformCounter): number {
    return Number(this.ring.index.counter(transformCounterIndex(name)));
  }

  /** All counters that are not 0. */
  get counts(): Record<string, number> {
    const all = TRANSFORM_COUNTERS.map((name) => [name, this.count(name)] as const);
    return Object.fromEntries(all.filter(([_, value]) => value !== 0));
  }

  /** Ids of the images that this process has published. */
  get ids(): number[] {
    return this.messages.map((message) => Number(decodeImageMetadata(message).imageId));
  }

  /** Ends as by SIGKILL: what is under way is lost, and the ring stays. */
  kill(): void {
    this.#source[Symbol.dispose]();
    const { name } = this.ring.spec;
    const paths = [indexPath(name), dataPath(name)];
    for (const path of paths) Deno.copyFileSync(path, `${path}.left`);
    this.ring.close();
    for (const path of paths) Deno.renameSync(`${path}.left`, path);
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
    this.ring.close();
  }
}

/** Entries of a ring with their bytes. */
export function entriesOf(name: string): { record: RingRecord; bytes: Uint8Array }[] {
  using reader = RingReader.open(new SharedMemory(indexMemoryBytes(SLOTS)), name);
  const entries = [];
  const oldest = Math.max(0, Number(reader.head) - SLOTS);
  for (let entry = oldest; entry < Number(reader.head); entry++) {
    const record = new RingRecord();
    if (reader.read(BigInt(entry), record) !== "ok") continue;
    const bytes = new Uint8Array(record.payloadBytes);
    reader.data.readAt(bytes, record.slot * reader.slotBytes);
    entries.push({ record, bytes });
  }
  return entries;
}

/** Names of three rings. */
export class TestNames implements Disposable {
  readonly #names = [new TestName(), new TestName(), new TestName()] as const;
  readonly image = this.#names[0].name;
  readonly compressed = this.#names[1].name;
  readonly again = this.#names[2].name;

  [Symbol.dispose](): void {
    for (const name of this.#names) name[Symbol.dispose]();
  }
}
