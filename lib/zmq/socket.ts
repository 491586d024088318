/**
 * ZeroMQ sockets.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { closeDescriptor, copyFrom, listenUnix, OsError, unlink } from "../os/mod.ts";
import { type PollEntry, unwatch, watch } from "./_poller.ts";
import { forget, openSocket } from "./context.ts";
import { lastZmqError, ZmqError } from "./error.ts";
import { zmq } from "./library.ts";
import { emptyMessage, Message } from "./message.ts";

// zmq.h
const TYPES = {
  PAIR: 0,
  PUB: 1,
  SUB: 2,
  REQ: 3,
  REP: 4,
  DEALER: 5,
  ROUTER: 6,
  PULL: 7,
  PUSH: 8,
} as const satisfies Record<SocketType, number>;
const OPTION = {
  ROUTING_ID: 5,
  SUBSCRIBE: 6,
  UNSUBSCRIBE: 7,
  RCVMORE: 13,
  FD: 14,
  EVENTS: 15,
  LINGER: 17,
  RECONNECT_IVL: 18,
  MAXMSGSIZE: 22,
  SNDHWM: 23,
  RCVHWM: 24,
  LAST_ENDPOINT: 32,
  ROUTER_MANDATORY: 33,
  TCP_KEEPALIVE: 34,
  TCP_KEEPALIVE_IDLE: 36,
  TCP_KEEPALIVE_INTVL: 37,
  IMMEDIATE: 39,
  CONFLATE: 54,
  HEARTBEAT_IVL: 75,
  USE_FD: 89,
} as const;
const DONTWAIT = 1;
const SNDMORE = 2;
const EINTR = 4;
const EAGAIN = 11;
const POLLIN = 1;
const POLLOUT = 2;

/** Longest lingering, ms: closing the context waits for it. */
const LONGEST_LINGER_MS = 60_000;
/** After so many messages without waiting, a reader lets the event loop do other work. */
const MESSAGES_PER_TURN = 256;
/** Seconds of silence before TCP asks whether the peer is there, and between two questions. */
const KEEPALIVE_IDLE_S = 30;
const KEEPALIVE_INTERVAL_S = 10;

/** ZeroMQ's messaging patterns. */
export type SocketType =
  | "PAIR"
  | "PUB"
  | "SUB"
  | "REQ"
  | "REP"
  | "DEALER"
  | "ROUTER"
  | "PULL"
  | "PUSH";

/** A message to send: one part or several; text travels as UTF-8. */
export type Parts = string | Uint8Array | readonly (string | Uint8Array)[];

/** How a socket behaves; libzmq's defaults where nothing is said. */
export interface SocketOptions {
  /** Messages to queue per peer before sending waits (PUSH, REQ, DEALER) or drops (PUB, ROUTER); 0 for
   * no limit; default 1000. */
  sendHighWaterMark?: number;
  /** Messages to queue per peer before it is slowed down or its messages are dropped; 0 for no limit;
   * default 1000. */
  receiveHighWaterMark?: number;
  /** How long unsent messages are kept after closing, ms, at most 60 000; default 0. */
  lingerMs?: number;
  /** Keep only the newest message (of one part; not for REQ, REP, ROUTER, PAIR). */
  conflate?: boolean;
  /** Prefixes of the messages that a SUB socket wants; `""` for all. Default none. */
  subscribe?: string | readonly string[];
  /** Time that {@link Socket.send} waits when the call does not say, ms; default no limit. */
  sendTimeoutMs?: number;
  /** Longest acceptable message part, bytes: a peer that sends a longer one is disconnected. */
  maxMessageBytes?: number;
  /** Detect dead TCP peers through the kernel's keep-alive (after 30 s of silence). */
  tcpKeepAlive?: boolean;
  /** Detect dead peers through ZeroMQ's own pings, one in so many ms. */
  heartbeatMs?: number;
  /** First and regular pause between attempts to connect, ms; default 100. */
  reconnectMs?: number;
  /** Queue only for peers that are really connected, instead of for every `connect()`. */
  immediate?: boolean;
  /** Name of this socket for a ROUTER peer, 1 to 255 bytes. */
  routingId?: string;
  /** A ROUTER fails with EHOSTUNREACH instead of dropping messages to unknown peers. */
  routerMandatory?: boolean;
}

/** Who may connect to an ipc:// socket. */
export interface BindOptions {
  /** Permission bits of the socket file: 0o600 (default) for the owner, 0o660 for the group too. */
  mode?: 0o600 | 0o660;
  /** Group of the socket file. */
  gid?: number;
}

/** How long an asynchronous operation may wait. */
export interface WaitOptions {
  /** Ends the wait with the signal's reason. */
  signal?: AbortSignal;
  /** Ends the wait with a {@link ZmqError} ETIMEDOUT; default no limit. */
  timeoutMs?: number;
}

interface Waiter {
  readonly events: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const none: WaitOptions = {};
// Results of single calls: never held over to the next one.
const int32 = new Int32Array(1);
const optionSize = new BigUint64Array(1);

/** libzmq's pointer to an open socket, for this folder only. */
export let handleOf: (socket: Socket, call: string) => bigint;

/**
 * A ZeroMQ socket. It belongs to the thread (isolate) that made it. `try…` methods return at once;
 * `send`, `receive` and iteration are for event loops. `…Blocking` methods are for Workers, with
 * short times (100 ms, say) and a look at a stop flag in between: `Worker.terminate()` does not
 * interrupt running code. A Worker closes its sockets itself; terminated, it leaves them open until
 * the process ends.
 */
export class Socket implements Disposable, AsyncIterable<Uint8Array<ArrayBuffer>[]> {
  static {
    handleOf = (socket, call) => socket.#open(call);
  }

  /** The messaging pattern. */
  readonly type: SocketType;
  #handle = 0n;
  readonly #sendTimeoutMs: number | undefined;
  readonly #message = emptyMessage();
  readonly #pollItem = new DataView(new ArrayBuffer(16));
  readonly #waiters = new Set<Waiter>();
  readonly #pollEntry: PollEntry;
  readonly #socketFiles = new Map<string, string>();
  #messagesThisTurn = 0;

  /**
   * Opens a socket of the process's context.
   *
   * @throws {RangeError} If `lingerMs` is not between 0 and 60 000.
   * @throws {ZmqError} EINVAL for a wrong option value, EMFILE, …
   */
  constructor(type: SocketType, options: SocketOptions = {}) {
    const { lingerMs = 0 } = options;
    if (!(lingerMs >= 0 && lingerMs <= LONGEST_LINGER_MS)) {
      throw new RangeError(`lingerMs is ${lingerMs}: it must be from 0 to ${LONGEST_LINGER_MS}`);
    }
    this.type = type;
    this.#sendTimeoutMs = options.sendTimeoutMs;
    this.#handle = openSocket(this, TYPES[type]);
    this.#pollItem.setBigUint64(0, this.#handle, true);
    try {
      this.#setInt(OPTION.LINGER, lingerMs, "lingerMs");
      this.#configure(options);
      const fd = this.#getInt(OPTION.FD, "descriptor");
      this.#pollEntry = { fd, check: () => this.#wakeWaiters() };
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Whether {@link Socket.close} was called. */
  get closed(): boolean {
    return this.#handle === 0n;
  }

  /**
   * Takes connections at an address. The file of an `ipc://` socket has exactly the given mode before
   * anyone can connect, replaces one that a dead process left behind, and is removed by `close()`.
   *
   * @param address `tcp://<address>:<port>` (port `*` for a free one), `ipc://<path>` or
   * `inproc://<name>`.
   * @returns The address with the real port.
   * @throws {ZmqError} EADDRINUSE (served by another socket), EADDRNOTAVAIL, EACCES, EINVAL, …
   */
  bind(address: string, options: BindOptions = {}): string {
    const handle = this.#open("bind");
    const path = socketPath(address);
    if (path === undefined) {
      const error = bindUninterrupted(handle, address);
      if (error) throw error;
      return this.#lastEndpoint();
    }
    let fd: number;
    try {
      fd = listenUnix(path, options);
    } catch (cause) {
      if (cause instanceof OsError) throw new ZmqError("bind", cause.code, address, { cause });
      throw cause;
    }
    // libzmq accepts on our descriptor and owns it once bound.
    this.#setInt(OPTION.USE_FD, fd, "USE_FD");
    const error = bindUninterrupted(handle, address);
    this.#setInt(OPTION.USE_FD, -1, "USE_FD");
    if (error) {
      closeDescriptor(fd);
      unlink(path);
      throw error;
    }
    this.#socketFiles.set(address, path);
    return address;
  }

  /** Stops taking connections at an address that `bind()` returned.
   *
   * @throws {ZmqError} ENOENT if it is not bound there.
   */
  unbind(address: string): void {
    const failed = zmq.zmq_unbind(this.#open("unbind"), cString(address)) !== 0;
    if (failed) throw lastZmqError("unbind", address);
    this.#removeSocketFile(address);
  }

  /**
   * Connects, in the background and again whenever the connection is lost; the peer need not be there.
   *
   * @throws {ZmqError} EINVAL, EPROTONOSUPPORT, … for a bad address.
   */
  connect(address: string): void {
    const failed = zmq.zmq_connect(this.#open("connect"), cString(address)) !== 0;
    if (failed) throw lastZmqError("connect", address);
  }

  /** Ends a connection made by {@link Socket.connect}.
   *
   * @throws {ZmqError} ENOENT if there is none.
   */
  disconnect(address: string): void {
    const failed = zmq.zmq_disconnect(this.#open("disconnect"), cString(address)) !== 0;
    if (failed) throw lastZmqError("disconnect", address);
  }

  /** Lets a SUB socket receive the messages that begin with `prefix`. */
  subscribe(prefix: string | Uint8Array = ""): void {
    this.#setBytes(OPTION.SUBSCRIBE, bytesOf(prefix), "subscribe");
  }

  /** Takes one {@link Socket.subscribe} back. */
  unsubscribe(prefix: string | Uint8Array = ""): void {
    this.#setBytes(OPTION.UNSUBSCRIBE, bytesOf(prefix), "unsubscribe");
  }

  /**
   * Sends if that is possible at once. PUB and ROUTER sockets always can: they drop what has no taker.
   *
   * @returns Whether the message was queued.
   * @throws {ZmqError} EFSM (out of turn), EHOSTUNREACH, ENOTSOCK (closed), …
   */
  trySend(parts: Parts): boolean {
    if (typeof parts === "string" || parts instanceof Uint8Array) {
      return this.#trySendPart(bytesOf(parts), false);
    }
    if (parts.length === 0) throw new TypeError("A message has at least one part, none was given");
    for (let i = 0; i < parts.length; i++) {
      if (!this.#trySendPart(bytesOf(parts[i]!), i + 1 < parts.length)) {
        if (i === 0) return false;
        throw new ZmqError("send", "EAGAIN", `stopped before part ${i} of ${parts.length}`);
      }
    }
    return true;
  }

  /**
   * Sends one part from a buffer if that is possible at once; allocates nothing.
   *
   * @param length Bytes to send; default the whole buffer.
   * @returns Whether the message was queued.
   */
  trySendBuffer(buffer: Uint8Array, length = buffer.byteLength): boolean {
    if (length > buffer.byteLength) {
      throw new RangeError(`Cannot send ${length} bytes of a buffer of ${buffer.byteLength}`);
    }
    return this.#trySendBytes(buffer, length, DONTWAIT);
  }

  /**
   * Sends, blocking the thread while no peer can take the message. Only for Workers.
   *
   * @param timeoutMs Longest wait, ms, finite.
   * @returns Whether the message was queued in time.
   */
  sendBlocking(parts: Parts, timeoutMs: number): boolean {
    return this.#blocking(POLLOUT, timeoutMs, () => this.trySend(parts) || undefined) ?? false;
  }

  /**
   * Sends, waiting while no peer can take the message.
   *
   * @throws {ZmqError} ETIMEDOUT, ENOTSOCK (closed meanwhile), EFSM, …
   * @throws The signal's reason when aborted.
   */
  async send(parts: Parts, options: WaitOptions = none): Promise<void> {
    const timeoutMs = options.timeoutMs ?? this.#sendTimeoutMs;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    options.signal?.throwIfAborted();
    while (!this.trySend(parts)) await this.#wait(POLLOUT, "send", options.signal, deadline);
    await this.#takeTurns();
  }

  /** Whether a message could be sent at once: a peer is there, and has room. */
  get isWritable(): boolean {
    const events = this.#events();
    this.#wakeWaiters();
    return (events & POLLOUT) !== 0;
  }

  /**
   * Takes a message that is there already.
   *
   * @returns Its parts, copied; undefined when there is none.
   * @throws {ZmqError} EFSM (out of turn), ENOTSUP (PUB, PUSH), ENOTSOCK (closed), …
   */
  tryReceive(): Uint8Array<ArrayBuffer>[] | undefined {
    const size = this.#receivePart(this.#message);
    if (size < 0) return undefined;
    const parts = [this.#copyPart(size)];
    while (zmq.zmq_msg_more(this.#message) !== 0) {
      // libzmq delivers all parts of a message at once: the rest is there.
      parts.push(this.#copyPart(this.#receivePart(this.#message)));
    }
    return parts;
  }

  /**
   * Takes the first part of a message that is there already, into a buffer; further parts are dropped.
   * Allocates nothing.
   *
   * @returns Length of the part in bytes, which is more than the buffer holds if it was cut; -1 when
   * there is no message.
   */
  tryReceiveInto(buffer: Uint8Array): number {
    const handle = this.#open("receive");
    const size = zmq.zmq_recv(
      handle,
      buffer as Uint8Array<ArrayBuffer>, // shared memory is accepted too, see lib/os/address.ts
      BigInt(buffer.byteLength),
      DONTWAIT,
    );
    if (size < 0) this.#throwUnlessNone("receive");
    else if (this.#getInt(OPTION.RCVMORE, "more") !== 0) this.#dropRest();
    this.#wakeWaiters();
    return size;
  }

  /**
   * Takes the next part of a message that is there already, without copying it out of libzmq.
   *
   * @returns The part, the caller's to dispose; undefined when there is none.
   */
  tryReceiveMessage(): Message | undefined {
    const struct = emptyMessage();
    const size = this.#receivePart(struct);
    return size < 0 ? undefined : new Message(struct, size);
  }

  /**
   * Takes the next message, blocking the thread until there is one. Only for Workers.
   *
   * @param timeoutMs Longest wait, ms, finite.
   * @returns Its parts, copied; undefined when none came in time.
   */
  receiveBlocking(timeoutMs: number): Uint8Array<ArrayBuffer>[] | undefined {
    return this.#blocking(POLLIN, timeoutMs, () => this.tryReceive());
  }

  /**
   * Takes the next message, waiting until there is one.
   *
   * @returns Its parts, copied.
   * @throws {ZmqError} ETIMEDOUT, ENOTSOCK (closed meanwhile), EFSM, …
   * @throws The signal's reason when aborted.
   */
  async receive(options: WaitOptions = none): Promise<Uint8Array<ArrayBuffer>[]> {
    const { signal, timeoutMs } = options;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    signal?.throwIfAborted();
    for (;;) {
      const parts = this.tryReceive();
      if (parts) {
        await this.#takeTurns();
        return parts;
      }
      await this.#wait(POLLIN, "receive", signal, deadline);
    }
  }

  /** Waits until a message can be taken with a `try…` method; options and errors of
   * {@link Socket.receive}. */
  async waitReadable(options: WaitOptions = none): Promise<void> {
    const { signal, timeoutMs } = options;
    const deadline = timeoutMs === undefined ? undefined : performance.now() + timeoutMs;
    signal?.throwIfAborted();
    while ((this.#events() & POLLIN) === 0) {
      await this.#wait(POLLIN, "receive", signal, deadline);
    }
  }

  /**
   * All messages from now on; ends when the socket is closed.
   *
   * @throws The signal's reason when aborted.
   */
  async *messages(
    options: Pick<WaitOptions, "signal"> = none,
  ): AsyncGenerator<Uint8Array<ArrayBuffer>[], void, void> {
    while (!this.closed) {
      let parts: Uint8Array<ArrayBuffer>[];
      try {
        parts = await this.receive(options);
      } catch (error) {
        if (this.closed && error instanceof ZmqError && error.code === "ENOTSOCK") return;
        throw error;
      }
      yield parts;
    }
  }

  /** Same as {@link Socket.messages} without options. */
  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array<ArrayBuffer>[], void, void> {
    return this.messages();
  }

  /**
   * Closes the socket and removes its socket files; further calls do nothing. What waits on it fails
   * with ENOTSOCK. Unsent messages are dropped after `lingerMs`.
   */
  close(): void {
    const handle = this.#handle;
    if (handle === 0n) return;
    this.#handle = 0n;
    forget(this);
    for (const address of [...this.#socketFiles.keys()]) this.#removeSocketFile(address);
    this.#endWaits();
    zmq.zmq_msg_close(this.#message);
    zmq.zmq_close(handle);
  }

  /** Same as {@link Socket.close}. */
  [Symbol.dispose](): void {
    this.close();
  }

  #configure(options: SocketOptions): void {
    const int = (option: number, value: number | boolean | undefined, name: string): void => {
      if (value !== undefined) this.#setInt(option, Number(value), name);
    };
    int(OPTION.SNDHWM, options.sendHighWaterMark, "sendHighWaterMark");
    int(OPTION.RCVHWM, options.receiveHighWaterMark, "receiveHighWaterMark");
    int(OPTION.CONFLATE, options.conflate, "conflate");
    int(OPTION.HEARTBEAT_IVL, options.heartbeatMs, "heartbeatMs");
    int(OPTION.RECONNECT_IVL, options.reconnectMs, "reconnectMs");
    int(OPTION.IMMEDIATE, options.immediate, "immediate");
    int(OPTION.ROUTER_MANDATORY, options.routerMandatory, "routerMandatory");
    if (options.tcpKeepAlive) {
      int(OPTION.TCP_KEEPALIVE, true, "tcpKeepAlive");
      int(OPTION.TCP_KEEPALIVE_IDLE, KEEPALIVE_IDLE_S, "tcpKeepAlive");
      int(OPTION.TCP_KEEPALIVE_INTVL, KEEPALIVE_INTERVAL_S, "tcpKeepAlive");
    }
    if (options.maxMessageBytes !== undefined) {
      const bytes = new Uint8Array(new BigInt64Array([BigInt(options.maxMessageBytes)]).buffer);
      this.#setBytes(OPTION.MAXMSGSIZE, bytes, "maxMessageBytes");
    }
    if (options.routingId !== undefined) {
      this.#setBytes(OPTION.ROUTING_ID, bytesOf(options.routingId), "routingId");
    }
    const prefixes = typeof options.subscribe === "string"
      ? [options.subscribe]
      : options.subscribe ?? [];
    for (const prefix of prefixes) this.subscribe(prefix);
  }

  /** The pointer of the open socket. */
  #open(call: string): bigint {
    if (this.#handle === 0n) throw new ZmqError(call, "ENOTSOCK", this.type);
    return this.#handle;
  }

  #setInt(option: number, value: number, name: string): void {
    this.#setBytes(option, new Uint8Array(new Int32Array([value]).buffer), name, value);
  }

  #setBytes(option: number, value: Uint8Array, name: string, shown?: number): void {
    const bytes = value as Uint8Array<ArrayBuffer>; // as in tryReceiveInto()
    const size = BigInt(value.byteLength);
    if (zmq.zmq_setsockopt(this.#open(name), option, bytes, size) !== 0) {
      throw lastZmqError(
        "option",
        `${name}${shown === undefined ? "" : ` ${shown}`} of ${this.type}`,
      );
    }
  }

  #getInt(option: number, name: string): number {
    optionSize[0] = 4n;
    if (zmq.zmq_getsockopt(this.#open(name), option, int32, optionSize) !== 0) {
      throw lastZmqError("option", name);
    }
    return int32[0]!;
  }

  #lastEndpoint(): string {
    const text = new Uint8Array(256);
    optionSize[0] = 256n;
    if (zmq.zmq_getsockopt(this.#handle, OPTION.LAST_ENDPOINT, text, optionSize) !== 0) {
      throw lastZmqError("option", "last endpoint");
    }
    return decoder.decode(text.subarray(0, Number(optionSize[0]) - 1)); // without its NUL
  }

  #removeSocketFile(address: string): void {
    const path = this.#socketFiles.get(address);
    if (path === undefined) return;
    this.#socketFiles.delete(address);
    unlink(path);
  }

  #trySendPart(part: Uint8Array, more: boolean): boolean {
    return this.#trySendBytes(part, part.byteLength, more ? DONTWAIT | SNDMORE : DONTWAIT);
  }

  #trySendBytes(bytes: Uint8Array, length: number, flags: number): boolean {
    const sent = zmq.zmq_send(
      this.#open("send"),
      bytes as Uint8Array<ArrayBuffer>, // as in tryReceiveInto()
      BigInt(length),
      flags,
    ) >= 0;
    if (!sent) this.#throwUnlessNone("send");
    this.#wakeWaiters();
    return sent;
  }

  /** @returns Bytes of the part now in `struct`, -1 when there was none. */
  #receivePart(struct: Uint8Array<ArrayBuffer>): number {
    const size = zmq.zmq_msg_recv(struct, this.#open("receive"), DONTWAIT);
    if (size < 0) this.#throwUnlessNone("receive");
    this.#wakeWaiters();
    return size;
  }

  #copyPart(size: number): Uint8Array<ArrayBuffer> {
    const part = new Uint8Array(Math.max(0, size));
    if (size > 0) copyFrom(BigInt(zmq.zmq_msg_data(this.#message)), part);
    return part;
  }

  #dropRest(): void {
    do {
      if (this.#receivePart(this.#message) < 0) return;
    } while (zmq.zmq_msg_more(this.#message) !== 0);
  }

  /** After a failed call: returns if there just was nothing to do. */
  #throwUnlessNone(call: string): void {
    const errno = zmq.zmq_errno();
    if (errno !== EAGAIN && errno !== EINTR) throw lastZmqError(call, this.type);
  }

  /** Tries until something other than undefined comes, or the time is over. */
  #blocking<T>(events: number, timeoutMs: number, attempt: () => T | undefined): T | undefined {
    if (!Number.isFinite(timeoutMs) || timeoutMs < 0) {
      throw new RangeError(`Blocking needs a finite time of at least 0 ms, not ${timeoutMs}`);
    }
    let result = attempt();
    if (result !== undefined) return result;
    const deadline = performance.now() + timeoutMs;
    this.#pollItem.setInt16(12, events, true);
    for (;;) {
      const rest = deadline - performance.now();
      const wait = BigInt(Math.ceil(Math.max(rest, 0)));
      if (zmq.zmq_poll(this.#pollItem, 1, wait) < 0) this.#throwUnlessNone("poll");
      result = attempt();
      if (result !== undefined || rest <= 0) return result;
    }
  }

  /** Which of POLLIN and POLLOUT hold; also makes libzmq digest what ZMQ_FD told about. */
  #events(): number {
    return this.#getInt(OPTION.EVENTS, "events");
  }

  /**
   * ZMQ_FD reports a change once, and any call on the socket may have used that report up: so this runs
   * after every one of them, and when the poller saw the descriptor.
   */
  #wakeWaiters(): void {
    if (this.#waiters.size === 0) return;
    try {
      const events = this.#events();
      for (const waiter of this.#waiters) {
        if ((waiter.events & events) === 0) continue;
        this.#waiters.delete(waiter);
        waiter.resolve();
      }
      if (this.#waiters.size === 0) unwatch(this.#pollEntry);
    } catch (error) {
      this.#endWaits(error);
    }
  }

  /** Lets all waiters fail. */
  #endWaits(reason?: unknown): void {
    if (this.#waiters.size === 0) return;
    unwatch(this.#pollEntry);
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const waiter of waiters) {
      const call = waiter.events === POLLIN ? "receive" : "send";
      waiter.reject(reason ?? new ZmqError(call, "ENOTSOCK", this.type));
    }
  }

  /** Waits for an event; it may be gone again when the promise resolves. */
  #wait(
    events: number,
    call: string,
    signal: AbortSignal | undefined,
    deadline: number | undefined,
  ): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { events, resolve, reject };
    const giveUp = (reason: unknown): void => {
      if (!this.#waiters.delete(waiter)) return;
      if (this.#waiters.size === 0) unwatch(this.#pollEntry);
      reject(reason);
    };
    const aborted = (): void => giveUp(signal?.reason);
    signal?.addEventListener("abort", aborted, { once: true });
    const timer = deadline === undefined ? undefined : setTimeout(
      () => giveUp(new ZmqError(call, "ETIMEDOUT", this.type)),
      Math.max(0, deadline - performance.now()),
    );
    this.#messagesThisTurn = 0;
    this.#waiters.add(waiter);
    watch(this.#pollEntry);
    this.#wakeWaiters();
    return promise.finally(() => {
      signal?.removeEventListener("abort", aborted);
      clearTimeout(timer);
    });
  }

  /** Promises alone never let timers and other I/O run: a busy socket pauses now and then. */
  async #takeTurns(): Promise<void> {
    if (++this.#messagesThisTurn < MESSAGES_PER_TURN) return;
    this.#messagesThisTurn = 0;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** The file of an ipc:// address; undefined for other transports and abstract names.
 *
 * @throws {ZmqError} EINVAL for `ipc://*`, whose file nobody could find.
 */
function socketPath(address: string): string | undefined {
  if (!address.startsWith("ipc://")) return undefined;
  const path = address.slice("ipc://".length);
  if (path === "" || path === "*") throw new ZmqError("bind", "EINVAL", address);
  return path.startsWith("@") ? undefined : path;
}

function bytesOf(part: string | Uint8Array): Uint8Array {
  return typeof part === "string" ? encoder.encode(part) : part;
}

/** @throws {TypeError} If the address holds a NUL byte. */
function cString(address: string): Uint8Array<ArrayBuffer> {
  if (address.includes("\0")) {
    throw new TypeError(`An address cannot hold a NUL byte: ${JSON.stringify(address)}`);
  }
  return encoder.encode(address + "\0");
}

/** Binds, again when a signal (a profiler's, say) came in between; returns why it could not. */
function bindUninterrupted(handle: bigint, address: string): ZmqError | undefined {
  for (;;) {
    if (zmq.zmq_bind(handle, cString(address)) === 0) return undefined;
    const error = lastZmqError("bind", address);
    if (error.code !== "EINTR") return error;
  }
}
