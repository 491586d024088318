import type { DetectorConfig } from "../config/mod.ts";
// Not `os/mod.ts`: that would open libc, and a supervisor needs none.
import { architecture, LIBC_PATHS } from "../os/platform.ts";
import { BROKER_VARIABLES, brokerHost } from "../broker/broker_options.ts";
import { parseStoreAddress, redisHost, STORE_VARIABLES } from "../store/store_address.ts";
import { UsageError } from "./usage_error.ts";

/** The services whose permissions are known. */
export const SERVICE_NAMES = [
  "std_udp_recv",
  "std_assembler",
  "std_data_compress",
  "std_data_decompress",
  "std_h5_writer",
  "writer_agent",
  "config_deployer",
  "udp_simulator",
] as const;

/** A service whose permissions are known. */
export type ServiceName = typeof SERVICE_NAMES[number];

/** What permissions depend on besides the detector. */
export interface PermissionOptions {
  /** The project's folder, absolute: code that Workers load lies in it. */
  root: string;
  /** The detector config's path; undefined where it comes from Redis. */
  configPath: string | undefined;
  /** Folders that files may be written to. */
  dataRoots?: readonly string[];
  /** Port of the REST API. */
  apiPort?: number;
  /** The store that acquisitions and rates are kept in. */
  store?: StorePermission | undefined;
  /** RabbitMQ, `amqp[s]://…`, that requests come through. */
  broker?: StorePermission | undefined;
  /** `--health-port` of the service, if it has one. */
  healthPort?: number;
  /** Redis, if the service is to have its config or status there. */
  redis?: StorePermission | undefined;
  /** Another libzmq, as STD_DAQ_LIBZMQ names it. */
  libzmq?: string | undefined;
}

/** A store or a broker that a service uses. */
export interface StorePermission {
  /** Its address, `redis[s]://…`, `sqlite:/path`, `amqp[s]://…`. */
  address: string;
  /** Files to read besides, absolute: a password, the certificate of an authority. */
  files?: readonly string[];
}

/** Environment variables that services read if they may. */
const ENVIRONMENT = ["SERVICE_NAME", "STD_DAQ_IPC_DIR", "STD_DAQ_LIBZMQ"] as const;

/** What a service needs. Everything not listed is refused. */
interface Needs {
  /** Opens system calls. */
  libc: boolean;
  /** Opens libzmq. */
  zmq: boolean;
  /** Runs data workers: they read their modules. */
  workers: boolean;
  /** More files and folders to read. */
  read: readonly string[];
  /** Files to write. */
  write?: readonly string[];
  /** More of the environment. */
  env?: readonly string[];
  /** Addresses to listen on. */
  net: readonly string[];
}

/**
 * The one table of what each service may do. Rings, ipc and UDP sockets and written files are opened through
 * libc and libzmq, so they appear as `ffi`, not as `read`, `write` or `net`.
 */
const NEEDS: Record<
  ServiceName,
  (options: PermissionOptions, config: DetectorConfig) => Needs
> = {
  std_udp_recv: () => ({ libc: true, zmq: true, workers: true, read: [], net: [] }),
  std_assembler: (_, config) => ({
    libc: true,
    zmq: true,
    workers: true,
    read: calibrationFolders(config),
    net: [],
  }),
  std_data_compress: () => ({ libc: true, zmq: true, workers: true, read: [], net: [] }),
  std_data_decompress: () => ({ libc: true, zmq: true, workers: true, read: [], net: [] }),
  std_h5_writer: (_, config) => ({
    libc: true,
    zmq: true,
    workers: true,
    read: calibrationFolders(config), // pixels that it masks are in the pixel mask of NeXus files
    net: [],
  }),
  writer_agent: ({ root, dataRoots = [], apiPort = 5000, store, broker }) => {
    const kept = storeNeeds(store, root);
    const asked = brokerNeeds(broker);
    return {
      ...kept,
      env: [...(kept.env ?? []), ...(asked.env ?? [])],
      libc: true,
      zmq: true,
      workers: false,
      read: [...dataRoots, ...kept.read, ...asked.read], // data roots: to check output paths
      net: [`127.0.0.1:${apiPort}`, ...kept.net, ...asked.net],
    };
  },
  config_deployer: ({ root, store }) => ({
    ...storeNeeds(store, root),
    libc: true,
    zmq: true,
    workers: false,
  }),
  udp_simulator: () => ({ libc: true, zmq: false, workers: true, read: [], net: [] }),
};

/**
 * The `--allow-*` flags of a service, narrowed to one detector.
 *
 * @param service Which service.
 * @param config Its detector; with a `shm_group` by name, the group's number is looked up.
 * @param options Paths and ports.
 * @returns Flags for `deno run`; without any the service would have no permission at all.
 * @throws {UsageError} If a path holds a comma.
 */
export function permissionsFor(
  service: ServiceName,
  config: DetectorConfig,
  options: PermissionOptions,
): string[] {
  const { root, configPath } = options;
  const needs = NEEDS[service](options, config);
  const code = ["lib", `services/${service}`, "wasm", "proto", "node_modules", "deno.json"];
  const read = [
    ...(configPath === undefined ? [] : [configPath]),
    ...(needs.workers ? code.map((folder) => `${root}/${folder}`) : []),
    ...needs.read,
    ...(groupsOf(service, config).some((group) => /\D/.test(`${group}`)) ? ["/etc/group"] : []),
  ];
  return flagsOf({ ...needs, read }, options);
}

/**
 * The `--allow-*` flags of a service that goes on with finished files, which are all below the data roots.
 *
 * @param options Paths and servers.
 * @returns Flags for `deno run`.
 * @throws {UsageError} If a path holds a comma.
 */
export function filePermissionsFor(
  options: Omit<PermissionOptions, "configPath" | "apiPort">,
): string[] {
  const { root, dataRoots = [], store, broker } = options;
  const kept = storeNeeds(store, root);
  const asked = brokerNeeds(broker);
  const needs = {
    ...kept,
    env: [...(kept.env ?? []), ...(asked.env ?? [])],
    libc: true,
    zmq: false,
    read: [...dataRoots, ...kept.read, ...asked.read],
    net: [...asked.net, ...kept.net],
  };
  return flagsOf(needs, options);
}

/** The flags for what a service needs, and for what every service may have besides. */
function flagsOf(
  needs: Omit<Needs, "workers">,
  { root, libzmq, healthPort, redis }: Omit<PermissionOptions, "configPath">,
): string[] {
  const read = [...needs.read, ...(redis?.files ?? [])];
  const ffi = [
    ...(needs.libc ? LIBC_PATHS[architecture()] : []),
    ...(needs.zmq ? libzmqPaths(root, libzmq) : []),
  ];
  const net = [
    ...needs.net,
    ...(healthPort === undefined ? [] : [`127.0.0.1:${healthPort}`]),
    ...(redis === undefined ? [] : [redisHost(redis.address)]),
  ];
  const env = [
    ...ENVIRONMENT,
    ...(needs.env ?? []),
    ...(redis === undefined ? [] : STORE_VARIABLES),
  ];
  return [
    flag("read", [...new Set(read)]),
    flag("write", needs.write ?? []),
    flag("env", [...new Set(env)]),
    flag("ffi", ffi),
    flag("net", [...new Set(net)]),
    flag("sys", redis === undefined ? [] : ["hostname"]),
  ].filter((text) => text !== undefined);
}

/** What a broker needs. */
function brokerNeeds(
  broker: StorePermission | undefined,
): Pick<Needs, "read" | "net" | "env"> {
  if (broker === undefined) return { read: [], net: [] };
  return { read: broker.files ?? [], net: [brokerHost(broker.address)], env: BROKER_VARIABLES };
}

/** What a store needs; a file is dealt with by a Worker, which reads its modules. */
function storeNeeds(
  store: StorePermission | undefined,
  root: string,
): Pick<Needs, "read" | "net"> & Partial<Needs> {
  if (store === undefined) return { read: [], net: [] };
  const parsed = parseStoreAddress(store.address);
  if (parsed.engine === "sqlite") {
    const read = [parsed.path, `${root}/lib/store`];
    return { read, write: [parsed.path], net: [], env: ["STD_DAQ_STORE"] };
  }
  return { read: store.files ?? [], net: [redisHost(store.address)], env: STORE_VARIABLES };
}

/** The groups that a service looks up. */
function groupsOf(
  service: ServiceName,
  { shm_group, file_group }: DetectorConfig,
): (string | number)[] {
  return [shm_group, service === "std_h5_writer" ? file_group : undefined]
    .filter((group) => group !== undefined);
}

/** The folders of the calibration's files: a new pedestal is put beside the former one, and loaded. */
function calibrationFolders({ detector_type, calibration }: DetectorConfig): string[] {
  if (detector_type !== "jungfrau-converted" || calibration === undefined) return [];
  const { gains, pedestal, pixel_mask = [] } = calibration;
  const folders = [gains, pedestal, pixel_mask].flat().map((path) =>
    path.replace(/\/[^/]*$/, "") || "/"
  );
  return [...new Set(folders)];
}

/**
 * Where libzmq may be: the same list as `libzmqCandidates()` of `lib/zmq`, which opens the library when it is
 * imported (a test compares the two).
 *
 * @param root The project's folder, absolute.
 * @param override Another one, tried first.
 */
export function libzmqPaths(root: string, override?: string): string[] {
  const [node, triple] = architecture() === "x86_64"
    ? ["x64", "x86_64-linux-gnu"]
    : ["arm64", "aarch64-linux-gnu"];
  return [
    ...(override === undefined ? [] : [override]),
    `${root}/node_modules/zeromq/build/linux/${node}/node/glibc-127-Release/addon.node`,
    `/lib/${triple}/libzmq.so.5`,
    `/usr/lib/${triple}/libzmq.so.5`,
    "/usr/lib64/libzmq.so.5",
    "/usr/lib/libzmq.so.5",
  ];
}

/** `--allow-<kind>=a,b`; nothing where nothing is needed. */
function flag(kind: string, values: readonly string[]): string | undefined {
  const comma = values.find((value) => value.includes(","));
  if (comma !== undefined) {
    throw new UsageError(
      `${comma} has a comma, which Deno's permission flags cannot name: use a path without one`,
    );
  }
  return values.length === 0 ? undefined : `--allow-${kind}=${values.join(",")}`;
}
