import { deepStrictEqual, ok, rejects, strictEqual, throws } from "node:assert/strict";
import { INTERRUPTS, testHost } from "./_testing.ts";
import {
  applyChange,
  cpuLoad,
  DEFAULT_HOST_NEEDS,
  describeChange,
  formatCpuList,
  type HostNeeds,
  type HostSetting,
  interruptRates,
  interruptsOf,
  networkCards,
  parseCpuList,
  parseCpuTimes,
  parseInterrupts,
  parseNetworkDrops,
  parseRingSizes,
  readHostSettings,
} from "./mod.ts";
import { systemHost } from "./system_host.ts";

const NEEDS: HostNeeds = { ...DEFAULT_HOST_NEEDS, interfaces: ["eth1"] };
const ETHTOOL = [
  "Ring parameters for eth1:",
  "Pre-set maximums:",
  "RX:\t\t8192",
  "RX Mini:\tn/a",
  "TX:\t\t8192",
  "Current hardware settings:",
  "RX:\t\t1024",
  "RX Mini:\tn/a",
  "TX:\t\t512",
].join("\n");
const ethtool = { ethtool: { success: true, out: ETHTOOL, err: "" } };

const find = (settings: readonly HostSetting[], name: string): HostSetting =>
  settings.find((setting) => setting.name === name) ??
    (() => {
      throw new Error(`no ${name} among ${settings.map(({ name }) => name)}`);
    })();

Deno.test("lists of CPUs are read and written as the kernel does", () => {
  deepStrictEqual(parseCpuList("0-3,8,1\n"), [0, 1, 2, 3, 8]);
  strictEqual(formatCpuList([8, 0, 1, 2, 3, 3]), "0-3,8");
  strictEqual(formatCpuList([]), "");
  for (const text of ["", "a", "3-1", "1-", "-1", "1,,2", "0x1", "99999"]) {
    throws(() => parseCpuList(text), /is no list of CPUs; give one such as 0-3,8/);
  }
});

Deno.test("parseInterrupts() reads every line, those of no device, too", () => {
  const { cpus, lines } = parseInterrupts(INTERRUPTS);
  deepStrictEqual(cpus, [0, 1, 4]);
  deepStrictEqual(lines.map(({ irq }) => irq), ["0", "40", "41", "42", "LOC", "ERR"]);
  deepStrictEqual(lines[2], {
    irq: "41",
    counts: [0, 2000, 0],
    description: "PCI-MSI 1048577-edge eth1-TxRx-1",
  });
  deepStrictEqual(lines[5]?.counts, [3]);
  deepStrictEqual(parseInterrupts(""), { cpus: [], lines: [] });
});

Deno.test("interruptsOf() finds a card by name and by PCI address, and no other card's", () => {
  const all = parseInterrupts(INTERRUPTS);
  const irqs = (...names: string[]): string[] => interruptsOf(all, names).map(({ irq }) => irq);
  deepStrictEqual(irqs("eth1", "0000:3b:00.0"), ["40", "41"]);
  deepStrictEqual(irqs("eth10"), ["42"]);
  deepStrictEqual(irqs("e.h1"), []);
});

Deno.test("interruptRates() are per second, the busiest first, without those at rest", () => {
  const after = parseInterrupts(INTERRUPTS.replace("2000", "2010").replace("1000 ", "1200 "));
  deepStrictEqual(
    interruptRates(parseInterrupts(INTERRUPTS), after, 2).map(({ irq, counts }) => [irq, counts]),
    [["40", [100, 0, 0]], ["41", [0, 5, 0]]],
  );
});

Deno.test("cpuLoad() shares out the time between two looks", () => {
  const stat = (user: number, softirq: number, idle: number): string =>
    `cpu  1 2 3\ncpu0 ${user} 5 10 ${idle} 1 0 ${softirq} 0 0 0\ncpu2 1 1 1 1 1 1 1 1\nintr 5\n`;
  const [before, after] = [parseCpuTimes(stat(0, 0, 0)), parseCpuTimes(stat(50, 25, 25))];
  deepStrictEqual(before.map(({ cpu }) => cpu), [0, 2]);
  deepStrictEqual(cpuLoad(before, after), [
    { cpu: 0, user: 0.5, system: 0, irq: 0, softirq: 0.25, stolen: 0, idle: 0.25 },
  ]); // CPU 2 stood still
});

Deno.test("parseNetworkDrops() adds up what all CPUs dropped", () => {
  const { files } = testHost();
  deepStrictEqual(
    parseNetworkDrops(files["/proc/net/snmp"]!, files["/proc/net/softnet_stat"]!),
    { socketBuffer: 17, backlog: 3, squeezed: 3 },
  );
  deepStrictEqual(parseNetworkDrops("", ""), { socketBuffer: 0, backlog: 0, squeezed: 0 });
});

Deno.test("parseRingSizes() reads ethtool's answer, also of a card without rings", () => {
  deepStrictEqual(parseRingSizes(ETHTOOL), { rx: 1024, rxMost: 8192 });
  strictEqual(parseRingSizes("netlink error: Operation not supported"), undefined);
  strictEqual(parseRingSizes(ETHTOOL.replace(/RX:\s*\d+/g, "RX:\tn/a")), undefined);
});

Deno.test("readHostSettings() judges every setting, and tells how to set what is wrong", async () => {
  const host = testHost({ "/proc/irq/41/smp_affinity_list": "4\n" }, ethtool);
  const settings = await readHostSettings(host, { ...NEEDS, interruptCpus: [4], hugePages: true });
  const changes = settings.flatMap(({ change }) =>
    change === undefined ? [] : describeChange(change)
  );
  deepStrictEqual(changes, [
    "sysctl -w net.core.rmem_max=536870912",
    "sysctl -w net.core.netdev_max_backlog=250000",
    "ip link set dev eth1 mtu 9000",
    "ethtool -G eth1 rx 8192",
    "echo 4 > /proc/irq/40/smp_affinity_list",
    "cpupower frequency-set -g performance",
    "mount -o remount,huge=within_size /dev/shm",
  ]);
  strictEqual(find(settings, "net.core.rmem_default").verdict, "ok");
  strictEqual(find(settings, "eth1 interrupt 41").verdict, "ok"); // is on CPU 3 already
  strictEqual(find(settings, "cpu governor").value, "powersave on CPU 0-1");
  ok(settings.every(({ why }) => why.length > 20));
});

Deno.test("readHostSettings() leaves interrupts and huge pages alone unless told", async () => {
  const settings = await readHostSettings(testHost({}, ethtool), NEEDS);
  strictEqual(find(settings, "eth1 interrupt 40").verdict, "ok");
  strictEqual(find(settings, "/dev/shm huge").verdict, "ok");
});

Deno.test("readHostSettings() goes by the detector's packets", async () => {
  const host = testHost({ "/sys/class/net/eth1/mtu": "4200\n" });
  const mtu = async (datagramBytes: number): Promise<string> =>
    find(await readHostSettings(host, { ...NEEDS, datagramBytes }), "eth1 mtu").verdict;
  strictEqual(await mtu(4144), "ok"); // 4172 with the headers of IP and UDP
  strictEqual(await mtu(4173), "wrong");
});

Deno.test("readHostSettings() says what this machine does not have, and refuses what is no card", async () => {
  const bare = testHost({ "/proc/interrupts": "", "/sys/devices/system/cpu/online": "9" });
  delete bare.files["/proc/sys/net/core/rmem_max"];
  const settings = await readHostSettings(bare, NEEDS);
  const unknown = settings.filter(({ verdict }) => verdict === "unknown").map(({ name }) => name);
  deepStrictEqual(unknown, [
    "net.core.rmem_max",
    "eth1 ring",
    "eth1 interrupts",
    "cpu governor",
    "dropped so far",
  ]);
  ok(find(settings, "eth1 ring").value.includes("ethtool is not installed"));
  for (const name of ["eth9", "../eth1", "-g", ""]) {
    await rejects(
      readHostSettings(bare, { ...NEEDS, interfaces: [name] }),
      /is no network interface of this machine; it has eth1, br0/,
    );
  }
  deepStrictEqual(networkCards(bare), ["eth1"]);
});

Deno.test("applyChange() sets, and names what was refused", async () => {
  const host = testHost({}, {
    ethtool: { success: false, out: "", err: "netlink error: not permitted\n" },
  });
  const path = "/proc/sys/net/core/rmem_max";
  await applyChange(host, { kind: "write", path, value: "5" });
  strictEqual(host.files[path], "5\n");
  await rejects(
    applyChange(host, { kind: "write", path: "/proc/irq/9/smp_affinity_list", value: "1" }),
    /echo 1 > \/proc\/irq\/9\/smp_affinity_list: open .*EACCES\. Root may do it/,
  );
  await rejects(
    applyChange(host, { kind: "run", program: "ethtool", args: ["-G", "eth1"] }),
    /ethtool -G eth1: netlink error: not permitted\. Root/,
  );
  await rejects(
    applyChange(host, { kind: "run", program: "cpupower", args: [] }),
    /cpupower is not installed/,
  );
});

Deno.test("systemHost() reads and writes below its root, and knows what is not there", async () => {
  const root = await Deno.makeTempDir({ prefix: "std-daq-host-" });
  try {
    const host = systemHost(root);
    await Deno.mkdir(`${root}/proc/sys`, { recursive: true });
    const long = "x".repeat(200_000);
    await Deno.writeTextFile(`${root}/proc/stat`, long);
    await Deno.writeTextFile(`${root}/proc/sys/value`, "1\n");
    strictEqual(host.read("/proc/stat"), long);
    strictEqual(host.read("/proc/none"), undefined);
    host.write("/proc/sys/value", "2");
    strictEqual(host.read("/proc/sys/value"), "2\n");
    throws(() => host.write("/proc/none", "1"), /none/);
    strictEqual(await host.run("std-daq-no-such-program", []), undefined);
    const { success, out } = await host.run("sh", ["-c", "echo $LC_ALL"]) ?? {};
    deepStrictEqual([success, out], [true, "C\n"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("systemHost() reads this machine", () => {
  const host = systemHost();
  ok(parseCpuTimes(host.read("/proc/stat") ?? "").length > 0);
  ok(parseInterrupts(host.read("/proc/interrupts") ?? "").lines.length > 0);
});
