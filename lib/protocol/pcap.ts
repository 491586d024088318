/**
 * UDP datagrams out of a capture file in the classic pcap format (libpcap's savefile(5)): both byte
 * orders, µs and ns clocks, Ethernet (with VLAN tags), Linux cooked v1 and v2, and raw IPv4.
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";
import { viewOf } from "./wire_struct.ts";

/** One captured UDP datagram. */
export interface PcapDatagram {
  /** Destination port. */
  readonly port: number;
  /** Payload, a view into the file's bytes. */
  readonly payload: Uint8Array;
  /** When it was captured, ns since the epoch. */
  readonly timeNs: bigint;
}

/** Records that gave no datagram, by reason. */
export interface PcapSkips {
  /** Fragments of a larger IPv4 packet: they are not put together. */
  fragments: number;
  /** ARP, IPv6, … */
  notIpv4: number;
  /** TCP, ICMP, … */
  notUdp: number;
  /** Captured with a snap length shorter than the packet. */
  truncated: number;
  /** Headers whose lengths do not fit each other. */
  malformed: number;
}

/** Counts for {@link readPcap}, all 0. */
export function newPcapSkips(): PcapSkips {
  return { fragments: 0, notIpv4: 0, notUdp: 0, truncated: 0, malformed: 0 };
}

const FILE_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERTYPE_IPV4 = 0x0800;
const VLAN_ETHERTYPES: readonly number[] = [0x8100, 0x88a8, 0x9100];
const IP_PROTOCOL_UDP = 17;
const UDP_HEADER_BYTES = 8;

/** Longest record libpcap itself accepts, bytes. */
const MAX_RECORD_BYTES = 262144;

/** ns per unit of a record's second time field, by magic number. */
const CLOCKS: ReadonlyMap<number, bigint> = new Map([[0xa1b2c3d4, 1000n], [0xa1b23c4d, 1n]]);

const PCAPNG_MAGIC = 0x0a0d0d0a;

/** A link layer: bytes of its header, and where in it the ethertype is (none for raw IP). */
interface LinkLayer {
  readonly bytes: number;
  readonly ethertypeAt: number | undefined;
}

const LINK_LAYERS: ReadonlyMap<number, LinkLayer> = new Map([
  [1, { bytes: 14, ethertypeAt: 12 }], // Ethernet
  [12, { bytes: 0, ethertypeAt: undefined }], // raw IP, as some systems number it
  [101, { bytes: 0, ethertypeAt: undefined }], // raw IP
  [113, { bytes: 16, ethertypeAt: 14 }], // Linux cooked v1
  [228, { bytes: 0, ethertypeAt: undefined }], // raw IPv4
  [276, { bytes: 20, ethertypeAt: 0 }], // Linux cooked v2
]);

/**
 * The UDP datagrams of a capture, in the order captured. Records that hold none are counted in `skips`.
 *
 * @param bytes The whole file.
 * @param skips Counts to add to, see {@link newPcapSkips}.
 * @throws {ProtocolError} If it is no classic pcap, has another link type, or ends inside a record; the
 * message names the offset.
 */
export function* readPcap(
  bytes: Uint8Array,
  skips: PcapSkips = newPcapSkips(),
): Generator<PcapDatagram, void> {
  const view = viewOf(bytes);
  const { little, nsPerTick, link } = readFileHeader(view);
  let at = FILE_HEADER_BYTES;
  while (at < bytes.byteLength) {
    const start = at + RECORD_HEADER_BYTES;
    if (start > bytes.byteLength) throw cutOff(at);
    const captured = view.getUint32(at + 8, little);
    if (captured > MAX_RECORD_BYTES) {
      throw new ProtocolError(
        `pcap record at offset ${at} claims ${captured} bytes, expected at most ` +
          `${MAX_RECORD_BYTES}: the file is damaged`,
      );
    }
    if (start + captured > bytes.byteLength) throw cutOff(at);
    const found = udpOf(view, start, captured, link);
    if (typeof found === "string") {
      skips[found]++;
    } else {
      const seconds = BigInt(view.getUint32(at, little));
      const ticks = BigInt(view.getUint32(at + 4, little));
      yield {
        port: found.port,
        payload: bytes.subarray(found.start, found.end),
        timeNs: seconds * 1_000_000_000n + ticks * nsPerTick,
      };
    }
    at = start + captured;
  }
}

function readFileHeader(
  view: DataView,
): { little: boolean; nsPerTick: bigint; link: LinkLayer } {
  if (view.byteLength < FILE_HEADER_BYTES) {
    throw new ProtocolError(
      `capture of ${view.byteLength} bytes is shorter than a pcap header of ${FILE_HEADER_BYTES}`,
    );
  }
  const little = CLOCKS.has(view.getUint32(0, true));
  const magic = view.getUint32(0, little);
  const nsPerTick = CLOCKS.get(magic);
  if (nsPerTick === undefined) {
    const hint = magic === PCAPNG_MAGIC
      ? "this is pcapng: convert it with `editcap -F pcap`"
      : "expected a classic pcap file (0xa1b2c3d4 or 0xa1b23c4d in either byte order)";
    throw new ProtocolError(
      `capture begins with 0x${magic.toString(16).padStart(8, "0")}: ${hint}`,
    );
  }
  // The upper bits tell of a frame check sequence, which the IP length cuts off.
  const linkType = view.getUint32(20, little) & 0xffff;
  const link = LINK_LAYERS.get(linkType);
  if (link === undefined) {
    throw new ProtocolError(
      `pcap link type ${linkType}, expected one of ${[...LINK_LAYERS.keys()].join(", ")}: ` +
        "capture on an Ethernet interface or on `any`",
    );
  }
  return { little, nsPerTick, link };
}

/** Where the datagram's payload is, or why there is none. */
function udpOf(
  view: DataView,
  start: number,
  captured: number,
  link: LinkLayer,
): { port: number; start: number; end: number } | keyof PcapSkips {
  const end = start + captured;
  let ip = start + link.bytes;
  if (ip > end) return "truncated";
  if (link.ethertypeAt !== undefined) {
    let ethertype = view.getUint16(start + link.ethertypeAt);
    while (VLAN_ETHERTYPES.includes(ethertype)) {
      if (ip + 4 > end) return "truncated";
      ethertype = view.getUint16(ip + 2);
      ip += 4;
    }
    if (ethertype !== ETHERTYPE_IPV4) return "notIpv4";
  }
  if (ip + 1 > end) return "truncated";
  if (view.getUint8(ip) >> 4 !== 4) return link.ethertypeAt === undefined ? "notIpv4" : "malformed";
  if (ip + 20 > end) return "truncated";
  const ipHeaderBytes = (view.getUint8(ip) & 0xf) * 4;
  const ipBytes = view.getUint16(ip + 2);
  if (ipHeaderBytes < 20 || ipBytes < ipHeaderBytes) return "malformed";
  if (view.getUint8(ip + 9) !== IP_PROTOCOL_UDP) return "notUdp";
  // More-fragments flag, or an offset: part of a larger packet.
  if ((view.getUint16(ip + 6) & 0x3fff) !== 0) return "fragments";
  if (ip + ipBytes > end) return "truncated";
  const udp = ip + ipHeaderBytes;
  if (ipBytes < ipHeaderBytes + UDP_HEADER_BYTES) return "malformed";
  const udpBytes = view.getUint16(udp + 4);
  if (udpBytes < UDP_HEADER_BYTES || ipHeaderBytes + udpBytes > ipBytes) return "malformed";
  return { port: view.getUint16(udp + 2), start: udp + UDP_HEADER_BYTES, end: udp + udpBytes };
}

function cutOff(offset: number): ProtocolError {
  return new ProtocolError(
    `pcap ends inside the record at offset ${offset}: the file was cut off`,
  );
}
