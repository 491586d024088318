import type { DetectorConfig } from "../../lib/config/mod.ts";
import {
  calibrationAddress,
  COMPRESSED_SUFFIX,
  driverAddress,
  frameRingName,
  frameStreamAddress,
  IMAGE_SUFFIX,
  imageRingName,
  imageStreamAddress,
  runAddress,
  writerAddress,
} from "../../lib/protocol/names.ts";
import {
  type PermissionOptions,
  permissionsFor,
  type ServiceCommand,
  type ServiceName,
  type StorePermission,
} from "../../lib/service/mod.ts";
import { parseStoreAddress } from "../../lib/store/mod.ts";
import { PROJECT_ROOT, serviceMain } from "./project.ts";

/** How a local pipeline is run. */
export interface PipelineOptions {
  /** Absolute path of the detector config. */
  configPath: string;
  /** Port of the REST interface on 127.0.0.1. */
  apiPort: number;
  /** Folders that files may be written to, absolute. */
  dataRoots: readonly string[];
  /** Slots of each frame ring. */
  frameSlots: number;
  /** Slots of the image ring. */
  imageSlots: number;
  /** Memory that all rings take, bytes. */
  ringBytes: number;
  /** Threads of the assembler; default: its own choice. */
  workers?: number | undefined;
  /** Log level of all services; default: the config's. */
  logLevel?: string | undefined;
  /** Another libzmq. */
  libzmq?: string | undefined;
  /** Where the agent keeps acquisitions and rates. */
  store?: StorePermission | undefined;
  /** Have the configs of the store taken up; default: the config stays as it is. */
  deployer?: DeployerSettings | undefined;
  /** RabbitMQ that the agent takes requests from. */
  broker?: StorePermission | undefined;
  /** Which of its requests are for this detector. */
  tag?: string | undefined;
}

/** Longest start of a service beside the taking of memory, ms. */
const START_MS = 30_000;
/** Longest time that a GiB of rings takes, ms: twice what new pages of /dev/shm and the mapping of them take. */
const GIB_MS = 2_000;

/** How the configs of the store are taken up. */
export interface DeployerSettings {
  /** This server's name. */
  server: string;
  /** Where `daq run` is asked to take one up; the same for all configs. */
  runAddress: string;
}

/**
 * The services of a local pipeline, each with its arguments and permissions, in the order of their start: along
 * the data's way. They stop in reverse order, so that no service outlives the one it feeds on.
 */
export function pipelineCommands(
  config: DetectorConfig,
  options: PipelineOptions,
): ServiceCommand[] {
  const { configPath, apiPort, dataRoots, frameSlots, imageSlots, workers, logLevel } = options;
  const { ringBytes, store, deployer, broker, tag } = options;
  const frames = ["--frame-slots", String(frameSlots)];
  const images = ["--image-slots", String(imageSlots)];
  const roots = ["--data-root", ...dataRoots];
  const threads = workers === undefined ? [] : ["--workers", String(workers)];
  const tags = tag === undefined ? [] : ["--tag", tag];
  const at = [configPath];
  const services: { service: ServiceName; name?: string; args: string[] }[] = [
    { service: "std_udp_recv", args: [...at, "--modules", allModules(config), ...frames] },
    { service: "std_assembler", args: [...at, ...frames, ...images, ...threads] },
    ...(config.compressed_ring
      ? [{ service: "std_data_compress" as const, args: [...at, ...images] }]
      : []),
    ...writerIds(config).map((id, _, { length }) => ({
      service: "std_h5_writer" as const,
      ...(length > 1 && { name: `std_h5_writer_${id}` }),
      args: [...at, id, ...images, ...roots],
    })),
    {
      service: "writer_agent",
      args: [...at, "--port", String(apiPort), ...images, ...frames, ...roots, ...tags],
    },
    ...(deployer === undefined ? [] : [{
      service: "config_deployer" as const,
      args: [deployer.server, "--file", configPath, "--run", deployer.runAddress],
    }]),
  ];
  // A store in Redis has the services' statuses, too.
  const redis = store && parseStoreAddress(store.address).engine === "redis" ? store : undefined;
  const permissions: PermissionOptions = {
    root: PROJECT_ROOT,
    configPath,
    dataRoots,
    apiPort,
    libzmq: options.libzmq,
    store,
    broker,
    redis,
  };
  // A Redis or RabbitMQ has other detectors, too: the same names would be one service.
  const isShared = redis !== undefined || broker !== undefined;
  const place = [config.detector_name, ...(deployer === undefined ? [] : [deployer.server])];
  // Addresses may hold a password, which a command line would show to everybody.
  const env: Record<string, string> = redis === undefined ? {} : { REDIS_URL: redis.address };
  const storeEnv = { ...env, ...(store && { STD_DAQ_STORE: store.address }) };
  const agentEnv = { ...storeEnv, ...(broker && { BROKER_URL: broker.address }) };
  const envs = new Map([["writer_agent", agentEnv], ["config_deployer", storeEnv]]);
  return services.map(({ service, name = service, args }) => ({
    name,
    ...(isShared && { serviceName: [...place, name].join(".") }),
    main: serviceMain(service),
    args,
    permissions: permissionsFor(service, config, permissions),
    ...(logLevel !== undefined && { logLevel }),
    env: envs.get(service) ?? env,
    readyWithinMs: START_MS + Math.ceil(ringBytes / 2 ** 30 * GIB_MS),
  }));
}

/** Names of the rings of a detector. */
export function ringNames(config: DetectorConfig): string[] {
  const { detector_name, n_modules } = config;
  const frames = Array.from({ length: n_modules }, (_, i) => frameRingName(detector_name, i));
  return [
    ...frames,
    ...imageSuffixes(config).map((suffix) => imageRingName(detector_name, suffix)),
  ];
}

/**
 * Paths of the sockets that a local pipeline binds.
 *
 * @param folder Folder of the ipc sockets.
 */
export function socketPaths(config: DetectorConfig, folder: string): string[] {
  const { detector_name: name, detector_type, n_modules } = config;
  const frames = Array.from({ length: n_modules }, (_, i) => frameStreamAddress(name, i, folder));
  return [
    runAddress(name, folder),
    ...frames,
    ...imageSuffixes(config).map((suffix) => imageStreamAddress(name, folder, suffix)),
    ...writerIds(config).flatMap((id) => [
      driverAddress(name, Number(id), folder),
      writerAddress(name, Number(id), folder),
    ]),
    ...(detector_type === "jungfrau-converted" ? [calibrationAddress(name, folder)] : []),
  ].map((address) => address.replace(/^ipc:\/\//, ""));
}

/** Suffixes of the rings of images. */
export function imageSuffixes({ compressed_ring }: DetectorConfig): string[] {
  return compressed_ring ? [IMAGE_SUFFIX, COMPRESSED_SUFFIX] : [IMAGE_SUFFIX];
}

/** Numbers of the file writers, as arguments. */
function writerIds({ number_of_writers }: DetectorConfig): string[] {
  return Array.from({ length: number_of_writers }, (_, id) => String(id));
}

function allModules({ n_modules }: DetectorConfig): string {
  return n_modules === 1 ? "0" : `0-${n_modules - 1}`;
}
