import { Store, type StoreLimits } from "./store.ts";
import { parseStoreAddress } from "./store_address.ts";

/** How to open a store. */
export interface StoreOptions {
  /** Start of all keys. Default: the address's, else `daq`, as the original's. */
  namespace?: string;
  /** How much is kept of each kind, where it is not {@link DEFAULT_LIMITS}. */
  limits?: Partial<StoreLimits>;
  /** Entries that may wait for a store that is away. Default 10 000. */
  maxWaiting?: number;
  /** Bytes of entries that may wait. Default 64 MiB. */
  maxWaitingBytes?: number;
  /** Redis's password, where the URL has none. */
  password?: string;
  /** For `rediss:`, certificate of the authority to trust, PEM. Default: the system's. */
  ca?: string;
  /** Told of an outage of the store, what it cost, and its end. */
  onNote?: (message: string) => void;
  /** Clock, ms since 1970. */
  now?: () => number;
}

/**
 * Opens a store: `redis[s]://[user[:password]@]host[:port][/db][?namespace=name]`, shared by all machines, or
 * `sqlite:/path/to/file`, embedded, for one. Redis need not be there (yet).
 *
 * @example
 * ```ts ignore
 * import { openStore } from "@std-daq/std-daq/store";
 *
 * await using store = await openStore("sqlite:/var/lib/std-daq/store.sqlite");
 * const id = await store.addLog({ n_images: 100, output_file: "/data/run_1.h5" });
 * await store.addReport(id, { readable: true });
 * ```
 *
 * @throws {StoreError} If the address is none, or the file cannot be opened.
 */
export async function openStore(address: string, options: StoreOptions = {}): Promise<Store> {
  const { now = Date.now, onNote = () => {} } = options;
  const parsed = parseStoreAddress(address);
  const named = parsed.engine === "redis" ? parsed.namespace : undefined;
  const namespace = options.namespace ?? named ?? "daq";
  const settings = { namespace, limits: options.limits ?? {}, now };
  // Each engine is loaded only where it is asked for.
  const { maxWaiting = 10_000, maxWaitingBytes = 64 * 2 ** 20, password, ca } = options;
  const limits = { maxEntries: maxWaiting, maxBytes: maxWaitingBytes };
  if (parsed.engine === "sqlite") {
    const { SqliteEngine } = await import("./_sqlite_engine.ts");
    const engine = await SqliteEngine.open({ path: parsed.path, limits, onNote, now });
    return new Store(engine, settings);
  }
  const { RedisEngine } = await import("./_redis_engine.ts");
  const engine = new RedisEngine({
    address: {
      address,
      ...(password !== undefined && { password }),
      ...(ca !== undefined && { ca }),
    },
    limits,
    onNote,
  });
  return new Store(engine, settings);
}
