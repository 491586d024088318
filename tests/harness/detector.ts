import type { DetectorConfig } from "../../lib/config/mod.ts";
import { imageBytes } from "../../lib/config/mod.ts";
import {
  createSimulation,
  KIND,
  PacketSender,
  type RawPixels,
  simulateImage,
} from "../../lib/simulate/mod.ts";
import { sha256 } from "./data.ts";

/** Distinct images that are sent in turn. */
const SOURCE_IMAGES = 4;
const MOST_FRAMES = 100_000;

/** A detector of which a test decides when it sends which frame: all modules, over real sockets. */
export class TestDetector implements Disposable {
  readonly #config: DetectorConfig;
  readonly #sender: PacketSender;
  readonly #packetsPerFrame: number;
  readonly #digests = new Map<number, string>();

  constructor(config: DetectorConfig) {
    const simulation = createSimulation(config, OPTIONS);
    this.#config = config;
    this.#packetsPerFrame = simulation.format.packetsPerFrame;
    this.#sender = new PacketSender(simulation);
  }

  /** Packets of an image, all modules together. */
  get packetsPerImage(): number {
    return this.#packetsPerFrame * this.#config.n_modules;
  }

  /** Sends the images from `first` to `last`, whole. */
  send(first: number, last: number): void {
    for (let id = first; id <= last; id++) this.#sender.sendFrame(id);
  }

  /** Sends the first `packets` packets of every module's frame of an image. */
  sendPart(id: number, packets: number): void {
    const datagrams = Array.from(
      { length: packets },
      (_, packet) => ({ frame: id, packet, kind: KIND.plain, argument: 0 }),
    );
    this.#sender.sendSchedules(Array.from({ length: this.#config.n_modules }, () => datagrams));
  }

  /** The pixels that are sent, as they lie in the image. */
  raw(id: number): RawPixels {
    return simulateImage(this.#config, OPTIONS, BigInt(id % SOURCE_IMAGES));
  }

  /** SHA-256 of the pixels of an image. */
  sha256(id: number): string {
    const source = id % SOURCE_IMAGES;
    const known = this.#digests.get(source);
    if (known !== undefined) return known;
    const digest = sha256(new Uint8Array(this.raw(source).buffer, 0, imageBytes(this.#config)));
    this.#digests.set(source, digest);
    return digest;
  }

  [Symbol.dispose](): void {
    this.#sender[Symbol.dispose]();
  }
}

const OPTIONS = {
  pattern: "ramp",
  startId: 0,
  images: MOST_FRAMES,
  sourceImages: SOURCE_IMAGES,
} as const;
