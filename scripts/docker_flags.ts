// deno-lint-ignore-file no-console -- the container's entry point reads its output
/**
 * Prints the flags that give a service in a container what it needs for its config, for the entry
 * point in the Dockerfile.
 *
 *   docker_flags.ts <service> <its arguments…>
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import settings from "../deno.json" with { type: "json" };
import { BROKER_VARIABLES, brokerAddress, brokerHost } from "../lib/broker/broker_options.ts";
import { type DetectorConfig, parseConfig } from "../lib/config/mod.ts";
import { readEnv } from "../lib/service/env.ts";
import { ExitCode, exitCodeOf } from "../lib/service/exit_code.ts";
import { findConfig, NoConfigError } from "../lib/service/find_config.ts";
import {
  filePermissionsFor,
  permissionsFor,
  SERVICE_NAMES,
  type ServiceName,
  type StorePermission,
} from "../lib/service/permissions.ts";
import { ServiceRegistry } from "../lib/store/service_registry.ts";
import {
  parseStoreAddress,
  redisHost,
  type ResolvedStore,
  resolveRedis,
  resolveStore,
} from "../lib/store/store_address.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const FILE_SERVICES: readonly string[] = ["file_validator", "preview"];

/**
 * The flags for `deno run`.
 *
 * @param service Name of a service, or `daq`.
 * @param args Its arguments.
 * @param env Reads the container's environment, which may name a store.
 * @throws {RangeError} If there is no such service.
 * @throws {ConfigError} If the config cannot be used.
 * @throws {StoreError} If the config is to come from Redis, which cannot be asked.
 */
export async function dockerFlags(
  service: string,
  args: readonly string[],
  env: (name: string) => string | undefined = () => undefined,
): Promise<string[]> {
  const known = SERVICE_NAMES.find((name) => name === service);
  const others = servicesWithoutDetector();
  if (known === undefined && !others.includes(service)) {
    throw new RangeError(
      `There is no service ${service}; there are ${[...SERVICE_NAMES, ...others].join(", ")}.`,
    );
  }
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      "data-root": { type: "string", multiple: true },
      "health-port": { type: "string" },
      port: { type: "string" },
      file: { type: "string" },
      config: { type: "string" },
      store: { type: "string" },
      redis: { type: "string" },
      broker: { type: "string" },
      "service-name": { type: "string" },
      help: { type: "boolean", short: "h" },
    },
    strict: false, // the service itself checks its arguments
    allowPositionals: true,
  });
  const store = toPermission(resolveStore({ address: text(values.store), env }), env);
  const registry = resolveRedis({ address: text(values.redis), env });
  const redis = toPermission(registry, env);
  const broker = brokerPermission(text(values.broker), env);
  const dataRoots = dataRootsOf(values["data-root"], positionals);
  const healthPort = text(values["health-port"]);
  const common = {
    root: ROOT,
    dataRoots,
    ...(healthPort === undefined ? {} : { healthPort: Number(healthPort) }),
    store,
    redis,
  };
  if (FILE_SERVICES.includes(service) && dataRoots.length > 0) {
    // Where nothing names a broker, they look for one on this machine.
    return filePermissionsFor({ ...common, broker: broker ?? { address: "amqp://127.0.0.1" } });
  }
  // config_deployer's file is no argument of its own.
  const file = [text(values.file) ?? "", ...positionals].find(isFile);
  const serviceName = text(values["service-name"]) ?? env("SERVICE_NAME") ?? service;
  const found = known === undefined || values.help === true
    ? undefined
    : await configOf(known, serviceName, file, registry);
  if (known === undefined || found === undefined) {
    const files = [values.config, values.file].flatMap((path) => text(path) ?? []);
    const { net, read, write } = serverNeeds([store, redis], broker);
    return setFlags(service, {
      read: [...files, ...positionals.filter(isFile), ...dataRoots, ...read],
      write,
      net: [...net, ...(healthPort === undefined ? [] : [`127.0.0.1:${healthPort}`])],
    });
  }
  return permissionsFor(known, found.config, {
    ...common,
    configPath: found.path,
    ...(typeof values.port === "string" ? { apiPort: Number(values.port) } : {}),
    broker,
  });
}

/**
 * A service's config, found where the service itself will look, and its absolute path if it is a file. Undefined
 * where there is none: a mistake that the service will name, or a deployer's first.
 */
async function configOf(
  service: ServiceName,
  serviceName: string,
  file: string | undefined,
  redis: ResolvedStore | undefined,
): Promise<{ config: DetectorConfig; path: string | undefined } | undefined> {
  if (service === "config_deployer" && file === undefined) return undefined;
  using registry = redis && await ServiceRegistry.open(redis);
  try {
    const { json, source } = await findConfig({ serviceName, file, registry, allowsEmpty: false });
    // Not the real path: the service opens it by this one, as links of a mounted config map.
    const path = isFile(source) ? resolve(source) : undefined;
    return { config: parseConfig(json, source).config, path };
  } catch (error) {
    if (error instanceof NoConfigError) return undefined;
    throw error;
  }
}

/** What it takes to reach the stores and the broker that are named. */
function serverNeeds(
  named: readonly (StorePermission | undefined)[],
  broker: StorePermission | undefined,
): Permissions<readonly string[]> {
  const stores = named.filter((at) => at !== undefined);
  const brokers = broker === undefined ? [] : [broker];
  const embedded = stores.flatMap(({ address }) => sqlitePath(address) ?? []);
  return {
    read: [...[...stores, ...brokers].flatMap(({ files }) => files ?? []), ...embedded],
    write: embedded,
    net: [
      ...stores.flatMap(({ address }) => redisHosts(address)),
      ...brokers.map(({ address }) => brokerHost(address)),
    ],
  };
}

/** Absolute folders; of `--data-root a b` the second one looks like an argument. */
function dataRootsOf(option: unknown, positionals: readonly string[]): string[] {
  return [...(Array.isArray(option) ? option : []), ...positionals]
    .filter((root) => typeof root === "string" && root.startsWith("/") && !isFile(root))
    .map(String);
}

/** Services that have no config of a detector to be narrowed by: all others with a permission set. */
function servicesWithoutDetector(): string[] {
  return Object.keys(settings.permissions).filter((name) =>
    !SERVICE_NAMES.some((known) => known === name) && isFile(`${ROOT}/services/${name}/main.ts`)
  );
}

/** What may be read, written and connected to. */
interface Permissions<List> {
  read: List;
  write: List;
  net: List;
}

/**
 * The permission set of a service and what it needs besides: a flag takes the place of the set's list, and so
 * repeats it.
 *
 * @throws {RangeError} If a path holds a comma.
 */
function setFlags(service: string, more: Permissions<readonly string[]>): string[] {
  const comma = more.read.find((path) => path.includes(","));
  if (comma !== undefined) {
    throw new RangeError(
      `${comma} has a comma, which Deno's permission flags cannot name: use a path without one.`,
    );
  }
  const sets: Record<string, Partial<Permissions<boolean | string[]>>> = settings.permissions;
  const set = sets[service] ?? {};
  const flags = (["read", "write", "net"] as const).flatMap((kind) => {
    const own = set[kind] ?? [];
    if (own === true || more[kind].length === 0) return []; // the set has it
    const list = [...(own === false ? [] : own), ...more[kind]];
    return `--allow-${kind}=${[...new Set(list)].join(",")}`;
  });
  return [`-P=${service}`, ...flags];
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** The broker that the arguments or the environment name, with the files that are read for it. */
function brokerPermission(
  url: string | undefined,
  env: (name: string) => string | undefined,
): StorePermission | undefined {
  const address = brokerAddress({ url, env });
  if (address === undefined) return undefined;
  const names = BROKER_VARIABLES.filter((name) => name.endsWith("_FILE"));
  return { address, files: names.flatMap((name) => env(name) ?? []) };
}

/** Host and port of a store in Redis; a file has none. */
function redisHosts(address: string): string[] {
  return parseStoreAddress(address).engine === "redis" ? [redisHost(address)] : [];
}

/** The file of a store that is one. */
function sqlitePath(address: string): string | undefined {
  const parsed = parseStoreAddress(address);
  return parsed.engine === "sqlite" ? parsed.path : undefined;
}

/** A store with the files that are read for it. */
function toPermission(
  store: ResolvedStore | undefined,
  env: (name: string) => string | undefined,
): StorePermission | undefined {
  if (store === undefined) return undefined;
  const files = ["REDIS_PASSWORD_FILE", "REDIS_CA_FILE"].flatMap((name) => env(name) ?? []);
  return { address: store.address, files };
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false; // no file, then
  }
}

if (import.meta.main) {
  const [service = "", ...args] = Deno.args;
  try {
    console.log((await dockerFlags(service, args, readEnv)).join("\n"));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(error instanceof RangeError ? ExitCode.usage : exitCodeOf(error));
  }
}
