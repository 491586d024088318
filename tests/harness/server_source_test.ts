/** Where servers come from, and that those of images are run as they should be, by a program in docker's place. */
import { deepStrictEqual, equal, match, ok, throws } from "node:assert/strict";
import { parse } from "yaml";
import { GuardedServer } from "./guarded_server.ts";
import { RabbitMq } from "./rabbitmq.ts";
import { Redis } from "./redis.ts";
import { pullCommand, serverCall, sourceOf } from "./server_source.ts";

const COMPOSE_FILE = new URL("servers.compose.yaml", import.meta.url).pathname;

/**
 * Stands in for `docker`: writes down how it was called, and does what `compose run` would do in a container:
 * runs the command, with the variables that it was told of and no other of the test's.
 */
const DOCKER = `#!/usr/bin/env bash
echo "docker $*" >> "$0.calls"
[ "$1 $2" != "rm --force" ] || exit 0
kept=("PATH=$PATH")
while [ "$1" != redis ] && [ "$1" != rabbitmq ]; do
  if [ "$1" = --env ]; then name=$2; kept+=("$name=\${!name}"); fi
  shift
done
program=$2
[ "$program" != rabbitmq-server ] || program=/usr/lib/rabbitmq/bin/rabbitmq-server
exec env -i "\${kept[@]}" "$program" "\${@:3}"
`;

/** A folder with such a program, first in the PATH while an action runs. */
async function withDocker(action: (calls: () => string[]) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-docker-" });
  const path = Deno.env.get("PATH") ?? "";
  try {
    await Deno.writeTextFile(`${folder}/docker`, DOCKER, { mode: 0o755 });
    Deno.env.set("PATH", `${folder}:${path}`);
    await action(() => Deno.readTextFileSync(`${folder}/docker.calls`).trim().split("\n"));
  } finally {
    Deno.env.set("PATH", path);
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("sourceOf() takes packages, else images, else says what to install", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-path-" });
  try {
    throws(
      () => sourceOf("redis", folder),
      /redis is needed and is not here: install the package redis-server .* or docker with its compose/,
    );
    await Deno.writeTextFile(`${folder}/docker`, "");
    equal(sourceOf("redis", `/none:${folder}`), "images");
    await Deno.writeTextFile(`${folder}/redis-server`, "");
    equal(sourceOf("redis", `/none:${folder}`), "packages");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("serverCall() gives the exact command line of both sources", () => {
  const redis = { args: ["--port", "1"], folder: "/tmp/x" };
  deepStrictEqual(serverCall("redis", "packages", redis), {
    command: ["redis-server", "--port", "1"],
  });
  const { command, container = "" } = serverCall("redis", "images", {
    ...redis,
    environment: ["A", "B"],
  });
  match(container, /^std-daq-tests-[\w-]+$/);
  deepStrictEqual(command, [
    ...["docker", "compose", "--file", COMPOSE_FILE, "run", "--rm", "--no-TTY", "--no-deps"],
    ...["--name", container, "--user", `${Deno.uid()}:${Deno.gid()}`, "--volume", "/tmp/x:/tmp/x"],
    ...["--env", "A", "--env", "B", "redis", "redis-server", "--port", "1"],
  ]);
  deepStrictEqual(pullCommand(["redis"]), [
    ...["docker", "compose", "--file", COMPOSE_FILE, "pull", "--quiet", "redis"],
  ]);
});

Deno.test("the compose file has the servers, on the network of the host", async () => {
  const { services } = parse(await Deno.readTextFile(COMPOSE_FILE));
  deepStrictEqual(Object.keys(services), ["redis", "rabbitmq"]);
  for (const name of ["redis", "rabbitmq"]) {
    match(services[name].image, new RegExp(`^${name}:\\d`));
    equal(services[name].network_mode, "host");
  }
});

Deno.test("Redis and RabbitMQ from images come, answer and go, and their containers are removed", () =>
  withDocker(async (calls) => {
    {
      await using redis = await Redis.start({ source: "images" });
      await answers(Number(new URL(redis.url).port), "PING\r\n", /NOAUTH/);
      await using rabbit = await RabbitMq.start({ source: "images" });
      await answers(rabbit.port, "AMQP\0\0\t\x01", /rabbit|capabilities/i);
    }
    const runs = calls().filter((call) => call.includes(" run "));
    equal(runs.length, 3, calls().join("\n")); // Redis, epmd, RabbitMQ
    for (const run of runs) {
      const [, container] = /--name (\S+)/.exec(run) ?? [];
      ok(calls().includes(`docker rm --force ${container}`), calls().join("\n"));
    }
    match(runs[0]!, / redis redis-server --bind 127\.0\.0\.1 --port \d+ /);
    match(runs[1]!, / rabbitmq epmd -d -d -address 127\.0\.0\.1 -port \d+$/);
    match(runs[2]!, / --env ERL_EPMD_PORT --env RABBITMQ_NODENAME .* rabbitmq rabbitmq-server$/);
  }));

Deno.test("what docker says of an image that cannot be had is told", () =>
  withDocker(async () => {
    const { command, container = "" } = serverCall("redis", "images", {
      program: "no-such-program",
      folder: "/tmp",
    });
    const started = GuardedServer.start("redis", { command, container, ready: /ready/ });
    const error = await started.then(() => undefined, (error: unknown) => error);
    match(String(error), /redis ended with 127 before it was ready: .*no-such-program/);
  }));

/** Sends something to a port; fails unless the answer matches. */
async function answers(port: number, question: string, answer: RegExp): Promise<void> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(question));
  const buffer = new Uint8Array(1_024);
  const length = await connection.read(buffer) ?? 0;
  match(new TextDecoder("latin1").decode(buffer.subarray(0, length)), answer);
}
