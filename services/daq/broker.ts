import { Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { BROKER_VARIABLES, brokerAddress, resolveBroker } from "../../lib/broker/broker_options.ts";
import type { BrokerClient, RequestOutcome, StatusAction } from "../../lib/broker/mod.ts";
import type { StorePermission } from "../../lib/service/mod.ts";
import type { DaqContext } from "./context.ts";
import { oneLine } from "./format.ts";

/** The option that every command of the broker has. */
// The typings infer the option's name and value; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
export function brokerOption() {
  return new Option(
    "--broker <url>",
    "address of RabbitMQ, amqp[s]://… (env: BROKER_URL, BROKER_HOST, …; default: this machine)",
  );
}

/**
 * Connects as a client to `--broker`, or to where the environment says. The library is loaded only here:
 * the other commands start without it.
 *
 * @throws {BrokerUsageError} If the address is none.
 * @throws {BrokerError} If nobody is there.
 */
export async function connectBroker(
  url: string | undefined,
  context: DaqContext,
): Promise<BrokerClient> {
  const broker = resolveBroker({ url, env: (name) => context.env(name) });
  const { BrokerClient } = await import("../../lib/broker/mod.ts");
  return await BrokerClient.connect({
    broker,
    name: "daq",
    onNote: (message) => context.err(`${oneLine(message)}\n`),
  });
}

/**
 * The broker that the agent is to take requests from: where it is, and the files to read for it. Undefined when
 * nothing says where: then it takes none.
 *
 * @throws {BrokerUsageError} If the address is none.
 */
export function resolveBrokerFor(
  url: string | undefined,
  context: DaqContext,
): StorePermission | undefined {
  const address = brokerAddress({ url, env: (name) => context.env(name) });
  if (address === undefined) return undefined;
  resolveBroker({ url: address }); // by itself, without the files that the environment names
  const files = BROKER_VARIABLES.filter((name) => name.endsWith("_FILE"))
    .flatMap((name) => context.env(name) ?? []);
  return { address, files: files.map((path) => resolve(path)) };
}

const MARKS: Record<StatusAction, { sign: string; color: number }> = {
  request_start: { sign: "*", color: 33 },
  request_progress: { sign: "~", color: 36 },
  request_success: { sign: "+", color: 32 },
  request_fail: { sign: "-", color: 31 },
};

/** `*` started, `~` under way, `+` succeeded, `-` failed; in colour on a terminal. */
export function mark(action: StatusAction, context: DaqContext): string {
  const { sign, color } = MARKS[action];
  return context.outColor ? `\x1b[${color}m${sign}\x1b[0m` : sign;
}

/** A request's id, short: `abcd..wxyz`. */
export function shortId(requestId: string): string {
  const id = oneLine(requestId);
  return id.length <= 10 ? id : `${id.slice(0, 4)}..${id.slice(-4)}`;
}

/** The end of a request, a line for each service. */
export function outcomeText(outcome: RequestOutcome, context: DaqContext): string {
  return Object.entries(outcome.services).map(([service, said]) => {
    const { action = "request_start", message } = said.at(-1) ?? {};
    return `${mark(action, context)} ${oneLine(service)} ${oneLine(message)}`.trimEnd() + "\n";
  }).join("");
}
