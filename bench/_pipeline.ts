/**
 * The real services as processes, each with exactly its permissions, for one detector of the bench.
 *
 * @module
 */
import { type Accounting, AccountingReader } from "../lib/accounting/mod.ts";
import { type DetectorConfig, parseConfig } from "../lib/config/mod.ts";
import { detectorFor } from "../lib/detector/mod.ts";
import { frameRingName, imageRingName } from "../lib/protocol/mod.ts";
import { removeRings } from "../lib/ring/mod.ts";
import {
  permissionsFor,
  programCall,
  type ServiceCommand,
  type ServiceName,
} from "../lib/service/mod.ts";
import { benchConfigJson, type BenchDetector } from "./_config.ts";
import { benchFolder, benchName } from "./_names.ts";
import { readyLine, type Running, start } from "./_run.ts";

/** Pixels of a Jungfrau module. */
const JUNGFRAU_PIXELS = 512 * 1024;

const ROOT = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

/** Maps that correct Jungfrau modules, as raw numbers: 41 ADU/keV and its like, pedestals as simulated. */
async function writeMaps(
  folder: string,
  modules: number,
): Promise<{ gains: string; pedestal: string }> {
  const pixels = modules * JUNGFRAU_PIXELS;
  const write = async (name: string, stages: readonly number[]): Promise<string> => {
    const map = new Float32Array(stages.length * pixels);
    stages.forEach((value, stage) => map.fill(value, stage * pixels, (stage + 1) * pixels));
    await Deno.writeFile(`${folder}/${name}`, new Uint8Array(map.buffer));
    return `${folder}/${name}`;
  };
  return {
    gains: await write("gains.f32", [41, -1.44, -0.107]),
    pedestal: await write("pedestal.f32", [2800, 15_000, 14_500]),
  };
}

/** A detector's config file, its sockets' folder, its services and rings; all gone when disposed of. */
export class Pipeline implements AsyncDisposable {
  readonly config: DetectorConfig;
  /** Folder of the ipc sockets, the config and whatever else the row needs. */
  readonly folder: string;
  readonly #configPath: string;
  readonly #services: Running[] = [];

  private constructor(folder: string, configPath: string, config: DetectorConfig) {
    this.folder = folder;
    this.#configPath = configPath;
    this.config = config;
  }

  /** Writes the config of a detector with a name of this run alone. */
  static async make(detector: Omit<BenchDetector, "detector">): Promise<Pipeline> {
    const folder = await benchFolder();
    const name = benchName(Math.random().toString(36).slice(2, 7));
    const calibration = detector.type === "jungfrau-converted"
      ? await writeMaps(folder, detector.modules)
      : undefined;
    const json = {
      ...benchConfigJson({ ...detector, detector: name, ...(calibration && { calibration }) }),
      log_level: "warning",
      udp_bind_address: "127.0.0.1",
    };
    const path = `${folder}/detector.json`;
    await Deno.writeTextFile(path, JSON.stringify(json));
    return new Pipeline(folder, path, parseConfig(json).config);
  }

  /** Starts a service and waits until it is ready. */
  async start(
    service: ServiceName,
    args: readonly string[] = [],
    options: { cpu?: number | undefined; apiPort?: number } = {},
  ): Promise<Running> {
    const running = this.spawn(service, args, options);
    await readyLine(running);
    return running;
  }

  /** Starts a service without waiting. */
  spawn(
    service: ServiceName,
    args: readonly string[] = [],
    options: { cpu?: number | undefined; apiPort?: number } = {},
  ): Running {
    const { cpu, apiPort } = options;
    const command = this.command(service, args, apiPort);
    const { program, args: call } = programCall(command);
    const running = start({ path: program, args: call }, { cpu, env: { ...command.env } });
    this.#services.push(running);
    return running;
  }

  /** A service as a supervisor is told of it. */
  command(service: ServiceName, args: readonly string[] = [], apiPort = 5000): ServiceCommand {
    const permissions = permissionsFor(service, this.config, {
      root: ROOT,
      configPath: this.#configPath,
      dataRoots: [this.folder],
      apiPort,
    });
    return {
      name: service,
      main: new URL(`../services/${service}/main.ts`, import.meta.url),
      args: [this.#configPath, ...args],
      permissions,
      env: { STD_DAQ_IPC_DIR: this.folder },
    };
  }

  /** The account now. */
  account(): Accounting {
    const { detector_name, n_modules } = this.config;
    using reader = new AccountingReader({
      frames: Array.from({ length: n_modules }, (_, i) => frameRingName(detector_name, i)),
      image: imageRingName(detector_name),
      packetsPerFrame: detectorFor(this.config).packetFormat(this.config).packetsPerFrame,
    });
    return reader.read();
  }

  /** Waits until nothing more is counted: what is under way has arrived or is given up. */
  async settled(): Promise<Accounting> {
    for (let before = this.account();;) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      const now = this.account();
      if (Object.entries(now).every(([name, n]) => n === before[name as keyof Accounting])) {
        return now;
      }
      before = now;
    }
  }

  /** Removes the rings; those that a service holds stay. */
  removeRings(): void {
    const { detector_name, n_modules } = this.config;
    for (let i = 0; i < n_modules; i++) removeRings([frameRingName(detector_name, i)]);
    removeRings([imageRingName(detector_name)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const service of this.#services.reverse()) await service.stop().catch(() => {});
    this.removeRings();
    await Deno.remove(this.folder, { recursive: true });
  }
}
