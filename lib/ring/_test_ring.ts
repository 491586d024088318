/**
 * Helpers of the ring's tests: unique names that clean up after themselves, small rings, and other
 * processes that write or read them.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import { File, unlink } from "../os/mod.ts";
import {
  dataBytes,
  dataPath,
  indexMemoryBytes,
  indexPath,
  type RingEntry,
  type RingSpec,
  RingWriter,
  SharedMemory,
} from "./mod.ts";

/** A ring name of this test alone; its files are removed when the test ends, however it ends. */
export class TestName implements Disposable {
  readonly name = `ring_test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`;

  /** Whether the data file and the index file are there. */
  get present(): { data: boolean; index: boolean } {
    return { data: File.isThere(dataPath(this.name)), index: File.isThere(indexPath(this.name)) };
  }

  [Symbol.dispose](): void {
    unlink(dataPath(this.name));
    unlink(indexPath(this.name));
  }
}

/** A ring of 16 slots of 64 bytes. */
export function tinyRing(name: string, changes: Partial<RingSpec> = {}): RingSpec {
  return {
    name,
    slotBytes: 64,
    slots: 16,
    dtype: 2,
    height: 4,
    width: 8,
    geometry: 1n,
    ...changes,
  };
}

/** A memory with room for the indexes of `rings` rings of up to 64 slots. */
export function indexMemory(rings = 1): SharedMemory {
  return new SharedMemory(rings * indexMemoryBytes(64));
}

/** An entry that says `id` wherever it can. */
export function entryOf(id: bigint, slots: number, changes: Partial<RingEntry> = {}): RingEntry {
  return {
    imageId: id,
    slot: Number(id % BigInt(slots)),
    status: 1,
    firstNs: id + 1n,
    completeNs: id + 2n,
    frameIndex: id + 3n,
    payloadBytes: 64,
    missingPackets: 0,
    damagedPackets: 0,
    epoch: 1,
    maskLow: id,
    maskHigh: ~id & 0xffff_ffff_ffff_ffffn,
    metadata: new Uint8Array(8).fill(Number(id & 0xffn)),
    ...changes,
  };
}

/** Publishes the entries `from` … `to` − 1, without touching pixels. */
export function publishRange(writer: RingWriter, from: number, to: number): void {
  for (let id = from; id < to; id++) {
    const entry = entryOf(BigInt(id), writer.spec.slots);
    writer.lockSlot(entry.slot);
    writer.publish(entry);
  }
}

/**
 * What a kill in the middle of an action would leave of a ring's index: its bytes before the first
 * store into shared memory that the action makes, and after each of them. Copies are made in two parts.
 */
export function indexAtEveryStore(name: string, action: () => void): Uint8Array<ArrayBuffer>[] {
  const states = [Deno.readFileSync(indexPath(name))];
  let looking = false; // which stores something, too
  const look = (): void => {
    if (looking) return;
    looking = true;
    const state = Deno.readFileSync(indexPath(name));
    if (Buffer.compare(state, states.at(-1)!) !== 0) states.push(state);
    looking = false;
  };
  const TypedArray = Object.getPrototypeOf(Uint8Array.prototype);
  using watched = new DisposableStack();
  const watch = (owner: object, method: string): void => {
    const original = Reflect.get(owner, method);
    Reflect.set(owner, method, function (this: unknown, ...args: unknown[]): unknown {
      const [to, from, end] = args.map(Number);
      if (method === "copyWithin") {
        Reflect.apply(original, this, [to, from, from! + (end! - from!) / 2]);
        look();
      }
      const result = Reflect.apply(original, this, args);
      look();
      return result;
    });
    watched.defer(() => Reflect.set(owner, method, original));
  };
  for (const method of ["store", "add"]) watch(Atomics, method);
  for (const method of ["setUint32", "setBigUint64"]) watch(DataView.prototype, method);
  for (const method of ["set", "copyWithin"]) watch(TypedArray, method);
  action();
  return states;
}

/** A ring of this spec whose writer was killed when its index was like this. */
export function ringLeftAs(spec: RingSpec, index: Uint8Array): TestName {
  const left = new TestName();
  using data = File.open(dataPath(left.name), { write: true, create: true });
  data.truncate(dataBytes(spec));
  Deno.writeFileSync(indexPath(left.name), index);
  return left;
}

/** Takes a ring over whose writer was killed when its index was like this. */
export function afterTakeover<T>(
  spec: RingSpec,
  index: Uint8Array,
  look: (writer: RingWriter) => T,
): T {
  using left = ringLeftAs(spec, index);
  using writer = RingWriter.create(new SharedMemory(indexMemoryBytes(spec.slots)), {
    ...spec,
    name: left.name,
  });
  return look(writer);
}

/** A process that runs `testdata/ring_process.ts`; it is killed when the test ends. */
export class RingProcess implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  /** @param args Role and arguments of the program. */
  constructor(...args: (string | number)[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-lock",
        new URL("./testdata/ring_process.ts", import.meta.url).pathname,
        ...args.map(String),
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * The next line the process prints, as JSON.
   *
   * @throws {Error} If it ends without one.
   */
  async answer(): Promise<Record<string, unknown>> {
    while (!this.#rest.includes("\n")) {
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`ring_process ended, its last words: ${this.#rest}`);
      this.#rest += value;
    }
    const end = this.#rest.indexOf("\n");
    const line = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 1);
    return JSON.parse(line);
  }

  /** Sends a line. */
  async say(line: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(line + "\n"));
    writer.releaseLock();
  }

  /** Kills the process (SIGKILL) and waits until it is gone. */
  async kill(): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it had ended
    }
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await this.#lines.cancel();
    await this.#child.stdin.abort().catch(() => {}); // the pipe broke with the process
  }
}
