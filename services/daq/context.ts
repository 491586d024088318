import { readEnv } from "../../lib/service/env.ts";

/** What the commands of `daq` have of the outside: a test gives its own. */
export interface DaqContext {
  /** Writes to stdout: what was asked for, and nothing else. */
  out(text: string): void;
  /** Writes to stderr: progress, warnings, errors. */
  err(text: string): void;
  /** Whether stderr is a terminal, on which a line may be drawn again and again. */
  readonly interactive: boolean;
  /** Whether to use colours on stderr (NO_COLOR is respected). */
  readonly color: boolean;
  /** The same for stdout, which may go elsewhere. */
  readonly outColor: boolean;
  /** Width of the terminal, characters. */
  width(): number;
  /** Width of the terminal that stdout is, characters; `undefined` where it is none. */
  outWidth(): number | undefined;
  /** Folder of this machine's own store; it need not be there. */
  readonly stateFolder: string;
  /** An environment variable; `undefined` also when it may not be read. */
  env(name: string): string | undefined;
  /** Aborts at Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal;
  /** Exit status of a command that does not throw. */
  exitCode: number;
}

/** The context of the real process. A second Ctrl-C ends it at once. */
export function systemContext(): DaqContext {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      if (controller.signal.aborted && name === "SIGINT") Deno.exit(1);
      controller.abort(new DOMException(`stopped by ${name}`, "AbortError"));
    });
  }
  const interactive = Deno.stderr.isTerminal();
  const colors = readEnv("NO_COLOR") === undefined;
  return {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    interactive,
    color: interactive && colors,
    outColor: colors && Deno.stdout.isTerminal(),
    width: () => (interactive && Deno.consoleSize().columns) || 80, // some terminals say 0
    outWidth: () => Deno.stdout.isTerminal() ? Deno.consoleSize().columns || 80 : undefined,
    stateFolder: "/var/lib/std-daq",
    env: readEnv,
    signal: controller.signal,
    exitCode: 0,
  };
}

const encoder = new TextEncoder();

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = encoder.encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error; // the reader has had enough
  }
}
