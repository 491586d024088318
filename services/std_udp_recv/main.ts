/**
 * std_udp_recv: UDP packets of a detector's modules → frames in shared memory.
 *
 * @module
 */
import { accountingDifference, AccountingReader } from "../../lib/accounting/mod.ts";
import { modulePort } from "../../lib/config/mod.ts";
import { detectorFor, ringFrameSlots } from "../../lib/detector/mod.ts";
import { checkCpus } from "../../lib/host/mod.ts";
import { systemHost } from "../../lib/host/system_host.ts";
import { frameRingName, imageRingName } from "../../lib/protocol/mod.ts";
import {
  ipcFolder,
  type Logger,
  parseCpus,
  parseInteger,
  parseModules,
  resolveGroup,
  runService,
  usage,
} from "../../lib/service/mod.ts";
import { receiveBufferBytes } from "../../lib/receive/socket_buffer.ts";
import type { ReceiveWorkerInit } from "./worker.ts";

/** Bad packets are told of at most this often, ms. */
const WARN_EVERY_MS = 1_000;

/** Module of the receive Workers. */
const WORKER = new URL("worker.ts", import.meta.url);

await runService({
  name: "std_udp_recv",
  summary: "Receives the UDP packets of a detector's modules and puts frames into shared memory.",
  config: "detector",
  workers: [WORKER],
  arguments: (program) =>
    program
      .option("--modules <list>", "modules to receive, e.g. 0-3,7 (default: all)")
      .option(
        "--frame-slots <n>",
        "slots of each frame ring (default: the config's, or 1000)",
        parseInteger(1),
      )
      .option("--workers <n>", "threads; each takes its share of the modules", parseInteger(1))
      .option(
        "--batch <n>",
        "messages per receive call (default: 128, with --gro 64)",
        parseInteger(1),
      )
      .option(
        "--gro",
        "have the kernel bring packets together (UDP GRO), where card and path offer it",
      )
      .option(
        "--socket-buffer <bytes>",
        "receive buffer of each socket (default: 512 MiB shared by all, at least 128 MiB)",
        parseInteger(1),
      )
      .option(
        "--cpus <list>",
        "pin the threads to these CPUs, one each in turns, e.g. 2-5,8",
        parseCpus,
      ),
  async run(
    { config, options, logger, ready, stopped, onStats, onStop, startWorker },
  ): Promise<void> {
    const modules = parseModules(options.modules, config.n_modules);
    const cpus = options.cpus ?? [];
    await usage(() => checkCpus(systemHost(), cpus));
    const workers = Math.min(
      modules.length,
      options.workers ?? Math.max(1, navigator.hardwareConcurrency >> 1),
    );
    const frameSlots = ringFrameSlots(config, options.frameSlots);
    const format = detectorFor(config).packetFormat(config);
    const gid = await resolveGroup(config.shm_group);

    const started = Array.from({ length: workers }, (_, w) => {
      const init: ReceiveWorkerInit = {
        config,
        modules: modules.filter((_, i) => i % workers === w),
        frameSlots,
        gid,
        ipcFolder: ipcFolder(),
        socketBufferBytes: options.socketBuffer ??
          receiveBufferBytes(modules.length),
        batch: options.batch,
        gro: options.gro ?? false,
        cpu: cpus.length > 0 ? cpus[w % cpus.length] : undefined,
      };
      return startWorker(WORKER, {
        name: `receive-${w}`,
        init,
        counters: [],
      });
    });
    await Promise.all(started.map((worker) => worker.ready));

    const accounting = new AccountingReader({
      frames: modules.map((module) => frameRingName(config.detector_name, module)),
      image: imageRingName(config.detector_name),
      packetsPerFrame: format.packetsPerFrame,
    });
    onStop(() => accounting[Symbol.dispose](), "accounting");
    onStats(() => receiveStats(accounting));
    const warnings = setInterval(warnOfBadPackets(accounting, logger), WARN_EVERY_MS);
    onStop(() => clearInterval(warnings), "warnings");
    logger.info("receiving", {
      modules: modules.length,
      first_port: modulePort(config, modules[0]!),
    });
    ready({ modules });
    await stopped;
  },
});

/** Says, at most once per call, that packets came which are no good, and how many since the last call. */
function warnOfBadPackets(accounting: AccountingReader, logger: Logger): () => void {
  let before = accounting.read();
  return () => {
    const now = accounting.read();
    const { packets_malformed, packets_foreign, kernel_drops } = accountingDifference(before, now);
    before = now;
    if (packets_malformed + packets_foreign + kernel_drops === 0n) return;
    logger.warn("bad packets in the last second", {
      packets_malformed,
      packets_foreign,
      kernel_drops,
    });
  };
}

/** What of the account concerns receiving. */
function receiveStats(accounting: AccountingReader): Record<string, bigint> {
  const account = accounting.read();
  return {
    packets_received: account.packets_received,
    packets_accepted: account.packets_accepted,
    packets_duplicate: account.packets_duplicate,
    packets_late: account.packets_late,
    packets_malformed: account.packets_malformed,
    packets_foreign: account.packets_foreign,
    kernel_drops: account.kernel_drops,
    frames_good: account.frames_good,
    frames_incomplete: account.frames_incomplete,
  };
}
