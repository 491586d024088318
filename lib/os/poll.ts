/**
 * Waiting for descriptors, in a Worker (blocking) or on an event loop (by promise).
 *
 * @module
 */
import { libc } from "./_libc.ts";
import { lastError } from "./errno.ts";

const POLLIN = 1;
const EFD_NONBLOCK = 0o4000;
const EFD_CLOEXEC = 0o2000000;

/** A fixed set of descriptors to wait on for input. */
export class PollSet {
  readonly #fds: Int32Array<ArrayBuffer>;
  readonly #count: bigint;

  /** @param fds Open descriptors; they stay the caller's. */
  constructor(fds: readonly number[]) {
    this.#fds = new Int32Array(2 * fds.length); // struct pollfd {i32 fd; i16 events, revents}
    this.#count = BigInt(fds.length);
    fds.forEach((fd, i) => {
      this.#fds[2 * i] = fd;
      this.#fds[2 * i + 1] = POLLIN;
    });
  }

  /**
   * Blocks the calling thread until one is readable or the time is over. Only for Workers, and
   * always with a finite time: a Worker inside a blocking call cannot be terminated.
   *
   * @returns How many are readable (an interrupted wait counts as none).
   */
  wait(milliseconds: number): number {
    return Math.max(0, libc.poll(this.#fds, this.#count, milliseconds));
  }

  /**
   * Waits on a helper thread; the event loop goes on. A terminated Worker's wait ends only when its
   * time is over, so give a finite time.
   */
  async waitAsync(milliseconds: number): Promise<number> {
    // The helper thread may outlive this isolate and its buffers (Worker.terminate()), so poll
    // works on memory of its own.
    const bytes = BigInt(this.#fds.byteLength);
    const copy = BigInt(libc.malloc(bytes));
    libc.memcpy_to(copy, this.#fds, bytes);
    try {
      return Math.max(0, await libc.poll_async(copy, this.#count, milliseconds));
    } finally {
      libc.memcpy(this.#fds, copy, bytes);
      libc.free(copy);
    }
  }

  /** Whether descriptor `index` of the constructor's list was readable at the last wait. */
  isReadable(index: number): boolean {
    return (this.#fds[2 * index + 1]! >>> 16) !== 0;
  }
}

/** A descriptor that one side makes readable and the other takes back: a wake-up between threads. */
export class EventFd implements Disposable {
  #fd: number;
  readonly #one = new BigUint64Array([1n]);
  readonly #value = new BigUint64Array(1);

  constructor() {
    this.#fd = libc.eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (this.#fd < 0) throw lastError("eventfd");
  }

  /** The descriptor to poll. */
  get fd(): number {
    return this.#fd;
  }

  /** Makes it readable. */
  signal(): void {
    libc.write(this.#fd, this.#one, 8n);
  }

  /** Takes all signals back. */
  drain(): void {
    libc.read(this.#fd, this.#value, 8n);
  }

  /** Closes the descriptor. */
  [Symbol.dispose](): void {
    if (this.#fd >= 0) libc.close(this.#fd);
    this.#fd = -1;
  }
}
