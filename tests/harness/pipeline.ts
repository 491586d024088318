import assert from "node:assert/strict";
import { type DetectorConfig, parseConfig } from "../../lib/config/mod.ts";
import { DaqClient, type Writer, type WriteRequest } from "../../lib/http/mod.ts";
import {
  permissionsFor,
  programCall,
  type ServiceName,
  type StorePermission,
} from "../../lib/service/mod.ts";
import type { ConfigJson } from "./configs.ts";
import { freeTcpPort } from "./free_ports.ts";
import { leftovers, removeLeftovers } from "./leftovers.ts";
import { TestProcess } from "./process.ts";
import { until } from "./until.ts";

/** The project's folder, absolute. */
export const ROOT: string = decodeURIComponent(new URL("../..", import.meta.url).pathname)
  .replace(/\/$/, "");

/** Services of a pipeline in the order of their start. */
export const PIPELINE_SERVICES = [
  "std_udp_recv",
  "std_assembler",
  "std_h5_writer",
  "writer_agent",
] as const satisfies readonly ServiceName[];

/** File writers beside the first one, of a detector that has several. */
const FURTHER_WRITERS = ["std_h5_writer_1", "std_h5_writer_2"] as const;
type FurtherWriter = typeof FURTHER_WRITERS[number];

/** One of them, or of those that are started where they are asked for. */
export type PipelineService =
  | typeof PIPELINE_SERVICES[number]
  | FurtherWriter
  | "std_data_compress"
  | "std_data_decompress";

/** How to run a pipeline. */
export interface PipelineOptions {
  /** Slots of each frame ring; default 64. */
  frameSlots?: number;
  /** Slots of the image ring; default 64. */
  imageSlots?: number;
  /** Which services to start; default {@link PIPELINE_SERVICES}, with up to three file writers. */
  services?: readonly PipelineService[];
  /** Further arguments of single services. */
  args?: Partial<Record<PipelineService, readonly string[]>>;
  /** Permission flags of the services; default: what `daq run` gives them. */
  permissions?: (service: PipelineService) => readonly string[];
  /** Folder for the config instead of a new one below /tmp; not removed. */
  configFolder?: string;
  /** Programs and arguments put before single services' own, such as `nice -n 5`. */
  wrap?: Partial<Record<PipelineService, readonly string[]>>;
  /** Broker that the agent may use; named by `args`. */
  broker?: StorePermission;
  /** Likewise its store. */
  store?: StorePermission;
  /** Folder for files instead of a new one below /tmp; not removed. */
  dataRoot?: string;
}

/** The account as `/daq/stats` has it. */
export type Account = Readonly<Record<string, bigint>>;

/**
 * The services of a detector as processes of their own, each with exactly the permissions that
 * `daq run` gives it. Disposing ends them and fails if a service that ended by itself or by SIGTERM
 * left a ring or a socket.
 */
export class Pipeline implements AsyncDisposable {
  readonly config: DetectorConfig;
  readonly configPath: string;
  /** Folder in which files may be written. */
  readonly dataRoot: string;
  readonly client: DaqClient;
  readonly apiPort: number;
  readonly #options: PipelineOptions;
  readonly #folder: string;
  readonly #running = new Map<PipelineService, TestProcess>();
  readonly #all: TestProcess[] = [];
  #killed = false;

  private constructor(json: ConfigJson, options: PipelineOptions) {
    this.config = parseConfig(json).config;
    this.#options = options;
    this.#folder = Deno.makeTempDirSync({ prefix: `${json.detector_name}_files_` });
    this.configPath = `${options.configFolder ?? this.#folder}/config.json`;
    this.dataRoot = options.dataRoot ?? `${this.#folder}/data`;
    this.apiPort = freeTcpPort();
    this.client = new DaqClient({ baseUrl: `http://127.0.0.1:${this.apiPort}` });
    Deno.writeTextFileSync(this.configPath, JSON.stringify(json));
    Deno.mkdirSync(this.dataRoot, { recursive: true });
  }

  /** Starts the services, one after the other. */
  static async start(json: ConfigJson, options: PipelineOptions = {}): Promise<Pipeline> {
    const pipeline = new Pipeline(json, options);
    try {
      const services = options.services ?? servicesOf(pipeline.config);
      for (const service of services) await pipeline.start(service);
      return pipeline;
    } catch (error) {
      await pipeline.#end();
      throw error;
    }
  }

  /** Name of the detector. */
  get name(): string {
    return this.config.detector_name;
  }

  /** A path in the data folder. */
  path(file: string): string {
    return `${this.dataRoot}/${file}`;
  }

  /** The process of a service. */
  service(name: PipelineService): TestProcess {
    return this.#running.get(name) ?? assert.fail(`${name} does not run`);
  }

  /** Starts a service (again) and waits until it is ready. */
  async start(name: PipelineService): Promise<TestProcess> {
    const process = this.spawn(name);
    await process.ready();
    return process;
  }

  /** Starts a service (again). */
  spawn(name: PipelineService): TestProcess {
    const service = isFurtherWriter(name) ? "std_h5_writer" : name;
    const { program, args } = programCall({
      name: service,
      main: new URL(`../../services/${service}/main.ts`, import.meta.url),
      args: this.#arguments(name),
      permissions: this.#options.permissions?.(name) ?? permissionsFor(service, this.config, {
        root: ROOT,
        configPath: this.configPath,
        dataRoots: [this.dataRoot],
        apiPort: this.apiPort,
        broker: this.#options.broker,
        store: this.#options.store,
      }),
    });
    const [first = program, ...rest] = [...(this.#options.wrap?.[name] ?? []), program, ...args];
    const process = new TestProcess(name, first, rest);
    this.#running.set(name, process);
    this.#all.push(process);
    return process;
  }

  /** SIGTERM; the service must end well. */
  async stop(name: PipelineService): Promise<void> {
    const process = this.service(name);
    const { code } = await process.stop();
    assert.equal(code, 0, `${name}: ${process.tail()}`);
  }

  /** SIGKILL; returns when it is gone. */
  async kill(name: PipelineService): Promise<void> {
    this.#killed = true;
    this.service(name).kill("SIGKILL");
    await this.service(name).end();
  }

  /** Starts an acquisition into `<data root>/<file>`; returns when images are taken. */
  async write(
    file: string,
    images: number,
    more: Partial<WriteRequest> = {},
  ): Promise<{ path: string }> {
    const path = this.path(file);
    await this.client.writeAsync({ n_images: images, output_file: path, ...more });
    return { path };
  }

  /** Waits until the acquisition has ended, well. */
  async finished(limitMs = 20_000): Promise<Writer> {
    const writer = await this.ended(limitMs);
    assert.equal(writer.acquisition.message, "Completed.");
    assert.equal(writer.acquisition.state, "FINISHED");
    return writer;
  }

  /** Waits until the acquisition has ended, one way or the other. */
  async ended(limitMs = 20_000): Promise<Writer> {
    return await this.status(
      "end of the acquisition",
      ({ acquisition }) => ["FINISHED", "FAILED"].includes(acquisition.state),
      limitMs,
    );
  }

  /** Waits until the writer's status is as `accept` wants it. */
  async status(
    what: string,
    accept: (writer: Writer) => boolean,
    limitMs = 20_000,
  ): Promise<Writer> {
    let writer: Writer | undefined;
    return await until(what, async () => {
      writer = await this.client.status();
      return accept(writer) ? writer : undefined;
    }, {
      limitMs,
      explain: () => Deno.inspect(writer, { depth: 5 }),
    });
  }

  /** The account now. */
  async account(): Promise<Account> {
    return (await this.client.stats()).accounting;
  }

  /** Waits until the account is as `accept` wants it. */
  async accountWhen(
    what: string,
    accept: (account: Account) => boolean,
    limitMs = 20_000,
  ): Promise<Account> {
    let account: Account | undefined;
    return await until(what, async () => {
      account = await this.account();
      return accept(account) ? account : undefined;
    }, { limitMs, explain: () => Deno.inspect(account) });
  }

  /** Waits until so many images have been delivered, complete or not. */
  async images(count: number, limitMs = 20_000): Promise<Account> {
    return await this.accountWhen(
      `${count} images`,
      (account) => account["images_good"]! + account["images_incomplete"]! >= BigInt(count),
      limitMs,
    );
  }

  /** Properties of the newest stats line of a service. */
  stats(name: PipelineService): Record<string, unknown> | undefined {
    return this.service(name).log.findLast(({ message }) => message === "stats")?.properties;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const unclean = await this.#end();
    assert.deepEqual(unclean, [], `${this.name} left something behind`);
  }

  /** Ends everything; returns what a clean stop should have removed and did not. */
  async #end(): Promise<string[]> {
    for (const process of this.#all.toReversed()) {
      if (process.ended) continue;
      process.kill("SIGCONT"); // a stopped one would not hear the next
      await process[Symbol.asyncDispose]();
    }
    const unclean = this.#killed ? [] : leftovers(this.name);
    removeLeftovers(this.name);
    Deno.removeSync(this.#folder, { recursive: true });
    assert.deepEqual(leftovers(this.name), []);
    return unclean;
  }

  #arguments(name: PipelineService): string[] {
    const { frameSlots = 64, imageSlots = 64, args = {} } = this.#options;
    const frames = ["--frame-slots", String(frameSlots)];
    const images = ["--image-slots", String(imageSlots)];
    const writer = [...images, "--data-root", this.dataRoot];
    const own: Record<PipelineService, readonly string[]> = {
      std_udp_recv: frames,
      std_assembler: [...frames, ...images],
      std_data_compress: images,
      std_data_decompress: images,
      std_h5_writer: ["0", ...writer],
      std_h5_writer_1: ["1", ...writer],
      std_h5_writer_2: ["2", ...writer],
      writer_agent: ["--port", String(this.apiPort), "--data-root", this.dataRoot],
    };
    return [this.configPath, ...own[name], ...(args[name] ?? [])];
  }
}

/** Services of a detector in the order of their start. */
function servicesOf({ number_of_writers: writers }: DetectorConfig): PipelineService[] {
  const further = FURTHER_WRITERS.slice(0, writers - 1);
  return PIPELINE_SERVICES.flatMap((name) =>
    name === "std_h5_writer" ? [name, ...further] : [name]
  );
}

function isFurtherWriter(name: PipelineService): name is FurtherWriter {
  return FURTHER_WRITERS.some((writer) => writer === name);
}
