import { eachLine } from "../../lib/service/each_line.ts";
import { within } from "./until.ts";

const READY_MS = 120_000; // a broker's virtual machine on a loaded machine
const END_MS = 30_000;

/**
 * Runs `"$@"` in a process group of its own, and ends that group when asked by SIGTERM or when stdin ends,
 * because the test's process is gone, however it went. SIGKILL after 15 s for what does not heed SIGTERM.
 * Then removes the container `$CONTAINER`, which `docker` may have left behind, the folder `$FOLDER`, and when
 * the process that started it has gone, `$ORPHANED`.
 */
const GUARD = `
exec 3<&0
setsid "$@" </dev/null 3<&- & server=$!
exec >/dev/null 2>&1 # a word of the shell's own would go into a pipe that nobody reads any more
trap 'kill -TERM $server' TERM
(
  trap '' TERM
  cat <&3
  kill -TERM $server
  tries=0
  while kill -s 0 -- -$server && [ $tries -lt 150 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -s KILL -- -$server
) & guard=$!
exec 3<&-
wait $server; status=$?
while kill -0 $server; do wait $server; status=$?; done # SIGTERM interrupts a wait
kill -s KILL -- -$server
kill -s KILL $guard
[ -z "$CONTAINER" ] || docker rm --force "$CONTAINER"
[ -z "$FOLDER" ] || rm -rf "$FOLDER"
read -r _ _ _ parent _ </proc/$$/stat
[ -z "$ORPHANED" ] || [ "$parent" -eq "$PPID" ] || rm -rf "$ORPHANED"
exit $status
`;

/** A foreign server: what to run and how to see that it is ready. */
export interface GuardedServerOptions {
  /** The program and its arguments. */
  command: readonly string[];
  env?: Record<string, string>;
  /** Name of the container that it runs in, if it does: to be removed when it has ended. */
  container?: string;
  /** Folder to remove when it has ended, whatever ended it. */
  folder?: string;
  /** Folder to remove when it has ended since the test's process was gone; it is the test's otherwise. */
  orphaned?: string;
  /** A line of its output that says that it is ready. */
  ready: RegExp;
}

/** A server of somebody else, which cannot outlive the test that started it. */
export class GuardedServer implements AsyncDisposable {
  readonly #name: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: string[] = [];
  readonly #ready = Promise.withResolvers<void>();
  readonly #over: Promise<void>;

  private constructor(name: string, options: GuardedServerOptions) {
    const { command, env, container = "", folder = "", orphaned = "", ready } = options;
    this.#name = name;
    this.#child = new Deno.Command("sh", {
      args: ["-c", GUARD, name, ...command],
      env: { ...env, CONTAINER: container, FOLDER: folder, ORPHANED: orphaned },
      stdin: "piped", // its end tells the guard that we are gone
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#over = this.#watch(ready);
  }

  /**
   * Starts it and waits until it says that it is ready.
   *
   * @throws {Error} If it ends before, with what it printed; it has gone then.
   */
  static async start(name: string, options: GuardedServerOptions): Promise<GuardedServer> {
    const server = new GuardedServer(name, options);
    try {
      await within(`start of ${name}`, READY_MS, server.#ready.promise);
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The process id of the guard. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it in good order and waits for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {}); // the guard has ended by itself
    await within(`end of ${this.#name}`, END_MS, this.#over);
  }

  async #watch(ready: RegExp): Promise<void> {
    const look = (line: string): void => {
      this.#output.push(line);
      if (ready.test(line)) this.#ready.resolve();
    };
    await Promise.all([eachLine(this.#child.stdout, look), eachLine(this.#child.stderr, look)]);
    const { code } = await this.#child.status;
    await this.#child.stdin.close().catch(() => {}); // the other end is closed already
    const said = this.#output.slice(-20).join("\n");
    this.#ready.reject(new Error(`${this.#name} ended with ${code} before it was ready: ${said}`));
    this.#ready.promise.catch(() => {}); // it may have been ready long ago
  }
}
