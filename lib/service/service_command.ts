/** A child service: what to run, with what power. */
export interface ServiceCommand {
  /** The service's unique name among its siblings. */
  name: string;
  /** Its `--service-name`, by which logs, Redis and RabbitMQ know it; default: `name`. */
  serviceName?: string;
  /** Its `main.ts`. In a compiled binary, its folder's name is that of the sibling binary. */
  main: URL;
  /** Its own arguments. */
  args: readonly string[];
  /** Its `--allow-*` flags; see `permissionsFor`. A compiled sibling has its own built in. */
  permissions: readonly string[];
  /** `log_level` for it; default: its config's. */
  logLevel?: string;
  /** Variables besides this process's: for secrets, which a command line would show to everybody. */
  env?: Readonly<Record<string, string>>;
  /** Longest time from its start to ready, and of each part where it stands by between, ms. Default 30 000. */
  readyWithinMs?: number;
}

/** Where this process runs from. */
export interface Runtime {
  /** `deno`, or the compiled binary. */
  execPath: string;
  /** Whether this is a compiled binary. */
  standalone: boolean;
}

/** A program and its arguments. */
export interface ProgramCall {
  /** Path of the program. */
  program: string;
  /** Its arguments. */
  args: string[];
}

/** Tells a service to load what it needs and then to wait for a word on stdin. */
export const STAND_BY = "--stand-by";

/**
 * The program call that starts a service as this process's child: `deno run` with exactly its permissions,
 * or, from a compiled binary, the sibling binary beside it.
 *
 * @param command The service.
 * @param runtime Default: this process's.
 */
export function programCall(
  command: ServiceCommand,
  runtime: Runtime = { execPath: Deno.execPath(), standalone: Deno.build.standalone },
): ProgramCall {
  const { name, serviceName = name, main, args, permissions, logLevel } = command;
  const serviceArgs = [...args, "--service-name", serviceName, "--exit-with-parent"];
  if (logLevel !== undefined) serviceArgs.push("--log-level", logLevel);
  if (runtime.standalone) {
    const folder = main.pathname.split("/").at(-2) ?? "";
    const program = runtime.execPath.replace(/[^/]*$/, decodeURIComponent(folder));
    return { program, args: serviceArgs };
  }
  const script = decodeURIComponent(main.pathname);
  return {
    program: runtime.execPath,
    // Without --no-check: `deno run` does not check. Nobody could answer a prompt.
    args: ["run", "--quiet", "--no-prompt", ...permissions, script, ...serviceArgs],
  };
}
