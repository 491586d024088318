/** What stays of what a program says, characters from its end. */
const MOST_SAID = 4_096;
/** Time between the request to end and the end by force, ms. */
const GRACE_MS = 1_000;
const POLL_MS = 20;

/** How a program ended. */
export interface LimitedEnd {
  /** Its exit status; `late` if it had to be ended. */
  status: number | "late";
  /** The end of what it said on stderr. */
  said: string;
}

/**
 * Runs a program, without a shell, until it has ended and nothing that it started says any more. When time is
 * up or the signal aborts, all its process group is ended, SIGTERM first.
 *
 * Needs `run` of the program and `ffi` of libc.
 *
 * @param command The program and its arguments.
 * @throws {Deno.errors.NotFound} If there is no such program.
 * @throws The signal's reason.
 */
export async function runLimited(
  [program = "", ...args]: readonly string[],
  { limitMs, signal }: { limitMs: number; signal: AbortSignal },
): Promise<LimitedEnd> {
  const { signalGroup } = await import("../../lib/os/mod.ts"); // system calls are for who runs one
  signal.throwIfAborted();
  const child = new Deno.Command(program, {
    args,
    detached: true, // a group of its own
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let said = "";
  const listening = new AbortController();
  const heard = child.stderr.pipeThrough(new TextDecoderStream()).pipeTo(
    new WritableStream({ write: (text) => void (said = (said + text).slice(-MOST_SAID)) }),
    { signal: listening.signal },
  );
  const ended = Promise.all([child.status, heard]);
  const stop = AbortSignal.any([signal, AbortSignal.timeout(limitMs)]);
  const inTime = await Promise.race([ended, aborted(stop)]);
  if (inTime !== undefined) return { status: inTime[0].code, said };

  signalGroup(child.pid, "SIGTERM");
  const deadline = performance.now() + GRACE_MS;
  while (signalGroup(child.pid, "none") && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  signalGroup(child.pid, "SIGKILL");
  listening.abort(); // what has left the group may hold stderr open
  await Promise.allSettled([child.status, ended]);
  signal.throwIfAborted();
  return { status: "late", said };
}

function aborted(signal: AbortSignal): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  if (signal.aborted) resolve(undefined);
  signal.addEventListener("abort", () => resolve(undefined), { once: true });
  return promise;
}
