import { ROOT } from "./pipeline.ts";
import { TestProcess } from "./process.ts";

/** How to start a service. */
export interface StartServiceOptions {
  args?: readonly string[];
  env?: Record<string, string>;
}

/** Starts a service of `services/` with its own permission set, and waits until it is ready. */
export async function startService(
  name: string,
  { args = [], env = {} }: StartServiceOptions = {},
): Promise<TestProcess> {
  const main = `services/${name}/main.ts`;
  const process = new TestProcess(
    name,
    Deno.execPath(),
    ["run", "--quiet", "--no-prompt", `-P=${name}`, main, ...args],
    { cwd: ROOT, env },
  );
  try {
    await process.ready();
    return process;
  } catch (error) {
    await process[Symbol.asyncDispose]();
    throw error;
  }
}
