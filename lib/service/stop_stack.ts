/** A step of stopping: closing, flushing, telling. */
export type StopCallback = () => void | Promise<void>;

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
  constructor(limitMs = 5_000) {
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
   * @returns The steps that went wrong.
   */
  async run(): Promise<StopProblem[]> {
    const problems: StopProblem[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await withinMs(this.#limitMs, step.name, step.callback);
      } catch (error) {
        problems.push({ name: step.name, error });
      }
    }
    return problems;
  }
}

async function withinMs(limitMs: number, name: string, callback: StopCallback): Promise<void> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `${name} took longer than ${limitMs} ms and was left behind`;
    late.reject(new DOMException(message, "TimeoutError"));
  }, limitMs);
  try {
    await Promise.race([callback(), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
