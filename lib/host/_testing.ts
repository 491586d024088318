import type { Host, ProgramResult } from "./host.ts";

/** A machine of files in memory; writes and programs are remembered, and may be refused. */
export interface TestHost extends Host {
  /** Files by path. */
  readonly files: Record<string, string>;
  /** Programs that were run, with their arguments. */
  readonly ran: string[];
}

/** A machine with a card of two queues, an old kernel's settings, and two CPUs that save power. */
export function testHost(
  more: Record<string, string> = {},
  programs: Record<string, ProgramResult> = {},
): TestHost {
  const governor = (cpu: number): string =>
    `/sys/devices/system/cpu/cpu${cpu}/cpufreq/scaling_governor`;
  const files: Record<string, string> = {
    "/proc/sys/net/core/rmem_max": "212992\n",
    "/proc/sys/net/core/rmem_default": "33554432\n",
    "/proc/sys/net/core/netdev_max_backlog": "1000\n",
    "/proc/net/dev": "Inter-|   Receive\n face |bytes\n    lo: 1 2\neth1: 3 4\n  br0: 5 6\n",
    "/proc/interrupts": INTERRUPTS,
    "/proc/irq/40/smp_affinity_list": "0-3\n",
    "/proc/irq/41/smp_affinity_list": "3\n",
    "/sys/class/net/eth1/mtu": "1500\n",
    "/sys/class/net/br0/mtu": "1500\n",
    "/sys/class/net/eth1/device/uevent": "DRIVER=mlx5_core\nPCI_SLOT_NAME=0000:3b:00.0\n",
    "/sys/devices/system/cpu/online": "0-1,4\n",
    [governor(0)]: "powersave\n",
    [governor(1)]: "powersave\n",
    [governor(4)]: "performance\n",
    "/proc/self/mounts": "proc /proc proc rw 0 0\ntmpfs /dev/shm tmpfs rw,nosuid 0 0\n",
    "/proc/net/snmp": SNMP,
    "/proc/net/softnet_stat": "000000ff 00000002 00000003 0\n00000010 00000001 00000000 0\n",
    ...more,
  };
  const ran: string[] = [];
  return {
    files,
    ran,
    read: (path) => files[path],
    write(path, value): void {
      if (files[path] === undefined) throw new Error(`open ${path}: EACCES`);
      files[path] = `${value}\n`;
    },
    run(program, args): Promise<ProgramResult | undefined> {
      ran.push([program, ...args].join(" "));
      return Promise.resolve(programs[program]);
    },
  };
}

/** `/proc/interrupts` of a machine with a card in PCI slot 3b:00.0 and another one in 3b:00.01. */
export const INTERRUPTS = [
  "            CPU0       CPU1       CPU4",
  "  0:         45          0          0   IO-APIC   2-edge      timer",
  " 40:       1000          0          5   PCI-MSIX-0000:3b:00.0   1-edge      mlx5_comp0@pci:0000:3b:00.0",
  " 41:          0       2000          0   PCI-MSI 1048577-edge      eth1-TxRx-1",
  " 42:          7          7          7   PCI-MSI 1048578-edge      eth10-TxRx-0",
  "LOC:        900        800        700   Local timer interrupts",
  "ERR:          3",
  "",
].join("\n");

const SNMP = [
  "Ip: Forwarding DefaultTTL",
  "Ip: 1 64",
  "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors",
  "Udp: 100 1 2 99 17 0",
  "UdpLite: InDatagrams NoPorts",
  "",
].join("\n");
