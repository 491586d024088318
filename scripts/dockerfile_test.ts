import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
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
  return text.replace(/(?<![\w.*/])\/(std-daq|deno-dir|usr\/local)(?![\w-])/g, `${root}/$1`);
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
      stage = { root, workdir: root, user: undefined, env, entrypoint: [] };
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
        : `cp ${how} -T ${quoted(files)} "${to}"`;
      // As .dockerignore has it: the image builds its own kernels.
      const built = source === undefined && to === "wasm" ? "; rm -f wasm/*.wasm wasm/.b*" : "";
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
  const entry = [...stage.entrypoint, ...args];
  // Only root can become the user of the image.
  const asUser = Deno.uid() === 0 && stage.user !== undefined
    ? [
      "setpriv",
      `--reuid=${stage.user.split(":")[0]}`,
      `--regid=${stage.user.split(":")[1]}`,
      "--clear-groups",
    ]
    : [];
  const [program, ...rest] = [...asUser, ...entry];
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
        match(new TextDecoder().decode(stdout), /Usage: std_udp_recv .*<config>/);
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

      await t.step("std_udp_recv with a config gets ready and stops on SIGTERM", async () => {
        const config = `${folder}/config.json`;
        const example = JSON.parse(
          await Deno.readTextFile(`${ROOT}docs/examples/jungfrau-1m.json`),
        );
        const [port, health] = freePorts(2);
        await Deno.writeTextFile(
          config,
          JSON.stringify({
            ...example,
            detector_name: detector,
            n_modules: 1,
            image_pixel_height: 512,
            module_positions: { "0": [0, 0, 1023, 511] },
            start_udp_port: port,
            frame_slots: 16,
          }),
        );
        const child = start(image, [
          "std_udp_recv",
          config,
          "--modules",
          "0",
          "--health-port",
          String(health),
        ]);
        const errors = new Response(child.stderr).text();
        let output = "";
        const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
        for (let chunk = await lines.read(); !chunk.done; chunk = await lines.read()) {
          output += chunk.value;
          if (output.includes('"event":"ready"')) break;
        }
        const answer = await fetch(`http://127.0.0.1:${health}/health`).then((r) => r.text())
          .catch(String);
        child.kill("SIGTERM");
        await lines.cancel();
        const { code } = await child.status;
        const said = await errors;
        match(output, /"event":"ready"/, said);
        match(answer, /"status":"ok"/, said);
        equal(code, 0, said);
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
  deepStrictEqual(await dockerFlags("std_udp_recv", ["--help"]), ["-P=std_udp_recv"]);
  deepStrictEqual(await dockerFlags("daq", ["status"]), ["-P=daq"]);
});
