import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { loadConfig } from "../../../lib/config/mod.ts";
import { permissionsFor, programCall } from "../../../lib/service/mod.ts";
import type { DaqContext } from "../context.ts";
import { PROJECT_ROOT, serviceMain } from "../project.ts";

/** `daq simulate`: runs the simulator, with its own permissions and all of its options. */
export function simulateCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("simulate")
    .description(
      "Send the packets of a simulated detector; options after <config> are udp_simulator's (try --help there).",
    )
    .argument("<config>", "detector config, a JSON file")
    .argument("[options...]", "options of udp_simulator, e.g. --images 100 --rate 50")
    .passThroughOptions() // after <config> everything is the simulator's, --help included
    .action(async (configPath, options) => {
      const path = resolve(configPath);
      const { config } = await loadConfig(path);
      const { program, args } = programCall({
        name: "udp_simulator",
        main: serviceMain("udp_simulator"),
        args: [path, ...options],
        permissions: permissionsFor("udp_simulator", config, {
          root: PROJECT_ROOT,
          configPath: path,
        }),
      });
      context.exitCode = await runInForeground(program, args, context.signal);
    });
}

/** Runs a program on our terminal; a stop goes to it as SIGTERM, and it never outlives us. */
async function runInForeground(
  program: string,
  args: string[],
  signal: AbortSignal,
): Promise<number> {
  const child = new Deno.Command(program, { args, stdin: "piped" }).spawn();
  const onAbort = (): void => child.kill("SIGTERM");
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return (await child.status).code;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await child.stdin.close().catch(() => {}); // closed by its end
  }
}
