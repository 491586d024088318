/**
 * The loop of a receive Worker.
 *
 * @module
 */
import { monotonicNs, PollSet, sleepMicroseconds, type UdpSocket, wallClockNs } from "../os/mod.ts";
import { counterIndex } from "./counters.ts";
import type { ModuleReceiver } from "./module_receiver.ts";

/** After a short batch the loop sleeps this long, so that the next call takes many packets: µs. */
const COALESCE_US = 100;

/** Longest wait for packets, so that a stop and time-outs are noticed: ms. */
const LONGEST_WAIT_MS = 20;

/** Distance of checks for frames that wait too long, ns. */
const EXPIRE_EVERY_NS = 10_000_000n;

/** Distance of reads of the kernel's drop counters, ns. */
const DROPS_EVERY_NS = 200_000_000n;

/** A module and the socket its packets come from. */
export interface ReceiveLane {
  socket: UdpSocket;
  receiver: ModuleReceiver;
}

/** How the loop runs. */
export interface ReceiveLoopOptions {
  /** Time after a frame's first packet at which it is closed as it is, ns. */
  frameTimeoutNs: bigint;
  /** Asked between batches; the loop ends when it says so. */
  stopping(): boolean;
}

/**
 * Receives for all lanes until told to stop. Blocks the thread: for Workers only.
 *
 * Packets are taken in batches without waiting. When a batch was short the loop sleeps for a moment
 * instead of blocking for the next packet: woken per packet it would need twice the CPU time.
 */
export function runReceiveLoop(lanes: readonly ReceiveLane[], options: ReceiveLoopOptions): void {
  const polled = new PollSet(lanes.map((lane) => lane.socket.fd));
  // Monotonic time shown as wall-clock time: comparable between processes, never stepping back.
  const wallOffset = wallClockNs() - monotonicNs();
  const drops = lanes.map(({ receiver }) =>
    receiver.ring.index.counter(counterIndex("kernel_drops"))
  );
  let nextExpire = 0n;
  let nextDrops = 0n;
  let received = 0;
  while (!options.stopping()) {
    // While packets come, a single socket is tried at once: asking first would cost as much.
    const ask = received === 0 || lanes.length > 1;
    const readable = ask ? polled.wait(received > 0 ? 0 : LONGEST_WAIT_MS) : 1;
    received = 0;
    let full = false;
    const now = monotonicNs() + wallOffset;
    for (let i = 0; readable > 0 && i < lanes.length; i++) {
      if (ask && !polled.isReadable(i)) continue;
      const { socket, receiver } = lanes[i]!;
      const room = receiver.arm();
      const n = socket.receiveBatch(receiver.vector, room);
      if (n === 0) continue;
      receiver.handle(n, now);
      received += n;
      full ||= n === room;
    }
    if (now >= nextExpire) {
      for (const { receiver } of lanes) receiver.expire(now, options.frameTimeoutNs);
      nextExpire = now + EXPIRE_EVERY_NS;
    }
    if (now >= nextDrops) {
      lanes.forEach(({ socket, receiver }, i) =>
        receiver.ring.index.setCounter(
          counterIndex("kernel_drops"),
          drops[i]! + BigInt(socket.kernelDrops()),
        )
      );
      nextDrops = now + DROPS_EVERY_NS;
    }
    if (received > 0 && !full) sleepMicroseconds(COALESCE_US);
  }
  // What the open frames have is delivered, not thrown away with packets that count as accepted.
  const end = monotonicNs() + wallOffset;
  for (const { receiver } of lanes) receiver.expire(end, 0n);
}
