import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { apiOption, clientFor } from "../api.ts";
import type { DaqContext } from "../context.ts";
import { acquisitionText } from "../format.ts";

/** `daq stop`: ends the acquisition; its file is closed and stays readable. */
export function stopCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("stop")
    .description("End the current acquisition; what was written stays. Nothing happens when idle.")
    .addOption(apiOption())
    .option("--json", "print one line of JSON")
    .action(async ({ api, json }) => {
      const writer = await clientFor(api, context).stop(context.signal);
      context.out(json ? stringifyJson({ writer }) + "\n" : `${acquisitionText(writer)}\n`);
    });
}
