import assert from "node:assert/strict";
import { DaqClient, type StatsAnswer, type Writer } from "../../lib/http/mod.ts";
import type { ConfigJson } from "./configs.ts";
import { freeTcpPort } from "./free_ports.ts";
import { leftovers, removeLeftovers } from "./leftovers.ts";
import { ROOT } from "./pipeline.ts";
import { TestProcess } from "./process.ts";
import { until } from "./until.ts";

/** What `daq run` says when it is ready. */
export interface ReadyInfo {
  api: string;
  detector: string;
  data_roots: string[];
  frame_slots: number;
  image_slots: number;
  ram_bytes: number;
}

/** What `daq status --json` prints. */
export interface StatusJson extends Pick<StatsAnswer, "stats"> {
  writer: Writer;
  accounting: Record<string, number>;
}

/** What a command printed, and its exit status. */
export interface CommandResult {
  code: number;
  out: string;
  err: string;
}

/** How to start `daq run`. */
export interface DaqRunOptions {
  /** Null: let it write to its default folder; else to a folder of the test's. */
  dataRoot?: null;
  /** Further arguments. */
  args?: readonly string[];
}

/** `daq run` as a user starts it, and the other commands beside it. */
export class DaqRun implements AsyncDisposable {
  readonly process: TestProcess;
  readonly configPath: string;
  readonly dataRoot: string;
  readonly client: DaqClient;
  readonly #detector: string;
  readonly #folder: string;
  readonly #api: string;

  private constructor(config: ConfigJson, { dataRoot, args = [] }: DaqRunOptions) {
    this.#detector = config.detector_name;
    this.#folder = Deno.makeTempDirSync({ prefix: `${this.#detector}_files_` });
    this.configPath = `${this.#folder}/config.json`;
    this.dataRoot = `${this.#folder}/data`;
    Deno.writeTextFileSync(this.configPath, JSON.stringify(config));
    Deno.mkdirSync(this.dataRoot);
    const port = freeTcpPort();
    this.#api = `http://127.0.0.1:${port}`;
    this.client = new DaqClient({ baseUrl: this.#api });
    this.process = this.spawn(
      ...["run", this.configPath, "--api-port", String(port), "--ram", "100M"],
      ...(dataRoot === null ? [] : ["--data-root", this.dataRoot]),
      ...args,
    );
  }

  /** Starts it and waits for its ready line. */
  static async start(
    config: ConfigJson,
    options: DaqRunOptions = {},
  ): Promise<{ daq: DaqRun; ready: ReadyInfo }> {
    const daq = new DaqRun(config, options);
    try {
      const ready = await daq.process.line(
        "a ready line",
        (line) => line.startsWith("ready ") ? JSON.parse(line.slice("ready ".length)) : undefined,
      );
      return { daq, ready };
    } catch (error) {
      await daq[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A path in the data folder. */
  path(file: string): string {
    return `${this.dataRoot}/${file}`;
  }

  /** Runs another command of daq to its end, against this one. */
  async command(...args: string[]): Promise<CommandResult> {
    await using process = this.spawn(...args);
    const { code } = await process.end(30_000);
    return { code, out: process.out.join("\n"), err: process.err.join("\n") };
  }

  /** Starts a command of daq, against this one, with the permissions of the task. */
  spawn(...args: string[]): TestProcess {
    return new TestProcess(
      `daq ${args[0]}`,
      Deno.execPath(),
      ["run", "--quiet", "--no-prompt", "-P=daq", "services/daq/main.ts", ...args],
      { cwd: ROOT, env: { STD_DAQ_API_URL: this.#api } },
    );
  }

  /** What `daq status --json` says. */
  async status(): Promise<StatusJson> {
    const { code, out, err } = await this.command("status", "--json");
    assert.equal(code, 0, err);
    return JSON.parse(out);
  }

  /** Process ids of the services, by name. */
  services(): Record<string, number> {
    const { stdout } = new Deno.Command("ps", {
      args: ["--ppid", String(this.process.pid), "-o", "pid=,args="],
    }).outputSync();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    return Object.fromEntries(lines.flatMap((line) => {
      const [, pid, name] = /^\s*(\d+) .*services\/(\w+)\/main\.ts/.exec(line) ?? [];
      return name === undefined ? [] : [[name, Number(pid)]];
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const services = Object.values(this.services());
    await this.process[Symbol.asyncDispose]();
    await until("the end of all services", () => services.every((pid) => !isRunning(pid)));
    const left = leftovers(this.#detector);
    removeLeftovers(this.#detector);
    Deno.removeSync(this.#folder, { recursive: true });
    assert.deepEqual(left, [], "daq run left something behind");
  }
}

/** Whether a process is there. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}
