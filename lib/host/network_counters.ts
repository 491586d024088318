/** What the kernel has dropped before a program could read it, since the start. */
export interface NetworkDrops {
  /** Datagrams that found their socket's buffer full. */
  socketBuffer: number;
  /** Packets that found a CPU's backlog full. */
  backlog: number;
  /** How often a CPU had to stop taking packets off a card while more were there. */
  squeezed: number;
}

/**
 * Reads `/proc/net/snmp` and `/proc/net/softnet_stat`.
 *
 * @param snmp Text of the first.
 * @param softnet Text of the second: a line of hexadecimal numbers for each CPU.
 */
export function parseNetworkDrops(snmp: string, softnet: string): NetworkDrops {
  const [names = "", values = ""] = snmp.split("\n").filter((line) => line.startsWith("Udp: "));
  const column = names.split(" ").indexOf("RcvbufErrors");
  const socketBuffer = column < 0 ? 0 : Number(values.split(" ")[column] ?? 0);
  const cpus = softnet.split("\n").filter((line) => line !== "").map((line) => line.split(" "));
  const sum = (index: number): number =>
    cpus.reduce((total, words) => total + parseInt(words[index] ?? "0", 16), 0);
  return { socketBuffer, backlog: sum(1), squeezed: sum(2) };
}
