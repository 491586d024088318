import { scanJson } from "./_scan_json.ts";
import { ConfigError, type ConfigErrorOptions } from "./config_error.ts";
import { parseConfig, type ParsedConfig } from "./parse_config.ts";

/**
 * Reads and checks a detector config file.
 *
 * @param path Path of the JSON file (UTF-8).
 * @returns The config and its warnings, as from `parseConfig`.
 * @throws {ConfigError} If the file cannot be read, is not JSON (with line and column), repeats a key
 * or describes a config that is not valid.
 */
export async function loadConfig(path: string): Promise<ParsedConfig> {
  return parseConfigText(await readConfigText(path), path);
}

/**
 * Checks the text of a detector config, as a file or a store has it.
 *
 * @param text JSON; a byte order mark is overlooked.
 * @param source Where it came from, for the error's message.
 * @returns The config and its warnings, as from `parseConfig`.
 * @throws {ConfigError} If it is not JSON (with line and column), repeats a key or describes a config that
 * is not valid.
 */
export function parseConfigText(text: string, source: string): ParsedConfig {
  return parseConfig(parseConfigJson(text, source), source);
}

/**
 * Parses the text of a config of any kind as JSON, strictly.
 *
 * @param text JSON; a byte order mark is overlooked.
 * @param source Where it came from, for the error's message.
 * @param options What the error says besides.
 * @throws {ConfigError} If it is not JSON (with line and column), or repeats a key.
 */
export function parseConfigJson(
  text: string,
  source: string,
  options: ConfigErrorOptions = {},
): unknown {
  const plain = text.replace(/^\uFEFF/, "");
  const problems = scanJson(plain);
  if (problems.length > 0) {
    throw new ConfigError(
      source,
      problems.map(({ line, column, found, expected }) => ({
        path: `line ${line}, column ${column}`,
        value: found,
        ...(found === undefined && { found: "is the end of the text" }),
        expected,
      })),
      options,
    );
  }
  return JSON.parse(plain);
}

/**
 * Reads the file of a config of any kind.
 *
 * @param options What the error says besides.
 * @throws {ConfigError} If the file cannot be read, with the reason.
 */
export async function readConfigText(
  path: string,
  options: ConfigErrorOptions = {},
): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const problem = cause instanceof Deno.errors.NotCapable
      ? {
        found: "is outside the folders that this program may read",
        expected: "a file in the working directory or in /etc/std-daq: move it there, or have " +
          "daq run start the service, which permits it the config's file wherever that is",
      }
      : {
        found: missing ? "is missing" : `cannot be read: ${reason}`,
        expected: "a readable JSON file",
      };
    throw new ConfigError(path, [{ path: "the file", value: undefined, ...problem }], {
      ...options,
      cause,
    });
  }
}
