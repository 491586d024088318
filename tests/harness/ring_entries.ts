import { RingReader, RingRecord, SharedMemory } from "../../lib/ring/mod.ts";
import { hex, sha256 } from "./data.ts";

/** What a ring holds of one frame or image. */
export interface RingEntryView {
  imageId: bigint;
  status: number;
  missingPackets: number;
  /** The calibration that made the pixels; 0: none. */
  calibrationId: bigint;
  /** The public message, hex. */
  message: string;
  /** SHA-256 of the slot's pixels, hex. */
  sha256: string;
}

const INDEX_ROOM = 16 * 1024 * 1024;

/** The entries of a ring that are still there, oldest first, pixels included. */
export function ringEntries(name: string): RingEntryView[] {
  using reader = RingReader.open(new SharedMemory(INDEX_ROOM), name);
  const record = new RingRecord();
  const entries: RingEntryView[] = [];
  const oldest = reader.head - BigInt(reader.slots);
  for (let entry = oldest > 0n ? oldest : 0n; entry < reader.head; entry++) {
    if (reader.read(entry, record) !== "ok") continue;
    const pixels = new Uint8Array(reader.slotBytes);
    reader.data.readAt(pixels, record.slot * reader.slotBytes);
    if (!reader.isIntact(record)) continue;
    entries.push({
      imageId: record.imageId,
      status: record.status,
      missingPackets: record.missingPackets,
      calibrationId: record.calibrationId,
      message: hex(record.metadata),
      sha256: sha256(pixels),
    });
  }
  return entries;
}
