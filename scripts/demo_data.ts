/**
 * The demonstration's recorded data, and free ports.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { UdpSocket } from "../lib/os/mod.ts";
import { encodeDumpRecord } from "../lib/protocol/mod.ts";
import recording from "../tests/data/eiger9m/case.json" with { type: "json" };

const PACKETS = new URL("../tests/data/eiger9m/packets.bin.gz", import.meta.url);
const PACKET_BYTES = 4144;

/** What is known of the recorded image. */
export const RECORDING = { imageSha256: recording.image.sha256 };

/**
 * The config of the recorded detector. A replay is slower than a detector, on a busy machine much
 * slower: frames get the time it takes.
 */
export function recordedConfig(): Record<string, unknown> {
  return { ...recording.config, frame_timeout_ms: 10_000, image_timeout_ms: 10_000 };
}

/** Writes the recorded packets as dumps, one a module; returns their paths. */
export async function readRecording(folder: string): Promise<string[]> {
  const packets = gunzipSync(await Deno.readFile(PACKETS));
  const modules = recording.config.n_modules;
  const perModule = packets.length / PACKET_BYTES / modules;
  const paths: string[] = [];
  for (let module = 0; module < modules; module++) {
    const records: Uint8Array[] = [];
    for (let packet = 0; packet < perModule; packet++) {
      const at = (module * perModule + packet) * PACKET_BYTES;
      records.push(encodeDumpRecord(packets.subarray(at, at + PACKET_BYTES)));
    }
    const path = `${folder}/module-${module}.dat`;
    await Deno.writeFile(path, new Uint8Array(await new Blob(records as BlobPart[]).arrayBuffer()));
    paths.push(path);
  }
  return paths;
}

/** `count` UDP ports in a row that nobody uses right now.
 *
 * @throws {Error} If there are none between 20000 and 60000.
 */
export function freePorts(count: number): number[] {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = 20_000 + Math.floor(Math.random() * (40_000 - count));
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if (ports.every(isFree)) return ports;
  }
  throw new Error(`No ${count} free UDP ports in a row between 20000 and 60000`);
}

function isFree(port: number): boolean {
  try {
    new UdpSocket({ bind: { address: "0.0.0.0", port } }).close();
    return true;
  } catch {
    return false; // in use, or not allowed: the next range will do
  }
}
