import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { changedFields, parseConfigText } from "../../../lib/config/mod.ts";
import { parseJson, stringifyJson } from "../../../lib/http/mod.ts";
import { ExitCode, UsageError } from "../../../lib/service/mod.ts";
import type { Entry, Store } from "../../../lib/store/mod.ts";
import type { DaqContext } from "../context.ts";
import { deploymentText, waitForDeployment } from "../deployment.ts";
import { oneLine } from "../format.ts";
import {
  configEntry,
  countOption,
  NOT_JSON,
  openStoreFor,
  parseConfigId,
  storeOption,
  timeText,
} from "../store.ts";
import { timeoutOption } from "../timeout_option.ts";

/** `daq config`: the detector config in the store, its history, and the way back. */
export function configCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("config")
    .description("Show, change and roll back the detector config in the store.")
    .addCommand(getCommand(context))
    .addCommand(setCommand(context))
    .addCommand(historyCommand(context))
    .addCommand(rollbackCommand(context));
}

function getCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("get")
    .description("Print the current config, or an earlier one.")
    .argument("[config-id]", "default: the current one", parseConfigId)
    .addOption(storeOption())
    .option("--json", "print one line of JSON, with the config's id")
    .action(async (id, { store: address, json }) => {
      await using store = await openStoreFor(address, context);
      const entry = await existing(store, id);
      context.out(
        json
          ? `${stringifyJson({ config_id: entry.id, time: entry.time, config: entry.value })}\n`
          : `${stringifyJson(entry.value, 2)}\n`,
      );
    });
}

function setCommand(context: DaqContext): CommandUnknownOpts {
  return waiting(
    new Command("set")
      .description("Make a config the current one: servers with a config_deployer take it up.")
      .argument("<file>", "a JSON file; - is stdin")
      .option("--merge", "the file has some fields only, the others stay as they are")
      .option("--dry-run", "check it and show what would change"),
  ).action(async (file, { store: address, merge, dryRun, ...wait }) => {
    const text = await readText(file);
    await using store = await openStoreFor(address, context);
    const current = await store.config(); // fails when the store is away, which adding would wait for
    const next = merge ? merged(current, text) : text;
    await put(store, current, next, { source: file, dryRun, ...wait }, context);
  });
}

function rollbackCommand(context: DaqContext): CommandUnknownOpts {
  return waiting(
    new Command("rollback")
      .description("Make an earlier config the current one again; the history keeps both.")
      .argument("<config-id>", "its id, see daq config history", parseConfigId),
  ).action(async (id, { store: address, ...wait }) => {
    await using store = await openStoreFor(address, context);
    const [current, former] = [await store.config(), await existing(store, id)];
    const text = stringifyJson(former.value);
    await put(store, current, text, { source: id, dryRun: undefined, ...wait }, context);
  });
}

function historyCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("history")
    .description("List configs, the newest first, with the fields that each one changed.")
    .addOption(countOption(10))
    .addOption(storeOption())
    .option("--json", "a line of JSON for each")
    .action(async ({ number, store: address, json }) => {
      await using store = await openStoreFor(address, context);
      const entries = await store.configs(number + 1);
      entries.slice(0, number).forEach(({ id, time, value }, i) => {
        const before = entries[i + 1];
        const changed = before === undefined || value === undefined
          ? undefined
          : changedFields(before.value, value);
        context.out(
          json
            ? `${stringifyJson({ config_id: id, time, changed, config: value })}\n`
            : `${id}  ${timeText(time)}  ${value === undefined ? NOT_JSON : changeText(changed)}\n`,
        );
      });
    });
}

/** The options of what changes the config. */
// The typings infer the options; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
function waiting<Args extends unknown[], Options extends Record<string, unknown>>(
  command: Command<Args, Options>,
) {
  return command
    .option("--wait", "wait until servers have deployed it")
    .option("--server <name...>", "servers to wait for, besides those that take it up")
    .addOption(timeoutOption(30))
    .addOption(storeOption());
}

/** How a config is put into the store. */
interface PutOptions {
  source: string;
  dryRun: true | undefined;
  wait?: true | undefined;
  server?: string[] | undefined;
  timeout: number;
}

/** Checks a config and makes it the current one. */
async function put(
  store: Store,
  current: Entry<unknown> | undefined,
  text: string,
  { source, dryRun, wait, server = [], timeout }: PutOptions,
  context: DaqContext,
): Promise<void> {
  const { warnings } = parseConfigText(text, source);
  for (const warning of warnings) context.err(`config: ${warning}\n`);
  const config = parseJson(text.replace(/^\uFEFF/, ""));
  if (dryRun) {
    return context.out(`${changeText(changedFields(current?.value, config))}\n`);
  }
  const id = await store.addConfig(config);
  context.out(`${id}\n`);
  if (!wait) return;
  const wanted = { servers: server, timeoutMs: timeout * 1000 };
  const state = await waitForDeployment(store, id, wanted, context);
  context.out(deploymentText(state));
  if (state.status !== "SUCCESS") context.exitCode = ExitCode.failure;
}

/** The current config with the fields of `text` instead of its own. */
function merged(current: Entry<unknown> | undefined, text: string): string {
  let fields: unknown;
  try {
    fields = parseJson(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UsageError(
      `the fields are not JSON: ${error.message}. Give some like {"bit_depth": 16}`,
    );
  }
  if (current?.value === undefined) {
    const why = current === undefined
      ? "there is no config"
      : `${current.id} is ${NOT_JSON}: nothing`;
    throw new UsageError(`${why} to merge with: give a whole one, without --merge`);
  }
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw new UsageError('--merge takes an object of fields, such as {"bit_depth": 16}');
  }
  return stringifyJson({ ...Object(current.value), ...fields });
}

/** @throws {UsageError} If there is no such config, or none that can be read. */
async function existing(store: Store, id: string | undefined): Promise<Entry<unknown>> {
  const entry = await configEntry(store, id);
  if (entry.value !== undefined) return entry;
  throw new UsageError(
    `${entry.id} is ${NOT_JSON}: daq config history lists those that can be rolled back to`,
  );
}

function changeText(changed: readonly string[] | undefined): string {
  if (changed === undefined) return "the oldest shown";
  return changed.length === 0 ? "no change" : oneLine(changed.join(", "));
}

async function readText(file: string): Promise<string> {
  if (file === "-") return await new Response(Deno.stdin.readable).text();
  try {
    return await Deno.readTextFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${file} cannot be read: ${reason}`);
  }
}
