import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { parseJson, stringifyJson } from "../../../lib/http/mod.ts";
import { UsageError } from "../../../lib/service/mod.ts";
import { brokerOption, connectBroker, outcomeText } from "../broker.ts";
import type { DaqContext } from "../context.ts";
import { timeoutOption } from "../timeout_option.ts";

/** `daq request`: asks services for something through RabbitMQ, and waits for it if told to. */
export function requestCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("request")
    .description("Send a request to the services of a tag.")
    .argument("<tag>", "where to, e.g. psi.tomcat.writer")
    .argument("<json>", "the request")
    .option("--wait", "wait for the end; Ctrl-C ends the waiting only")
    .option("--service <name...>", "services whose end is waited for, besides those that answer")
    .addOption(timeoutOption(60))
    .addOption(brokerOption())
    .option("--json", "print one line of JSON")
    .action(async (tag, text, { wait, service = [], timeout, broker, json }) => {
      const request = parseRequest(text);
      await using client = await connectBroker(broker, context);
      const requestId = await client.send(tag, request);
      if (!wait) {
        return context.out(
          json ? `${stringifyJson({ request_id: requestId })}\n` : `${requestId}\n`,
        );
      }
      if (!json) context.out(`${requestId}\n`);
      const outcome = await client.wait(requestId, {
        services: service,
        timeoutMs: timeout * 1000,
        signal: context.signal,
      });
      const { status, services } = outcome;
      context.out(
        json
          ? `${stringifyJson({ request_id: requestId, status, services })}\n`
          : outcomeText(outcome, context),
      );
      if (status === "request_fail") context.exitCode = 1;
    });
}

/** `daq kill`: ends a request early. */
export function killCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("kill")
    .description("End a request early.")
    .argument("<tag>", "where the request was sent to")
    .argument("<request-id>", "its id")
    .addOption(brokerOption())
    .action(async (tag, requestId, { broker }) => {
      await using client = await connectBroker(broker, context);
      await client.kill(tag, requestId);
    });
}

function parseRequest(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(
      `the request is not JSON: ${error.message}. Give one such as '{"n_images": 100}'`,
    );
  }
}
