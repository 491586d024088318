/**
 * `daq` as a user runs it, for the demonstration.
 *
 * @module
 */

const DAQ = new URL("../services/daq/main.ts", import.meta.url).pathname;
const ROOT = new URL("../", import.meta.url).pathname;

/** A line that is JSON, or holds it after a word. */
export const JSON_LINE = /^\{/;

/** Runs a `daq` command to its end, or until the signal aborts; returns the lines it printed.
 *
 * @throws {Error} If it fails, with what it said.
 */
export async function runDaqCommand(
  args: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const { code, stdout, stderr } = await daq(args, signal).output();
  signal.throwIfAborted();
  if (code !== 0) {
    throw new Error(
      `daq ${args[0]} ended with status ${code}: ${new TextDecoder().decode(stderr)}`,
    );
  }
  return new TextDecoder().decode(stdout).trim().split("\n");
}

/** A running `daq run`. */
export class LocalPipeline implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  /** Base URL of its REST interface. */
  readonly api: string;

  private constructor(child: Deno.ChildProcess, api: string) {
    this.#child = child;
    this.api = api;
  }

  /** Starts `daq run` and waits until it takes packets and requests.
   *
   * @throws {Error} If it ends before that, with what it said.
   */
  static async start(
    configPath: string,
    options: { apiPort: number; dataRoot: string; ram: string },
  ): Promise<LocalPipeline> {
    const { apiPort, dataRoot, ram } = options;
    const child = daq([
      "run",
      configPath,
      "--api-port",
      String(apiPort),
      "--data-root",
      dataRoot,
      "--ram",
      ram,
    ])
      .spawn();
    const errors = new Response(child.stderr).text();
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    let output = "";
    const reader = lines.getReader();
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      output += chunk.value;
      const ready = /^ready (\{.*\})$/m.exec(output);
      if (ready === null) continue;
      void drain(reader);
      return new LocalPipeline(child, JSON.parse(ready[1]!).api);
    }
    throw new Error(`daq run ended before it was ready: ${await errors}`);
  }

  /** Stops it and waits until everything is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}

function daq(args: readonly string[], signal?: AbortSignal): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-P=daq", DAQ, ...args],
    cwd: ROOT,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
    ...(signal !== undefined && { signal }),
  });
}

/** Reads on, so that the process never blocks on a full pipe. */
async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}
