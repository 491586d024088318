import assert from "node:assert/strict";
import fc from "fast-check";
import { damaged, survives } from "./_test_helpers.ts";
import { newPcapSkips, type PcapDatagram, readPcap } from "./pcap.ts";

const SECONDS = 1_700_000_000;

interface CaptureOptions {
  little?: boolean;
  nanoseconds?: boolean;
  linkType?: number;
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

/** An IPv4 packet with a UDP datagram to `port`; `flags` is the fragment word. */
function ipv4(port: number, payload: Uint8Array, flags = 0x4000, protocol = 17): number[] {
  const udp = [...u16(1024), ...u16(port), ...u16(8 + payload.length), ...u16(0), ...payload];
  const header = [0x45, 0, ...u16(20 + udp.length), ...u16(1), ...u16(flags), 64, protocol];
  return [...header, ...u16(0), 127, 0, 0, 1, 127, 0, 0, 1, ...udp];
}

function ethernet(packet: number[], ethertype = [0x08, 0x00]): number[] {
  return [...new Array<number>(12).fill(0x11), ...ethertype, ...packet];
}

/** A capture of `records` (bytes on the link), each a second after the one before. */
function capture(records: number[][], options: CaptureOptions = {}): Uint8Array {
  const { little = true, nanoseconds = false, linkType = 1 } = options;
  const bytes = new Uint8Array(24 + records.reduce((sum, record) => sum + 16 + record.length, 0));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, 262144, little);
  view.setUint32(20, linkType, little);
  let at = 24;
  for (const [i, record] of records.entries()) {
    view.setUint32(at, SECONDS + i, little);
    view.setUint32(at + 4, 123, little);
    view.setUint32(at + 8, record.length, little);
    view.setUint32(at + 12, record.length, little);
    bytes.set(record, at + 16);
    at += 16 + record.length;
  }
  return bytes;
}

function read(bytes: Uint8Array): PcapDatagram[] {
  return [...readPcap(bytes)].map((datagram) => ({
    ...datagram,
    payload: datagram.payload.slice(),
  }));
}

const PAYLOAD = new Uint8Array([1, 2, 3, 4, 5]);

Deno.test("readPcap() reads both byte orders and both clocks", () => {
  for (const little of [true, false]) {
    for (const nanoseconds of [true, false]) {
      const bytes = capture([ethernet(ipv4(50020, PAYLOAD))], { little, nanoseconds });
      const timeNs = BigInt(SECONDS) * 1_000_000_000n + (nanoseconds ? 123n : 123_000n);
      assert.deepEqual(read(bytes), [{ port: 50020, payload: PAYLOAD, timeNs }]);
    }
  }
});

Deno.test("readPcap() reads every link type it names", () => {
  const packet = ipv4(50020, PAYLOAD);
  const cooked1 = [...new Array<number>(14).fill(0), 0x08, 0x00, ...packet];
  const cooked2 = [0x08, 0x00, ...new Array<number>(18).fill(0), ...packet];
  const cases: [number, number[]][] = [
    [1, ethernet(packet)],
    [12, packet],
    [101, packet],
    [113, cooked1],
    [228, packet],
    [276, cooked2],
  ];
  for (const [linkType, record] of cases) {
    const [datagram] = read(capture([record], { linkType }));
    assert.deepEqual(datagram?.payload, PAYLOAD, `link type ${linkType}`);
    assert.equal(datagram?.port, 50020);
  }
});

Deno.test("readPcap() reads through VLAN tags and drops Ethernet padding", () => {
  const tags = [0x88, 0xa8, 0, 5, 0x81, 0x00, 0, 7, 0x08, 0x00];
  const padded = [...ethernet(ipv4(1, PAYLOAD), tags), 0, 0, 0, 0, 0, 0];
  assert.deepEqual(read(capture([padded]))[0]?.payload, PAYLOAD);
});

Deno.test("readPcap() counts each record that holds no whole UDP datagram under its reason", () => {
  const good = ethernet(ipv4(50020, PAYLOAD));
  const wrongLength = [...good];
  wrongLength[14 + 20 + 5] = 200;
  const skips = newPcapSkips();
  const bytes = capture([
    good,
    ethernet(ipv4(50020, PAYLOAD, 0x2000)),
    ethernet(ipv4(50020, PAYLOAD, 0x0003)),
    ethernet(ipv4(50020, PAYLOAD, 0, 6)),
    ethernet(new Array<number>(40).fill(0), [0x08, 0x06]),
    ethernet(new Array<number>(40).fill(0), [0x86, 0xdd]),
    good.slice(0, -1),
    good.slice(0, 20),
    good.slice(0, 3),
    wrongLength,
    good,
  ]);
  assert.equal([...readPcap(bytes, skips)].length, 2);
  assert.deepEqual(skips, { fragments: 2, notIpv4: 2, notUdp: 1, truncated: 3, malformed: 1 });
});

Deno.test("readPcap() says what to do with a file that is no classic pcap", () => {
  assert.throws(() => read(new Uint8Array(5)), /capture of 5 bytes is shorter/);
  assert.throws(() => read(new Uint8Array(30)), /begins with 0x00000000: expected a classic pcap/);
  const pcapng = new Uint8Array(40);
  pcapng.set([0x0a, 0x0d, 0x0d, 0x0a]);
  assert.throws(() => read(pcapng), /pcapng: convert it with `editcap -F pcap`/);
  assert.throws(() => read(capture([], { linkType: 105 })), {
    name: "ProtocolError",
    message: /link type 105, expected one of 1, 12, 101, 113, 228, 276/,
  });
});

Deno.test("readPcap() names the offset when the file is cut off or damaged", () => {
  const bytes = capture([ethernet(ipv4(1, PAYLOAD)), ethernet(ipv4(2, PAYLOAD))]);
  const second = 24 + (bytes.length - 24) / 2;
  for (const length of [second + 3, second + 16, bytes.length - 1]) {
    const ports: number[] = [];
    assert.throws(
      () => {
        for (const { port } of readPcap(bytes.subarray(0, length))) ports.push(port);
      },
      { name: "ProtocolError", message: new RegExp(`inside the record at offset ${second}`) },
    );
    assert.deepEqual(ports, [1]);
  }
  new DataView(bytes.buffer).setUint32(24 + 8, 0x7fffffff, true);
  assert.throws(() => read(bytes), /pcap record at offset 24 claims 2147483647 bytes/);
});

Deno.test("readPcap() throws nothing but ProtocolError on any bytes", () => {
  const link = fc.constantFrom(1, 101, 113, 276);
  const record = fc.array(fc.nat(255), { maxLength: 60 });
  fc.assert(fc.property(fc.array(record, { maxLength: 5 }), link, (records, linkType) => {
    const skips = newPcapSkips();
    const found = [...readPcap(capture(records, { linkType }), skips)].length;
    const skipped = Object.values(skips).reduce((sum, count) => sum + count, 0);
    assert.equal(found + skipped, records.length);
  }));
  const whole = capture([ethernet(ipv4(1, PAYLOAD)), ethernet(ipv4(2, PAYLOAD))]);
  const hits = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 });
  fc.assert(fc.property(hits, fc.nat(whole.length), (hits, length) => {
    survives(() => read(damaged(whole, hits, length)));
  }));
});
