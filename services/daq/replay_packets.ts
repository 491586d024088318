import { newPcapSkips, type PcapSkips, readPcap } from "../../lib/protocol/pcap.ts";
import { readDumpStream } from "../../lib/protocol/dump.ts";
import { UsageError } from "../../lib/service/mod.ts";

/** A recorded packet and the module it belongs to. */
export interface ReplayPacket {
  /** Index of the module. */
  module: number;
  /** The datagram. */
  payload: Uint8Array;
}

/** How recordings map to modules. */
export interface ReplayMapping {
  /** Modules of the detector. */
  nModules: number;
  /** Module of each `.dat` file, in the order of the files; default: 0, 1, 2, … */
  modules?: readonly number[] | undefined;
  /** First UDP port of the recorded detector, for pcap files: module = port − this. */
  recordedPort: number;
}

/** What was left out of a recording. */
export interface ReplaySkips extends PcapSkips {
  /** Datagrams to ports that are no module's. */
  otherPorts: number;
}

/** Counts for {@link readRecordings}, all 0. */
export function newReplaySkips(): ReplaySkips {
  return { ...newPcapSkips(), otherPorts: 0 };
}

const PCAP_MAGICS: readonly number[] = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0x0a0d0d0a];

/**
 * The packets of recordings: `.dat` dumps, one module each, taken in turns packet by packet as modules send side
 * by side; then pcap files, each in its own order.
 *
 * @param paths The files; what a file is, its first bytes tell.
 * @param skips Counts what is left out.
 * @throws {UsageError} If a file is missing, or there are more dumps than modules.
 * @throws {ProtocolError} If a file is damaged; the packets before have been given by then.
 */
export async function* readRecordings(
  paths: readonly string[],
  mapping: ReplayMapping,
  skips: ReplaySkips = newReplaySkips(),
): AsyncGenerator<ReplayPacket, void> {
  const kinds = await Promise.all(paths.map(async (path) => ({ path, pcap: await isPcap(path) })));
  const dumps = kinds.filter(({ pcap }) => !pcap).map(({ path }) => path);
  const modules = mapping.modules ?? dumps.map((_, i) => i);
  checkModules(dumps, modules, mapping.nModules);
  yield* inTurns(dumps.map((path, i) => dumpOf(path, modules[i]!)));
  for (const { path, pcap } of kinds) {
    if (pcap) yield* captureOf(await Deno.readFile(path), mapping, skips);
  }
}

function checkModules(
  dumps: readonly string[],
  modules: readonly number[],
  nModules: number,
): void {
  if (modules.length !== dumps.length) {
    throw new UsageError(
      `--modules names ${modules.length} modules for ${dumps.length} dumps: give one for each`,
    );
  }
  const wrong = modules.find((module) => module >= nModules);
  if (wrong !== undefined) {
    throw new UsageError(
      `no module ${wrong}: the detector has ${nModules}, 0 to ${nModules - 1}; ` +
        "give fewer dumps or --modules",
    );
  }
}

async function isPcap(path: string): Promise<boolean> {
  using file = await open(path);
  const head = new Uint8Array(4);
  if (await file.read(head) !== head.length) return false;
  return PCAP_MAGICS.includes(new DataView(head.buffer).getUint32(0));
}

async function open(path: string): Promise<Deno.FsFile> {
  try {
    return await Deno.open(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) {
      throw new UsageError(`recording ${path} does not exist: check the path`);
    }
    throw cause;
  }
}

async function* dumpOf(path: string, module: number): AsyncGenerator<ReplayPacket, void> {
  const file = await open(path);
  for await (const payload of readDumpStream(file.readable)) yield { module, payload };
}

function* captureOf(
  bytes: Uint8Array,
  { recordedPort, nModules }: ReplayMapping,
  skips: ReplaySkips,
): Generator<ReplayPacket, void> {
  for (const { port, payload } of readPcap(bytes, skips)) {
    const module = port - recordedPort;
    if (module >= 0 && module < nModules) yield { module, payload };
    else skips.otherPorts++;
  }
}

/** One item of each in turn, until all have ended. */
async function* inTurns<T>(generators: AsyncGenerator<T, void>[]): AsyncGenerator<T, void> {
  let open = generators;
  try {
    while (open.length > 0) {
      const ended = new Set<AsyncGenerator<T, void>>();
      for (const generator of open) {
        const { value, done } = await generator.next();
        if (done) ended.add(generator);
        else yield value;
      }
      open = open.filter((generator) => !ended.has(generator));
    }
  } finally {
    for (const generator of open) await generator.return();
  }
}
