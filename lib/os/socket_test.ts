import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import { addressOf } from "./address.ts";
import { OsError } from "./errno.ts";
import { PollSet } from "./poll.ts";
import { IOVEC, MMSGHDR } from "./message_layout.ts";
import { socketAddress, UdpSocket } from "./socket.ts";

/** Message vectors and buffers of `count` datagrams of `bytes` bytes in a WebAssembly memory. */
class Batch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly vector: bigint;
  readonly #view: DataView;
  readonly #buffers: number;
  readonly #each: number;

  constructor(count: number, each: number) {
    const memory = new WebAssembly.Memory({ initial: 8, maximum: 8 });
    this.bytes = new Uint8Array(memory.buffer);
    this.vector = addressOf(this.bytes);
    this.#view = new DataView(memory.buffer);
    this.#each = each;
    const iovecs = count * MMSGHDR.bytes;
    this.#buffers = iovecs + count * IOVEC.bytes;
    for (let i = 0; i < count; i++) {
      const iovec = iovecs + i * IOVEC.bytes;
      this.#u64(iovec + IOVEC.base, this.vector + BigInt(this.#buffers + i * each));
      this.#u64(iovec + IOVEC.length, BigInt(each));
      this.#u64(i * MMSGHDR.bytes + MMSGHDR.iov, this.vector + BigInt(iovec));
      this.#u64(i * MMSGHDR.bytes + MMSGHDR.iovCount, 1n);
    }
  }

  datagram(i: number): Uint8Array {
    return this.bytes.subarray(
      this.#buffers + i * this.#each,
      this.#buffers + (i + 1) * this.#each,
    );
  }

  length(i: number): number {
    return this.#view.getUint32(i * MMSGHDR.bytes + MMSGHDR.length, true);
  }

  truncated(i: number): boolean {
    return (this.#view.getInt32(i * MMSGHDR.bytes + MMSGHDR.flags, true) & 0x20) !== 0;
  }

  #u64(offset: number, value: bigint): void {
    this.#view.setBigUint64(offset, value, true);
  }
}

function loopback(receiveBufferBytes = 1 << 20): { receiver: UdpSocket; sender: UdpSocket } {
  const receiver = new UdpSocket({ bind: { address: "127.0.0.1", port: 0 }, receiveBufferBytes });
  const sender = new UdpSocket({ connect: { address: "127.0.0.1", port: receiver.port } });
  return { receiver, sender };
}

Deno.test("receiveBatch() takes what sendBatch() sent, in order, through WebAssembly memory", () => {
  const { receiver, sender } = loopback();
  using _r = receiver;
  using _s = sender;
  const sent = new Batch(32, 1000);
  for (let i = 0; i < 32; i++) sent.datagram(i).fill(i + 1);
  strictEqual(sender.sendBatch(sent.vector, 32), 32);

  const got = new Batch(64, 1000);
  const ready = new PollSet([receiver.fd]);
  let n = 0;
  while (n < 32) {
    strictEqual(ready.wait(5000), 1);
    n += receiver.receiveBatch(got.vector + BigInt(n * MMSGHDR.bytes), 64 - n);
  }
  strictEqual(n, 32);
  for (let i = 0; i < 32; i++) {
    strictEqual(got.length(i), 1000);
    strictEqual(got.truncated(i), false);
    ok(got.datagram(i).every((byte) => byte === i + 1), `datagram ${i}`);
  }
  strictEqual(receiver.receiveBatch(got.vector, 64), 0);
});

Deno.test("receiveBatch() flags a datagram longer than its buffer", () => {
  const { receiver, sender } = loopback();
  using _r = receiver;
  using _s = sender;
  strictEqual(sender.sendBatch(new Batch(1, 1000).vector, 1), 1);
  const got = new Batch(1, 100);
  strictEqual(new PollSet([receiver.fd]).wait(5000), 1);
  strictEqual(receiver.receiveBatch(got.vector, 1), 1);
  strictEqual(got.truncated(0), true);
  strictEqual(got.length(0), 100);
});

Deno.test("kernelDrops() counts what did not fit into the receive buffer", () => {
  const { receiver, sender } = loopback(4096);
  using _r = receiver;
  using _s = sender;
  const total = 320;
  const batch = new Batch(32, 8000);
  let sent = 0;
  while (sent < total) sent += sender.sendBatch(batch.vector, Math.min(32, total - sent));
  let received = 0;
  for (;;) {
    const n = receiver.receiveBatch(batch.vector, 32);
    if (n === 0) break;
    received += n;
  }
  ok(receiver.kernelDrops() > 0);
  strictEqual(received + receiver.kernelDrops(), total);
});

Deno.test("sendBatch() to a closed port reports 0 instead of failing", () => {
  const { receiver, sender } = loopback();
  using _s = sender;
  receiver.close();
  const batch = new Batch(1, 10);
  const results = [sender.sendBatch(batch.vector, 1), sender.sendBatch(batch.vector, 1)];
  deepStrictEqual(results, [1, 0]);
});

Deno.test("UdpSocket says EADDRINUSE with the place when the port is taken", () => {
  using first = new UdpSocket({ bind: { address: "127.0.0.1", port: 0 } });
  const port = first.port;
  throws(() => new UdpSocket({ bind: { address: "127.0.0.1", port } }), (error: unknown) => {
    ok(error instanceof OsError);
    strictEqual(error.call, "bind");
    strictEqual(error.code, "EADDRINUSE");
    ok(error.message.includes(`127.0.0.1:${port}`));
    ok(error.message.includes("start_udp_port"));
    return true;
  });
});

Deno.test("UdpSocket grants the buffer or warns with the sysctl to set", () => {
  const wanted = 1 << 29;
  using socket = new UdpSocket({ receiveBufferBytes: wanted });
  if (socket.receiveBufferBytes < wanted) {
    ok(socket.warning?.includes(`sysctl -w net.core.rmem_max=${wanted}`));
  } else {
    strictEqual(socket.warning, undefined);
  }
});

Deno.test("a closed UdpSocket refuses to give its descriptor", () => {
  const socket = new UdpSocket({});
  socket.close();
  socket.close();
  throws(() => socket.fd, OsError);
});

Deno.test("socketAddress() is family, port and address in network order", () => {
  const address = socketAddress({ address: "10.1.2.3", port: 0x1234 });
  deepStrictEqual([...address.subarray(0, 8)], [2, 0, 0x12, 0x34, 10, 1, 2, 3]);
});

Deno.test("socketAddress() refuses what is not dotted IPv4 or a port", () => {
  for (const address of ["localhost", "1.2.3", "1.2.3.256", "1.2.3.x", "::1", "1.2.3.-4"]) {
    throws(() => socketAddress({ address, port: 1 }), TypeError);
  }
  for (const port of [-1, 65536, 1.5, NaN]) {
    throws(() => socketAddress({ address: "127.0.0.1", port }), RangeError);
  }
});
