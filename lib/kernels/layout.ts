/**
 * Every structure that lives in shared or WebAssembly memory, as one table each: field, type, who
 * writes it, meaning and unit; with the numbers and names of values that both sides use. TypeScript
 * takes them from here; `scripts/build.ts` writes the same numbers to `assembly/layout.ts` for the
 * kernels.
 *
 * @module
 */

/** Types of a field: little endian, naturally aligned. */
export type FieldType = "u32" | "u64" | { bytes: number };

/** One row of a table: type, who writes it, what it means. */
export type FieldRow = readonly [type: FieldType, writer: string, meaning: string];

/** A structure: the offset of each field and the size of the whole, bytes. */
export type Layout<Names extends string> = Readonly<Record<Names, number>> & {
  readonly $bytes: number;
};

/** Tables by name, for the generator and the documentation. */
export const TABLES: Map<string, { rows: Record<string, FieldRow>; offsets: Layout<string> }> =
  new Map();

/** Lays the fields out in order, each on its natural alignment; the whole is padded to `align`. */
export function defineLayout<Names extends string>(
  name: string,
  rows: Record<Names, FieldRow>,
  align = 8,
): Layout<Names> {
  const offsets: Record<string, number> = {};
  let at = 0;
  for (const [field, [type]] of Object.entries<FieldRow>(rows)) {
    const size = type === "u32" ? 4 : type === "u64" ? 8 : type.bytes;
    const alignment = type === "u32" ? 4 : 8;
    at = Math.ceil(at / alignment) * alignment;
    offsets[field] = at;
    at += size;
  }
  offsets.$bytes = Math.ceil(at / align) * align;
  const layout = offsets as Layout<Names>;
  TABLES.set(name, { rows, offsets: layout });
  return layout;
}

/** Counters of a receiver, one set per module; each datagram is counted by exactly one of the first five. */
export const RECEIVE_COUNTERS = [
  "accepted",
  "duplicate",
  "late",
  "malformed",
  "foreign",
  "damaged",
  "frames_good",
  "frames_incomplete",
  "missing_packets",
  "frames_skipped",
  "restarts",
  "moved",
] as const;

/** Name of a receive counter. */
export type ReceiveCounter = typeof RECEIVE_COUNTERS[number];

/** What numbers an image, in the order of RECEIVER.image_id_field; the last one: by frame where the bunch id is 0. */
export const IMAGE_ID_FIELDS = ["frame_number", "bunch_id", "bunch_id_or_frame_number"] as const;

/** Headers that packets can have, in the order of `header_kind`. */
export const HEADER_KINDS = ["sls", "gigafrost"] as const;

/** What an entry of the frame table is, in the order of FRAME_ENTRY.state; announced: by a damaged packet only. */
export const FRAME_STATES = ["free", "announced", "open", "closed"] as const;

/** What was predicted for a place of the receive vector. */
export const PREDICTION = defineLayout("PREDICTION", {
  frame: ["u64", "kernel", "frame number"],
  packet: ["u64", "kernel", "packet of the frame; all ones for none"],
});

/** Control data of a received message: struct cmsghdr with what UDP_GRO says. */
export const GRO_CONTROL = defineLayout("GRO_CONTROL", {
  length: ["u64", "system", "bytes used"],
  level: ["u32", "system", "SOL_UDP"],
  type: ["u32", "system", "UDP_GRO"],
  segment: ["u32", "system", "size of the datagrams that were put together, bytes"],
  reserved: [{ bytes: 8 }, "system", "room for another"],
});

/** State of one module's receiver: lives in the private low area of its WebAssembly memory. */
export const RECEIVER = defineLayout("RECEIVER", {
  host_base: ["u64", "host", "address of the WebAssembly memory in the process, for iovecs"],
  messages: ["u32", "host", "messages a receive call can take"],
  segments: [
    "u32",
    "host",
    "most packets the kernel may bring in one message (UDP GRO), 1 without",
  ],
  header_kind: ["u32", "host", "which of HEADER_KINDS"],
  header_bytes: ["u32", "host", "bytes of a packet's header"],
  packet_bytes: ["u32", "host", "bytes of a datagram, padding included"],
  last_packet_bytes: ["u32", "host", "the same of a frame's last packet"],
  payload_bytes: ["u32", "host", "pixel bytes of a packet"],
  last_payload_bytes: ["u32", "host", "pixel bytes of a frame's last packet"],
  packets_per_frame: ["u32", "host", "packets of a frame"],
  rows_per_packet: ["u32", "host", "GigaFRoST: rows of every packet but the last"],
  stream: ["u32", "host", "GigaFRoST: quadrant × 2 + link that sends here"],
  slot_bytes: ["u32", "host", "bytes of a frame slot"],
  slots: ["u32", "host", "slots of the frame ring"],
  frames_at: ["u32", "host", "slot 0 of the frame ring"],
  locks_at: ["u32", "host", "slot locks of the ring's index"],
  headers_at: [
    "u32",
    "host",
    "places × room for a 48-byte packet header (places = messages × segments)",
  ],
  messages_at: ["u32", "host", "messages × struct mmsghdr"],
  iovecs_at: ["u32", "host", "places × parts × struct iovec: header, payload, spill"],
  parts: ["u32", "host", "iovecs of a place: 2, or 3 where packets differ in length"],
  spill_at: ["u32", "host", "places × spill_bytes: what does not fit where a packet landed"],
  spill_bytes: ["u32", "host", "room of each: longest packet − shortest payload; 0 with 2 parts"],
  controls_at: ["u32", "host", "messages × control data (32 bytes), 0 without GRO"],
  expected_at: ["u32", "host", "places × (u64 frame, u64 packet): what was predicted for each"],
  stage_at: [
    "u32",
    "host",
    "2 × places × payload: mispredicted packets wait in the first half, or land in the second",
  ],
  hold_at: ["u32", "host", "hold_limit × (header + payload): packets that may begin a new epoch"],
  table_at: ["u32", "host", "frame table"],
  table_mask: ["u32", "host", "entries of the frame table − 1 (a power of two)"],
  entry_bytes: ["u32", "host", "bytes of a frame entry, bitmap included"],
  done_at: ["u32", "host", "queue of closed frames: copies of their entries, without bitmap"],
  done_count: ["u32", "kernel", "entries in it; the host sets it to 0 when it has read them"],
  counters_at: [
    "u32",
    "host",
    "u64 counters in the ring's header, in the order of RECEIVE_COUNTERS",
  ],
  window: ["u32", "host", "frames kept open at once"],
  version: [
    "u32",
    "host",
    "expected header version; GigaFRoST: length of a row, 12-pixel blocks",
  ],
  detector_type: ["u32", "host", "expected detector type in the header; GigaFRoST: protocol id"],
  image_id_field: [
    "u32",
    "host",
    "IMAGE_ID_FIELDS: frame number, bunch id (f64 in detSpec1), or either",
  ],
  hold_limit: ["u32", "host", "consecutive packets that prove a restart"],
  identity_limit: ["u32", "host", "packets that prove who sends, hold_limit at most"],
  hold_count: ["u32", "kernel", "packets held"],
  hold_votes: ["u32", "kernel", "held packets less those that contradict them"],
  epoch: ["u32", "kernel", "counter restarts seen + 1; 0 before the first packet"],
  coalesced: ["u32", "kernel", "1 when the last messages brought several packets each"],
  next_packet: ["u32", "kernel", "packet predicted to come next"],
  identity_known: ["u32", "kernel", "1 once identity is proved"],
  next_frame: ["u64", "kernel", "frame of the packet predicted to come next"],
  newest: ["u64", "kernel", "highest frame number of the epoch"],
  newest_image_id: ["u64", "kernel", "its image id"],
  image_step: ["u64", "kernel", "last seen distance of image ids per frame"],
  oldest: ["u64", "kernel", "next frame to close; everything below is closed"],
  identity: ["u64", "kernel", "modId, row and column of the module (48 bits)"],
  last_accept_ns: ["u64", "kernel", "time of the last accepted packet"],
  idle_ns: ["u64", "host", "silence after which any frame number begins a new epoch"],
  hold_ns: ["u64", "kernel", "time of the first held packet"],
}, 64);

/** A frame in the receiver's table; a bitmap of its packets follows. */
export const FRAME_ENTRY = defineLayout("FRAME_ENTRY", {
  frame: ["u64", "kernel", "frame number"],
  image_id: ["u64", "kernel", "image it belongs to"],
  first_ns: ["u64", "kernel", "first packet seen"],
  last_ns: ["u64", "kernel", "last packet seen"],
  slot_lock: ["u64", "kernel", "value of the slot's lock when the frame was closed, even"],
  slot: ["u32", "kernel", "slot in the frame ring"],
  state: ["u32", "kernel", "which of FRAME_STATES"],
  received: ["u32", "kernel", "packets accepted"],
  damaged: ["u32", "kernel", "malformed packets that named this frame"],
  epoch: ["u32", "kernel", "epoch it belongs to"],
  reserved: ["u32", "-", ""],
  header: [{ bytes: 48 }, "kernel", "header of the first accepted packet"],
  bitmap: [{ bytes: 0 }, "kernel", "one bit per packet, in u64 words"],
});

/** First page of a ring's index file. */
export const RING_HEADER = defineLayout("RING_HEADER", {
  magic: ["u64", "writer", "RING_MAGIC"],
  version: ["u32", "writer", "RING_VERSION"],
  state: ["u32", "writer", "0 being made, 1 in use, 2 closed, 3 replaced by a ring of other size"],
  slot_bytes: ["u64", "writer", "bytes of a slot"],
  slots: ["u32", "writer", "slots of the data file"],
  records: ["u32", "writer", "records of the index"],
  dtype: ["u32", "writer", "pixel type, the wire's number"],
  height: ["u32", "writer", "px"],
  width: ["u32", "writer", "px"],
  writer_pid: ["u32", "writer", "process that writes"],
  writer_start_ns: ["u64", "writer", "when it took the ring, ns since 1970"],
  session: ["u64", "writer", "writers the ring has had"],
  geometry: ["u64", "writer", "hash of what the slots' never-written bytes depend on"],
  padding: [{ bytes: 120 }, "-", "keeps head on a cache line of its own"],
  head: ["u64", "writer", "entries published since the ring was made"],
  padding2: [{ bytes: 56 }, "-", ""],
  counters: [{ bytes: 512 }, "writer", "64 × u64 counters, named by the kind of ring"],
  left_entry: [
    "u64",
    "assembler",
    "1 + the entry at which an assembler that has stopped left off; 0: none has",
  ],
  left_frame: ["u64", "assembler", "1 + frame number of the image it published last; 0: none"],
  counted_entry: [
    "u64",
    "writer",
    "1 + the entry counted last with its publication; it is not published yet where this is head + 1",
  ],
  counters_before: [{ bytes: 512 }, "writer", "the counters before that entry was counted"],
}, 4096);

/** One published entry in a ring's index. */
export const RING_RECORD = defineLayout("RING_RECORD", {
  sequence: ["u64", "writer", "2 × (entry + 1) when stable, odd while being written"],
  image_id: ["u64", "writer", "image id"],
  slot_lock: [
    "u64",
    "writer",
    "value of the slot's lock when published; another value: overwritten",
  ],
  first_ns: ["u64", "writer", "first packet, ns since 1970"],
  complete_ns: ["u64", "writer", "last packet or end of waiting, ns since 1970"],
  published_ns: ["u64", "writer", "publication, ns since 1970"],
  frame_index: ["u64", "writer", "the detector's own frame number"],
  payload_bytes: ["u64", "writer", "bytes used in the slot"],
  slot: ["u32", "writer", "slot"],
  status: ["u32", "writer", "1 good, 2 missing packets, 3 id mismatch"],
  missing_packets: ["u32", "writer", "packets that never arrived in time"],
  epoch: ["u32", "writer", "counter restarts"],
  mask_low: ["u64", "writer", "modules 0–63 that contributed, one bit each"],
  mask_high: ["u64", "writer", "modules 64–127"],
  metadata_bytes: ["u32", "writer", "bytes used in metadata"],
  damaged_packets: ["u32", "writer", "missing packets that did arrive, but malformed"],
  calibration_id: ["u64", "writer", "calibration that made the pixels; 0: they are as received"],
  reserved: [{ bytes: 8 }, "-", ""],
  metadata: [{ bytes: 128 }, "writer", "the public message: frame struct or ImageMetadata"],
}, 256);

/** `STDAQRNG` as a little-endian u64. */
export const RING_MAGIC = 0x474e_5251_4144_5453n;

/** Version of the ring's index layout. */
export const RING_VERSION = 1;

/** Room for a packet header: an SLS header fills it. */
export const HEADER_BYTES = 48;

/** One simulated module: what the packet-making kernel needs to fill its send vector. */
export const SIMULATOR_MODULE = defineLayout("SIMULATOR_MODULE", {
  host_base: ["u64", "host", "address of the WebAssembly memory in the process, for iovecs"],
  batch: ["u32", "host", "packets the send vector can take"],
  segments: ["u32", "host", "packets per message: 1, or more with UDP segmentation offload"],
  header_kind: ["u32", "host", "which of HEADER_KINDS"],
  header_bytes: ["u32", "host", "bytes of a packet's header"],
  payload_bytes: ["u32", "host", "bytes of a packet after its header"],
  last_payload_bytes: ["u32", "host", "the same of a frame's last packet"],
  packets_per_frame: ["u32", "host", "packets of a frame"],
  rows_per_packet: ["u32", "host", "GigaFRoST: rows of every packet but the last"],
  sources_at: ["u32", "host", "frames to send, one after the other, as their packets carry them"],
  sources: ["u32", "host", "how many a block has; frame i sends frame i mod sources of its block"],
  blocks: ["u32", "host", "blocks of sources, sent in turn"],
  frames_per_block: ["u32", "host", "frames until the next block"],
  headers_at: ["u32", "host", "batch × 48-byte packet headers"],
  messages_at: ["u32", "host", "batch × struct mmsghdr"],
  iovecs_at: ["u32", "host", "batch × 2 × struct iovec: header, payload"],
  control_at: ["u32", "host", "control data of every message; 0 for none"],
  control_bytes: ["u32", "host", "its length"],
  schedule_at: ["u32", "host", "SIMULATOR_DATAGRAM records to send instead of whole frames"],
  first_frame: ["u64", "host", "frame number of frame 0"],
  first_bunch: ["u64", "host", "bunch id of frame 0"],
  has_bunch: ["u32", "host", "1: detSpec1 is the bunch id (f64)"],
  daq_record: ["u32", "host", "1: detSpec3 is the low half of the frame number"],
  frame_ticks: ["u64", "host", "time stamp distance of two frames, 100 ns or camera ticks"],
  template: [{ bytes: 48 }, "host", "packet header; the kernel sets what differs per packet"],
});

/** One datagram of a schedule. */
export const SIMULATOR_DATAGRAM = defineLayout("SIMULATOR_DATAGRAM", {
  frame: ["u32", "host", "index of the frame, from 0"],
  packet: ["u32", "host", "packet of the frame"],
  kind: ["u32", "host", "SIMULATOR_KINDS: sent as it is, or what is wrong with it"],
  argument: ["u32", "host", "the wrong value"],
});

/** Kinds of simulated datagrams, in the order of their numbers; in brackets what `argument` says. */
export const SIMULATOR_KINDS = [
  "plain",
  "truncated", // length of the datagram, bytes
  "version", // header version; GigaFRoST: length of a row, 12-pixel blocks
  "packet_number", // packet number; GigaFRoST: first row
  "detector_type", // detector type; GigaFRoST: protocol id
  "identity", // module id; GigaFRoST: quadrant × 2 + link
  "bunch_id", // what is added to the bunch id
] as const;

/** Elements of a step of the bitshuffle kernels. */
export const BITSHUFFLE_STEP = 128;

/** Entries of LZ4's table, as powers of two: of u16 for blocks up to 64 KiB, of u32 for longer ones. */
export const LZ4_TABLE_BITS = { narrow: 11, wide: 12 } as const;

/** What the bitshuffle + LZ4 kernels need besides input and output, one for each thread. */
export const BITSHUFFLE = defineLayout("BITSHUFFLE", {
  work: [
    { bytes: 8 * BITSHUFFLE_STEP },
    "kernel",
    "128 elements between the transpositions of bytes and of bits",
  ],
  table: [
    { bytes: 4 * 2 ** LZ4_TABLE_BITS.wide },
    "kernel",
    "2048 × u16 or 4096 × u32: last place of 4 bytes with this hash",
  ],
  block: [{ bytes: 0 }, "kernel", "a shuffled block, as long as the longest block is"],
}, 16);

/** Result of the statistics kernels. */
export const IMAGE_STATISTICS = defineLayout("IMAGE_STATISTICS", {
  valid: ["u64", "kernel", "pixels that are good and numbers"],
  sum: ["u64", "kernel", "their sum; f64 for an image of f32"],
  min: ["u32", "kernel", "the least of them; f32 for an image of f32"],
  max: ["u32", "kernel", "the largest"],
  lanes: [{ bytes: 16 }, "kernel", "what it needs on the way"],
});

/** Tables that a histogram is counted in. */
export const HISTOGRAM_TABLES = 4;

/** Entries of such a table besides the bins: below, above, invalid. */
export const HISTOGRAM_OTHERS = 3;

/** Bytes of the constants that XXH3 needs. */
export const XXH3_SECRET_BYTES = 192;

/** What can be wrong with a bitshuffle + LZ4 stream, in the order of the numbers 1, 2, … */
export const STREAM_FAULTS = ["short", "block", "long"] as const;

/** Bits of the charge in a pixel that switches gains; the gain code is above them. */
export const CHARGE_BITS = 14;

/** The largest charge, ADU. */
export const LARGEST_CHARGE: number = 2 ** CHARGE_BITS - 1;

/** Pixels of a block of Jungfrau's maps; the kernels read whole ones. */
export const MAP_BLOCK_PIXELS = 8;

/** Maps of eight Jungfrau pixels that are in gain stage G0. */
export const JUNGFRAU_G0 = defineLayout("JUNGFRAU_G0", {
  scale: [{ bytes: 32 }, "host", "8 × f32: 1/gain, keV/ADU or photons/ADU"],
  pedestal: [{ bytes: 32 }, "host", "8 × f32: ADU"],
});

/** Maps of the same eight pixels where they have switched to a lower gain. */
export const JUNGFRAU_SWITCHED = defineLayout("JUNGFRAU_SWITCHED", {
  scale_g1: [{ bytes: 32 }, "host", "8 × f32, gain code 1"],
  pedestal_g1: [{ bytes: 32 }, "host", "8 × f32"],
  scale_g2: [{ bytes: 32 }, "host", "8 × f32, gain code 3"],
  pedestal_g2: [{ bytes: 32 }, "host", "8 × f32"],
});

/** What a correction kernel counts, and where it keeps what it has to come back to. */
export const CORRECTION = defineLayout("CORRECTION", {
  saturated: ["u64", "kernel", "pixels at the raw value of saturation; the kernel adds to it"],
  invalid_gain: ["u64", "kernel", "pixels with the gain code that does not exist; likewise"],
  specials: [{ bytes: 0 }, "kernel", "(columns + 4) × u32: places in a row"],
});
