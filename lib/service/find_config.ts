import { parseConfigJson, readConfigText } from "../config/mod.ts";

/** A config as it was found. */
export interface FoundConfig {
  /** JSON, not checked yet. */
  json: unknown;
  /** Where it was: a path, a key of Redis, or that nothing was there. */
  source: string;
}

/** A Redis that can be asked for a config. */
export interface ConfigRegistry {
  /** Where it is, for messages. */
  readonly where: string;
  /** The text of a service's config; undefined where there is none. */
  config(serviceName: string): Promise<string | undefined>;
}

/** Where to look for a service's config. */
export interface ConfigPlaces {
  /** `[facility].[beamline].[service]`. */
  serviceName: string;
  /** File given on the command line: the only place, then. */
  file?: string | undefined;
  /** File looked for when none is given. Default `config.json` in the working directory. */
  usualFile?: string;
  /** Redis; undefined where nothing names one. */
  registry?: ConfigRegistry | undefined;
  /** Whether the service can do without: it takes `{}`. */
  allowsEmpty: boolean;
  /** What the config is of and where that is described, for errors. Default: a detector's. */
  about?: { what: string; described: string } | undefined;
}

/**
 * Finds a service's config: the file given, else `config.json`, else Redis's `config.[service_name]`, else `{}`
 * where the service allows that.
 *
 * @throws {NoConfigError} If it is nowhere, with all the places that were looked at.
 * @throws {ConfigError} If it is not JSON, or a file is there and cannot be read.
 * @throws {StoreError} If Redis is named and cannot be asked: what it holds must not be overlooked.
 */
export async function findConfig(places: ConfigPlaces): Promise<FoundConfig> {
  const { serviceName, file, usualFile = "config.json", registry, allowsEmpty, about } = places;
  if (file !== undefined) return await fromFile(file, about);
  if (await isThere(usualFile)) return await fromFile(usualFile, about);
  const key = `config.${serviceName}`;
  if (registry !== undefined) {
    const text = await registry.config(serviceName);
    const source = `${registry.where} ${key}`;
    if (text !== undefined) return { json: parseConfigJson(text, source, about), source };
  }
  if (allowsEmpty) return { json: {}, source: "none found: all defaults" };
  throw new NoConfigError(serviceName, [
    "a file on the command line: none given",
    `${usualFile} in the working directory: not there, or not permitted to be read`,
    registry === undefined
      ? "Redis: none named by --redis, REDIS_URL or REDIS_HOST"
      : `Redis at ${registry.where}: no key ${key}`,
  ]);
}

/** A service that needs a config found none. The message lists where it looked. */
export class NoConfigError extends Error {
  /** The class's name. */
  override readonly name = "NoConfigError";

  /** Names the service and the places. */
  constructor(serviceName: string, places: readonly string[]) {
    super(
      `${serviceName} has no config. It was looked for in:\n` +
        places.map((place) => `  ${place}\n`).join("") +
        "Put it in one of these places.",
    );
  }
}

async function fromFile(path: string, about: ConfigPlaces["about"]): Promise<FoundConfig> {
  return { json: parseConfigJson(await readConfigText(path, about), path, about), source: path };
}

/** A file that may not be looked at counts as not being there. */
async function isThere(path: string): Promise<boolean> {
  const { state } = await Deno.permissions.query({ name: "read", path });
  if (state !== "granted") return false;
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
