// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Foreign tools that the tests compare std-daq with: found, else installed with apt; servers else by docker
 * compose.
 *
 * @module
 */

import { pullCommand, type ServerName } from "../tests/harness/server_source.ts";

/** A Debian package and how to see that it is there. */
interface Tool {
  package: string;
  /** The server that it is, which can also come as an image. */
  server?: ServerName;
  /** Succeeds if the tool is there. */
  probe: readonly [string, ...string[]];
}

const TOOLS: readonly Tool[] = [
  { package: "gcc", probe: ["gcc", "--version"] },
  { package: "libc6-dev", probe: ["sh", "-c", "echo '#include <stdio.h>' | gcc -E -"] },
  { package: "python3-h5py", probe: ["/usr/bin/python3", "-c", "import h5py"] },
  { package: "python3-zmq", probe: ["/usr/bin/python3", "-c", "import zmq"] },
  {
    package: "bitshuffle", // HDF5's filter plugin
    probe: ["/usr/bin/python3", "-c", "import h5py; assert h5py.h5z.filter_avail(32008)"],
  },
  { package: "hdf5-tools", probe: ["h5dump", "--version"] },
  { package: "python3-pika", probe: ["/usr/bin/python3", "-c", "import pika"] },
  { package: "redis-server", server: "redis", probe: ["redis-server", "--version"] },
  {
    package: "rabbitmq-server",
    server: "rabbitmq",
    // Its programs are for root only, or take seconds to say their version.
    probe: ["test", "-x", "/usr/lib/rabbitmq/bin/rabbitmq-server"],
  },
  // systemd-analyze checks our units; systemd itself is not started.
  { package: "systemd", probe: ["systemd-analyze", "--version"] },
  { package: "openssl", probe: ["openssl", "version"] },
];

/** What the bench needs besides. */
export const BENCH_TOOLS: readonly Tool[] = [
  {
    package: "libhdf5-dev",
    probe: ["sh", "-c", "ls /usr/include/hdf5/serial/hdf5.h /usr/lib/*/hdf5/serial/libhdf5.so"],
  },
];

/**
 * Sees to the tools that are missing: by apt; where that is no use, servers by docker compose.
 *
 * @param more Tools besides those of the tests.
 * @param run Runs a program and tells whether it succeeded; a test has its own.
 * @throws {Error} If some cannot be had, naming the packages to install by hand.
 */
export async function installTestTools(
  more: readonly Tool[] = [],
  run: (command: readonly string[]) => Promise<boolean> = succeeds,
): Promise<void> {
  let missing = await absent([...TOOLS, ...more], run);
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  console.error(`installing for the tests: ${packages.join(" ")}`);
  const sudo = Deno.uid() === 0 ? [] : ["sudo", "-n"];
  const apt = [...sudo, "apt-get"];
  const done = await run([...apt, "update", "-qq"]) &&
    await run([...apt, "install", "-y", "-qq", "--no-install-recommends", ...packages]);
  if (done) return;
  missing = await absent(missing, run);
  const servers = missing.flatMap(({ server }) => server ?? []);
  if (servers.length > 0 && await run(["docker", "compose", "version"])) {
    console.error(`pulling images for the tests: ${servers.join(" ")}`);
    if (await run(pullCommand(servers))) missing = missing.filter((tool) => !tool.server);
  }
  if (missing.length === 0) return;
  throw new Error(
    `The tests need these Debian packages (or their like), and they could not be installed: ${
      missing.map((tool) => tool.package).join(" ")
    }. ` +
      "Install them and run the tests again." +
      (missing.some(({ server }) => server)
        ? " For the servers, docker with its compose plugin will do as well."
        : ""),
  );
}

/** The tools that are not there. */
async function absent(
  tools: readonly Tool[],
  run: (command: readonly string[]) => Promise<boolean>,
): Promise<Tool[]> {
  const there = await Promise.all(tools.map(({ probe }) => run(probe)));
  return tools.filter((_, i) => !there[i]);
}

async function succeeds([program, ...args]: readonly string[]): Promise<boolean> {
  try {
    const command = new Deno.Command(program!, {
      args: [...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      // RUNLEVEL: the servers are only to be there, not to be started as services of the machine.
      env: { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
    });
    return (await command.output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
