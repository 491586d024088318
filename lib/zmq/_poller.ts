/**
 * Wakes the waiting sockets of this isolate's event loop. One helper thread waits for all of them,
 * and only while something waits: an idle program can end.
 */
import { EventFd, PollSet } from "../os/mod.ts";

/** Longest wait of the helper thread, ms: a terminated Worker's thread ends after it. */
const LONGEST_WAIT_MS = 1000;

/** A socket that waits. */
export interface PollEntry {
  /** ZMQ_FD: becomes readable when the socket's state may have changed. */
  readonly fd: number;
  /** Looks at the socket's state and takes the entry out of the poller if nothing waits any more. */
  check(): void;
}

const entries = new Set<PollEntry>();
let wake: EventFd | undefined;
let changed = false;
let running = false;
let polling = false;

/** Begins to watch a socket. Check its state right after: ZMQ_FD only tells about changes. */
export function watch(entry: PollEntry): void {
  if (entries.has(entry)) return;
  entries.add(entry);
  changed = true;
  if (!running) run();
  else if (polling) wake?.signal();
}

/** Stops watching a socket. */
export function unwatch(entry: PollEntry): void {
  if (!entries.delete(entry)) return;
  changed = true;
  if (entries.size === 0 && polling) wake?.signal();
}

async function run(): Promise<void> {
  running = true;
  try {
    wake ??= new EventFd();
    let set = new PollSet([]);
    // The check that follows a watch() may have ended the wait already.
    await Promise.resolve();
    while (entries.size > 0) {
      if (changed) {
        changed = false;
        set = new PollSet([wake.fd, ...[...entries].map((entry) => entry.fd)]);
      }
      polling = true;
      await set.waitAsync(LONGEST_WAIT_MS);
      polling = false;
      if (set.isReadable(0)) wake.drain();
      for (const entry of [...entries]) entry.check();
    }
  } finally {
    polling = false;
    running = false;
  }
}
