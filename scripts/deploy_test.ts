/** compose.yaml, and the units and manifests in deploy/: consistent, and understood by the real programs. */
import { deepStrictEqual, equal, match, ok } from "node:assert/strict";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import settings from "../deno.json" with { type: "json" };
import { loadConfig } from "../lib/config/mod.ts";
import { detectorFor, frameBytes } from "../lib/detector/mod.ts";
import { imageBytes } from "../lib/config/mod.ts";
import { ringBytes } from "../lib/ring/fit_rings.ts";
import { START_ORDER } from "../lib/service/config_owners.ts";
import { BINARY_NAMES } from "./compile.ts";

const ROOT = decodeURIComponent(new URL("../", import.meta.url).pathname);
const UNITS = `${ROOT}deploy/systemd`;
const CONFIG = "docs/examples/jungfrau-1m.json";
/** Where the units expect the binaries. */
const BIN = "/opt/std-daq/bin";

/** What the programs say of a command line that they understand, when its config is not there. */
const NO_CONFIG = 3;
/** … and where they have none, of a store or a broker that is not there. */
const NOTHING_THERE = 4;

/**
 * Has the real program read a command line, with configs that are not there and a store that cannot be opened:
 * it ends at once, but not because of its arguments.
 */
async function understand([program = "", ...args]: readonly string[]): Promise<void> {
  const service = BINARY_NAMES.find((name) => name === program);
  ok(service !== undefined, `there is no service ${program}`);
  const hasConfig = !/^(config_deployer|file_validator|preview)$/.test(service);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...[
        "run",
        "--quiet",
        "--no-prompt",
        `-P=${service}`,
        "--allow-net=127.0.0.1",
        `services/${service}/main.ts`,
      ],
      ...args.map((arg, i) => {
        if (args[i - 1] === "--health-port") return "0"; // that port may be somebody's
        return /^\/\S*\.json$/.test(arg) ? "/nowhere/config.json" : arg;
      }),
    ],
    cwd: ROOT,
    env: {
      STD_DAQ_STORE: "sqlite:/nowhere/store",
      NO_COLOR: "1",
      ...(hasConfig ? {} : { BROKER_URL: "http://nowhere" }), // no address: refused at once
    },
    stdin: "null",
    stdout: "null",
  }).output();
  const said = new TextDecoder().decode(stderr);
  equal(code, hasConfig ? NO_CONFIG : NOTHING_THERE, `${program} ${args.join(" ")}: ${said}`);
  match(said, /nowhere/);
}

/** Value of an option among a command's arguments. */
function option(args: readonly string[], name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : args[at + 1];
}

/** The same slot counts for all, and the bytes of the rings they come to. */
async function ringsOf(
  commands: readonly (readonly string[])[],
): Promise<{ frames: number; images: number }> {
  const { config } = await loadConfig(`${ROOT}${CONFIG}`);
  const only = (name: string): number => {
    const values = new Set(commands.flatMap((args) => option(args, name) ?? []));
    equal(values.size, 1, `${name}: ${[...values].join(", ")}`);
    return Number([...values][0]);
  };
  const frame = frameBytes(detectorFor(config).packetFormat(config));
  return {
    frames: config.n_modules * ringBytes(frame, only("--frame-slots")),
    images: ringBytes(imageBytes(config), only("--image-slots")),
  };
}

const composeSchema = z.object({
  services: z.record(
    z.string(),
    z.object({
      image: z.string(),
      build: z.string().optional(),
      command: z.array(z.string()),
      environment: z.record(z.string(), z.string()).optional(),
      volumes: z.array(z.string()).optional(),
      network_mode: z.string().optional(),
      networks: z.record(z.string(), z.object({ ipv4_address: z.string() }).nullable()).optional(),
      ipc: z.string().optional(),
      ports: z.array(z.string()).optional(),
      restart: z.string(),
      user: z.string().optional(),
      cap_drop: z.array(z.string()),
      security_opt: z.array(z.string()),
      profiles: z.array(z.string()).optional(),
      depends_on: z.record(z.string(), z.object({ condition: z.string() })).optional(),
      healthcheck: z.looseObject({}).optional(),
    }).loose(),
  ),
  volumes: z.record(
    z.string(),
    z.object({ driver_opts: z.object({ o: z.string() }).loose() }).loose().nullable(),
  ),
}).loose();

async function compose(): Promise<z.infer<typeof composeSchema>> {
  const text = await Deno.readTextFile(`${ROOT}compose.yaml`);
  const known = parse(text, { merge: true });
  for (const [, service] of Object.entries<Record<string, unknown>>(known.services)) {
    if (service["image"] === "rabbitmq:3-management") service["command"] = []; // the image's own
  }
  return composeSchema.parse(known);
}

Deno.test("compose.yaml names only services, volumes and health checks that there are", async () => {
  const { services, volumes } = await compose();
  const dockerfile = await Deno.readTextFile(`${ROOT}Dockerfile`);
  match(dockerfile, /^HEALTHCHECK /m);
  for (const [name, service] of Object.entries(services)) {
    const other = /^service:(.+)$/.exec(service.network_mode ?? "")?.[1];
    ok(other === undefined || other in services, `${name}: ${service.network_mode}`);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const known = services[other];
      ok(known !== undefined, `${name} depends on ${other}`);
      const isChecked = known.healthcheck !== undefined || known.build !== undefined;
      ok(condition !== "service_healthy" || isChecked, `${other} has no health check`);
    }
    for (const volume of service.volumes ?? []) {
      const [source = "", target = ""] = volume.split(":");
      if (source.startsWith("./")) ok((await Deno.stat(ROOT + source)).isFile, volume);
      else ok(source in volumes, `${name}: volume ${source} is not declared`);
      // What the services write to belongs to them: a new volume takes its owner from the image.
      if (service.build === undefined || source.startsWith("./")) continue;
      const options = volumes[source]?.driver_opts.o;
      if (options !== undefined) match(options, /\bmode=0700,uid=1000,gid=1000$/, source);
      else match(dockerfile, new RegExp(`--chown=1000:1000 \\S+ ${target}$`, "m"));
    }
    if (service.build === undefined) continue;
    const redis = service.environment?.["REDIS_HOST"]; // statuses of all services, and the store
    ok(redis === "redis" && redis in services, `${name}: REDIS_HOST ${redis}`);
  }
});

Deno.test("compose.yaml's services outlive each other and the machine's restart, with the least power", async () => {
  const { services } = await compose();
  for (const [name, service] of Object.entries(services)) {
    deepStrictEqual(
      [service.cap_drop, service.security_opt],
      [["ALL"], ["no-new-privileges"]],
      name,
    );
    // The image of ours has a user; one with a command of its own does not become another by itself.
    ok(service.build !== undefined || service.user !== undefined, `${name} runs as root`);
    for (const port of service.ports ?? []) {
      match(port, /^127\.0\.0\.1:/, `${name}: for all to see`);
    }
    if (service.profiles !== undefined) {
      equal(service.restart, "no", name);
      continue;
    }
    equal(service.restart, "unless-stopped", name); // on-failure would not be after a reboot
    // Namespaces end with the container that has them: who had joined is cut off when that one crashes.
    deepStrictEqual([service.network_mode, service.ipc], [undefined, undefined], name);
  }
  // The simulated detector sends to where the receiver always is.
  const receiver = services["std_udp_recv"]?.networks?.["detector"]?.ipv4_address;
  ok(receiver !== undefined);
  equal(option(services["udp_simulator"]?.command ?? [], "--address"), receiver);
  ok("detector" in (services["udp_simulator"]?.networks ?? {}));
});

Deno.test("compose.yaml's services understand their command lines, share rings and no port", async () => {
  const { services, volumes } = await compose();
  const own = Object.entries(services).filter(([, { build }]) => build !== undefined);
  const commands = own.map(([, { command }]) => command);
  deepStrictEqual(
    own.map(([name]) => name),
    commands.map(([service]) => service),
    "a service is named as what it runs",
  );
  const { frames, images } = await ringsOf(commands);
  const shm = /\bsize=(\d+)g\b/.exec(volumes["shm"]?.driver_opts.o ?? "")?.[1];
  ok(frames + images < Number(shm) * 2 ** 30, `${frames + images} bytes of rings in ${shm} GiB`);
  for (const [name, { command, volumes: mounted = [] }] of own) {
    const hasRings = command.some((arg) => /^--(frame|image)-slots$/.test(arg));
    if (hasRings) ok(mounted.includes("shm:/dev/shm"), `${name} has a /dev/shm of its own`);
  }
  const ports = commands.flatMap((args) =>
    option(args, "--health-port") ?? option(args, "--port") ?? []
  );
  equal(new Set(ports).size, ports.length, ports.join(", ")); // a real detector's are on the host's network
  await Promise.all(commands.filter(([service]) => service !== "daq").map(understand));
});

Deno.test("compose.yaml's services have the detector's name before theirs, and follow the agent by it", async () => {
  const { config } = await loadConfig(`${ROOT}${CONFIG}`);
  const { services } = await compose();
  for (const [service, { build, command, environment }] of Object.entries(services)) {
    if (build === undefined) continue;
    if (service === "daq") { // it sends requests as whoever may
      ok(environment?.["BROKER_PASSWORD"] !== undefined && !("SERVICE_NAME" in environment));
      continue;
    }
    if (service === "writer_agent") equal(option(command, "--tag"), `${config.detector_name}.#`);
    equal(environment?.["SERVICE_NAME"], `${config.detector_name}.${service}`);
    const primary = option(command, "--primary");
    ok(primary === undefined || primary === `${config.detector_name}.writer_agent`, primary);
  }
});

const quantitiesSchema = z.strictObject({ cpu: z.string(), memory: z.string() });
const containerSchema = z.object({
  name: z.string(),
  image: z.string(),
  args: z.array(z.string()),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  envFrom: z.array(z.object({ secretRef: z.object({ name: z.string() }).loose() })),
  volumeMounts: z.array(z.object({ name: z.string(), mountPath: z.string() }).loose()),
  resources: z.strictObject({ requests: quantitiesSchema, limits: quantitiesSchema }),
  startupProbe: z.looseObject({}),
  livenessProbe: z.looseObject({}),
}).loose();
const podSchema = z.object({
  spec: z.object({
    template: z.object({
      spec: z.object({
        containers: z.array(containerSchema),
        volumes: z.array(z.looseObject({ name: z.string() })),
      }).loose(),
    }).loose(),
  }).loose(),
}).loose();
const patchSchema = z.strictObject({
  spec: z.strictObject({
    template: z.strictObject({
      spec: z.strictObject({ containers: z.array(containerSchema) }),
    }),
  }),
});

async function documents(name: string): Promise<Record<string, unknown>[]> {
  const text = await Deno.readTextFile(`${ROOT}deploy/kubernetes/${name}`);
  return parseAllDocuments(text).map((document) => document.toJS());
}

async function manifests(): Promise<Record<string, unknown>[]> {
  return [...await documents("data.yaml"), ...await documents("detector.yaml")];
}

/** The detector's pod, with the containers that are patched in. */
async function podOf(): Promise<z.infer<typeof podSchema>["spec"]["template"]["spec"]> {
  const set = (await manifests()).find((manifest) => manifest["kind"] === "StatefulSet");
  const pod = podSchema.parse(set).spec.template.spec;
  const more = patchSchema.parse((await documents("finished-files.yaml"))[0]).spec.template.spec;
  return { ...pod, containers: [...pod.containers, ...more.containers] };
}

/** The manifest of a set with another pod. */
function withPod(manifest: Record<string, unknown>, pod: object): Record<string, unknown> {
  const copy = podSchema.parse(structuredClone(manifest));
  Object.assign(copy.spec.template.spec, pod);
  return copy;
}

Deno.test("the Kubernetes manifests have the fields of their kinds, and no other", async () => {
  const types = `${ROOT}node_modules/kubernetes-types`;
  const pod = await podOf();
  const patched = (await manifests()).map((manifest) =>
    manifest["kind"] === "StatefulSet" ? withPod(manifest, pod) : manifest
  );
  const source = patched.map((manifest, i) => {
    const kind = String(manifest["kind"]);
    const api = String(manifest["apiVersion"]);
    const module = `${types}/${api.includes("/") ? api : `core/${api}`}.d.ts`;
    return `import type { ${kind} as K${i} } from "${module}";\n` +
      `export const m${i}: K${i} = ${JSON.stringify(manifest)};\n`;
  }).join("");
  const folder = await Deno.makeTempDir({ prefix: "std-daq-k8s-" });
  const check = async (text: string): Promise<boolean> => {
    await Deno.writeTextFile(`${folder}/manifests.ts`, text);
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--no-config", "--unstable-sloppy-imports", `${folder}/manifests.ts`],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  };
  try {
    equal(await check(source), true);
    equal(await check(source.replace('"nodeSelector"', '"nodeSelektor"')), false);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the Kubernetes containers understand their command lines, probe their own port, and have room", async () => {
  const { containers, volumes } = await podOf();
  const named = volumes.map(({ name }) => name);
  const ports = new Set<string>();
  const versions = new Set(containers.map(({ image }) => image));
  equal(versions.size, 1, [...versions].join());
  for (const container of containers) {
    const { name, args, env, envFrom, volumeMounts, startupProbe, livenessProbe } = container;
    const serviceName = env.find((variable) => variable.name === "SERVICE_NAME")?.value;
    equal(serviceName, `jungfrau-1m.${args[0]}`);
    const secrets = envFrom.map(({ secretRef }) => secretRef.name);
    // Who has the broker's may have files written.
    equal(secrets.includes("std-daq-broker"), /^(agent|validator|preview)$/.test(name), name);
    for (const mount of volumeMounts) ok(named.includes(mount.name), `${name}: ${mount.name}`);
    const port = option(args, "--health-port") ?? option(args, "--port") ?? "none";
    ok(!ports.has(port), `${name}: port ${port} is another container's`);
    ports.add(port);
    for (const probe of [startupProbe, livenessProbe]) {
      match(JSON.stringify(probe), new RegExp(`"host":"127.0.0.1","port":${port}\\b`), name);
    }
    // Kubernetes's condition for the class Guaranteed, which holds for a pod or not at all.
    deepStrictEqual(container.resources.requests, container.resources.limits, name);
    // Only a whole number of CPUs is exclusive.
    const isOnTheWay = /^(receiver|assembler|writer)$/.test(name);
    if (isOnTheWay) match(container.resources.limits.cpu, /^[1-9]\d*$/, name);
  }
  const { frames, images } = await ringsOf(containers.map(({ args }) => args));
  const memory = (name: string): number => {
    const limit = containers.find((container) => container.name === name)?.resources.limits.memory;
    return Number(/^(\d+)Gi$/.exec(limit ?? "")?.[1]) * 2 ** 30;
  };
  // Who touches a page of a ring first pays for it.
  ok(memory("receiver") > frames && memory("assembler") > images);
  await Promise.all(containers.map(({ args }) => understand(args)));
});

Deno.test("the how-to for Kubernetes makes all that the pod asks for, by files that there are", async () => {
  const page = await Deno.readTextFile(`${ROOT}docs/how-to/run-in-kubernetes.md`);
  const steps = /^```\n(docker build[^]*?)^```/m.exec(page)?.[1] ?? "";
  const made = (pattern: RegExp): string[] =>
    [...steps.matchAll(pattern)].map(([, name = ""]) => name);
  const files = made(/(?:-f|--patch-file) deploy\/kubernetes\/(\S+)/g);
  const there = [...Deno.readDirSync(`${ROOT}deploy/kubernetes`)].map(({ name }) => name);
  deepStrictEqual(files.toSorted(), there.toSorted());
  const { containers, volumes, nodeSelector } = await podOf();
  const wanted = volumes.flatMap((volume) =>
    JSON.stringify(volume).match(/"claimName":"([^"]+)"/)?.[1] ?? []
  );
  const claims = (await manifests()).filter(({ kind }) => kind === "PersistentVolumeClaim")
    .map(({ metadata }) => z.looseObject({ name: z.string() }).parse(metadata).name);
  deepStrictEqual(wanted, claims);
  const maps = volumes.flatMap((volume) =>
    JSON.stringify(volume).match(/"configMap":{"name":"([^"]+)"/)?.[1] ?? []
  );
  deepStrictEqual(maps, made(/create configmap (\S+)/g));
  const secrets = new Set(
    containers.flatMap(({ envFrom }) => envFrom.map(({ secretRef }) => secretRef.name)),
  );
  deepStrictEqual([...secrets], made(/create secret generic (\S+)/g));
  const label = Object.entries(z.record(z.string(), z.string()).parse(nodeSelector))[0]?.join("=");
  deepStrictEqual([label], made(/label node \S+ (\S+)/g));
});

/** The units, instantiated as `JF`, with binaries that are there. */
async function unitsIn(folder: string): Promise<string[]> {
  await Deno.mkdir(`${folder}/bin`);
  for (const name of BINARY_NAMES) {
    await Deno.writeTextFile(`${folder}/bin/${name}`, "#!/bin/sh\n", { mode: 0o755 });
  }
  const names: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(UNITS)) {
    if (name.endsWith(".rules")) continue;
    if (isDirectory) {
      await Deno.mkdir(`${folder}/${name}`);
      for (const dropIn of Deno.readDirSync(`${UNITS}/${name}`)) {
        await Deno.copyFile(`${UNITS}/${name}/${dropIn.name}`, `${folder}/${name}/${dropIn.name}`);
      }
      continue;
    }
    const text = await Deno.readTextFile(`${UNITS}/${name}`);
    await Deno.writeTextFile(`${folder}/${name}`, text.replaceAll(BIN, `${folder}/bin`));
    names.push(name.replace("@.", "@JF."));
  }
  return names.sort();
}

async function analyze(folder: string, ...args: string[]): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
    args,
    env: { SYSTEMD_UNIT_PATH: `${folder}:`, SYSTEMD_COLORS: "0", NO_COLOR: "1", LC_ALL: "C" },
  }).output();
  return { code, said: [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("") };
}

Deno.test("systemd understands every unit and drop-in, and finds the services well confined", async () => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-units-" });
  try {
    const units = await unitsIn(folder);
    ok(units.length >= 8, units.join(" "));
    const { code, said } = await analyze(folder, "verify", "--man=no", ...units);
    const ours = said.split("\n").filter((line) => line.includes(folder));
    deepStrictEqual([code, ours], [0, []], said);
    for (const unit of units.filter((name) => /^[^-]+@JF\.service$/.test(name))) {
      const security = await analyze(folder, "security", "--offline=yes", "--threshold=25", unit);
      equal(security.code, 0, security.said.split("\n").at(-2) ?? "");
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the programs understand what the units start, and every service of the pipeline has a unit", async () => {
  const commands: string[][] = [];
  for (const { name } of Deno.readDirSync(UNITS)) {
    if (!name.endsWith("@.service")) continue;
    const text = await Deno.readTextFile(`${UNITS}/${name}`);
    const [program = "", ...args] = /^ExecStart=(.+)$/m.exec(text)?.[1]?.split(" ") ?? [];
    ok(program.startsWith(`${BIN}/`), name);
    const service = program.slice(BIN.length + 1);
    equal(`${service}@.service`, name);
    // Others in the same Redis or RabbitMQ have services of the same kind. daq names its services itself.
    equal(
      /^Environment=SERVICE_NAME=(.+)$/m.exec(text)?.[1],
      service === "daq" ? undefined : `%i.${service}`,
    );
    const primary = option(args, "--primary");
    ok(primary === undefined || primary === "%i.writer_agent", `${name}: ${primary}`);
    const variables = new Map(
      [...text.matchAll(/^Environment=(\w+)=(.+)$/gm)].map(([, key, value]) => [key, value]),
    );
    const takesRequests = /^(daq|writer_agent)$/.test(service);
    if (takesRequests) {
      equal(option(args, "--tag"), "%i.#", name);
      // Of several detectors on a machine, each needs another one.
      equal(option(args, "--port") ?? option(args, "--api-port"), "${REST_PORT}", name);
    }
    const files = [...text.matchAll(/^EnvironmentFile=(.+)$/gm)].map(([, file]) => file);
    const knowsBroker = takesRequests || /^(file_validator|preview)$/.test(service);
    deepStrictEqual(files, [
      "-/etc/std-daq/%i.env",
      ...(knowsBroker ? ["-/etc/std-daq/%i.broker.env"] : []), // to have files written
    ], name);
    commands.push([
      service,
      ...args.map((arg) =>
        arg.replaceAll("%i", "JF").replaceAll("%H", "daq-1")
          .replace(/^\$\{(\w+)\}$/, (all, key) => variables.get(key) ?? all)
      ),
    ]);
  }
  const started = commands.map(([name]) => name);
  const wanted = [...START_ORDER, "config_deployer", "daq"];
  deepStrictEqual(wanted.filter((name) => !started.includes(name)), []);
  await Promise.all(commands.map(understand));
});

Deno.test("daq@ leaves the order of stopping to daq run, and the time for it", async () => {
  const unit = await Deno.readTextFile(`${UNITS}/daq@.service`);
  match(unit, /^KillMode=mixed$/m); // by default, all processes are told to stop at once
  const limit = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  const services = START_ORDER.length + 4; // three writers more, and the deployer
  ok(limit >= 5 * services, `${limit} s`); // when a supervisor kills what does not stop
});

/** Whether polkit's rule lets a user do something with a unit. */
async function polkitRule(): Promise<(verb: string, unit: string, user?: string) => boolean> {
  type Rule = (
    action: { id: string; lookup(key: string): string | undefined },
    subject: { user: string },
  ) => unknown;
  const rules: Rule[] = [];
  const polkit = { addRule: (rule: Rule): number => rules.push(rule), Result: { YES: "yes" } };
  const text = await Deno.readTextFile(`${UNITS}/50-std-daq.rules`);
  new Function("polkit", text)(polkit);
  return (verb: string, unit: string, user = "std-daq"): boolean => {
    const about: Record<string, string> = { verb, unit };
    const action = {
      id: "org.freedesktop.systemd1.manage-units",
      lookup: (key: string): string | undefined => about[key],
    };
    return rules.some((rule) => rule(action, { user }) === "yes");
  };
}

Deno.test("config_deployer@ starts only units again that run, and polkit allows it just that", async () => {
  const allows = await polkitRule();
  const unit = await Deno.readTextFile(`${UNITS}/config_deployer@.service`);
  const how = / --restart-command systemctl (\S+) \{service\}@%i\.service$/m.exec(unit)?.[1] ?? "";
  equal(how, "try-restart"); // `restart` starts what is not in use as well
  for (const service of START_ORDER) {
    ok(allows(how, `${service}@JF.service`), service);
    for (const verb of ["start", "stop", "restart"]) ok(!allows(verb, `${service}@JF.service`));
  }
  ok(!allows(how, "sshd.service") && !allows(how, "daq@JF.service"));
  ok(!allows(how, "writer_agent@JF.service", "somebody"));
  for (const page of ["docs/how-to/deploy-a-config.md", "services/config_deployer/README.md"]) {
    const commands = (await Deno.readTextFile(ROOT + page)).match(/systemctl \S+ \{service\}/g);
    deepStrictEqual(commands, [`systemctl ${how} {service}`], page);
  }
});

Deno.test("what may keep a store in a file has the folder for it, as a unit and as a program", async () => {
  const FOLDER = "/var/lib/std-daq";
  for (const service of ["writer_agent", "config_deployer", "file_validator", "preview"] as const) {
    const unit = await Deno.readTextFile(`${UNITS}/${service}@.service`);
    match(unit, /^StateDirectory=std-daq$/m, service);
    deepStrictEqual(settings.permissions[service].write, [FOLDER]);
  }
});
