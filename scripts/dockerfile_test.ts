import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { Redis as RedisClient } from "ioredis";
import { Redis } from "../tests/harness/mod.ts";
import { ProjectCopy } from "./_project_copy.ts";
import { freePorts } from "./demo_data.ts";
import { dockerFlags } from "./docker_flags.ts";

/**
 * The Dockerfile's steps, carried out without Docker: each stage has a folder as its root, its
 * absolute paths are moved there, its base image is this machine. What only Docker has (the base
 * images themselves, namespaces) stays untested.
 */

const ROOT = new URL("../", import.meta.url).pathname;

/** One instruction of a Dockerfile. */
interface Instruction {
  name: string;
  text: string;
}

/** What a stage came to. */
interface Stage {
  root: string;
  workdir: string;
  user: string | undefined;
  env: Record<string, string>;
  entrypoint: string[];
  /** The shell command of the health check. */
  healthcheck: string | undefined;
}

function parseDockerfile(text: string): Instruction[] {
  return text.replace(/^#.*\n/gm, "").replace(/\\\n\s*/g, " ").split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name, rest] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? [];
      ok(name !== undefined && rest !== undefined, `no instruction: ${line}`);
      return { name, text: rest };
    });
}

/** Moves the image's own folders under `root`. */
function inside(root: string, text: string): string {
  return text.replace(
    /(?<![\w.*/])\/(std-daq|deno-dir|usr\/local|data|run\/std-daq)(?![\w-])/g,
    `${root}/$1`,
  );
}

async function sh(
  command: string,
  options: { cwd: string; env: Record<string, string> },
): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command("/bin/sh", {
    args: ["-ec", command],
    ...options,
  }).output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  ok(success, `${command}\n${said}`);
}

/** Builds all stages under `folder`; returns the last one. */
async function build(folder: string): Promise<Stage> {
  const stages = new Map<string, Stage>();
  let stage: Stage | undefined;
  for (const { name, text } of parseDockerfile(await Deno.readTextFile(`${ROOT}Dockerfile`))) {
    if (name === "FROM") {
      const root = `${folder}/${stages.size}`;
      await Deno.mkdir(`${root}/usr/local/bin`, { recursive: true });
      const env = {
        PATH: `${root}/usr/local/bin:/usr/local/bin:/usr/bin:/bin`,
        npm_config_prefix: `${root}/usr/local`,
        npm_config_prefer_offline: "true",
      };
      stage = { root, workdir: root, user: undefined, env, entrypoint: [], healthcheck: undefined };
      stages.set(/ AS (\w+)$/.exec(text)?.[1] ?? String(stages.size), stage);
      continue;
    }
    ok(stage !== undefined, `${name} before FROM`);
    await carryOut(stage, stages, name, text);
  }
  ok(stage !== undefined);
  return stage;
}

async function carryOut(
  stage: Stage,
  stages: ReadonlyMap<string, Stage>,
  name: string,
  text: string,
): Promise<void> {
  const { root } = stage;
  switch (name) {
    case "WORKDIR":
      stage.workdir = inside(root, text);
      return await Deno.mkdir(stage.workdir, { recursive: true });
    case "ENV":
      for (const [, key, value] of text.matchAll(/(\w+)=(\S+)/g)) {
        stage.env[key!] = inside(root, value!);
      }
      if (stage.env.DENO_DIR?.startsWith(`${root}/`) && stages.size === 1) await seed(stage);
      return;
    case "COPY": {
      const words = text.split(/\s+/);
      const from = words.find((word) => word.startsWith("--from="))?.slice("--from=".length);
      const paths = words.filter((word) => !word.startsWith("--"));
      const to = inside(root, paths.pop()!);
      const source = from === undefined ? undefined : stages.get(from)?.root;
      const files = paths.map((path) => source === undefined ? ROOT + path : inside(source, path));
      const owner = words.find((word) => word.startsWith("--chown="))?.slice("--chown=".length);
      // Hard links save time, but share their owner, and with it the repository's.
      const how = source === undefined || owner !== undefined ? "-a" : "-al";
      const copy = to.endsWith("/")
        ? `mkdir -p "${to}" && cp ${how} -t "${to}" ${quoted(files)}`
        : `mkdir -p "${to.replace(/\/[^/]*$/, "")}" && cp ${how} -T ${quoted(files)} "${to}"`;
      // As .dockerignore has it: the image builds its own kernels.
      const built = source === undefined && to === "wasm" ? "; rm -f wasm/kernels.ts wasm/.b*" : "";
      const own = owner !== undefined && Deno.uid() === 0 ? `; chown -R ${owner} "${to}"` : "";
      return await sh(copy + built + own, { cwd: stage.workdir, env: stage.env });
    }
    case "RUN":
      return await sh(inside(root, text), { cwd: stage.workdir, env: stage.env });
    case "USER":
      stage.user = text;
      return;
    case "ENTRYPOINT":
      stage.entrypoint = JSON.parse(text);
      return;
    case "HEALTHCHECK":
      stage.healthcheck = /^(?:--\S+\s+)*CMD (?!\[)(.+)$/.exec(text)?.[1];
      return;
    case "CMD":
      return;
    default:
      throw new Error(`This test does not know ${name} ${text}`);
  }
}

function quoted(paths: readonly string[]): string {
  return paths.map((path) => `"${path}"`).join(" ");
}

/** This machine's npm cache spares the downloads. */
async function seed(stage: Stage): Promise<void> {
  const info = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
  const { npmCache } = JSON.parse(new TextDecoder().decode(info.stdout));
  const to = stage.env.DENO_DIR!;
  await sh(
    `mkdir -p ${to} && if [ -d ${npmCache} ]; then cp -al ${npmCache} ${to}/npm || ` +
      `cp -a ${npmCache} ${to}/npm; fi`,
    { cwd: stage.root, env: stage.env },
  );
}

/** The container's process, as Docker would start it with `args`. */
function start(stage: Stage, args: readonly string[]): Deno.ChildProcess {
  return startInside(stage, [...stage.entrypoint, ...args]);
}

/** Starts a command as the image's user, with its environment. */
function startInside(stage: Stage, command: readonly string[]): Deno.ChildProcess {
  // Only root can become the user of the image.
  const asUser = Deno.uid() === 0 && stage.user !== undefined
    ? [
      "setpriv",
      `--reuid=${stage.user.split(":")[0]}`,
      `--regid=${stage.user.split(":")[1]}`,
      "--clear-groups",
    ]
    : [];
  const [program, ...rest] = [...asUser, ...command];
  return new Deno.Command(program!, {
    args: rest,
    cwd: stage.workdir,
    clearEnv: true,
    env: stage.env,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** A service in its container; it is killed when the test ends. */
class Container implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #errors: Promise<string>;
  readonly #output: Promise<void>;
  readonly #ready = Promise.withResolvers<void>();

  constructor(stage: Stage, args: readonly string[]) {
    this.#child = start(stage, args);
    this.#errors = new Response(this.#child.stderr).text();
    this.#output = this.#read(args.join(" "));
    this.#ready.promise.catch(() => {}); // for those that nobody waits for
  }

  /** Process id of what is process 1 inside. */
  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Resolves when the service says that it is ready.
   *
   * @throws {Error} If it ends without; with what it said.
   */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Its exit status, once it has ended by itself or by the signal. */
  async end(signal?: Deno.Signal): Promise<number> {
    if (signal !== undefined) this.#child.kill(signal);
    const { code } = await this.#child.status;
    await this.#output;
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it had ended
    }
    await this.end();
  }

  async #read(command: string): Promise<void> {
    let output = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      output += text;
      if (output.includes('"event":"ready"')) this.#ready.resolve();
    }
    this.#ready.reject(new Error(`${command} did not get ready:\n${output}${await this.#errors}`));
  }
}

/** What Docker makes of the health check where `/proc/1/cmdline` is another file. */
async function checkHealth(stage: Stage, cmdline: string): Promise<{ code: number; said: string }> {
  const command = (stage.healthcheck ?? "").replace("/proc/1/cmdline", cmdline);
  ok(command.includes(cmdline), `the health check does not look at process 1: ${command}`);
  const { code, stdout, stderr } = await startInside(stage, ["/bin/sh", "-c", command]).output();
  return { code, said: [stdout, stderr].map((b) => new TextDecoder().decode(b)).join("") };
}

/** What the how-to starts in containers: services with their arguments, as they stand in its blocks. */
async function commandsOfTheHowTo(): Promise<string[][]> {
  const page = await Deno.readTextFile(`${ROOT}docs/how-to/run-in-containers.md`);
  const blocks = [...page.matchAll(/^```\n([\s\S]*?)^```/gm)].map((found) => found[1]!);
  return blocks.join("").replace(/\\\n\s*/g, " ").split("\n")
    .map((line) => /^(?:docker run .* std-daq|\$run) (.+)$/.exec(line)?.[1])
    .filter((command) => command !== undefined)
    .map((command) => command.split(" "));
}

/** Writes the config of a Jungfrau of four modules. */
async function writeConfig(path: string, detector: string): Promise<void> {
  const example = JSON.parse(await Deno.readTextFile(`${ROOT}docs/examples/jungfrau-1m.json`));
  const positions = [0, 1, 2, 3].map((m) => [m, [0, 512 * m, 1023, 512 * m + 511]]);
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      ...example,
      detector_name: detector,
      n_modules: positions.length,
      image_pixel_height: 512 * positions.length,
      module_positions: Object.fromEntries(positions),
      start_udp_port: freePorts(positions.length)[0],
      frame_slots: 16,
      image_slots: 16,
    }),
  );
}

Deno.test({
  name: "the Dockerfile's steps make an image whose entry point runs services by name",
  ignore: Deno.build.os !== "linux",
  async fn(t): Promise<void> {
    const folder = await Deno.makeTempDir({ prefix: `std-daq-docker-${Deno.pid}-` });
    const detector = `docker-${Deno.pid}`;
    try {
      await Deno.chmod(folder, 0o755);
      const image = await build(folder);

      await t.step("std_udp_recv --help", async () => {
        const { code, stdout, stderr } = await start(image, ["std_udp_recv", "--help"]).output();
        equal(code, 0, new TextDecoder().decode(stderr));
        match(new TextDecoder().decode(stdout), /Usage: std_udp_recv .*\[config\]/);
      });

      await t.step("the same as another user (docker run --user)", async () => {
        const other = { ...image, user: "12345:12345" };
        const { code, stderr } = await start(other, ["std_udp_recv", "--help"]).output();
        deepStrictEqual([code, new TextDecoder().decode(stderr)], [0, ""]);
      });

      await t.step("an unknown service is refused by name", async () => {
        const { code, stderr } = await start(image, ["std_nothing"]).output();
        equal(code, 2);
        match(
          new TextDecoder().decode(stderr),
          /There is no service std_nothing; there are std_udp/,
        );
      });

      // Links, as Kubernetes mounts a config map.
      const config = `${folder}/config.json`;
      await Deno.mkdir(`${folder}/..data`);
      await writeConfig(`${folder}/..data/config.json`, detector);
      await Deno.symlink("..data/config.json", config);
      const data = `${folder}/data`;
      await Deno.mkdir(data);
      if (Deno.uid() === 0) await Deno.chown(data, 1000, 1000);
      /** A command of the how-to, its folders moved to where they are here. */
      const here = (command: readonly string[]): string[] =>
        command.map((word) =>
          word === "/config.json" ? config : word.replace(/^\/data(?![\w-])/, data)
        );
      const [first, ...detectorCommands] = await commandsOfTheHowTo();
      ok(first !== undefined);

      await t.step(`${first.join(" ")}: gets ready, is healthy, stops on SIGTERM`, async () => {
        const port = freePorts(2)[0];
        await using receiver = new Container(image, [
          ...here(first),
          "--health-port",
          String(port),
        ]);
        await receiver.ready;
        const { code, said } = await checkHealth(image, `/proc/${receiver.pid}/cmdline`);
        equal(code, 0, said);
        match(said, /"status":"ok"/);
        equal(await receiver.end("SIGTERM"), 0);
        // The same command line without the service behind it.
        const cmdline = `${folder}/cmdline`;
        await Deno.writeTextFile(cmdline, `deno\0run\0main.ts\0--health-port\0${port}\0`);
        equal((await checkHealth(image, cmdline)).code, 1);
        await Deno.writeTextFile(cmdline, "deno\0run\0main.ts\0/config.json\0");
        equal((await checkHealth(image, cmdline)).code, 0); // it runs, nobody asks for more
      });

      await t.step(
        "without a file the config is Redis's or config.json, with a health port",
        async () => {
          await using redis = await Redis.start();
          const { hostname, port, password } = new URL(redis.url);
          const name = `${detector}.std_udp_recv`;
          const client = new RedisClient(redis.url);
          await client.set(`config.${name}`, await Deno.readTextFile(config));
          client.disconnect();
          const env = {
            ...image.env,
            ...{ REDIS_HOST: hostname, REDIS_PORT: port, REDIS_PASSWORD: password },
            SERVICE_NAME: name,
          };
          const healthPort = (): string[] => ["--health-port", String(freePorts(2)[0])];
          await using receiver = new Container({ ...image, env }, [
            "std_udp_recv",
            ...healthPort(),
          ]);
          await receiver.ready;
          const usual = `${image.workdir}/config.json`;
          await Deno.symlink(config, usual);
          await using assembler = new Container(image, ["std_assembler", ...healthPort()]);
          await assembler.ready;
          await Deno.remove(usual);
        },
      );

      await t.step("a whole detector, as the how-to starts it, writes a file", async () => {
        deepStrictEqual(
          detectorCommands.map(([service]) => service),
          ["std_udp_recv", "std_assembler", "std_h5_writer", "writer_agent"],
        );
        const port = String(freePorts(2)[0]); // 5000 may be somebody else's
        await using stack = new AsyncDisposableStack();
        const services = detectorCommands.map((command) =>
          stack.use(
            new Container(image, [
              ...here(command),
              ...(command[0] === "writer_agent" ? ["--port", port] : []),
            ]),
          )
        );
        await Promise.all(services.map((service) => service.ready));
        const { code, said } = await checkHealth(image, `/proc/${services.at(-1)!.pid}/cmdline`);
        equal(code, 0, said);
        const written = fetch(`http://127.0.0.1:${port}/writer/write_sync`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ n_images: 5, output_file: `${data}/images.h5` }),
        }).then((answer) => answer.json());
        const simulator = stack.use(
          new Container(image, ["udp_simulator", config, "--rate", "20", "--images", "60"]),
        );
        const { status, message } = await written;
        deepStrictEqual([status, message], ["ok", "Completed."]);
        ok((await Deno.stat(`${data}/images.h5`)).size > 5 * 2 ** 22); // 5 images of 4 MiB
        await simulator.end("SIGTERM");
        const codes = await Promise.all(services.map((service) => service.end("SIGTERM")));
        deepStrictEqual(codes, [0, 0, 0, 0]);
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
      for (const entry of Deno.readDirSync("/dev/shm")) {
        if (entry.name.startsWith(detector)) Deno.removeSync(`/dev/shm/${entry.name}`);
      }
      for (const entry of Deno.readDirSync("/tmp")) {
        if (entry.name.startsWith(`${detector}-`)) Deno.removeSync(`/tmp/${entry.name}`);
      }
    }
  },
});

for (const service of ["file_validator", "preview"]) {
  Deno.test(`dockerFlags() gives ${service} its data roots, broker and store, and nothing else`, async () => {
    const args = ["--primary", "JF.writer_agent", "--data-root", "/data", "/more"];
    const flagsOf = async (variables: Record<string, string>): Promise<Record<string, string>> => {
      const flags = await dockerFlags(service, args, (name) => variables[name]);
      return Object.fromEntries(flags.map((flag) => flag.replace("--allow-", "").split("=")));
    };
    const { env, ffi, ...alone } = await flagsOf({});
    deepStrictEqual(alone, { read: "/data,/more", net: "127.0.0.1:5672" });
    ok(env !== undefined && /^SERVICE_NAME,.*BROKER_PASSWORD_FILE/.test(env), env);
    ok(ffi !== undefined && ffi.split(",").every((path) => path.endsWith("/libc.so.6")), ffi);

    const secret = await Deno.makeTempFile({ prefix: "std-daq-secret-" });
    try {
      const far = await flagsOf({
        BROKER_URL: "amqps://rabbitmq",
        BROKER_PASSWORD_FILE: "/run/secrets/broker",
        STD_DAQ_STORE: "redis://redis",
        REDIS_PASSWORD_FILE: secret,
      });
      deepStrictEqual(
        [far["read"], far["write"], far["net"]],
        [`/data,/more,${secret},/run/secrets/broker`, undefined, "rabbitmq:5671,redis:6379"],
      );
    } finally {
      await Deno.remove(secret);
    }
    const path = "/var/lib/std-daq/store.sqlite";
    const embedded = await flagsOf({ STD_DAQ_STORE: `sqlite:${path}` });
    const read = `/data,/more,${path},${ROOT}lib/store`;
    deepStrictEqual([embedded["read"], embedded["write"]], [read, path]);
  });
}

Deno.test("dockerFlags() gives a service what its config and arguments need", async () => {
  const config = `${ROOT}docs/examples/jungfrau-1m.json`;
  const flags = await dockerFlags("writer_agent", [
    config,
    "--data-root",
    "/data",
    "/more",
    "--port",
    "5001",
  ]);
  ok(flags.includes(`--allow-read=${config},/data,/more`), flags.join(" "));
  ok(flags.includes("--allow-net=127.0.0.1:5001"), flags.join(" "));
  const receiver = await dockerFlags("std_udp_recv", ["--modules", "0-3", config]);
  ok(!receiver.some((flag) => /^--allow-(net|write|run|all|sys)/.test(flag)), receiver.join(" "));
  ok(receiver.some((flag) => flag.startsWith(`--allow-read=${config},`)));
  const env = (name: string): string | undefined =>
    name === "STD_DAQ_STORE" ? "redis://redis:6379" : undefined;
  const storing = await dockerFlags("writer_agent", [config], env);
  ok(storing.includes("--allow-net=127.0.0.1:5000,redis:6379"), storing.join(" "));
  const asked = await dockerFlags(
    "writer_agent",
    [config],
    (name) => name === "BROKER_HOST" ? "rabbitmq" : undefined,
  );
  ok(asked.includes("--allow-net=127.0.0.1:5000,rabbitmq:5672"), asked.join(" "));
  const ipv6: Record<string, string> = { BROKER_HOST: "fd00::6", REDIS_HOST: "fd00::5" };
  const byAddress = await dockerFlags("writer_agent", [config], (name) => ipv6[name]);
  ok(
    byAddress.includes("--allow-net=127.0.0.1:5000,[fd00::5]:6379,[fd00::6]:5672"),
    byAddress.join(" "),
  );
  const deploying = await dockerFlags("config_deployer", ["daq-1", "--file", config], env);
  ok(deploying.includes("--allow-net=redis:6379"), deploying.join(" "));
  ok(deploying.includes(`--allow-read=${config}`), deploying.join(" "));
  // The first deployment of a server: its file is not there yet.
  const first = await dockerFlags("config_deployer", ["daq-1", "--file", "/new/JF.json"], env);
  ok(first.includes("--allow-net=127.0.0.1,redis:6379"), first.join(" "));
  ok(first.some((flag) => /^--allow-read=.*,\/new\/JF\.json$/.test(flag)), first.join(" "));
  deepStrictEqual(await dockerFlags("file_validator", ["--help"]), ["-P=file_validator"]);
  deepStrictEqual(await dockerFlags("std_udp_recv", ["--help"]), ["-P=std_udp_recv"]);
  // A flag would take the place of the set's list: both the agent beside it and the store are in it.
  deepStrictEqual(await dockerFlags("daq", ["status"]), ["-P=daq"]);
  deepStrictEqual(await dockerFlags("daq", ["write"], env), [
    "-P=daq",
    "--allow-net=127.0.0.1,localhost,redis:6379",
  ]);
});

Deno.test("a service made by new-service may read its config and secrets in the image, and nothing else besides", async () => {
  await using copy = await ProjectCopy.make();
  await copy.deno("task", "--quiet", "new-service", "noop", "--kind", "primary");
  const folder = await Deno.makeTempDir({ prefix: "std-daq-noop-" });
  try {
    const [config, secrets] = [`${folder}/noop.json`, `${folder}/secrets`];
    await Deno.mkdir(secrets);
    const variables = {
      BROKER_URL: "amqps://rabbitmq",
      BROKER_PASSWORD_FILE: `${secrets}/broker`,
      BROKER_CA_FILE: `${secrets}/ca.pem`,
      REDIS_URL: "rediss://redis",
      REDIS_PASSWORD_FILE: `${secrets}/redis`,
    };
    const files = [config, ...Object.values(variables).filter((value) => value.startsWith("/"))];
    for (const file of [...files, `${secrets}/other`]) await Deno.writeTextFile(file, "");
    const run = async (args: readonly string[]): Promise<string> => {
      const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--no-prompt", ...args],
        cwd: copy.root,
        env: { ...variables, NO_COLOR: "1" },
      }).output();
      ok(success, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout).trim();
    };
    const entry = ["--allow-read", "--allow-env", "scripts/docker_flags.ts"];
    const flags = (await run([...entry, "noop", "--config", config])).split("\n");
    const asks = [...files, `${copy.root}/services`, `${secrets}/other`, "/etc/shadow"]
      .map((path) => ({ name: "read", path }));
    const servers = ["rabbitmq:5671", "redis:6379", "127.0.0.1:8001", "elsewhere:80"]
      .map((host) => ({ name: "net", host }));
    const probe = `${copy.root}/probe.ts`;
    await Deno.writeTextFile(
      probe,
      `for (const ask of ${JSON.stringify([...asks, ...servers])} as Deno.PermissionDescriptor[]) {
        console.log((await Deno.permissions.query(ask)).state);
      }`,
    );
    deepStrictEqual((await run(["--no-check", ...flags, probe])).split("\n"), [
      ...files.map(() => "granted"), // its config, and what it is let in by
      ...["granted", "prompt", "prompt"],
      ...["granted", "granted", "granted", "prompt"],
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
