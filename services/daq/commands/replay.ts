import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";
import { type DetectorConfig, loadConfig, modulePort } from "../../../lib/config/mod.ts";
import { parseInteger, parsePort } from "../../../lib/service/mod.ts";
import type { DaqContext } from "../context.ts";
import { DrawnLine } from "../drawn_line.ts";
import { withPrefix } from "../format.ts";
import { newReplaySkips, readRecordings, type ReplayMapping } from "../replay_packets.ts";

/** Packets per second that any receiver takes. */
const DEFAULT_RATE = 20_000;
/** Longest piece of time sent at once, s: bursts stay far below a socket's buffer. */
const SLICE_S = 0.002;
const DRAW_PERIOD_S = 0.2;

/** `daq replay`: sends recorded packets to the ports of a detector. */
export function replayCommand(context: DaqContext): CommandUnknownOpts {
  return new Command("replay")
    .description(
      "Send recorded packets (.dat dumps, one module each, or pcap) to the detector's ports.",
    )
    .argument("<config>", "detector config, a JSON file")
    .argument("<dump...>", "recordings; the n-th .dat is module n, a pcap goes by its ports")
    .option(
      "--rate <packets>",
      "packets per second, all modules together; 0: no limit",
      parseInteger(0),
      DEFAULT_RATE,
    )
    .option("--loop <times>", "how often; 0: until stopped", parseInteger(0), 1)
    .option("--modules <list>", "module of each .dat file, e.g. 0,2,3", parseModules)
    .option(
      "--recorded-port <port>",
      "first UDP port in a pcap (default: start_udp_port)",
      parsePort,
    )
    .option("--address <ip>", "where to send to, dotted IPv4", "127.0.0.1")
    .option("--json", "print one line of JSON")
    .action(async (configPath, dumps, options) => {
      const { config } = await loadConfig(configPath);
      const { rate, loop, modules, address, json, recordedPort = config.start_udp_port } = options;
      const mapping: ReplayMapping = { nModules: config.n_modules, modules, recordedPort };
      const result = await replay(context, config, dumps, { rate, loop, address, mapping });
      const { sent, bytes, seconds, skipped } = result;
      if (json) {
        return context.out(
          JSON.stringify({ ...result, packets_per_second: sent / seconds }) + "\n",
        );
      }
      const left = Object.entries(skipped).filter(([, n]) => n > 0).map(([why, n]) =>
        `${n} ${why}`
      );
      context.out(
        `sent ${sent} packets (${withPrefix(bytes)}B) in ${seconds.toFixed(2)} s: ` +
          `${withPrefix(sent / seconds)}packets/s\n` +
          (left.length === 0 ? "" : `left out: ${left.join(", ")}\n`),
      );
    });
}

interface ReplayOptions {
  rate: number;
  loop: number;
  address: string;
  mapping: ReplayMapping;
}

interface ReplayResult {
  sent: number;
  bytes: number;
  seconds: number;
  skipped: ReturnType<typeof newReplaySkips>;
}

async function replay(
  context: DaqContext,
  config: DetectorConfig,
  dumps: readonly string[],
  { rate, loop, address, mapping }: ReplayOptions,
): Promise<ReplayResult> {
  const { BatchSender } = await import("../replay_sender.ts"); // FFI: only for who sends
  using line = new DrawnLine(context);
  using stack = new DisposableStack();
  const senders = new Map<number, InstanceType<typeof BatchSender>>();
  const senderOf = (module: number): InstanceType<typeof BatchSender> => {
    const sender = senders.get(module) ??
      stack.use(new BatchSender({ address, port: modulePort(config, module) }));
    senders.set(module, sender);
    return sender;
  };
  const flushAll = (): void => senders.forEach((sender) => sender.flush());
  const skipped = newReplaySkips();
  const slice = rate === 0 ? 4096 : Math.max(1, Math.floor(rate * SLICE_S));
  const start = performance.now();
  const seconds = (): number => (performance.now() - start) / 1_000;
  let sent = 0;
  let bytes = 0;
  let nextDraw = 0;
  for (let round = 0; (loop === 0 || round < loop) && !context.signal.aborted; round++) {
    for await (const { module, payload } of readRecordings(dumps, mapping, skipped)) {
      senderOf(module).push(payload);
      bytes += payload.byteLength;
      if (++sent % slice !== 0) continue;
      flushAll();
      if (seconds() >= nextDraw) {
        line.draw(`${sent} packets, ${withPrefix(sent / seconds())}packets/s`);
        nextDraw = seconds() + DRAW_PERIOD_S;
      }
      if (context.signal.aborted) break;
      const aheadMs = rate === 0 ? 0 : (sent / rate - seconds()) * 1_000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, aheadMs)));
    }
    flushAll();
    if (sent === 0) break; // nothing in the recordings: no use to loop
  }
  return { sent, bytes, seconds: seconds(), skipped };
}

function parseModules(text: string): number[] {
  if (!/^\d+(,\d+)*$/.test(text)) {
    throw new InvalidArgumentError("expected module numbers separated by commas, e.g. 0,2,3.");
  }
  return text.split(",").map(Number);
}
