/**
 * UDP sockets with batched receive and send.
 *
 * @module
 */
import { libc } from "./_libc.ts";
import { Errno, lastErrno, lastError, OsError } from "./errno.ts";
import { SOL_UDP, UDP_GRO } from "./message_layout.ts";

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_MEMINFO = 55;
const SK_MEMINFO_DROPS = 8;
const MSG_DONTWAIT = 0x40;

/** How to make a UDP socket. */
export interface UdpSocketOptions {
  /** Address to bind, dotted IPv4; none leaves it unbound (a sender). */
  bind?: { address: string; port: number };
  /** Peer to connect to (a sender). */
  connect?: { address: string; port: number };
  /** Wanted receive buffer, bytes. */
  receiveBufferBytes?: number;
  /** Wanted send buffer, bytes. */
  sendBufferBytes?: number;
  /** Let the kernel bring datagrams of one sender together in one message (UDP GRO, Linux 5.0). */
  gro?: boolean;
}

/** A UDP socket (IPv4). */
export class UdpSocket implements Disposable {
  #fd: number;
  /** Receive buffer that the kernel granted, bytes (as asked, not its doubled bookkeeping value). */
  readonly receiveBufferBytes: number;
  /** What to tell the operator when less than the wanted buffer was granted. */
  readonly warning: string | undefined;

  /**
   * @throws {OsError} EADDRINUSE, EADDRNOTAVAIL, EACCES, …
   * @throws {TypeError} If an address is not dotted IPv4.
   */
  constructor(options: UdpSocketOptions) {
    this.#fd = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) throw lastError("socket");
    try {
      const { bind, connect, receiveBufferBytes, sendBufferBytes } = options;
      if (sendBufferBytes) this.#setBuffer(SO_SNDBUFFORCE, SO_SNDBUF, sendBufferBytes);
      if (receiveBufferBytes) this.#setBuffer(SO_RCVBUFFORCE, SO_RCVBUF, receiveBufferBytes);
      this.receiveBufferBytes = this.#getOption(SO_RCVBUF) / 2;
      if (receiveBufferBytes && this.receiveBufferBytes < receiveBufferBytes) {
        this.warning = `The kernel granted a receive buffer of ${this.receiveBufferBytes} bytes, ` +
          `${receiveBufferBytes} were asked for: packets may be lost in bursts. ` +
          `Allow more with: sysctl -w net.core.rmem_max=${receiveBufferBytes}`;
      }
      if (options.gro && libc.setsockopt(this.#fd, SOL_UDP, UDP_GRO, Int32Array.of(1), 4) !== 0) {
        throw lastError("setsockopt", "UDP_GRO");
      }
      if (bind) {
        const where = `${bind.address}:${bind.port}`;
        if (libc.bind(this.#fd, socketAddress(bind), 16) !== 0) throw lastError("bind", where);
      }
      if (connect) {
        const where = `${connect.address}:${connect.port}`;
        if (libc.connect(this.#fd, socketAddress(connect), 16) !== 0) {
          throw lastError("connect", where);
        }
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The open descriptor. */
  get fd(): number {
    if (this.#fd < 0) throw new OsError("fd", 9, "udp socket");
    return this.#fd;
  }

  /** The local port. */
  get port(): number {
    const address = new Uint8Array(16);
    if (libc.getsockname(this.fd, address, new Uint32Array([16])) !== 0) {
      throw lastError("getsockname");
    }
    return (address[2]! << 8) | address[3]!;
  }

  /** Datagrams the kernel dropped because this socket's buffer was full, since it was made. */
  kernelDrops(): number {
    const info = new Uint32Array(9);
    if (libc.getsockopt(this.fd, SOL_SOCKET, SO_MEMINFO, info, new Uint32Array([36])) !== 0) {
      throw lastError("getsockopt", "SO_MEMINFO");
    }
    return info[SK_MEMINFO_DROPS]!;
  }

  /**
   * Takes what is queued, up to `count` datagrams, without waiting.
   *
   * @param vector Address of `count` records, as MMSGHDR says.
   * @returns How many were taken; 0 when none was queued.
   * @throws {OsError} If the call fails for another reason.
   */
  receiveBatch(vector: bigint, count: number): number {
    const n = libc.recvmmsg(this.#fd, vector, count, MSG_DONTWAIT, 0n);
    if (n >= 0) return n;
    const errno = lastErrno();
    if (errno === Errno.EAGAIN || errno === Errno.EINTR || errno === Errno.ECONNREFUSED) return 0;
    throw new OsError("recvmmsg", errno);
  }

  /**
   * Sends a batch to the connected peer, waiting for buffer space.
   *
   * @returns How many were sent, at least 1; 0 when the peer's port was closed (ECONNREFUSED of an
   * earlier datagram), to be tried again.
   * @throws {OsError} If the call fails for another reason.
   */
  sendBatch(vector: bigint, count: number): number {
    const n = libc.sendmmsg(this.#fd, vector, count, 0);
    if (n >= 0) return n;
    const errno = lastErrno();
    if (errno === Errno.EINTR || errno === Errno.ECONNREFUSED || errno === Errno.EAGAIN) return 0;
    throw new OsError("sendmmsg", errno);
  }

  /** Closes the socket; further calls do nothing. */
  close(): void {
    if (this.#fd < 0) return;
    libc.close(this.#fd);
    this.#fd = -1;
  }

  /** Same as {@link UdpSocket.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #setBuffer(force: number, plain: number, bytes: number): void {
    const value = new Int32Array([bytes]);
    if (libc.setsockopt(this.#fd, SOL_SOCKET, force, value, 4) === 0) return;
    // Without CAP_NET_ADMIN the kernel caps the size at net.core.{r,w}mem_max.
    if (libc.setsockopt(this.#fd, SOL_SOCKET, plain, value, 4) !== 0) {
      throw lastError("setsockopt", `buffer of ${bytes} bytes`);
    }
  }

  #getOption(option: number): number {
    const value = new Int32Array(1);
    if (libc.getsockopt(this.#fd, SOL_SOCKET, option, value, new Uint32Array([4])) !== 0) {
      throw lastError("getsockopt", `option ${option}`);
    }
    return value[0]!;
  }
}

/** `struct sockaddr_in` of a dotted IPv4 address and a port. */
export function socketAddress(peer: { address: string; port: number }): Uint8Array<ArrayBuffer> {
  const parts = peer.address.split(".").map(Number);
  if (parts.length !== 4 || parts.some((p) => !Number.isInteger(p) || p < 0 || p > 255)) {
    throw new TypeError(`Not a dotted IPv4 address: ${JSON.stringify(peer.address)}`);
  }
  if (!Number.isInteger(peer.port) || peer.port < 0 || peer.port > 65535) {
    throw new RangeError(`Not a port: ${peer.port} (0 to 65535)`);
  }
  const address = new Uint8Array(16);
  address[0] = AF_INET;
  address[2] = peer.port >> 8;
  address[3] = peer.port & 0xff;
  address.set(parts, 4);
  return address;
}
