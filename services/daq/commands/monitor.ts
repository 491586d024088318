import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Status } from "../../../lib/broker/mod.ts";
import { topicMatches } from "../../../lib/broker/topic.ts";
import { stringifyJson } from "../../../lib/http/mod.ts";
import { brokerOption, connectBroker, mark, shortId } from "../broker.ts";
import type { DaqContext } from "../context.ts";
import { oneLine } from "../format.ts";
import { requestText, RequestWatch } from "../request_watch.ts";

/** `daq monitor`: what services say of requests, as they say it. */
export function monitorCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("monitor")
    .description("Show what services say of requests, until Ctrl-C.")
    .option("--agg", "per request: its outcome, what all services say, and how long it took")
    .option("--tag <pattern>", "only services whose tag or name fits, e.g. psi.#", "#")
    .addOption(brokerOption())
    .option("--json", "a line of JSON per status, with --agg of the whole request")
    .action(async ({ agg, tag, broker, json }) => {
      await using client = await connectBroker(broker, context);
      const statuses = client.statuses(context.signal);
      context.err("listening; Ctrl-C ends\n");
      const requests = new RequestWatch();
      for await (const status of statuses) {
        if (![status.tag, status.source].some((key) => topicMatches(tag, key))) continue;
        // Those without an id are not to be told apart.
        if (!agg || status.requestId === "") {
          context.out(json ? `${stringifyJson(status)}\n` : statusLine(status, context));
          continue;
        }
        const view = requests.add(status, performance.now());
        context.out(json ? `${stringifyJson(view)}\n` : requestText(view, status, context));
      }
    });
}

function statusLine(status: Status, context: DaqContext): string {
  const { requestId, action, source, message, request } = status;
  const words = oneLine(action === "request_start" ? request : message);
  return `${mark(action, context)} ${shortId(requestId)} ${oneLine(source)} ${words}`.trimEnd() +
    "\n";
}
