import { scanJson } from "./_scan_json.ts";
import { ConfigError } from "./config_error.ts";
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
  const text = (await readText(path)).replace(/^\uFEFF/, "");
  const problems = scanJson(text);
  if (problems.length > 0) {
    throw new ConfigError(
      path,
      problems.map(({ line, column, found, expected }) => ({
        path: `line ${line}, column ${column}`,
        value: found,
        expected,
      })),
    );
  }
  const json: unknown = JSON.parse(text);
  return parseConfig(json, path);
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    const missing = cause instanceof Deno.errors.NotFound;
    const value = missing ? undefined : cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(path, [{ path: "the file", value, expected: "a readable JSON file" }], {
      cause,
    });
  }
}
