/**
 * The file that services read their config from.
 *
 * @module
 */
import { parseJson, stringifyJson } from "../../lib/protocol/json.ts";
import { writeWholeFile } from "../../lib/os/mod.ts";

/** What a config file is to its deployer; a test has its own. */
export interface ConfigFile {
  /** The config as it is there; undefined if there is none, or what is there is no JSON. */
  read(): unknown;
  /**
   * Replaces it: services find the former one or this one, also after a crash.
   *
   * @throws {OsError} If it cannot be written; then it is as before.
   */
  write(config: unknown): void;
}

/**
 * The config file at a path. Nothing in a config has a say in where it is written; a link at the path is
 * replaced and not followed.
 */
export function configFile(path: string): ConfigFile {
  return {
    read(): unknown {
      try {
        return parseJson(Deno.readTextFileSync(path).replace(/^\uFEFF/, ""));
      } catch (error) {
        // What cannot be used is replaced like any other.
        if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
        throw error;
      }
    },
    write(config): void {
      const bytes = new TextEncoder().encode(`${stringifyJson(config, 2)}\n`);
      writeWholeFile(path, bytes, { overwrite: true });
    },
  };
}
