/**
 * Recorded cases of `tests/data`: a pipeline for their config, and their packets.
 *
 * @module
 */
import { type ConfigJson, PATIENT, uniqueName } from "./configs.ts";
import { freeUdpPorts } from "./free_ports.ts";
import { Pipeline } from "./pipeline.ts";
import { UdpSource } from "./udp_source.ts";

/** A packet and the module that it is of. */
export interface RecordedPacket {
  module: number;
  packet: Uint8Array;
}

/** Starts a pipeline for a recorded config, under a name of its own, at free ports. */
export function startRecorded(config: ConfigJson, name: string): Promise<Pipeline> {
  return Pipeline.start({
    ...config,
    ...PATIENT,
    detector_name: uniqueName(name),
    start_udp_port: freeUdpPorts(config.n_modules),
  });
}

/** Sends packets in their order. */
export function sendPackets(pipeline: Pipeline, packets: Iterable<RecordedPacket>): void {
  using source = new UdpSource(pipeline.config);
  for (const { module, packet } of packets) source.push(module, packet);
  source.flush();
}

/** Packets of a file of records: [u16 module][u16 length][packet]. */
export function* packetRecords(bytes: Uint8Array): Generator<RecordedPacket> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = view.getUint16(at + 2, true);
    yield { module: view.getUint16(at, true), packet: bytes.slice(at + 4, at + 4 + length) };
    at += 4 + length;
  }
}
