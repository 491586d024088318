import { formatCpuList, parseCpuList } from "./cpu_list.ts";
import type { Host } from "./host.ts";
import { interruptsOf, parseInterrupts } from "./interrupts.ts";
import { parseNetworkDrops } from "./network_counters.ts";
import { parseRingSizes } from "./ring_sizes.ts";

/** How a setting is changed. */
export type HostChange =
  | { kind: "write"; path: string; value: string }
  | { kind: "run"; program: string; args: readonly string[] };

/** `ok`; `wrong`: it can be set better; `unknown`: this machine does not tell, or has no such thing. */
export type HostVerdict = "ok" | "wrong" | "unknown";

/** One setting of the machine. */
export interface HostSetting {
  /** Its name, as an administrator knows it. */
  name: string;
  /** What it is now. */
  value: string;
  /** What it should be. */
  wanted: string;
  /** How it is. */
  verdict: HostVerdict;
  /** What it is for, and what happens without. */
  why: string;
  /** How to set it, where that would help. */
  change?: HostChange;
}

/** What the machine is for. */
export interface HostNeeds {
  /** Network cards that packets come by. */
  interfaces: readonly string[];
  /** Longest datagram, header of the detector included, bytes. */
  datagramBytes: number;
  /** Receive buffer of a socket, bytes. */
  socketBufferBytes: number;
  /** CPUs that are to take the cards' interrupts; undefined leaves them where they are. */
  interruptCpus?: readonly number[] | undefined;
  /** Whether rings are to have pages of 2 MiB; otherwise how it is will do. */
  hugePages?: boolean;
}

/** What is needed when no detector is given: the largest packets and buffers there are. */
export const DEFAULT_HOST_NEEDS: Omit<HostNeeds, "interfaces"> = {
  datagramBytes: 8_240, // Jungfrau
  socketBufferBytes: 512 * 1024 * 1024, // one module, which has all of the receiver's buffers
};

/** Headers of IPv4 and UDP. */
const HEADER_BYTES = 28;
const JUMBO_MTU = 9_000;
const DEFAULT_BUFFER_BYTES = 16 * 1024 * 1024;
const BACKLOG_PACKETS = 250_000;
const INTERFACE = /^[A-Za-z0-9][\w.:-]{0,14}$/;

/**
 * Looks at everything that decides whether packets are lost.
 *
 * @throws {RangeError} If a name cannot be an interface's, or this machine has none of that name, or not the
 * CPUs that are to take interrupts.
 */
export async function readHostSettings(host: Host, needs: HostNeeds): Promise<HostSetting[]> {
  for (const name of needs.interfaces) {
    if (!INTERFACE.test(name) || host.read(`/sys/class/net/${name}/mtu`) === undefined) {
      throw new RangeError(
        `${JSON.stringify(name)} is no network interface of this machine; it has ${
          networkInterfaces(host).join(", ")
        }`,
      );
    }
  }
  checkCpus(host, needs.interruptCpus ?? []);
  const cards = await Promise.all(needs.interfaces.map(async (name) => [
    mtu(host, name, needs.datagramBytes + HEADER_BYTES),
    await rings(host, name),
    ...affinity(host, name, needs.interruptCpus),
  ]));
  return [
    ...kernelSettings(host, needs),
    ...cards.flat(),
    governor(host),
    hugePages(host, needs.hugePages ?? false),
    drops(host),
  ];
}

/** @throws {RangeError} If the machine does not have one of these CPUs, or does not use it. */
export function checkCpus(host: Host, cpus: readonly number[]): void {
  const online = onlineCpus(host);
  const wrong = online && cpus.filter((cpu) => !online.includes(cpu));
  if (online === undefined || wrong === undefined || wrong.length === 0) return;
  throw new RangeError(
    `CPU ${formatCpuList(wrong)} is not there: this machine has ${formatCpuList(online)}`,
  );
}

/** CPUs that are in use; undefined where the kernel does not say. */
function onlineCpus(host: Host): number[] | undefined {
  const online = host.read("/sys/devices/system/cpu/online");
  return online === undefined ? undefined : parseCpuList(online);
}

/** Network cards: interfaces with a device behind them, so no loopback, bridge or tunnel. */
export function networkCards(host: Host): string[] {
  return networkInterfaces(host).filter((name) =>
    host.read(`/sys/class/net/${name}/device/uevent`) !== undefined
  );
}

/** Network interfaces of any kind, the loopback left out. */
export function networkInterfaces(host: Host): string[] {
  return [...(host.read("/proc/net/dev") ?? "").matchAll(/^\s*([^\s:|]+):/gm)]
    .flatMap(([, name]) => name === undefined || name === "lo" ? [] : [name]);
}

/** A change as an administrator would type it. */
export function describeChange(change: HostChange): string {
  if (change.kind === "run") return [change.program, ...change.args].join(" ");
  const sysctl = /^\/proc\/sys\/(.+)$/.exec(change.path)?.[1]?.replaceAll("/", ".");
  return sysctl === undefined
    ? `echo ${change.value} > ${change.path}`
    : `sysctl -w ${sysctl}=${change.value}`;
}

/**
 * Carries out a change.
 *
 * @throws {Error} If the machine refuses it; the message says what it was, why, and what to do.
 */
export async function applyChange(host: Host, change: HostChange): Promise<void> {
  const what = describeChange(change);
  if (change.kind === "write") {
    try {
      return host.write(change.path, change.value);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${what}: ${reason}. Root may do it, outside of a container`, { cause });
    }
  }
  const result = await host.run(change.program, change.args);
  if (result === undefined) throw new Error(`${what}: ${change.program} is not installed`);
  if (!result.success) {
    throw new Error(
      `${what}: ${result.err.trim().replaceAll("\n", " ") || "failed"}. Root may do it`,
    );
  }
}

function kernelSettings(host: Host, { socketBufferBytes }: HostNeeds): HostSetting[] {
  return [
    atLeast(
      host,
      "net.core.rmem_max",
      socketBufferBytes,
      "bytes that a socket may ask for: receivers bridge their pauses with it, less loses packets in bursts",
    ),
    atLeast(
      host,
      "net.core.rmem_default",
      DEFAULT_BUFFER_BYTES,
      "bytes of sockets that do not ask, such as those of tcpdump or of other receivers",
    ),
    atLeast(
      host,
      "net.core.netdev_max_backlog",
      BACKLOG_PACKETS,
      "packets that may wait for a CPU that another one hands them to; what comes beyond is lost",
    ),
  ];
}

function atLeast(host: Host, name: string, wanted: number, why: string): HostSetting {
  const path = `/proc/sys/${name.replaceAll(".", "/")}`;
  const text = host.read(path)?.trim();
  const setting = { name, wanted: `at least ${wanted}`, why };
  if (text === undefined) return { ...setting, value: "not there", verdict: "unknown" };
  if (Number(text) >= wanted) return { ...setting, value: text, verdict: "ok" };
  const change: HostChange = { kind: "write", path, value: String(wanted) };
  return { ...setting, value: text, verdict: "wrong", change };
}

function mtu(host: Host, name: string, needed: number): HostSetting {
  const value = (host.read(`/sys/class/net/${name}/mtu`) ?? "").trim();
  const wanted = Math.max(JUMBO_MTU, needed);
  const isEnough = Number(value) >= needed;
  return {
    name: `${name} mtu`,
    value,
    wanted: `at least ${needed}`,
    verdict: isEnough ? "ok" : "wrong",
    why:
      "bytes of the longest packet: longer ones come in pieces, or not at all. Switches and the " +
      "detector must be set to the same",
    ...(!isEnough && {
      change: {
        kind: "run",
        program: "ip",
        args: ["link", "set", "dev", name, "mtu", String(wanted)],
      } as const,
    }),
  };
}

async function rings(host: Host, name: string): Promise<HostSetting> {
  const setting = {
    name: `${name} ring`,
    wanted: "the most that the card can have",
    why: "packets that the card keeps until the kernel takes them: short rings overflow in bursts",
  };
  const answer = await host.run("ethtool", ["-g", name]);
  if (answer === undefined) {
    return { ...setting, value: "cannot be read: ethtool is not installed", verdict: "unknown" };
  }
  const sizes = parseRingSizes(answer.out);
  if (sizes === undefined) return { ...setting, value: "has none to set", verdict: "unknown" };
  const { rx, rxMost } = sizes;
  const wanted = String(rxMost);
  if (rx >= rxMost) return { ...setting, value: String(rx), wanted, verdict: "ok" };
  const change = { kind: "run", program: "ethtool", args: ["-G", name, "rx", wanted] } as const;
  return { ...setting, value: String(rx), wanted, verdict: "wrong", change };
}

function affinity(
  host: Host,
  name: string,
  cpus: readonly number[] | undefined,
): HostSetting[] {
  const why = "CPUs that take the card's interrupts: best not those of the receivers' threads " +
    "(--cpus), and on the card's side of the machine";
  const all = parseInterrupts(host.read("/proc/interrupts") ?? "");
  const own = interruptsOf(all, [name, ...busAddresses(host, name)]);
  if (own.length === 0) {
    const value = "none in /proc/interrupts";
    return [{ name: `${name} interrupts`, value, wanted: "", verdict: "unknown", why }];
  }
  return own.map(({ irq, description }, i) => {
    const path = `/proc/irq/${irq}/smp_affinity_list`;
    const value = host.read(path)?.trim() ?? "";
    const setting = { name: `${name} interrupt ${irq}`, value: `${value} (${description})`, why };
    const cpu = cpus?.[i % cpus.length];
    if (cpu === undefined) return { ...setting, wanted: "as you choose", verdict: "ok" };
    const wanted = String(cpu);
    if (value === wanted) return { ...setting, wanted, verdict: "ok" };
    return { ...setting, wanted, verdict: "wrong", change: { kind: "write", path, value: wanted } };
  });
}

/** PCI addresses of a card, or of what it is a part of. */
function busAddresses(host: Host, name: string): string[] {
  return ["device", "device/.."].flatMap((at) => {
    const text = host.read(`/sys/class/net/${name}/${at}/uevent`) ?? "";
    return /^PCI_SLOT_NAME=(\S+)$/m.exec(text)?.[1] ?? [];
  });
}

function governor(host: Host): HostSetting {
  const found = (onlineCpus(host) ?? [0]).flatMap((cpu) => {
    const path = `/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`;
    const value = host.read(path)?.trim();
    return value === undefined ? [] : [{ cpu, path, value }];
  });
  const slow = found.filter(({ value }) => value !== "performance");
  const setting = {
    name: "cpu governor",
    wanted: "performance",
    why:
      "a CPU that saves power wakes up late, and packets wait: each change of frequency is a pause",
  };
  if (found.length === 0) {
    return { ...setting, value: "not there, as in most virtual machines", verdict: "unknown" };
  }
  if (slow.length === 0) return { ...setting, value: "performance", verdict: "ok" };
  const governors = [...new Set(slow.map(({ value }) => value))].join(", ");
  return {
    ...setting,
    value: `${governors} on CPU ${formatCpuList(slow.map(({ cpu }) => cpu))}`,
    verdict: "wrong",
    change: { kind: "run", program: "cpupower", args: ["frequency-set", "-g", "performance"] },
  };
}

function hugePages(host: Host, isWanted: boolean): HostSetting {
  const mount = (host.read("/proc/self/mounts") ?? "").split("\n").map((line) => line.split(" "))
    .find(([, folder]) => folder === "/dev/shm");
  const huge = /(?:^|,)huge=(\w+)/.exec(mount?.[3] ?? "")?.[1] ?? "never";
  const setting = {
    name: "/dev/shm huge",
    value: huge,
    wanted: isWanted ? "within_size or always" : "as you choose",
    why:
      "pages of 2 MiB for the rings: less work for the kernel when they are filled the first time",
  };
  if (mount === undefined) {
    return { ...setting, value: "/dev/shm is not mounted", verdict: "unknown" };
  }
  if (!isWanted || huge === "within_size" || huge === "always") {
    return { ...setting, verdict: "ok" };
  }
  const args = ["-o", "remount,huge=within_size", "/dev/shm"];
  return { ...setting, verdict: "wrong", change: { kind: "run", program: "mount", args } };
}

function drops(host: Host): HostSetting {
  const { socketBuffer, backlog, squeezed } = parseNetworkDrops(
    host.read("/proc/net/snmp") ?? "",
    host.read("/proc/net/softnet_stat") ?? "",
  );
  return {
    name: "dropped so far",
    value: `${socketBuffer} by full socket buffers, ${backlog} by a full backlog, ` +
      `${squeezed} times short of time`,
    wanted: "0, 0",
    verdict: socketBuffer + backlog === 0 ? "ok" : "unknown",
    why:
      "since the machine has started, by all programs: only what grows while a receiver runs counts",
  };
}
