import { addressOf, IOVEC, MMSGHDR, UdpSocket } from "../../lib/os/mod.ts";

/** Largest UDP payload over IPv4, bytes. */
const SLOT_BYTES = 65_507;
const SEND_BUFFER_BYTES = 8 << 20;

/**
 * Sends datagrams to one peer in batches: packets are copied together, then go out with one system call.
 */
export class BatchSender implements Disposable {
  /** Most packets of a batch. */
  readonly capacity: number;
  readonly #socket: UdpSocket;
  readonly #payloads: Uint8Array<ArrayBuffer>;
  readonly #vector: DataView<ArrayBuffer>;
  readonly #iovecs: DataView<ArrayBuffer>;
  readonly #vectorAddress: bigint;
  #queued = 0;

  /**
   * @param peer Where to send to.
   * @throws {OsError} If there can be no such socket.
   */
  constructor(peer: { address: string; port: number }, capacity = 64) {
    this.capacity = capacity;
    this.#socket = new UdpSocket({ connect: peer, sendBufferBytes: SEND_BUFFER_BYTES });
    this.#payloads = new Uint8Array(capacity * SLOT_BYTES);
    const vector = new Uint8Array(capacity * MMSGHDR.bytes);
    const iovecs = new Uint8Array(capacity * IOVEC.bytes);
    this.#vector = new DataView(vector.buffer);
    this.#iovecs = new DataView(iovecs.buffer);
    this.#vectorAddress = addressOf(vector);
    const payloadAddress = addressOf(this.#payloads);
    const iovecAddress = addressOf(iovecs);
    for (let i = 0; i < capacity; i++) {
      const message = i * MMSGHDR.bytes;
      const iovec = i * IOVEC.bytes;
      this.#vector.setBigUint64(message + MMSGHDR.iov, iovecAddress + BigInt(iovec), true);
      this.#vector.setBigUint64(message + MMSGHDR.iovCount, 1n, true);
      this.#iovecs.setBigUint64(iovec + IOVEC.base, payloadAddress + BigInt(i * SLOT_BYTES), true);
    }
  }

  /** Packets that wait to be sent. */
  get queued(): number {
    return this.#queued;
  }

  /** Adds a packet, a copy of it; sends the batch when that is full. */
  push(payload: Uint8Array): void {
    const i = this.#queued++;
    this.#payloads.set(payload, i * SLOT_BYTES);
    this.#iovecs.setBigUint64(i * IOVEC.bytes + IOVEC.length, BigInt(payload.byteLength), true);
    if (this.#queued === this.capacity) this.flush();
  }

  /** Sends what waits. Blocks for as long as the send buffer is full. */
  flush(): void {
    let sent = 0;
    while (sent < this.#queued) {
      // 0: an earlier datagram met a closed port, which for a detector is not its business
      const address = this.#vectorAddress + BigInt(sent * MMSGHDR.bytes);
      sent += this.#socket.sendBatch(address, this.#queued - sent);
    }
    this.#queued = 0;
  }

  /** Closes the socket; what waits is not sent. */
  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
