import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { RequestRecord, Status } from "../../../lib/broker/mod.ts";
import { topicMatches } from "../../../lib/broker/topic.ts";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { brokerOption, connectBroker, mark, oneLine, shortId } from "../broker.ts";
import type { DaqContext } from "../context.ts";

/** `daq monitor`: what services say of requests, as they say it. */
export function monitorCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("monitor")
    .description("Show what services say of requests, until Ctrl-C.")
    .option("--agg", "a line per request, with all services")
    .option("--tag <pattern>", "only services whose tag or name fits, e.g. psi.#", "#")
    .addOption(brokerOption())
    .option("--json", "a line of JSON per status")
    .action(async ({ agg, tag, broker, json }) => {
      await using client = await connectBroker(broker, context);
      const statuses = client.statuses(context.signal);
      context.err("listening; Ctrl-C ends\n");
      for await (const status of statuses) {
        if (![status.tag, status.source].some((key) => topicMatches(tag, key))) continue;
        const record = client.aggregator.get(status.requestId);
        if (json) context.out(`${stringifyJson(status)}\n`);
        else if (agg && record !== undefined) context.out(recordLine(record, context));
        else context.out(statusLine(status, context));
      }
    });
}

function statusLine(status: Status, context: DaqContext): string {
  const { requestId, action, source, message, request } = status;
  const words = oneLine(action === "request_start" ? request : message);
  return `${mark(action, context)} ${shortId(requestId)} ${source} ${words}`.trimEnd() + "\n";
}

/** `abcd..wxyz  + writer  * validator  {"n_images":100}` */
function recordLine({ requestId, services, request }: RequestRecord, context: DaqContext): string {
  const parts = Object.entries(services).map(([service, said]) =>
    `${mark(said.at(-1)?.action ?? "request_start", context)} ${service}`
  );
  return [shortId(requestId), ...parts, oneLine(request)].join("  ") + "\n";
}
