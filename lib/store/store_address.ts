import { StoreError } from "./store_error.ts";

/** Where a store is. */
export type StoreAddress =
  | { engine: "redis"; url: URL }
  | { engine: "sqlite"; path: string };

/**
 * Reads `redis[s]://[user[:password]@]host[:port][/db]` or `sqlite:/path/to/file`.
 *
 * @throws {StoreError} If it is neither; without the password.
 */
export function parseStoreAddress(address: string): StoreAddress {
  const path = /^sqlite:(?:\/\/)?(.+)$/.exec(address)?.[1];
  if (path !== undefined) return { engine: "sqlite", path };
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^rediss?:$/.test(url.protocol) || url.hostname === "") {
    throw new StoreError(
      `store address ${withoutPassword(address)} is none; ` +
        "give redis://host:6379, rediss://… for TLS, or sqlite:/path/to/file",
    );
  }
  return { engine: "redis", url };
}

/** The address as it may be shown: user and password left out, whatever is in them. */
export function describeStore(address: string): string {
  const parsed = parseStoreAddress(address);
  if (parsed.engine === "sqlite") return `sqlite:${parsed.path}`;
  const { protocol, host, pathname } = parsed.url;
  return `${protocol}//${host}${pathname === "/" ? "" : pathname}`;
}

function withoutPassword(address: string): string {
  return address.replace(/\/\/.*@/, "//***@");
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
  "REDIS_URL",
  "REDIS_HOST",
  "REDIS_PORT",
  "REDIS_PASSWORD",
  "REDIS_PASSWORD_FILE",
  "REDIS_CA_FILE",
] as const;

/**
 * Finds out where the store is: the address given, else STD_DAQ_STORE, REDIS_URL, or REDIS_HOST and
 * REDIS_PORT. A password that Redis's address leaves open comes from REDIS_PASSWORD or
 * REDIS_PASSWORD_FILE, the authority of `rediss:` from REDIS_CA_FILE.
 *
 * @returns Undefined when nothing says where.
 * @throws {StoreError} If the address is none, or a file cannot be read.
 */
export function resolveStore(sources: StoreSources = {}): ResolvedStore | undefined {
  const { env = () => undefined, readFile = Deno.readTextFileSync } = sources;
  const host = env("REDIS_HOST");
  const address = sources.address ?? env("STD_DAQ_STORE") ?? env("REDIS_URL") ??
    (host === undefined ? undefined : `redis://${host}:${env("REDIS_PORT") ?? 6379}`);
  if (address === undefined) return undefined;
  const parsed = parseStoreAddress(address);
  if (parsed.engine === "sqlite") return { address };
  const file = (variable: string): string | undefined => {
    const path = env(variable);
    if (path === undefined) return undefined;
    try {
      return readFile(path);
    } catch (cause) {
      throw new StoreError(`${variable}: ${path} cannot be read`, { cause });
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
