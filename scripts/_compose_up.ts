// deno-lint-ignore-file no-console -- compose_test.ts reads what it prints
/**
 * Does what `docker compose up --wait` and a `docker compose run daq write` do with compose.yaml, with processes
 * instead of containers: for compose_test.ts, on the machine that it makes.
 *
 * @module
 */
import { parse } from "yaml";
import { z } from "zod";

const SECRETS: Record<string, string> = {
  REDIS_PASSWORD: "secret-r",
  RABBITMQ_PASSWORD: "secret-q",
};
const HEALTHY_MS = 120_000;
/** Where Debian's package has RabbitMQ's programs, which are in the image's PATH. */
const RABBITMQ = "/usr/lib/rabbitmq/bin";

const serviceSchema = z.object({
  build: z.string().optional(),
  command: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  profiles: z.array(z.string()).default([]),
});
type Service = z.infer<typeof serviceSchema>;

const { services } = z.object({ services: z.record(z.string(), serviceSchema) }).parse(
  parse(Deno.readTextFileSync("compose.yaml"), { merge: true }),
);
const dockerfile = Deno.readTextFileSync("Dockerfile").replace(/\\\n\s*/g, " ");
const image = dockerfile.slice(dockerfile.lastIndexOf("\nFROM "));
const ENTRYPOINT = z.array(z.string()).parse(
  JSON.parse(/^ENTRYPOINT (.+)$/m.exec(image)?.[1] ?? ""),
);
const HEALTHCHECK = /^HEALTHCHECK (?:--\S+ )*CMD (.+)$/m.exec(image)?.[1] ?? "";

/** Values as compose puts them in. */
function filled(text: string): string {
  return text.replace(/\$\$|\$\{(\w+)(?::\?[^}]*)?\}/g, (all, name) => {
    if (all === "$$") return "$";
    const value = SECRETS[name];
    if (value === undefined) throw new Error(`compose.yaml asks for ${all}`);
    return value;
  });
}

function environmentOf(name: string, { build, environment }: Service): Record<string, string> {
  const own = Object.fromEntries(
    Object.entries(environment).map(([key, value]) => [key, filled(value)]),
  );
  const PATH = Deno.env.get("PATH") ?? "";
  if (build !== undefined) {
    const set = [...image.matchAll(/^ENV (.+)$/gm)].flatMap(([, pairs = ""]) =>
      [...pairs.matchAll(/(\w+)=(\S+)/g)].map(([, key = "", value = ""]) => [key, value] as const)
    );
    return { PATH, ...Object.fromEntries(set), ...own };
  }
  if (name !== "rabbitmq") return { PATH, ...own };
  const folders = { HOME: "/rabbitmq", RABBITMQ_MNESIA_BASE: "/rabbitmq/data" };
  const more = { RABBITMQ_LOG_BASE: "/rabbitmq/log", RABBITMQ_CONF_ENV_FILE: "/rabbitmq/none" };
  return {
    ...{ PATH: `${RABBITMQ}:${PATH}`, ...folders, ...more, ...own },
    RABBITMQ_NODENAME: "rabbit@rabbitmq",
    RABBITMQ_ENABLED_PLUGINS_FILE: "/rabbitmq/plugins",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "+S 1:1",
  };
}

/** The program and arguments, as the user of the image: without capabilities, on a read-only root. */
function confined(command: readonly string[]): string[] {
  const script = "mount --make-rprivate /; for folder in /data /run/std-daq /deno-dir; do " +
    "mount --bind $folder $folder; done; mount -t tmpfs -o mode=1777 tmpfs /tmp; " +
    'mount -o remount,bind,ro /; cd /std-daq; exec prlimit --core=0 setpriv "$@"';
  const user = ["--reuid=1000", "--regid=1000", "--clear-groups", "--no-new-privs"];
  const none = ["--bounding-set=-all", "--inh-caps=-all"];
  return ["unshare", "--mount", "sh", "-ec", script, "sh", ...user, ...none, ...command];
}

function run(
  command: readonly string[],
  env: Record<string, string>,
  cwd = Deno.cwd(),
): Deno.Command {
  const [program = "", ...args] = command;
  const [stdin, stdout, stderr] = ["null", "piped", "piped"] as const;
  return new Deno.Command(program, { args, env, cwd, clearEnv: true, stdin, stdout, stderr });
}

/** What runs, with what it says. */
const running = new Map<string, { child: Deno.ChildProcess; said: string[] }>();
/** What has ended. */
const ended = new Set<string>();
const healthy = new Map<string, Promise<void>>();

/** Starts a service after those that it depends on. */
async function up(name: string): Promise<void> {
  const service = services[name];
  if (service === undefined || running.has(name)) return;
  for (const [other, { condition }] of Object.entries(service.depends_on)) {
    await up(other);
    if (condition === "service_healthy") await untilHealthy(other);
  }
  const command = name === "rabbitmq" ? ["rabbitmq-server"] : service.command.map(filled);
  const env = environmentOf(name, service);
  const isOurs = service.build !== undefined;
  const child = isOurs
    ? run(confined([...ENTRYPOINT, ...command]), env).spawn()
    : run(command, env, `/${name}`).spawn(); // where it keeps its data
  const said: string[] = [];
  running.set(name, { child, said });
  child.status.then(() => ended.add(name));
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({ write: (text) => void said.push(text) }),
    );
  }
  console.log(`started ${name}`);
}

function untilHealthy(name: string): Promise<void> {
  const known = healthy.get(name) ?? waitFor(name);
  healthy.set(name, known);
  return known;
}

async function waitFor(name: string): Promise<void> {
  const { child, said } = running.get(name)!;
  const service = services[name]!;
  const [kind, ...words] = (service.healthcheck?.test ?? []).map(filled);
  const command = kind === undefined
    ? ["sh", "-c", HEALTHCHECK.replaceAll("/proc/1/", `/proc/${child.pid}/`)]
    : kind === "CMD-SHELL"
    ? ["sh", "-c", ...words]
    : words;
  const deadline = performance.now() + HEALTHY_MS;
  for (;;) {
    const { success } = await run(command, environmentOf(name, service)).output();
    if (success) return console.log(`healthy ${name}`);
    if (performance.now() > deadline) throw new Error(`${name} is not healthy: ${said.join("")}`);
    await new Promise((resolve) => setTimeout(resolve, 300)); // as compose does: by its interval
  }
}

for (const folder of ["/redis", "/rabbitmq"]) Deno.mkdirSync(folder);
Deno.writeTextFileSync("/rabbitmq/plugins", "[].");
const names = Object.keys(services).filter((name) => services[name]?.profiles.length === 0);
try {
  for (const name of names) await up(name);
  await Promise.all(names.map(untilHealthy)); // --wait
  const write = ["daq", "write", "/data/run_1.h5", "-n", "5", "--wait"];
  const { code, stdout, stderr } = await run(
    confined([...ENTRYPOINT, ...write]),
    environmentOf("daq", services["daq"]!),
  ).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  console.log(`${code} ${text.trim()}`);
  const redis = ["redis-cli", "--raw", "keys", "status.*"];
  const keys = await run(redis, {
    PATH: Deno.env.get("PATH") ?? "",
    REDISCLI_AUTH: SECRETS["REDIS_PASSWORD"]!,
  }).output();
  const statuses = new TextDecoder().decode(keys.stdout).trim().split("\n").sort();
  console.log(statuses.join("\n"));
} finally {
  for (const [name, { child, said }] of [...running].reverse()) {
    if (ended.has(name)) console.log(`${name} has ended by itself: ${said.join("")}`);
    else child.kill("SIGTERM");
    console.log(`${name} ended with ${(await child.status).code}`);
  }
}
for (const folder of ["/dev/shm", "/run/std-daq"]) {
  const left = [...Deno.readDirSync(folder)].map((entry) => entry.name);
  console.log(`left in ${folder}: ${left.join(" ")}`);
}
Deno.exit();
