// deno-lint-ignore-file no-console -- a script talks to whoever runs it
/**
 * Foreign tools that the tests compare std-daq with: found, else installed with apt.
 *
 * @module
 */

/** A Debian package and how to see that it is there. */
interface Tool {
  package: string;
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
  { package: "redis-server", probe: ["redis-server", "--version"] },
  // Its programs are for root only, or take seconds to say their version.
  { package: "rabbitmq-server", probe: ["test", "-x", "/usr/lib/rabbitmq/bin/rabbitmq-server"] },
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
 * Installs the tools that are missing.
 *
 * @param more Tools besides those of the tests.
 * @throws {Error} If apt-get is not there or fails, naming the packages to install by hand.
 */
export async function installTestTools(more: readonly Tool[] = []): Promise<void> {
  const missing: string[] = [];
  for (const tool of [...TOOLS, ...more]) {
    if (!await succeeds(tool.probe)) missing.push(tool.package);
  }
  if (missing.length === 0) return;
  console.error(`installing for the tests: ${missing.join(" ")}`);
  const sudo = Deno.uid() === 0 ? [] : ["sudo", "-n"];
  const done = await succeeds([...sudo, "apt-get", "update", "-qq"]) &&
    await succeeds([
      ...sudo,
      "apt-get",
      "install",
      "-y",
      "-qq",
      "--no-install-recommends",
      ...missing,
    ]);
  if (done) return;
  throw new Error(
    `The tests need these Debian packages (or their like), and they could not be installed: ${
      missing.join(" ")
    }. ` +
      "Install them and run the tests again.",
  );
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
