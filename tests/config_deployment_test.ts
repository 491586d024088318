/** Configs from the store onto servers: two with a real pipeline each, in network namespaces of their own. */
import { deepStrictEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { DaqApiError } from "../lib/http/mod.ts";
import { UdpSocket } from "../lib/os/mod.ts";
import { openStore, type Store } from "../lib/store/mod.ts";
import { testContext } from "../services/daq/_test_context.ts";
import { runDaq } from "../services/daq/program.ts";
import {
  type ConfigJson,
  DaqRun,
  jungfrauConfig,
  readWithH5py,
  Redis,
  removeLeftovers,
  ROOT,
  TestProcess,
  until,
} from "./harness/mod.ts";

/** A machine of its own as far as detectors go: its own network, and its own /dev/shm. */
const MACHINE = 'mount -t tmpfs -o size=256m tmpfs /dev/shm; ip link set lo up; exec "$@"';
const USER = Deno.uid() === 0 ? [] : ["--map-root-user"];
const DAQ = [Deno.execPath(), "run", "--quiet", "--no-prompt", "-P=daq", "services/daq/main.ts"];

/** `daq run --server` on a machine of its own. */
class Server implements AsyncDisposable {
  readonly name: string;
  readonly configPath: string;
  readonly #folder: string;
  readonly #process: TestProcess;

  constructor(name: string, config: ConfigJson, store: string) {
    this.name = name;
    this.#folder = Deno.makeTempDirSync({ prefix: `dep-${name}-` });
    this.configPath = `${this.#folder}/config.json`;
    Deno.writeTextFileSync(this.configPath, JSON.stringify(config));
    Deno.mkdirSync(`${this.#folder}/data`);
    const run = ["run", this.configPath, "--data-root", `${this.#folder}/data`, "--ram", "128M"];
    this.#process = new TestProcess(`daq run on ${name}`, "unshare", [
      ...[...USER, "--net", "--mount", "sh", "-ec", MACHINE, "sh", ...DAQ, ...run],
      ...["--server", name],
    ], { cwd: ROOT, env: { STD_DAQ_IPC_DIR: this.#folder, STD_DAQ_STORE: store } });
  }

  async ready(): Promise<void> {
    await this.#process.line("a ready line", (line) => line.startsWith("ready ") || undefined);
  }

  /** Process ids of its services, by name. */
  services(): Record<string, number> {
    const { stdout } = new Deno.Command("ps", {
      args: ["--ppid", String(this.#process.pid), "-o", "pid=,args="],
    }).outputSync();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    return Object.fromEntries(lines.flatMap((line) => {
      const [, pid, name] = /^\s*(\d+) .*services\/(\w+)\/main\.ts/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(pid)]];
    }));
  }

  /** What its config file holds. */
  config(): unknown {
    return JSON.parse(Deno.readTextFileSync(this.configPath));
  }

  /** Has a file of some simulated images written; fails unless all are in it. Returns its path. */
  async write(file: string, images: number): Promise<string> {
    const path = `${this.#folder}/data/${file}`;
    const writing = this.#inside("write", path, "-n", String(images), "--wait");
    await until(`${file} on ${this.name}`, () => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    }, { explain: () => writing.tail() });
    // Ids go on where the last round has ended: each round is a detector of its own.
    const ids = ["--images", String(images), "--bunch-offset", String(Date.now())];
    await using simulator = this.#inside("simulate", this.configPath, ...ids);
    equal((await simulator.end(30_000)).code, 0, simulator.tail());
    await using process = writing;
    equal((await process.end(30_000)).code, 0, process.tail() + this.#process.tail());
    match(process.out.join("\n"), new RegExp(`FINISHED ${images}/${images} images`));
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.end(30_000);
    await this.#process[Symbol.asyncDispose]();
    const left = [...Deno.readDirSync(this.#folder)].map((entry) => entry.name).sort();
    Deno.removeSync(this.#folder, { recursive: true });
    deepStrictEqual(left, ["config.json", "data"], "daq run left sockets behind");
  }

  /** A command of daq on the server's machine. */
  #inside(...args: string[]): TestProcess {
    const user = USER.length > 0 ? ["--user", "--preserve-credentials"] : [];
    const at = ["--target", String(this.#process.pid), "--net", "--mount", `--wd=${ROOT}`];
    return new TestProcess(`daq ${args[0]}`, "nsenter", [...at, ...user, ...DAQ, ...args], {
      cwd: ROOT,
      env: { STD_DAQ_IPC_DIR: this.#folder },
    });
  }
}

/** Runs a command of daq; returns what it printed. */
async function daq(store: string, ...args: string[]): Promise<{ code: number; out: string }> {
  const context = testContext({ env: { STD_DAQ_STORE: store } });
  const code = await runDaq(args, context);
  return { code, out: context.stdout + context.stderr };
}

/** Makes a config the current one, and waits until both servers have it. */
async function set(store: string, config: ConfigJson, ...servers: string[]): Promise<string> {
  const file = Deno.makeTempFileSync({ suffix: ".json" });
  try {
    Deno.writeTextFileSync(file, JSON.stringify(config));
    const wait = ["--wait", "--timeout", "60", "--server", ...servers];
    const { code, out } = await daq(store, "config", "set", file, ...wait);
    equal(code, 0, out);
    return out;
  } finally {
    Deno.removeSync(file);
  }
}

/** Names of the services that have another process than before. */
function restarted(before: Record<string, number>, after: Record<string, number>): string[] {
  deepStrictEqual(Object.keys(after).sort(), Object.keys(before).sort());
  return Object.keys(after).filter((name) => after[name] !== before[name]).sort();
}

Deno.test("two servers take up configs, start again only what each one changes, and go back", async (t) => {
  const folder = await Deno.makeTempDir({ prefix: "std-daq-deploy-" });
  const address = `sqlite:${folder}/store.sqlite`;
  const config = jungfrauConfig(1);
  try {
    await using store = await openStore(address);
    const first = await store.addConfig(config);
    {
      await using a = new Server("a", config, address);
      await using b = new Server("b", config, address);
      const both = [a, b];
      await Promise.all(both.map((server) => server.ready()));
      const done = await daq(address, "deployment", first, "--wait", "--server", "a", "b");
      equal(done.code, 0, done.out);

      await t.step("a receiver's setting restarts it, and the writer of files", async () => {
        const before = both.map((server) => server.services());
        const patient = { ...config, frame_timeout_ms: 1_700 };
        const out = await set(address, patient, "a", "b");
        match(out, /SUCCESS .*: Deployed on 2\./);
        match(
          out,
          /a: Done\n +std_udp_recv, std_h5_writer; ready after [\d.]+ s, away for [\d.]+ s of it/,
        );
        both.forEach((server, i) => {
          deepStrictEqual(restarted(before[i]!, server.services()), [
            "std_h5_writer",
            "std_udp_recv",
          ]);
          deepStrictEqual(server.config(), patient);
        });
        const files = await Promise.all(both.map((server) => server.write("patient.h5", 3)));
        for (const file of files) {
          const { attributes } = await readWithH5py(file);
          equal(JSON.parse(String(attributes["config"])).frame_timeout_ms, 1_700);
        }
      });

      await t.step(
        "a wrong config is refused with all its errors, and stays off the disk",
        async () => {
          const [before, files] = [both.map((s) => s.services()), both.map((s) => s.config())];
          const id = await store.addConfig({
            ...config,
            bit_depth: 7,
            n_modules: 0,
            start_udp_port: -1,
          });
          const state = await until("both servers' refusal", async () => {
            const { out } = await daq(address, "deployment", id);
            return /a: Error/.test(out) && /b: Error/.test(out) ? out : undefined;
          });
          match(state, /ERROR/);
          for (const field of ["bit_depth is 7", "n_modules is 0", "start_udp_port is -1"]) {
            equal(state.split(field).length, 3, `${field}, by both: ${state}`);
          }
          deepStrictEqual(both.map((server) => server.config()), files);
          both.forEach((server, i) =>
            deepStrictEqual(restarted(before[i]!, server.services()), [])
          );
        },
      );

      await t.step(
        "another shape restarts all but the deployer, and images are written",
        async () => {
          const before = both.map((server) => server.services());
          const large = {
            ...jungfrauConfig(2, { detector_name: config.detector_name }),
            start_udp_port: config["start_udp_port"],
          };
          const out = await set(address, large, "a", "b");
          match(out, /writer_agent; ready after [\d.]+ s, away for [\d.]+ s of it/);
          both.forEach((server, i) => {
            const changed = restarted(before[i]!, server.services());
            deepStrictEqual(changed, [
              "std_assembler",
              "std_h5_writer",
              "std_udp_recv",
              "writer_agent",
            ]);
          });
          await Promise.all(both.map((server) => server.write("large.h5", 2)));
        },
      );

      await t.step("rollback brings the first config back", async () => {
        const wait = ["--wait", "--timeout", "60", "--server", "a", "b"];
        const { code, out } = await daq(address, "config", "rollback", first, ...wait);
        equal(code, 0, out);
        notEqual(out.split("\n")[0], first);
        both.forEach((server) => deepStrictEqual(server.config(), config));
      });
    }
    await t.step("a server that was away takes up what it missed", async () => {
      const missed = { ...config, image_timeout_ms: 3_100 };
      await using _store = await openStore(address);
      const id = await _store.addConfig(missed);
      await using a = new Server("a", config, address);
      await a.ready();
      const { code, out } = await daq(address, "deployment", id, "--wait", "--timeout", "60");
      equal(code, 0, out);
      match(out, /a: Done\n +std_assembler, std_h5_writer; ready/);
      deepStrictEqual(a.config(), missed);
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
    removeLeftovers(config.detector_name);
  }
});

Deno.test("a config from Redis waits for the end of an acquisition; a service that does not start is named", async (t) => {
  await using redis = await Redis.start();
  const config = jungfrauConfig(1);
  await using store: Store = await openStore(redis.url);
  const { daq: run } = await DaqRun.start(config, {
    args: ["--store", redis.url, "--server", "solo"],
  });
  await using running = run;
  ok(running.services()["config_deployer"] !== undefined);

  await t.step("the acquisition is finished first", async () => {
    const path = running.path("long.h5");
    equal((await running.command("write", path, "-n", "1000")).code, 0);
    const quick = { ...config, image_timeout_ms: 2_900 };
    const id = await store.addConfig(quick);
    const waits = (): number =>
      running.process.err.filter((line) => line.includes("waiting for the end of the acq")).length;
    await until("word that it waits", () => waits() === 1, {
      explain: () => running.process.tail(),
    });
    // Killed in mid-deployment: the next one goes on.
    Deno.kill(running.services()["config_deployer"]!, "SIGKILL");
    await until("word that the next one waits", () => waits() === 2, {
      explain: () => running.process.tail(),
    });
    match((await daq(redis.url, "deployment", id)).out, /RUNNING/);
    deepStrictEqual(JSON.parse(Deno.readTextFileSync(running.configPath)), config);
    equal((await running.command("stop")).code, 0);
    // In the window between the end of the last run and the restart of the services.
    const early = { output_file: running.path("early.h5"), n_images: 1 };
    await rejects(running.client.writeAsync(early), (error: unknown) => {
      ok(error instanceof DaqApiError);
      equal(error.status, 503);
      match(error.message, /A config is being deployed/);
      return true;
    });
    const { code, out } = await daq(redis.url, "deployment", id, "--wait", "--timeout", "60");
    equal(code, 0, out);
    deepStrictEqual(JSON.parse(Deno.readTextFileSync(running.configPath)), quick);
    equal((await running.client.status()).acquisition.info.output_file, path);
  });

  await t.step(
    "a port that is taken is an error, and images come with the former config",
    async () => {
      const former = Deno.readTextFileSync(running.configPath);
      using socket = new UdpSocket({ bind: { address: "0.0.0.0", port: 0 } });
      const { port } = socket;
      const id = await store.addConfig({ ...config, start_udp_port: port });
      const { code, out } = await daq(redis.url, "deployment", id, "--wait", "--timeout", "60");
      equal(code, 1, out);
      match(out, new RegExp(`solo: Error\\n.*std_udp_recv .*${port}.*; the former config is back`));
      equal(Deno.readTextFileSync(running.configPath), former);
      equal((await running.command("write", running.path("after.h5"), "-n", "2")).code, 0);
      equal((await running.command("simulate", running.configPath, "--images", "2")).code, 0);
      await until(
        "the images",
        async () => (await running.client.status()).acquisition.state === "FINISHED",
      );
    },
  );
});
