import { eachLine } from "../../lib/service/each_line.ts";
import { type LogLine, parseLine, type ReadyLine } from "../../lib/service/mod.ts";
import { until, within } from "./until.ts";

const READY_MS = 90_000;
const END_MS = 15_000;

/** How to run a program. */
export interface ProcessOptions {
  env?: Record<string, string>;
  cwd?: string;
}

/** A child process with all that it prints. It ends, by force if need be, when it is disposed of. */
export class TestProcess implements AsyncDisposable {
  /** What it was started as. */
  readonly name: string;
  /** Lines on stdout. */
  readonly out: string[] = [];
  /** Lines on stderr. */
  readonly err: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #over: Promise<Deno.CommandStatus>;
  #status: Deno.CommandStatus | undefined;

  constructor(
    name: string,
    program: string,
    args: readonly string[],
    options: ProcessOptions = {},
  ) {
    this.name = name;
    this.#child = new Deno.Command(program, {
      args: [...args],
      env: { NO_COLOR: "1", ...options.env },
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      stdin: "piped", // its end tells a service that we are gone
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#over = this.#watch();
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Log lines, those of the children it supervises included. */
  get log(): LogLine[] {
    return this.err.flatMap((line) => parseLine(line) ?? []);
  }

  /** Whether it has ended. */
  get ended(): boolean {
    return this.#status !== undefined;
  }

  /** The first line of its stdout that `find` takes. */
  async line<T>(
    what: string,
    find: (line: string) => T | undefined,
    limitMs = READY_MS,
  ): Promise<T> {
    let seen = 0;
    return await until(`${this.name}: ${what}`, () => {
      while (seen < this.out.length) {
        const found = find(this.out[seen++]!);
        if (found !== undefined) return found;
      }
      if (this.ended) throw new Error(`${this.name} ended without ${what}: ${this.tail()}`);
      return undefined;
    }, { limitMs, explain: () => this.tail() });
  }

  /** The ready line of a service. */
  ready(): Promise<ReadyLine> {
    return this.line("a ready line", (line) => {
      if (!line.startsWith("{")) return undefined;
      const value = JSON.parse(line);
      return value.event === "ready" ? value : undefined;
    });
  }

  /** Writes to its stdin. */
  async write(text: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    writer.releaseLock();
  }

  /** Sends a signal; without effect when it has ended. */
  kill(signal: Deno.Signal = "SIGTERM"): void {
    if (!this.ended) this.#child.kill(signal);
  }

  /** Its exit status, when it has ended and all that it printed has been read. */
  async end(limitMs = END_MS): Promise<Deno.CommandStatus> {
    return await within(`end of ${this.name}`, limitMs, this.#over);
  }

  /** SIGTERM, and its exit status. */
  async stop(): Promise<Deno.CommandStatus> {
    this.kill("SIGTERM");
    return await this.end();
  }

  /** The last lines it printed, for error messages. */
  tail(): string {
    return [...this.out.slice(-3), ...this.err.slice(-8)].join("\n");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGTERM");
    try {
      await this.end(10_000);
    } catch {
      this.kill("SIGKILL");
      await this.#over;
    }
  }

  async #watch(): Promise<Deno.CommandStatus> {
    const [status] = await Promise.all([
      this.#child.status,
      eachLine(this.#child.stdout, (line) => void this.out.push(line)),
      eachLine(this.#child.stderr, (line) => void this.err.push(line)),
    ]);
    await this.#child.stdin.close().catch(() => {}); // the other end is closed already
    return this.#status = status;
  }
}
