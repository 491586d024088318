import type { DetectorConfig } from "../../lib/config/mod.ts";
import { permissionsFor, programCall, UsageError } from "../../lib/service/mod.ts";
import { runLimited } from "./limited_command.ts";
import { PROJECT_ROOT, serviceMain } from "./project.ts";

/** Gain stages by their index, which is also what `{gain}` stands for. */
const NAMES = ["G0", "G1", "G2"] as const;

/** A gain by its index. */
export type ForcedGain = 0 | 1 | 2;

/** Makes a detector use one gain for all pixels. */
export interface GainControl extends AsyncDisposable {
  /** Forces a gain; frames with it may come before and after this resolves. */
  force(gain: ForcedGain): Promise<void>;
  /** Aborts with the reason when the detector can send no more. */
  readonly failed: AbortSignal;
}

/** A program could not force a gain, or the simulator ended. */
export class GainControlError extends Error {
  /** The class's name. */
  override readonly name = "GainControlError";
}

const NEVER = new AbortController().signal;

/**
 * Forces gains by running a program: the template's words are its name and arguments, `{gain}` in
 * them becomes 0, 1 or 2. No shell is involved. One that takes longer than `limitMs`, ms, is ended.
 *
 * @throws {UsageError} If the template names no program or no `{gain}`.
 */
export function commandControl(
  template: string,
  limitMs: number,
  signal: AbortSignal,
): GainControl {
  const words = template.split(/\s+/).filter((word) => word !== "");
  if (!template.includes("{gain}")) {
    throw new UsageError(
      `--gain-command ${JSON.stringify(template)} has no {gain}: write the command with {gain} ` +
        'where 0, 1 or 2 is to stand, e.g. "sls_set_gain.sh forceswitchg{gain}"',
    );
  }
  return {
    failed: NEVER,
    async force(gain): Promise<void> {
      const command = words.map((word) => word.replaceAll("{gain}", String(gain)));
      const { status, said } = await endOf(command, limitMs, signal);
      if (status === 0) return;
      const how = status === "late"
        ? `was ended after ${limitMs / 1000} s, see --gain-timeout`
        : `ended with exit status ${status}`;
      throw new GainControlError(
        `${command.join(" ")} ${how}: ${said.trim() || "it said nothing"}. ` +
          `${NAMES[gain]} is not forced.`,
      );
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function endOf(
  command: readonly string[],
  limitMs: number,
  signal: AbortSignal,
): ReturnType<typeof runLimited> {
  try {
    return await runLimited(command, { limitMs, signal });
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new GainControlError(
      `${command[0]} is not there: give --gain-command its path`,
      { cause },
    );
  }
}

/** Tells the operator which gain to force; that it is there is seen by the frames. */
export function operatorControl(tell: (text: string) => void): GainControl {
  return {
    failed: NEVER,
    force(gain): Promise<void> {
      tell(`Force ${NAMES[gain]}, without light; it goes on when such frames come.\n`);
      return Promise.resolve();
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** How the simulator plays a pedestal run. */
export interface SimulatorControlOptions {
  /** Absolute path of the detector config. */
  readonly configPath: string;
  /** Frames of a gain before the next one; the sequence repeats. */
  readonly framesPerGain: number;
  /** Further options of udp_simulator. */
  readonly options: readonly string[];
}

/** Images per second of all modules together that the simulator sends. */
const MODULE_RATE = 200;

/** Starts udp_simulator, which plays the gains in turn, over and over, until it is disposed of. */
export function simulatorControl(
  config: DetectorConfig,
  { configPath, framesPerGain, options }: SimulatorControlOptions,
): GainControl {
  const rate = Math.max(1, Math.floor(MODULE_RATE / config.n_modules));
  const { program, args } = programCall({
    name: "udp_simulator",
    main: serviceMain("udp_simulator"),
    args: [
      configPath,
      ...["--pattern", "dark", "--gain", "0,1,2", "--frames-per-gain", String(framesPerGain)],
      ...["--rate", String(rate)],
      ...options,
    ],
    permissions: permissionsFor("udp_simulator", config, { root: PROJECT_ROOT, configPath }),
  });
  const child = new Deno.Command(program, {
    args,
    stdin: "piped", // it ends when we do
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const failed = new AbortController();
  const complaints = new Response(child.stderr).text();
  const ended = watch(child, complaints, failed);
  return {
    failed: failed.signal,
    force: () => Promise.resolve(), // their turn will come
    async [Symbol.asyncDispose](): Promise<void> {
      try {
        child.kill("SIGTERM");
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // it has ended
      }
      await ended;
      await child.stdin.close().catch(() => {}); // closed by its end
    },
  };
}

async function watch(
  child: Deno.ChildProcess,
  complaints: Promise<string>,
  failed: AbortController,
): Promise<void> {
  const { code } = await child.status;
  const text = (await complaints).trim();
  failed.abort(new GainControlError(`udp_simulator ended with exit status ${code}: ${text}`));
}
