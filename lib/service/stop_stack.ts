import { atMost } from "../os/at_most.ts";

/** A step of stopping: closing, flushing, telling. */
export type StopCallback = () => void | Promise<void>;

/** A service has ended so long after it was told to stop, ms: below the 10 s that Docker gives it. */
export const STOP_LIMIT_MS = 9_000;
/** Longest time that one step may take, ms. */
const STEP_LIMIT_MS = 5_000;

/** What became of a step that did not go well. */
export interface StopProblem {
  /** The step's name. */
  name: string;
  /** What it threw, or a `TimeoutError`. */
  error: unknown;
}

/**
 * Steps to undo a start, run in reverse order of their registration: what was opened last is closed first.
 */
export class StopStack {
  readonly #steps: { name: string; callback: StopCallback }[] = [];
  readonly #limitMs: number;

  /**
   * An empty stack.
   *
   * @param limitMs Longest time one step may take, ms.
   */
  constructor(limitMs = STEP_LIMIT_MS) {
    this.#limitMs = limitMs;
  }

  /** Adds a step, to run before all that were added earlier. */
  push(callback: StopCallback, name = callback.name || "stop"): void {
    this.#steps.push({ name, callback });
  }

  /**
   * Runs all steps, one after the other. A step that throws or takes too long does not keep the others from
   * running. A second call finds nothing left to do.
   *
   * @param totalMs Longest time for all, ms: when it is up, steps that are left are begun and not waited for.
   * @returns The steps that went wrong.
   */
  async run(totalMs = Infinity): Promise<StopProblem[]> {
    const problems: StopProblem[] = [];
    const end = performance.now() + totalMs;
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        const limitMs = Math.min(this.#limitMs, Math.max(0, Math.round(end - performance.now())));
        await withinMs(limitMs, step.name, step.callback);
      } catch (error) {
        problems.push({ name: step.name, error });
      }
    }
    return problems;
  }
}

async function withinMs(limitMs: number, name: string, callback: StopCallback): Promise<void> {
  if (await atMost(limitMs, callback() ?? undefined)) return;
  const message = `${name} took longer than ${limitMs} ms and was left behind`;
  throw new DOMException(message, "TimeoutError");
}
