/**
 * Where the foreign servers of the tests come from: packages of this machine, else images that docker compose
 * runs.
 *
 * @module
 */

/** A server of somebody else. */
export type ServerName = "redis" | "rabbitmq";

/** Packages of this machine, or images of `servers.compose.yaml`. */
export type ServerSource = "packages" | "images";

const COMPOSE_FILE = new URL("servers.compose.yaml", import.meta.url).pathname;

/** Programs as Debian's packages have them: of RabbitMQ its start script itself, the wrapper insists on a user. */
const PROGRAMS: Record<ServerName, string> = {
  redis: "redis-server",
  rabbitmq: "/usr/lib/rabbitmq/bin/rabbitmq-server",
};

/** What to run, and what else there is to know. */
export interface ServerCall {
  /** The program and its arguments. */
  command: string[];
  /** Name of the container that it runs in, if it does. */
  container?: string;
}

/**
 * Where a server can come from here.
 *
 * @param path Folders of programs, as in PATH.
 * @throws {Error} If from nowhere, with what to install.
 */
export function sourceOf(server: ServerName, path = Deno.env.get("PATH") ?? ""): ServerSource {
  if (hasProgram(PROGRAMS[server], path)) return "packages";
  if (hasProgram("docker", path)) return "images";
  throw new Error(
    `${server} is needed and is not here: install the package ${server}-server (or its like), or docker with ` +
      `its compose plugin, which then runs it from ${COMPOSE_FILE}`,
  );
}

/** What to run for the images to be there before a test waits for them. */
export function pullCommand(servers: readonly ServerName[]): string[] {
  return [...compose(), "pull", "--quiet", ...servers];
}

/**
 * What to run for a server.
 *
 * @param program Its program, or `server` for the server itself.
 * @param args The program's arguments.
 * @param environment Names of the variables that it is to have; a container has no others of ours.
 * @param folder Folder of the test that it reads and writes, at the same path.
 */
export function serverCall(
  server: ServerName,
  source: ServerSource,
  { program = "server", args = [], environment = [], folder }: {
    program?: string;
    args?: readonly string[];
    environment?: readonly string[];
    folder: string;
  },
): ServerCall {
  if (source === "packages") {
    return { command: [program === "server" ? PROGRAMS[server] : program, ...args] };
  }
  const container = `std-daq-tests-${crypto.randomUUID()}`;
  const command = [
    ...[...compose(), "run", "--rm", "--no-TTY", "--no-deps", "--name", container],
    // What it writes into the test's folder is the test's to remove.
    ...["--user", `${Deno.uid()}:${Deno.gid()}`, "--volume", `${folder}:${folder}`],
    ...environment.flatMap((name) => ["--env", name]), // values by the environment: secrets among them
    server,
    ...[program === "server" ? `${server}-server` : program, ...args],
  ];
  return { command, container };
}

function compose(): string[] {
  return ["docker", "compose", "--file", COMPOSE_FILE];
}

function hasProgram(program: string, path: string): boolean {
  const places = program.startsWith("/")
    ? [program]
    : path.split(":").map((f) => `${f}/${program}`);
  return places.some((place) => {
    try {
      return Deno.statSync(place).isFile;
    } catch {
      return false; // not there, or not for us
    }
  });
}
