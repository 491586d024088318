// deno-lint-ignore-file no-console -- the container's entry point reads its output
/**
 * Prints the flags that give a service in a container what it needs for its config, for the entry
 * point in the Dockerfile.
 *
 *   docker_flags.ts <service> <its arguments…>
 */
import { parseArgs } from "node:util";
import settings from "../deno.json" with { type: "json" };
import { loadConfig } from "../lib/config/mod.ts";
import { ExitCode, exitCodeOf } from "../lib/service/exit_code.ts";
import { permissionsFor, type ServiceName } from "../lib/service/permissions.ts";

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");
const SERVICES: readonly ServiceName[] = [
  "std_udp_recv",
  "std_assembler",
  "std_data_compress",
  "std_data_decompress",
  "std_h5_writer",
  "writer_agent",
  "udp_simulator",
];

/**
 * The flags for `deno run`.
 *
 * @param service Name of a service, or `daq`.
 * @param args Its arguments.
 * @throws {RangeError} If there is no such service.
 * @throws {ConfigError} If the config cannot be used.
 */
export async function dockerFlags(service: string, args: readonly string[]): Promise<string[]> {
  const known = SERVICES.find((name) => name === service);
  if (known === undefined) {
    const others = servicesWithoutDetector();
    if (others.includes(service)) return [`-P=${service}`];
    throw new RangeError(
      `There is no service ${service}; there are ${[...SERVICES, ...others].join(", ")}.`,
    );
  }
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      "data-root": { type: "string", multiple: true },
      "health-port": { type: "string" },
      port: { type: "string" },
    },
    strict: false, // the service itself checks its arguments
    allowPositionals: true,
  });
  const configPath = positionals.find(isFile);
  // --help, or a mistake that the service will name.
  if (configPath === undefined) return [`-P=${known}`];
  const { config } = await loadConfig(configPath);
  const roots = values["data-root"];
  return permissionsFor(known, config, {
    root: ROOT,
    configPath: await Deno.realPath(configPath),
    // `--data-root a b`: the second one looks like an argument.
    dataRoots: [...(Array.isArray(roots) ? roots : []), ...positionals]
      .filter((root) => typeof root === "string" && root.startsWith("/") && !isFile(root))
      .map(String),
    ...(typeof values.port === "string" ? { apiPort: Number(values.port) } : {}),
    ...(typeof values["health-port"] === "string"
      ? { healthPort: Number(values["health-port"]) }
      : {}),
  });
}

/** Services that have no config of a detector to be narrowed by: all others with a permission set. */
function servicesWithoutDetector(): string[] {
  return Object.keys(settings.permissions).filter((name) =>
    !SERVICES.some((known) => known === name) && isFile(`${ROOT}/services/${name}/main.ts`)
  );
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
    console.log((await dockerFlags(service, args)).join("\n"));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    Deno.exit(error instanceof RangeError ? ExitCode.usage : exitCodeOf(error));
  }
}
