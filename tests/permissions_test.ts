/** Every service has the permissions that it needs, and no other. */
import assert from "node:assert/strict";
import { parseConfig } from "../lib/config/mod.ts";
import { permissionsFor, SERVICE_NAMES } from "../lib/service/mod.ts";
import denoJson from "../deno.json" with { type: "json" };
import {
  imageIds,
  jungfrauConfig,
  Pipeline,
  readWithH5py,
  ROOT,
  startSimulator,
} from "./harness/mod.ts";

const PROBE = new URL("permissions/probe.ts", import.meta.url).pathname;
const LIBRARY = Deno.build.arch === "x86_64"
  ? "/lib/x86_64-linux-gnu/libm.so.6"
  : "/lib/aarch64-linux-gnu/libm.so.6";

/** What the probe tries. */
const EVERYTHING = [
  "read a system file",
  "list a home folder",
  "write to /tmp",
  "write beside the code",
  "remove a file",
  "run a process",
  "connect to another host",
  "listen to the world",
  "listen on another port",
  "open another library",
  "use any address",
  "read the environment",
  "ask for the host name",
] as const;

type Attempt = typeof EVERYTHING[number];

/** What a set allows that may write to /tmp, where a clone of the repository may be, too. */
const IN_TMP: readonly Attempt[] = [
  "write to /tmp",
  "remove a file",
  ...(ROOT.startsWith("/tmp/") ? ["write beside the code" as const] : []),
];

/** Of services that look at files anywhere and know neither broker nor store. */
const FOLLOWER: readonly Attempt[] = [
  "read a system file",
  "list a home folder",
  "listen on another port",
  "ask for the host name",
];

/** What the named sets allow on purpose: they know neither config nor ports, nor what is measured. */
const ALLOWED: Partial<Record<string, readonly Attempt[]>> = {
  std_udp_recv: [],
  std_assembler: [],
  std_data_compress: [],
  std_data_decompress: [],
  std_h5_writer: [],
  udp_simulator: [],
  writer_agent: ["read a system file", "list a home folder", "listen on another port"],
  config_deployer: ["listen on another port"],
  file_validator: FOLLOWER,
  preview: FOLLOWER,
  daq: [
    "read a system file",
    "list a home folder",
    "run a process",
    "listen on another port",
    "read the environment",
  ],
  demo: [
    "read a system file",
    "list a home folder",
    "write to /tmp",
    "write beside the code",
    "remove a file",
    "run a process",
    "listen on another port",
    "read the environment",
  ],
  bench: [
    ...IN_TMP,
    "read a system file",
    "list a home folder",
    "run a process",
    "listen on another port",
  ],
  bench_program: [...IN_TMP, "read a system file", "list a home folder"],
};

/**
 * What sets that are not listed may have, by the kinds in them: servers of this machine to talk to, who cannot be
 * told from ports, and a name to tell them.
 */
const OF_ANY_SERVICE: readonly [kind: string, attempt: Attempt][] = [
  ["net", "listen on another port"],
  ["sys", "ask for the host name"],
];

for (const [name, set] of Object.entries(denoJson.permissions)) {
  Deno.test(`-P=${name} refuses what it must`, async () => {
    const ofItsKinds = OF_ANY_SERVICE.filter(([kind]) => kind in set).map(([, attempt]) => attempt);
    const allowed = ALLOWED[name] ?? ofItsKinds;
    assertRefused(await probe(`-P=${name}`), allowed);
  });
}

Deno.test("every set that is listed is there", () => {
  assert.deepEqual(Object.keys(ALLOWED).filter((name) => !(name in denoJson.permissions)), []);
});

for (const service of SERVICE_NAMES) {
  Deno.test(`what daq run gives ${service} refuses everything else`, async () => {
    const { config } = parseConfig(jungfrauConfig(1));
    const flags = permissionsFor(service, config, {
      root: ROOT,
      configPath: "/tmp/JF.json",
      dataRoots: ["/tmp"],
      apiPort: 5000,
    });
    assertRefused(await probe(...flags), []);
  });
}

Deno.test("the services do their work with their named permission sets, and ask nobody for more", async () => {
  // The sets allow configs in the project's folder and in /etc/std-daq.
  const configFolder = Deno.makeTempDirSync({ dir: `${ROOT}/tests`, prefix: "config_" });
  try {
    await using pipeline = await Pipeline.start(jungfrauConfig(1), {
      configFolder,
      permissions: (service) => [`-P=${service}`],
    });
    const { path } = await pipeline.write("run.h5", 3);
    await using simulator = startSimulator(pipeline, "-P=udp_simulator", "--images", "3");
    assert.equal((await simulator.end()).code, 0, simulator.tail());
    await pipeline.finished();
    assert.deepEqual(imageIds(await readWithH5py(path)), [1, 2, 3]);
  } finally {
    Deno.removeSync(configFolder, { recursive: true });
  }
});

async function probe(...flags: string[]): Promise<Record<string, string>> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", ...flags, PROBE, LIBRARY],
    cwd: ROOT,
  }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

function assertRefused(outcome: Record<string, string>, allowed: readonly Attempt[]): void {
  const refused = Object.keys(outcome).filter((what) => outcome[what] === "refused");
  assert.deepEqual(
    refused,
    EVERYTHING.filter((what) => !allowed.includes(what)),
    Deno.inspect(outcome),
  );
}
