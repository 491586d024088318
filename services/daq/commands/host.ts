import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { resolve } from "node:path";
import { loadConfig } from "../../../lib/config/mod.ts";
import {
  applyChange,
  checkCpus,
  type CpuLoad,
  cpuLoad,
  DEFAULT_HOST_NEEDS,
  describeChange,
  type Host,
  type HostNeeds,
  type HostSetting,
  type Interrupt,
  interruptRates,
  type Interrupts,
  networkCards,
  parseCpuTimes,
  parseInterrupts,
  readHostSettings,
} from "../../../lib/host/mod.ts";
import { receiveBufferBytes } from "../../../lib/receive/socket_buffer.ts";
import { ExitCode, parseCpus, parseInteger, usage, UsageError } from "../../../lib/service/mod.ts";
import type { DaqContext } from "../context.ts";
import { pause } from "../../../lib/os/pause.ts";

/** How the machine is reached: loaded only when it is, since other commands do without system calls. */
type OpenHost = () => Promise<Host>;

const openSystemHost: OpenHost = async () =>
  (await import("../../../lib/host/system_host.ts")).systemHost();

/**
 * `daq host`: what the kernel and the network cards are set to, what they should be, and what the CPUs do.
 *
 * @param openHost Gives the machine; a test gives its own.
 */
export function hostCommand(
  context: DaqContext,
  openHost: OpenHost = openSystemHost,
): CommandUnknownOpts {
  return new Command("host")
    .description("Check and set this machine up for receiving; watch its interrupts and CPUs.")
    .addCommand(checkCommand(context, openHost))
    .addCommand(tuneCommand(context, openHost))
    .addCommand(irqCommand(context, openHost))
    .addCommand(moveIrqCommand(context, openHost))
    .addCommand(cpuCommand(context, openHost));
}

/** The options that say what the machine is for. */
// The typings infer the options; naming the type would repeat them.
// deno-lint-ignore explicit-function-return-type
function needsOptions(command: Command) {
  return command
    .option("--interface <name...>", "network cards that packets come by")
    .option("--config <file>", "detector config: its packets and modules (default: the largest)")
    .option("--irq-cpus <list>", "CPUs for the cards' interrupts, e.g. 0-3", parseCpus)
    .option("--huge-pages", "pages of 2 MiB for the rings");
}

function checkCommand(context: DaqContext, openHost: OpenHost): CommandUnknownOpts {
  return needsOptions(
    new Command("check").description(
      "Show the settings that decide whether packets are lost, of all cards unless some are named. " +
        "Changes nothing; status 1 if one is wrong.",
    ),
  )
    .option("--json", "print one line of JSON")
    .action(async ({ json, ...options }) => {
      const host = await openHost();
      const settings = await readSettings(host, { interface: networkCards(host), ...options });
      context.out(json ? `${JSON.stringify(settings)}\n` : settingsText(settings));
      if (settings.some(({ verdict }) => verdict === "wrong")) context.exitCode = ExitCode.failure;
    });
}

function tuneCommand(context: DaqContext, openHost: OpenHost): CommandUnknownOpts {
  return needsOptions(
    new Command("tune").description(
      "Show what would be set, as commands; with --apply, set it, until the next boot. " +
        "Of network cards only those that are named.",
    ),
  )
    .option("--apply", "set it; needs root")
    .action(async ({ apply, ...options }) => {
      if (options.irqCpus !== undefined && options.interface === undefined) {
        throw new UsageError(
          "--irq-cpus are for the interrupts of the cards that --interface names: name them, too",
        );
      }
      const host = await openHost();
      const changes = (await readSettings(host, options)).flatMap(({ change }) => change ?? []);
      if (changes.length === 0) return context.out("nothing to change\n");
      for (const change of changes) {
        const what = describeChange(change);
        if (!apply) {
          context.out(`${what}\n`);
          continue;
        }
        try {
          await applyChange(host, change);
          context.out(`${what}\n`);
        } catch (error) {
          // One that is refused does not keep the others from being set.
          context.err(`${error instanceof Error ? error.message : error}\n`);
          context.exitCode = ExitCode.resource;
        }
      }
      if (!apply) return context.err("nothing was changed; --apply does it\n");
      for (const { name, value, wanted, change } of await readSettings(host, options)) {
        if (change === undefined) continue;
        context.err(`${name} is still ${value}, wanted ${wanted}\n`);
        context.exitCode = ExitCode.resource;
      }
    });
}

function irqCommand(context: DaqContext, openHost: OpenHost): CommandUnknownOpts {
  return watching(new Command("irq").description("Show interrupts per second and CPU."))
    .option("--match <text>", "only lines with this text, e.g. eth0", "")
    .action(async ({ interval, number, match }) => {
      const host = await openHost();
      const look = (): Interrupts => parseInterrupts(host.read("/proc/interrupts") ?? "");
      await watch(context, { interval, number }, look, (before, after, seconds) => {
        const rates = interruptRates(before, after, seconds)
          .filter(({ description }) => description.includes(match));
        return interruptTable(after.cpus, rates);
      });
    });
}

function moveIrqCommand(context: DaqContext, openHost: OpenHost): CommandUnknownOpts {
  return new Command("move-irq")
    .description("Have an interrupt taken by other CPUs.")
    .argument("<irq>", "its number, see daq host irq", parseInteger(0))
    .argument("<cpus>", "a list such as 2 or 0-3", parseCpus)
    .action(async (irq, cpus) => {
      const host = await openHost();
      const path = `/proc/irq/${irq}/smp_affinity_list`;
      const before = host.read(path)?.trim();
      if (before === undefined) throw new UsageError(`this machine has no interrupt ${irq}`);
      await usage(() => checkCpus(host, cpus));
      await applyChange(host, { kind: "write", path, value: cpus.join(",") });
      context.out(`interrupt ${irq}: CPU ${before} -> ${(host.read(path) ?? "").trim()}\n`);
    });
}

function cpuCommand(context: DaqContext, openHost: OpenHost): CommandUnknownOpts {
  return watching(new Command("cpu").description("Show what each CPU spends its time on."))
    .action(async (options) => {
      const host = await openHost();
      const look = (): ReturnType<typeof parseCpuTimes> =>
        parseCpuTimes(host.read("/proc/stat") ?? "");
      await watch(context, options, look, (before, after) => loadTable(cpuLoad(before, after)));
    });
}

/** The options of what is watched. */
// deno-lint-ignore explicit-function-return-type
function watching(command: Command) {
  return command
    .option("--interval <s>", "time between two looks, s", parseInteger(1, 3600), 1)
    .option("-n, --number <n>", "tables to print (default: until Ctrl-C)", parseInteger(1));
}

/** Prints a table for the time between each two looks. */
async function watch<Look>(
  { signal, out }: DaqContext,
  { interval, number = Infinity }: { interval: number; number?: number | undefined },
  look: () => Look,
  table: (before: Look, after: Look, seconds: number) => string,
): Promise<void> {
  let [before, since] = [look(), performance.now()];
  for (let n = 0; n < number; n++) {
    await pause(interval * 1000, signal);
    if (signal.aborted) return;
    const [after, now] = [look(), performance.now()];
    out((n === 0 ? "" : "\n") + table(before, after, (now - since) / 1000));
    [before, since] = [after, now];
  }
}

/** What a user said that the machine is for. */
interface NeedsOptions {
  interface?: string[] | undefined;
  config?: string | undefined;
  irqCpus?: number[] | undefined;
  hugePages?: true | undefined;
}

async function readSettings(host: Host, options: NeedsOptions): Promise<HostSetting[]> {
  const needs: HostNeeds = {
    ...(options.config === undefined ? DEFAULT_HOST_NEEDS : await needsOf(options.config)),
    interfaces: options.interface ?? [],
    interruptCpus: options.irqCpus,
    hugePages: options.hugePages ?? false,
  };
  return await usage(() => readHostSettings(host, needs));
}

/** What a detector needs. */
async function needsOf(configPath: string): Promise<Omit<HostNeeds, "interfaces">> {
  const { detectorFor } = await import("../../../lib/detector/mod.ts");
  const { config } = await loadConfig(resolve(configPath));
  const { headerBytes, payloadBytes } = detectorFor(config).packetFormat(config);
  return {
    datagramBytes: headerBytes + payloadBytes,
    socketBufferBytes: receiveBufferBytes(config.n_modules),
  };
}

const SIGNS: Record<HostSetting["verdict"], string> = { ok: "+", wrong: "-", unknown: "?" };

function settingsText(settings: readonly HostSetting[]): string {
  return settings.map(({ name, value, wanted, verdict, why, change }, i) => {
    const aim = verdict === "wrong" ? `, wanted ${wanted}` : "";
    // Several interrupts of a card have one reason.
    const reason = settings[i + 1]?.why === why ? "" : `    ${why}\n`;
    const how = change === undefined ? "" : `    set it: ${describeChange(change)}\n`;
    return `${SIGNS[verdict]} ${name}: ${value}${aim}\n${how}${reason}`;
  }).join("");
}

function interruptTable(cpus: readonly number[], rates: readonly Interrupt[]): string {
  const head = ["irq", ...cpus.map((cpu) => `CPU${cpu}`), "device"];
  const lines = rates.map(({ irq, counts, description }) => [
    irq,
    ...counts.map((rate) => rate.toFixed(0)),
    description,
  ]);
  return columns([head, ...lines]);
}

function loadTable(loads: readonly CpuLoad[]): string {
  const kinds = ["user", "system", "irq", "softirq", "stolen", "idle"] as const;
  const lines = loads.map((load) => [
    String(load.cpu),
    ...kinds.map((kind) => `${(100 * load[kind]).toFixed(1)} %`),
  ]);
  return columns([["CPU", ...kinds], ...lines]);
}

/** Columns with two spaces between, all but the last one to the right. */
function columns(table: readonly (readonly string[])[]): string {
  const widths = (table[0] ?? []).map((_, column) =>
    Math.max(...table.map((line) => (line[column] ?? "").length))
  );
  return table.map((line) =>
    line.map((text, column) =>
      column === line.length - 1 && !/^[\d.]+ %$|^idle$/.test(text)
        ? text
        : text.padStart(widths[column] ?? 0)
    ).join("  ").trimEnd() + "\n"
  ).join("");
}
