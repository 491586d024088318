import type { DaqContext } from "./context.ts";

/** A context whose output a test can look at, and which a test can stop. */
export interface TestContext extends DaqContext {
  /** What went to stdout. */
  stdout: string;
  /** What went to stderr. */
  stderr: string;
  /** As Ctrl-C does. */
  stop(): void;
  /** Resolves when stdout holds the text. */
  said(text: string): Promise<void>;
}

/** Makes one. */
export function testContext(
  options: {
    interactive?: boolean;
    outColor?: boolean;
    outWidth?: number;
    stateFolder?: string;
    env?: Record<string, string>;
  } = {},
): TestContext {
  const controller = new AbortController();
  const waiting: { text: string; resolve: () => void }[] = [];
  const context: TestContext = {
    stdout: "",
    stderr: "",
    out(text): void {
      context.stdout += text;
      waiting.filter(({ text }) => context.stdout.includes(text)).forEach(({ resolve }) =>
        resolve()
      );
    },
    err: (text) => void (context.stderr += text),
    interactive: options.interactive ?? false,
    color: false,
    outColor: options.outColor ?? false,
    width: () => 100,
    outWidth: () => options.outWidth,
    stateFolder: options.stateFolder ?? "/nowhere",
    env: (name) => options.env?.[name],
    signal: controller.signal,
    exitCode: 0,
    stop: () => controller.abort(new DOMException("stopped", "AbortError")),
    said(text): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push({ text, resolve });
      context.out("");
      return promise;
    },
  };
  return context;
}
