/**
 * How a calibration is changed between two images: the service's thread prepares one in the spare bank
 * and asks for it, the assembler's thread gives it to the images that begin from then on, and tells when
 * no image uses the former one any more.
 *
 * Calibrations are numbered from 1 as they are asked for; number n is in bank n mod 2. All of it is in
 * shared memory:
 *
 *   i32   wanted     number of the newest calibration, by the service
 *   i32   in_force   number of the one that new images get, by the assembler
 *   i32   retired    highest number that no image uses any more, by the assembler
 *   u64   id         per bank, by the service
 *   u32   masked     per bank and module: masked pixels, by the service
 *
 * @module
 */
import { type Bank, BANKS } from "./calibration_maps.ts";

const WANTED = 0;
const IN_FORCE = 1;
const RETIRED = 2;
const IDS_AT = 16;
const MASKED_AT = IDS_AT + 8 * BANKS;

/** A calibration that images are made with. */
export interface ImageCalibration {
  /** Where its maps are. */
  readonly bank: Bank;
  /** Its id, a u64. */
  readonly id: bigint;
  /** Masked pixels by module. */
  readonly masked: Uint32Array;
}

/** A board for a detector's modules: shared between the threads of a service. */
export function makeCalibrationBoard(modules: number): SharedArrayBuffer {
  return new SharedArrayBuffer(MASKED_AT + 4 * BANKS * modules);
}

function bankOf(number: number): Bank {
  return (number & 1) === 0 ? 0 : 1;
}

/** The service's side. */
export class CalibrationSwitch {
  readonly #words: Int32Array;
  readonly #ids: BigUint64Array;
  readonly #masked: Uint32Array;
  readonly #modules: number;

  /** A side of the board. */
  constructor(board: SharedArrayBuffer) {
    this.#words = new Int32Array(board);
    this.#ids = new BigUint64Array(board, IDS_AT, BANKS);
    this.#masked = new Uint32Array(board, MASKED_AT);
    this.#modules = this.#masked.length / BANKS;
  }

  /** Id of the calibration that new images get; 0 before there is one. */
  get inForce(): bigint {
    const number = Atomics.load(this.#words, IN_FORCE);
    return number === 0 ? 0n : this.#ids[bankOf(number)]!;
  }

  /**
   * Asks for a calibration; the next image that begins gets it.
   *
   * @param id Its id, a u64.
   * @param write Puts its maps into the bank it is given and returns the masked pixels by module. Called
   * once no image uses that bank.
   * @param limitMs Longest wait for the images of the one before the last.
   * @throws {DOMException} TimeoutError.
   */
  async load(id: bigint, write: (bank: Bank) => readonly number[], limitMs: number): Promise<void> {
    const next = Atomics.load(this.#words, WANTED) + 1;
    await this.#until(RETIRED, next - 2, limitMs);
    const bank = bankOf(next);
    this.#masked.set(write(bank), bank * this.#modules);
    this.#ids[bank] = id;
    Atomics.store(this.#words, WANTED, next);
  }

  /**
   * Waits until images get the calibration that was asked for last.
   *
   * @throws {DOMException} TimeoutError.
   */
  async settled(limitMs: number): Promise<void> {
    await this.#until(IN_FORCE, Atomics.load(this.#words, WANTED), limitMs);
  }

  async #until(word: number, value: number, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    for (;;) {
      const now = Atomics.load(this.#words, word);
      if (now >= value) return;
      const left = end - performance.now();
      if (left <= 0) {
        throw new DOMException("The assembler did not change its calibration", "TimeoutError");
      }
      const { promise, resolve } = Promise.withResolvers<string>();
      // Waiting for memory alone does not keep an event loop alive.
      const timer = setTimeout(() => resolve("timed-out"), left);
      await Promise.race([promise, Atomics.waitAsync(this.#words, word, now).value]);
      clearTimeout(timer);
    }
  }
}

/** The assembler's side. */
export class CalibrationFollower {
  readonly #words: Int32Array;
  readonly #ids: BigUint64Array;
  readonly #masked: Uint32Array;
  /** Images in work by bank. */
  readonly #images = [0, 0];
  #number = 0;
  #current: ImageCalibration | undefined;

  /** A side of the board. */
  constructor(board: SharedArrayBuffer) {
    this.#words = new Int32Array(board);
    this.#ids = new BigUint64Array(board, IDS_AT, BANKS);
    this.#masked = new Uint32Array(board, MASKED_AT);
  }

  /** Takes over what the service asks for; to be called between images. */
  follow(): void {
    const wanted = Atomics.load(this.#words, WANTED);
    if (wanted === this.#number) return;
    const bank = bankOf(wanted), modules = this.#masked.length / BANKS;
    this.#number = wanted;
    this.#current = {
      bank,
      id: this.#ids[bank]!,
      masked: this.#masked.slice(bank * modules, (bank + 1) * modules),
    };
    this.#tell(IN_FORCE, wanted);
    this.#retire();
  }

  /**
   * The calibration for an image that begins.
   *
   * @throws {Error} Before there is one.
   */
  take(): ImageCalibration {
    if (this.#current === undefined) {
      throw new Error("An image began before there was a calibration");
    }
    this.#images[this.#current.bank]!++;
    return this.#current;
  }

  /** Gives it back when the image is done. */
  release({ bank }: ImageCalibration): void {
    this.#images[bank]!--;
    this.#retire();
  }

  #retire(): void {
    const former = this.#number - 1;
    if (this.#images[bankOf(former)] === 0) this.#tell(RETIRED, former);
  }

  #tell(word: number, value: number): void {
    if (Atomics.load(this.#words, word) === value) return;
    Atomics.store(this.#words, word, value);
    Atomics.notify(this.#words, word);
  }
}
