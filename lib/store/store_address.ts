import { bracketed } from "../host/net_permission.ts";
import { reasonOf } from "../validation/mod.ts";
import { StoreError, StoreUsageError } from "./store_error.ts";

/** Where a store is. */
export type StoreAddress =
  | { engine: "redis"; url: URL; namespace?: string }
  | { engine: "sqlite"; path: string };

/**
 * Reads `redis[s]://[user[:password]@]host[:port][/db][?namespace=name]` or `sqlite:/path/to/file`.
 *
 * @throws {StoreUsageError} If it is neither; without the password.
 */
export function parseStoreAddress(address: string): StoreAddress {
  const path = /^sqlite:(?:\/\/)?(.+)$/.exec(address)?.[1];
  if (path !== undefined) return { engine: "sqlite", path };
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "") {
    throw new StoreUsageError(
      `store address ${withoutPassword(address)} is none; ` +
        "give redis://host:6379, rediss://… for TLS, or sqlite:/path/to/file",
    );
  }
  if (!/^\/?\d*$/.test(url.pathname)) {
    throw new StoreUsageError(
      `store address ${withoutPassword(address)} ends in ${url.pathname}; ` +
        "expected the number of a database of Redis, such as /0, or nothing",
    );
  }
  return { engine: "redis", url, ...namespaceOf(url) };
}

/** @throws {StoreUsageError} If it asks for something else, or for a namespace that is none. */
function namespaceOf({ searchParams }: URL): { namespace?: string } {
  for (const [name, value] of searchParams) {
    if (name === "namespace" && /^[\w.-]{1,64}$/.test(value)) continue;
    throw new StoreUsageError(
      `store address: ${name}=${value} is none; expected namespace= and up to 64 letters, digits, ` +
        '"_", "." and "-", or nothing',
    );
  }
  const namespace = searchParams.get("namespace");
  return namespace === null ? {} : { namespace };
}

/** The address as it may be shown: user and password left out, whatever is in them. */
export function describeStore(address: string): string {
  const parsed = parseStoreAddress(address);
  if (parsed.engine === "sqlite") return `sqlite:${parsed.path}`;
  const { protocol, host, pathname, search } = parsed.url;
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}${search}`;
}

/** Whatever it is, nothing in front of its last `@` is shown but the scheme. */
function withoutPassword(address: string): string {
  return address.replace(/^([a-z]+:)?.*@/is, "$1***@");
}

/** Where {@link resolveStore} looks. */
export interface StoreSources {
  /** Address on the command line. */
  address?: string | undefined;
  /** Reads an environment variable; default: there are none. */
  env?: (name: string) => string | undefined;
  /** Reads a file that a variable names; default: `Deno.readTextFileSync`. */
  readFile?: (path: string) => string;
}

/** A store's address and what it takes to be let in. */
export interface ResolvedStore {
  /** Its address; it may hold a password, so show {@link describeStore} of it instead. */
  address: string;
  /** Redis's password, where the address has none. */
  password?: string;
  /** Certificate of the authority to trust with `rediss:`, PEM. */
  ca?: string;
}

/** Variables that {@link resolveStore} reads: what passes them on must know them all. */
export const STORE_VARIABLES = [
  "STD_DAQ_STORE",
  "REDIS_SKIP",
  "REDIS_URL",
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_PASSWORD",
  "REDIS_PASSWORD_FILE",
  "REDIS_CA_FILE",
] as const;

/**
 * Finds out where the store is: the address given, else STD_DAQ_STORE, else, unless REDIS_SKIP is set,
 * REDIS_URL, or REDIS_HOST and REDIS_PORT. A password that Redis's address leaves open comes from REDIS_PASSWORD or
 * REDIS_PASSWORD_FILE, the authority of `rediss:` from REDIS_CA_FILE.
 *
 * @returns Undefined when nothing says where.
 * @throws {StoreUsageError} If the address is none.
 * @throws {StoreError} If a file cannot be read.
 */
export function resolveStore(sources: StoreSources = {}): ResolvedStore | undefined {
  const { env = () => undefined, readFile = Deno.readTextFileSync } = sources;
  const address = sources.address ?? env("STD_DAQ_STORE") ?? redisNamedBy(env);
  if (address === undefined) return undefined;
  const parsed = parseStoreAddress(address);
  if (parsed.engine === "sqlite") return { address };
  const file = (variable: string): string | undefined => {
    const path = env(variable);
    if (path === undefined) return undefined;
    try {
      return readFile(path);
    } catch (cause) {
      throw new StoreError(
        `${variable}: ${path} cannot be read: ${reasonOf(cause)}. ` +
          "Check that it is there, and that this service may read it",
        { cause },
      );
    }
  };
  const password = parsed.url.password !== "" ? undefined : env("REDIS_PASSWORD") ??
    file("REDIS_PASSWORD_FILE")?.replace(/\r?\n[^]*$/, "");
  const ca = parsed.url.protocol === "rediss:" ? file("REDIS_CA_FILE") : undefined;
  return {
    address,
    ...(password !== undefined && { password }),
    ...(ca !== undefined && { ca }),
  };
}

/**
 * Finds out where Redis is, for what only Redis holds: the address given, else as {@link resolveStore}, but
 * without STD_DAQ_STORE.
 *
 * @returns Undefined when nothing says where: whoever wants none is not made to have one.
 * @throws {StoreUsageError} If the address is none of Redis.
 * @throws {StoreError} If a file cannot be read.
 */
export function resolveRedis(sources: StoreSources = {}): ResolvedStore | undefined {
  const { env = () => undefined } = sources;
  const address = sources.address ?? redisNamedBy(env);
  if (address === undefined) return undefined;
  if (parseStoreAddress(address).engine === "redis") return resolveStore({ ...sources, address });
  throw new StoreUsageError(
    `${address} is not Redis; give redis://host:6379, or rediss://… for TLS`,
  );
}

/**
 * Host and port of Redis, as Deno's `net` permission names them.
 *
 * @throws {StoreError} If it is no address of a Redis.
 */
export function redisHost(address: string): string {
  const parsed = parseStoreAddress(address);
  if (parsed.engine !== "redis") throw new StoreError(`${address} is not Redis`);
  const { hostname, port } = parsed.url;
  return `${hostname}:${port === "" ? 6379 : port}`;
}

/** REDIS_URL, or REDIS_HOST with REDIS_PORT, unless REDIS_SKIP says that they do not count. */
function redisNamedBy(env: (name: string) => string | undefined): string | undefined {
  if (/^(1|true|yes|on)$/i.test(env("REDIS_SKIP") ?? "")) return undefined;
  const host = env("REDIS_HOST");
  return env("REDIS_URL") ??
    (host === undefined ? undefined : `redis://${bracketed(host)}:${env("REDIS_PORT") ?? 6379}`);
}
