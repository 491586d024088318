/**
 * Programs of the bench: the yardsticks, our side of a comparison, services; each on its CPU.
 *
 * @module
 */
import { TextLineStream } from "./_lines.ts";

const NATIVE = new URL("native/", import.meta.url).pathname;
const SETTINGS = new URL("../deno.json", import.meta.url).pathname;

/** Yardsticks and loads, compiled from bench/native. */
export const NATIVE_PROGRAMS = [
  "send",
  "receive",
  "reassemble",
  "assemble",
  "geometry",
  "gigafrost",
  "correct",
  "pedestal",
  "others",
  "images",
  "bitshuffle",
  "write",
  "h5write",
] as const;

/** What a yardstick is linked with, beyond the C library. Without it, it is left out. */
const LIBRARIES: Partial<Record<NativeProgram, readonly string[]>> = {
  h5write: [
    "-I/usr/include/hdf5/serial",
    ...["x86_64", "aarch64"].map((machine) => `-L/usr/lib/${machine}-linux-gnu/hdf5/serial`),
    "-lhdf5",
    "-ldl",
  ],
};

/** Name of one of them. */
export type NativeProgram = typeof NATIVE_PROGRAMS[number];

/** CPU of senders. */
export const SENDER_CPU = 0;

/** CPU of what is measured. */
export const MEASURED_CPU = Math.min(1, navigator.hardwareConcurrency - 1);

/** What to run: a program and its arguments. */
export interface Program {
  path: string;
  args: readonly (string | number)[];
}

/** A yardstick with its arguments. */
export function native(program: NativeProgram, ...args: (string | number)[]): Program {
  return { path: `${NATIVE}bin/${program}`, args };
}

/** A script of this folder under Deno, with its arguments and no more rights than services have. */
export function script(name: string, ...args: (string | number)[]): Program {
  return scriptWith([], name, ...args);
}

/** The same with rights besides, as flags. */
export function scriptWith(
  rights: readonly string[],
  name: string,
  ...args: (string | number)[]
): Program {
  const path = new URL(name, import.meta.url).pathname;
  const flags = ["--quiet", "--no-prompt", "--config", SETTINGS, "-P=bench_program", ...rights];
  return { path: Deno.execPath(), args: ["run", ...flags, path, ...args] };
}

/**
 * Compiles the yardsticks for this machine.
 *
 * @throws {Error} If gcc refuses one that needs nothing but the C library.
 */
export async function compileNative(): Promise<void> {
  await Deno.mkdir(`${NATIVE}bin`, { recursive: true });
  for (const name of NATIVE_PROGRAMS) {
    const libraries = LIBRARIES[name] ?? [];
    const flags = ["-O3", "-march=native", "-Wall", "-o", `bin/${name}`];
    const args = [...flags, `${name}.c`, ...libraries, "-lm"];
    const { success, stderr } = await new Deno.Command("gcc", { args, cwd: NATIVE }).output();
    if (success) available.add(name);
    else if (libraries.length === 0) {
      throw new Error(`gcc ${name}.c: ${new TextDecoder().decode(stderr)}`);
    }
  }
}

/** Yardsticks that were compiled. */
const available = new Set<NativeProgram>();

/** Whether a yardstick could be compiled here. */
export function hasNative(program: NativeProgram): boolean {
  return available.has(program);
}

/** A program at work. */
export interface Running extends AsyncDisposable {
  readonly pid: number;
  /** The next line it prints; undefined when it has ended. */
  line(): Promise<string | undefined>;
  /** Sends it a line. */
  say(line: string): Promise<void>;
  /** Closes its input and waits for its end. */
  end(): Promise<void>;
  /** Its last line, read as JSON, when it has ended by itself. */
  result(): Promise<Record<string, number>>;
  /** Asks it to stop (SIGTERM) and waits for its end. */
  stop(): Promise<void>;
}

/** Starts a program; it stays on `cpu` if one is given. */
export function start(
  program: Program,
  options: { cpu?: number | undefined; env?: Record<string, string> } = {},
): Running {
  const call = [program.path, ...program.args.map(String)];
  const [command, ...args] = options.cpu === undefined
    ? call
    : ["taskset", "-c", String(options.cpu), ...call];
  const child = new Deno.Command(command!, {
    args,
    env: options.env ?? {},
    stdin: "piped", // services end when their starter's end of it closes
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const complaints = new Response(child.stderr).text();
  const lines = child.stdout.pipeThrough(new TextDecoderStream())
    .pipeThrough(new TextLineStream()).getReader();
  const what = call.slice(0, 5).join(" ");
  const ended = async (): Promise<void> => {
    const { success, code } = await child.status;
    await child.stdin.abort().catch(() => {}); // the pipe went with the process
    if (!success) throw new Error(`${what} ended with ${code}: ${await complaints}`);
  };
  let over = false;
  return {
    pid: child.pid,
    line: async () => (await lines.read()).value,
    async say(line: string): Promise<void> {
      const writer = child.stdin.getWriter();
      await writer.write(new TextEncoder().encode(line + "\n"));
      writer.releaseLock();
    },
    async end(): Promise<void> {
      over = true;
      await child.stdin.close();
      await lines.cancel();
      await ended();
    },
    async result(): Promise<Record<string, number>> {
      let last = "";
      for (;;) {
        const { value, done } = await lines.read();
        if (done) break;
        if (value !== "") last = value;
      }
      over = true;
      await ended();
      return JSON.parse(last);
    },
    async stop(): Promise<void> {
      if (over) return;
      over = true;
      child.kill("SIGTERM");
      await lines.cancel();
      await ended();
    },
    async [Symbol.asyncDispose](): Promise<void> {
      if (over) return;
      over = true;
      child.kill("SIGKILL");
      await lines.cancel();
      await ended().catch(() => {}); // it was killed
    },
  };
}

/** Runs a program to its end and returns what its last line says. */
export async function run(program: Program, cpu?: number): Promise<Record<string, number>> {
  await using running = start(program, { cpu });
  return await running.result();
}

/**
 * Waits for a program's `ready` line: a word of its own, or the line of JSON that services print.
 *
 * @throws {Error} If it ends before.
 */
export async function readyLine(running: Running): Promise<void> {
  for (;;) {
    const line = await running.line();
    if (line === undefined) {
      await running.result(); // throws with what it complained about
      throw new Error("a program ended before it was ready");
    }
    if (line === "ready" || line.includes('"event":"ready"')) return;
  }
}

/** A UDP port nobody uses now. */
export function freePort(): number {
  // Below the range from which the kernel takes ports of its own accord.
  return 20_000 + Math.floor(Math.random() * 10_000);
}
