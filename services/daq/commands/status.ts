import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { apiOption, clientFor } from "../api.ts";
import type { DaqContext } from "../context.ts";
import { acquisitionText, oneLine, rateText, reportText, rows } from "../format.ts";

/** `daq status`: the writer, its acquisition, rates and the account of every packet and image. */
export function statusCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("status")
    .description("Show the writer, the acquisition, rates and losses.")
    .addOption(apiOption())
    .option("--json", "print one line of JSON")
    .action(async ({ api, json }) => {
      const client = clientFor(api, context);
      const [writer, { stats, accounting }] = await Promise.all([
        client.status(context.signal),
        client.stats(context.signal),
      ]);
      if (json) return context.out(stringifyJson({ writer, stats, accounting }) + "\n");
      const { info, reports } = writer.acquisition;
      context.out(rows([
        ["writer", writer.state],
        ["acquisition", acquisitionText(writer)],
        ...(info.output_file === "" ? [] : [["file", oneLine(info.output_file)] as const]),
        ...reports.map((report) => ["report", reportText(report)] as const),
        ["detector", rateText(stats.detector)],
        ["written", rateText(stats.writer)],
        ...Object.entries(accounting).map(([name, value]) => [name, String(value)] as const),
      ]));
    });
}
