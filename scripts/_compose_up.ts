// deno-lint-ignore-file no-console -- compose_test.ts reads what it prints
/**
 * Does what `docker compose up --wait`, a `docker compose run daq …` and a restart policy do with compose.yaml, with
 * processes instead of containers: for compose_test.ts, on the machine that it makes. Each process has a network
 * and a /dev/shm of its own, and new ones when it is started again, as a container has.
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

/** Who servers run as that are not ours; their images have a name for it. */
const SERVER_USER = 999;
/** Network of the services that name none, as compose would choose one. */
const DEFAULT_SUBNET = "10.99.0.0/24";

const serviceSchema = z.object({
  build: z.string().optional(),
  command: z.array(z.string()).default([]),
  user: z.string().optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  network_mode: z.string().optional(),
  networks: z.record(z.string(), z.object({ ipv4_address: z.string() }).nullable())
    .default({ default: null }),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  healthcheck: z.object({ test: z.array(z.string()) }).optional(),
  profiles: z.array(z.string()).default([]),
});
type Service = z.infer<typeof serviceSchema>;
const projectSchema = z.object({
  services: z.record(z.string(), serviceSchema),
  networks: z.record(
    z.string(),
    z.object({
      driver_opts: z.object({ "com.docker.network.driver.mtu": z.string() }),
      ipam: z.object({ config: z.tuple([z.object({ subnet: z.string() })]) }),
    }),
  ),
  volumes: z.record(
    z.string(),
    z.object({ driver_opts: z.object({ type: z.literal("tmpfs"), o: z.string() }) }).nullable(),
  ),
});

const project = projectSchema.parse(
  parse(Deno.readTextFileSync("compose.yaml"), { merge: true }),
);
const { services, volumes } = project;
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

/** Ends well, or nothing goes on. */
function sh(script: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command("sh", { args: ["-ec", script, "sh", ...args] })
    .outputSync();
  if (!success) throw new Error(`${script} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** The n-th address of a subnet, such as 10.99.0.0/24. */
function addressIn(subnet: string, n: number): string {
  return subnet.replace(/\.0\/\d+$/, `.${n}`);
}

/** Where a service is found by its name. */
function addressOf(name: string): string {
  return addressIn(DEFAULT_SUBNET, 2 + Object.keys(services).indexOf(name));
}

/** What a network is like. */
interface Network {
  subnet: string;
  mtu: string;
}

/** The networks by name. */
const subnets = new Map<string, Network>([["default", { subnet: DEFAULT_SUBNET, mtu: "1500" }]]);
for (
  const [name, { driver_opts, ipam: { config: [{ subnet }] } }] of Object.entries(project.networks)
) {
  subnets.set(name, { subnet, mtu: driver_opts["com.docker.network.driver.mtu"] });
}

/** A bridge for each network, names in /etc/hosts, and a folder for each volume. */
function makeProject(): void {
  for (const [name, { subnet, mtu }] of subnets) {
    const bridge = 'ip link add "$1" mtu "$2" type bridge; ip address add "$3" dev "$1"; ' +
      'ip link set "$1" up';
    sh(bridge, `br-${name}`, mtu, `${addressIn(subnet, 1)}/${subnet.split("/")[1]}`);
  }
  const hosts = Object.keys(services).map((name) => `${addressOf(name)} ${name}\n`).join("");
  Deno.writeTextFileSync("/etc/hosts", hosts, { append: true });
  for (const [name, volume] of Object.entries(volumes)) {
    Deno.mkdirSync(`/volumes/${name}`, { recursive: true });
    if (volume === null) Deno.chownSync(`/volumes/${name}`, 1000, 1000); // as the image's folder
    else sh('mount -t tmpfs -o "$1" tmpfs "$2"', volume.driver_opts.o, `/volumes/${name}`);
  }
}

/** The network namespace of each container: a new one whenever it starts. */
const namespaces = new Map<string, string>();

/** @returns The namespace's name. */
function networkOf(name: string, { network_mode, networks }: Service): string {
  const other = /^service:(.+)$/.exec(network_mode ?? "")?.[1];
  if (other !== undefined) {
    const joined = namespaces.get(other)!;
    namespaces.set(name, joined);
    return joined;
  }
  const former = namespaces.get(name);
  if (former !== undefined) sh('ip netns del "$1"', former); // it goes on for those that had joined
  const namespace = `${name}-${former === undefined ? "first" : "next"}`;
  sh('ip netns add "$1"; ip -n "$1" link set lo up', namespace);
  for (const [network, settings] of Object.entries(networks)) {
    const { mtu, subnet } = subnets.get(network)!;
    const address = settings?.ipv4_address ?? addressOf(name);
    // As Docker's: the same for the same address.
    const mac = ["02", "42", ...address.split(".").map((part) => Number(part).toString(16))];
    const end = `${network.slice(0, 3)}-${Object.keys(services).indexOf(name)}`;
    const cable = `
      ip link del "$2" 2> /dev/null || true
      ip link add "$2" mtu "$4" type veth peer name "to-$3" mtu "$4" address "$6" netns "$1"
      ip link set "$2" master "br-$3" up
      ip -n "$1" address add "$5" dev "to-$3"
      ip -n "$1" link set "to-$3" up`;
    const own = `${address}/${subnet.split("/")[1]}`;
    sh(cable, namespace, end, network, mtu, own, mac.join(":"));
  }
  namespaces.set(name, namespace);
  return namespace;
}

/**
 * The program and arguments in a container: in its network, with its volumes, on a read-only root, as the user of the
 * image, without capabilities.
 */
function contained(name: string, command: readonly string[]): string[] {
  const service = services[name]!;
  const network = ["nsenter", `--net=/run/netns/${networkOf(name, service)}`];
  const none = ["--clear-groups", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"];
  if (service.build === undefined) {
    const user = service.user === undefined ? 0 : SERVER_USER;
    Deno.mkdirSync(`/${name}`, { recursive: true });
    Deno.chownSync(`/${name}`, SERVER_USER, SERVER_USER);
    return [...network, "setpriv", `--reuid=${user}`, `--regid=${user}`, ...none, ...command];
  }
  const mounts = service.volumes.filter((volume) => !volume.startsWith("./")).map((volume) => {
    const [source, target, mode = "rw"] = volume.split(":");
    return `mount --bind /volumes/${source} ${target}; mount -o remount,bind,${mode} ${target}`;
  });
  const script = [
    "mount --make-rprivate /",
    "mount --bind /deno-dir /deno-dir",
    "mount -t tmpfs -o mode=1777 tmpfs /tmp",
    "mount -t tmpfs -o mode=1777,size=64m tmpfs /dev/shm",
    ...mounts,
    "mount -o remount,bind,ro /",
    'cd /std-daq; exec prlimit --core=0 setpriv "$@"',
  ].join("\n");
  const user = ["--reuid=1000", "--regid=1000"];
  return [
    ...network,
    "unshare",
    "--mount",
    "sh",
    "-ec",
    script,
    "sh",
    ...user,
    ...none,
    ...command,
  ];
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

/** A container: what runs, with what it says. */
interface Container {
  child: Deno.ChildProcess;
  said: string[];
  /** It has ended. */
  hasEnded: boolean;
  /** Settles once its health check is content. */
  healthy?: Promise<void>;
}
const running = new Map<string, Container>();

/** Starts a service after those that it depends on. */
async function up(name: string): Promise<void> {
  const service = services[name];
  if (service === undefined || running.has(name)) return;
  for (const [other, { condition }] of Object.entries(service.depends_on)) {
    await up(other);
    if (condition === "service_healthy") await untilHealthy(other);
  }
  start(name, service);
}

function start(name: string, service: Service): void {
  const isOurs = service.build !== undefined;
  const own = name === "rabbitmq" ? ["rabbitmq-server"] : service.command.map(filled);
  const command = contained(name, isOurs ? [...ENTRYPOINT, ...own] : own);
  const cwd = isOurs ? Deno.cwd() : `/${name}`; // where it keeps its data
  const child = run(command, environmentOf(name, service), cwd).spawn();
  const container: Container = { child, said: [], hasEnded: false };
  running.set(name, container);
  child.status.then(() => container.hasEnded = true);
  for (const stream of [child.stdout, child.stderr]) {
    stream.pipeThrough(new TextDecoderStream()).pipeTo(
      new WritableStream({ write: (text) => void container.said.push(text) }),
    );
  }
  console.log(`started ${name}`);
}

/** A crash, and what the restart policy then does. */
async function crash(name: string): Promise<void> {
  const { child } = running.get(name)!;
  child.kill("SIGKILL");
  await child.status;
  console.log(`crashed ${name}`);
  start(name, services[name]!);
  await untilHealthy(name);
}

function untilHealthy(name: string): Promise<void> {
  const container = running.get(name)!;
  return container.healthy ??= waitFor(name, container);
}

async function waitFor(name: string, { child, said }: Container): Promise<void> {
  const service = services[name]!;
  const [kind, ...words] = (service.healthcheck?.test ?? []).map(filled);
  const command = kind === undefined
    ? ["sh", "-c", HEALTHCHECK.replaceAll("/proc/1/", `/proc/${child.pid}/`)]
    : kind === "CMD-SHELL"
    ? ["sh", "-c", ...words]
    : words;
  const inside = ["nsenter", `--net=/run/netns/${namespaces.get(name)}`, ...command];
  const deadline = performance.now() + HEALTHY_MS;
  for (;;) {
    const { success } = await run(inside, environmentOf(name, service)).output();
    if (success) return console.log(`healthy ${name}`);
    if (performance.now() > deadline) throw new Error(`${name} is not healthy: ${said.join("")}`);
    await new Promise((resolve) => setTimeout(resolve, 300)); // as compose does: by its interval
  }
}

/** `docker compose run --rm daq …`; prints its status and what it said. */
async function daq(...args: string[]): Promise<void> {
  const command = contained("daq", [...ENTRYPOINT, "daq", ...args]);
  const { code, stdout, stderr } = await run(command, environmentOf("daq", services["daq"]!))
    .output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  console.log(`daq ${args[0]}: ${code} ${text.trim()}`);
}

Deno.mkdirSync("/rabbitmq");
Deno.writeTextFileSync("/rabbitmq/plugins", "[].");
makeProject();
const names = Object.keys(services).filter((name) => services[name]?.profiles.length === 0);
try {
  for (const name of names) await up(name);
  await Promise.all(names.map(untilHealthy)); // --wait
  await daq("write", "/data/run_1.h5", "-n", "5", "--wait");
  await crash("std_udp_recv");
  const request = JSON.stringify({ output_file: "/data/run_2.h5", n_images: 5 });
  const followers = ["jungfrau-1m.file_validator", "jungfrau-1m.preview"];
  await daq("request", "jungfrau-1m.writer", request, "--wait", "--service", ...followers);
  await daq("request", "another.writer", request, "--wait");
  const redis = ["redis-cli", "-h", "redis", "--raw", "keys", "status.*"];
  const keys = await run(redis, {
    PATH: Deno.env.get("PATH") ?? "",
    REDISCLI_AUTH: SECRETS["REDIS_PASSWORD"]!,
  }).output();
  const statuses = new TextDecoder().decode(keys.stdout).trim().split("\n").sort();
  console.log(statuses.join("\n"));
} finally {
  for (const [name, { child, said, hasEnded }] of [...running].reverse()) {
    if (hasEnded) console.log(`${name} has ended by itself: ${said.join("")}`);
    else child.kill("SIGTERM");
    console.log(`${name} ended with ${(await child.status).code}`);
  }
}
for (const folder of ["shm", "sockets"]) {
  const left = [...Deno.readDirSync(`/volumes/${folder}`)].map((entry) => entry.name);
  console.log(`left in ${folder}: ${left.join(" ")}`);
}
Deno.exit();
