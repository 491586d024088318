import { deepStrictEqual, match, rejects } from "node:assert/strict";
import { installTestTools } from "./test_tools.ts";

/** A machine on which some programs are not there, apt installs nothing, and docker may be there. */
function machine(
  missing: RegExp,
  docker: boolean,
): { ran: string[]; run: (command: readonly string[]) => Promise<boolean> } {
  const ran: string[] = [];
  return {
    ran,
    run(command): Promise<boolean> {
      const line = command.join(" ");
      const isProbe = !/apt-get|docker/.test(line);
      if (!isProbe) ran.push(line.replace(/^sudo -n /, "").replace(/--file \S*\//, "--file …/"));
      if (isProbe) return Promise.resolve(!missing.test(line));
      return Promise.resolve(docker && line.startsWith("docker"));
    },
  };
}

const NOTHING = /^$/;
const SERVERS = /redis-server|rabbitmq-server/;

Deno.test("installTestTools() installs nothing where all is there", async () => {
  const { ran, run } = machine(NOTHING, false);
  await installTestTools([], run);
  deepStrictEqual(ran, []);
});

Deno.test("installTestTools() pulls the images of servers that apt does not have", async () => {
  const { ran, run } = machine(SERVERS, true);
  await installTestTools([], run);
  deepStrictEqual(ran, [
    "apt-get update -qq",
    "docker compose version",
    "docker compose --file …/servers.compose.yaml pull --quiet redis rabbitmq",
  ]);
});

Deno.test("installTestTools() says exactly what to install where neither apt nor docker helps", async () => {
  const withoutDocker = machine(SERVERS, false);
  await rejects(installTestTools([], withoutDocker.run), (error) => {
    match(String(error), /could not be installed: redis-server rabbitmq-server\. Install them/);
    match(String(error), /For the servers, docker with its compose plugin will do as well\.$/);
    return true;
  });
  const other = machine(/h5dump|redis-server/, true);
  await rejects(installTestTools([], other.run), /could not be installed: hdf5-tools\. .*again\.$/);
});
