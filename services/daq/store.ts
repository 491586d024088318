import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { parseInteger, type StorePermission, UsageError } from "../../lib/service/mod.ts";
import {
  type Entry,
  isStoreId,
  openStore,
  type ResolvedStore,
  resolveStore,
  type Store,
} from "../../lib/store/mod.ts";
import type { DaqContext } from "./context.ts";
import { oneLine } from "./format.ts";

/** What an entry is that nobody of ours has stored. */
export const NOT_JSON = "not JSON, something else has written it";

/** The option that every command of the store has. */
// The typings infer the option's name and value; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
export function storeOption() {
  return new Option(
    "--store <address>",
    "redis[s]://host:6379 or sqlite:/path (env: STD_DAQ_STORE, REDIS_URL, REDIS_HOST)",
  );
}

/** `-n`: how many entries to show. */
// deno-lint-ignore explicit-function-return-type
export function countOption(count: number) {
  return new Option("-n, --number <n>", "how many, the newest first")
    .argParser(parseInteger(1, 100_000))
    .default(count);
}

/**
 * A config's id as an argument.
 *
 * @throws {InvalidArgumentError} If it is none.
 */
export function parseConfigId(text: string): string {
  if (isStoreId(text)) return text;
  throw new InvalidArgumentError(
    "expected an id such as 1685090990182-0; daq config history lists those there are.",
  );
}

/**
 * The config of an id, or the current one.
 *
 * @returns Its value is undefined when it is not JSON, see {@link NOT_JSON}.
 * @throws {UsageError} If there is no such config.
 */
export async function configEntry(store: Store, id: string | undefined): Promise<Entry<unknown>> {
  const entry = await store.config(id);
  if (entry !== undefined) return entry;
  throw new UsageError(
    id === undefined
      ? "the store has no config: daq config set FILE gives it one"
      : `the store has no config ${id}: daq config history lists those there are`,
  );
}

/**
 * Opens the store of `--store`, the one that the environment names, or this machine's own.
 *
 * @throws {UsageError} If nothing says where it is.
 * @throws {StoreUsageError} If the address is none.
 * @throws {StoreError} If the file cannot be opened.
 */
export async function openStoreFor(
  address: string | undefined,
  context: DaqContext,
): Promise<Store> {
  const found = findStore(address, context);
  if (found === undefined) {
    throw new UsageError(
      "where is the store? Give --store redis://host:6379 or sqlite:/path/to/file, set STD_DAQ_STORE, " +
        `or make the folder ${context.stateFolder}`,
    );
  }
  const { address: where, ...secrets } = found;
  return await openStore(where, {
    ...secrets,
    onNote: (note) => context.err(`${oneLine(note)}\n`),
  });
}

/**
 * The store that services are to use: where it is, and the files to read for it. Undefined when nothing says
 * where: then there is none.
 *
 * @throws {StoreUsageError} If the address is none.
 */
export function resolveStoreFor(
  address: string | undefined,
  context: DaqContext,
): StorePermission | undefined {
  const env = (name: string): string | undefined => context.env(name);
  const found = findStore(address, context);
  if (found === undefined) return undefined;
  const files = ["REDIS_PASSWORD_FILE", "REDIS_CA_FILE"].flatMap((name) => env(name) ?? []);
  const { address: where } = found;
  const isRelative = /^sqlite:(?:\/\/)?(?!\/)(.+)$/.exec(where)?.[1];
  return {
    address: isRelative === undefined ? where : `sqlite:${resolve(isRelative)}`,
    files: files.map((path) => resolve(path)),
  };
}

/**
 * The store that is named, else the embedded one of this machine, if it has the folder for it.
 *
 * @throws {StoreUsageError} If the address is none.
 */
function findStore(address: string | undefined, context: DaqContext): ResolvedStore | undefined {
  const named = resolveStore({ address, env: (name) => context.env(name) });
  if (named !== undefined) return named;
  const path = `${context.stateFolder}/store.sqlite`;
  try {
    // An empty file is an empty store. Asking for rights would need to know the user, which takes a permission.
    Deno.openSync(path, { append: true, create: true }).close();
  } catch {
    return undefined; // no such folder, or somebody else's
  }
  return { address: `sqlite:${path}` };
}

/** A time in UTC, to the second: `2026-11-25 22:43:24Z`. */
export function timeText(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace("T", " ").replace(/\.\d+/, "");
}
