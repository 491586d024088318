/**
 * A received message part in libzmq's memory.
 *
 * @module
 */
import { copyFrom } from "../os/mod.ts";
import { ZmqError } from "./error.ts";
import { zmq } from "./library.ts";

/** Bytes of a `zmq_msg_t`. */
export const MESSAGE_BYTES = 64;

/**
 * One part of a received message, still in libzmq's memory: its bytes go from there to where they
 * are needed (WebAssembly memory, a file) without a copy in between. Dispose it, or its memory leaks.
 */
export class Message implements Disposable {
  #struct: Uint8Array<ArrayBuffer> | undefined;
  /** Address of the first byte, valid until the message is disposed. */
  readonly address: bigint;
  /** Length, bytes. */
  readonly size: number;
  /** Whether another part of the same message follows: receive it next. */
  readonly more: boolean;

  /**
   * Takes over a received part.
   *
   * @param struct A `zmq_msg_t` that holds a message part of `size` bytes; it becomes this object's.
   */
  constructor(struct: Uint8Array<ArrayBuffer>, size: number) {
    this.#struct = struct;
    this.address = BigInt(zmq.zmq_msg_data(struct));
    this.size = size;
    this.more = zmq.zmq_msg_more(struct) !== 0;
  }

  /**
   * Copies the message's first bytes into a view, such as one of WebAssembly memory.
   *
   * @returns How many bytes were copied: all, or as many as the view holds.
   * @throws {ZmqError} EFAULT once disposed.
   */
  copyTo(view: Uint8Array): number {
    this.#assertOpen();
    const target = view.byteLength > this.size ? view.subarray(0, this.size) : view;
    if (target.byteLength > 0) copyFrom(this.address, target);
    return target.byteLength;
  }

  /** The bytes as a copy.
   *
   * @throws {ZmqError} EFAULT once disposed.
   */
  bytes(): Uint8Array<ArrayBuffer> {
    const copy = new Uint8Array(this.size);
    this.copyTo(copy);
    return copy;
  }

  /** Gives the memory back; further calls do nothing. */
  [Symbol.dispose](): void {
    if (this.#struct) zmq.zmq_msg_close(this.#struct);
    this.#struct = undefined;
  }

  #assertOpen(): void {
    if (!this.#struct) {
      throw new ZmqError("message", "EFAULT", `of ${this.size} bytes was used after its disposal`);
    }
  }
}

/** An empty `zmq_msg_t`, in memory that the garbage collector does not move. */
export function emptyMessage(): Uint8Array<ArrayBuffer> {
  const struct = new Uint8Array(new ArrayBuffer(MESSAGE_BYTES));
  zmq.zmq_msg_init(struct);
  return struct;
}
