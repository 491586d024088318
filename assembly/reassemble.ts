/**
 * Packets → frames of one module.
 *
 * The kernel of the operating system has already written every payload to the place where the packet
 * *predicted* to come next belongs (armReceive prepared the vector), and every header to the batch's
 * header array. receiveBatch checks the headers, one by one:
 *
 *   good, and where predicted   → nothing to move, one bit in the frame's bitmap
 *   good, elsewhere             → moved to its place, by way of the stage
 *   anything else               → counted; what it left behind is outside the bitmap, so it is zeroed
 *                                 when the frame closes
 *
 * A frame closes when all its packets are there, when a frame `window` numbers newer begins, or when
 * it is too old (expireFrames); frames close in order of their number. Closed frames stay in the
 * table until their entry is needed again, so that a packet that comes too late is told from a
 * duplicate.
 *
 * Numbers that do not follow are not believed at once: a packet far ahead, or one of a closed frame,
 * is held. `hold_limit` of them in a row in ascending order prove that the detector's counter
 * restarted: all frames close, an epoch begins, and the held packets are its first. Any good packet
 * before that proves the contrary, and the held ones are counted as what they are. After a silence
 * of `idle_ns` the first packet is believed at once.
 *
 * Who sends is not believed at once either, at the start and when after a silence another module's
 * packets come: `identity_limit` packets of one sender, of frames close together, prove it. While they
 * gather, each packet of somebody else takes a vote from them; without votes left they are dismissed,
 * and the other one becomes the candidate. GigaFRoST's packets name the stream that is expected here.
 *
 * A frame's image is what its first packet says. A packet of an open frame that names another image
 * (by another bunch id) contradicts itself, and is malformed.
 *
 * GigaFRoST's packets differ: another header, whole rows, and the last one of a frame is shorter. The
 * kernel of the operating system must not write past the predicted place, so each place has a spill
 * for what a longer packet than the predicted one brings, or for padding, which is dropped:
 *
 *   [header][pixels: as many as the predicted packet has][spill: the rest]
 *
 * Both kinds of headers are handled by the same code, compiled twice (`gf`): the choice is made once
 * per batch.
 *
 * Layouts: RECEIVER, FRAME_ENTRY in lib/kernels/layout.ts; headers: lib/protocol/sls_header.ts and
 * lib/protocol/gigafrost_header.ts.
 */
import * as L from "./layout";

const FREE: u32 = L.FRAME_FREE;
const ANNOUNCED: u32 = L.FRAME_ANNOUNCED;
const OPEN: u32 = L.FRAME_OPEN;
const CLOSED: u32 = L.FRAME_CLOSED;

const MESSAGE_BYTES: usize = L.MMSGHDR_BYTES;
const MESSAGE_IOV: usize = L.MMSGHDR_IOV;
const MESSAGE_IOV_COUNT: usize = L.MMSGHDR_IOV_COUNT;
const MESSAGE_CONTROL: usize = L.MMSGHDR_CONTROL;
const MESSAGE_CONTROL_LENGTH: usize = L.MMSGHDR_CONTROL_LENGTH;
const MESSAGE_FLAGS: usize = L.MMSGHDR_FLAGS;
const MESSAGE_LENGTH: usize = L.MMSGHDR_LENGTH;
const IOVEC_BYTES: usize = L.IOVEC_BYTES;
const IOVEC_LENGTH: usize = L.IOVEC_LENGTH;
const CONTROL_BYTES: usize = L.GRO_CONTROL_BYTES;
const CONTROL_SEGMENT: usize = L.GRO_CONTROL_SEGMENT;
const CONTROL_USED: u64 = L.GRO_CONTROL_SEGMENT + 4; // with the size of the datagrams
const EXPECTED_BYTES: usize = L.PREDICTION_BYTES;
const EXPECTED_PACKET: usize = L.PREDICTION_PACKET;
const NOTHING_EXPECTED: u64 = 0xffffffffffffffff;

const HEADER_FRAME: usize = L.SLS_HEADER_FRAME_NUMBER;
const HEADER_PACKET: usize = L.SLS_HEADER_PACKET_NUMBER;
const HEADER_BUNCH_ID: usize = L.SLS_HEADER_DET_SPEC1;
const HEADER_IDENTITY: usize = L.SLS_HEADER_MOD_ID; // row and column follow
const HEADER_TYPE: usize = L.SLS_HEADER_DET_TYPE; // version follows

const GF_TYPE: usize = L.GIGAFROST_HEADER_PROTOCOL_ID; // the length of a row follows
const GF_STATUS: usize = L.GIGAFROST_HEADER_STATUS;
const GF_FRAME: usize = L.GIGAFROST_HEADER_FRAME_INDEX;
const GF_ROW: usize = L.GIGAFROST_HEADER_STARTING_ROW;

/** Packet number of a row that no packet begins with. */
const NO_PACKET: u32 = 0xffffffff;

const IMAGE_ID_FRAME: u32 = L.IMAGE_ID_FRAME_NUMBER;
const IMAGE_ID_BUNCH: u32 = L.IMAGE_ID_BUNCH_ID;

/** Frame numbers end here, so that calculations with them never overflow. */
const LARGEST_FRAME: u64 = 1 << 62;

/** A gap of more frames than this is a restart, not a loss of that many. */
const LARGEST_GAP: u64 = 1000000;

// What a packet turned out to be when it was not accepted.
const DUPLICATE: u32 = 0;
const LATE: u32 = 1;
const FOREIGN: u32 = 2;

// @ts-ignore: decorator of AssemblyScript
@inline
function u32At(state: usize, field: usize): u32 {
  return load<u32>(state + field);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function count(state: usize, counter: usize, n: u64): void {
  const at = <usize>u32At(state, L.RECEIVER_COUNTERS_AT) + counter;
  store<u64>(at, load<u64>(at) + n);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function entryOf(state: usize, frame: u64): usize {
  const index = <u32>frame & u32At(state, L.RECEIVER_TABLE_MASK);
  return <usize>u32At(state, L.RECEIVER_TABLE_AT) + <usize>index * u32At(state, L.RECEIVER_ENTRY_BYTES);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function hasPacket(entry: usize, packet: u32): bool {
  return (load<u64>(entry + L.FRAME_ENTRY_BITMAP + ((packet >> 6) << 3)) & (<u64>1 << (packet & 63))) != 0;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function isGigafrost(state: usize): bool {
  return u32At(state, L.RECEIVER_HEADER_KIND) == L.HEADER_KIND_GIGAFROST;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function frameOf(header: usize, gf: bool): u64 {
  return gf ? <u64>load<u32>(header + GF_FRAME) : load<u64>(header + HEADER_FRAME);
}

/** A header's packet number; GigaFRoST numbers its packets by their first row. */
// @ts-ignore: decorator of AssemblyScript
@inline
function packetOf(state: usize, header: usize, gf: bool): u32 {
  if (!gf) return load<u32>(header + HEADER_PACKET);
  const row = <u32>load<u16>(header + GF_ROW);
  const rows = u32At(state, L.RECEIVER_ROWS_PER_PACKET);
  const packet = row / rows;
  return packet * rows == row ? packet : NO_PACKET;
}

/** Type and version of a header: they lie side by side, one comparison for both. */
// @ts-ignore: decorator of AssemblyScript
@inline
function kindIn(header: usize, gf: bool): u32 {
  return <u32>load<u16>(header + (gf ? GF_TYPE : HEADER_TYPE));
}

/** Whether a header is from where this receiver's packets come; other detectors' say it by identityOf. */
// @ts-ignore: decorator of AssemblyScript
@inline
function isOfStream(state: usize, header: usize, gf: bool): bool {
  return !gf || <u32>load<u8>(header + GF_STATUS) >> L.GIGAFROST_STREAM_SHIFT == u32At(state, L.RECEIVER_STREAM);
}

/** Who sent a packet, as the first one says it; GigaFRoST is known beforehand, see isOfStream. */
// @ts-ignore: decorator of AssemblyScript
@inline
function identityOf(state: usize, header: usize): u64 {
  return isGigafrost(state) ? 0 : load<u64>(header + HEADER_IDENTITY) & 0xffffffffffff;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function imageIdOf(state: usize, header: usize): u64 {
  const field = u32At(state, L.RECEIVER_IMAGE_ID_FIELD);
  if (field == IMAGE_ID_FRAME) return frameOf(header, isGigafrost(state));
  const bunch = <u64>load<f64>(header + HEADER_BUNCH_ID); // saturating: NaN is 0
  return bunch == 0 && field != IMAGE_ID_BUNCH ? load<u64>(header + HEADER_FRAME) : bunch;
}

/** Whether a packet names the image that its frame's first packet named; only bunch ids can differ. */
// @ts-ignore: decorator of AssemblyScript
@inline
function isOfImage(state: usize, entry: usize, header: usize, gf: bool): bool {
  return gf || u32At(state, L.RECEIVER_IMAGE_ID_FIELD) == IMAGE_ID_FRAME ||
    imageIdOf(state, header) == load<u64>(entry + L.FRAME_ENTRY_IMAGE_ID);
}

/** Pixel bytes of a packet. */
// @ts-ignore: decorator of AssemblyScript
@inline
function pixelBytesOf(state: usize, packet: u32): usize {
  return packet + 1 == u32At(state, L.RECEIVER_PACKETS_PER_FRAME)
    ? u32At(state, L.RECEIVER_LAST_PAYLOAD_BYTES)
    : u32At(state, L.RECEIVER_PAYLOAD_BYTES);
}

/** Forgets everything but the settings and the counters. */
export function resetReceiver(state: usize): void {
  const entries = <usize>u32At(state, L.RECEIVER_TABLE_MASK) + 1;
  memory.fill(u32At(state, L.RECEIVER_TABLE_AT), 0, entries * u32At(state, L.RECEIVER_ENTRY_BYTES));
  store<u32>(state + L.RECEIVER_EPOCH, 0);
  store<u32>(state + L.RECEIVER_DONE_COUNT, 0);
  store<u32>(state + L.RECEIVER_HOLD_COUNT, 0);
  store<u32>(state + L.RECEIVER_IDENTITY_KNOWN, isGigafrost(state) ? 1 : 0);
  store<u64>(state + L.RECEIVER_IDENTITY, 0);
  store<u64>(state + L.RECEIVER_NEXT_FRAME, 0);
  store<u32>(state + L.RECEIVER_NEXT_PACKET, 0);
  store<u64>(state + L.RECEIVER_IMAGE_STEP, 1);
  store<u32>(state + L.RECEIVER_COALESCED, 0);
  const messages = u32At(state, L.RECEIVER_MESSAGES);
  const segments = u32At(state, L.RECEIVER_SEGMENTS);
  const host = load<u64>(state + L.RECEIVER_HOST_BASE);
  const headers = <usize>u32At(state, L.RECEIVER_HEADERS_AT);
  const iovecs = <usize>u32At(state, L.RECEIVER_IOVECS_AT);
  const controls = <usize>u32At(state, L.RECEIVER_CONTROLS_AT);
  const parts = u32At(state, L.RECEIVER_PARTS);
  for (let m: u32 = 0; m < messages; m++) {
    const message = <usize>u32At(state, L.RECEIVER_MESSAGES_AT) + <usize>m * MESSAGE_BYTES;
    memory.fill(message, 0, MESSAGE_BYTES);
    store<u64>(message + MESSAGE_IOV, host + <u64>iovecs + <u64>m * segments * parts * IOVEC_BYTES);
    store<u64>(message + MESSAGE_IOV_COUNT, parts * segments);
    if (controls != 0) store<u64>(message + MESSAGE_CONTROL, host + <u64>controls + <u64>m * CONTROL_BYTES);
  }
  for (let i: u32 = 0; i < messages * segments; i++) {
    const iovec = iovecs + <usize>i * parts * IOVEC_BYTES;
    store<u64>(iovec, host + <u64>headers + <u64>i * L.HEADER_BYTES);
    store<u64>(iovec + IOVEC_LENGTH, u32At(state, L.RECEIVER_HEADER_BYTES));
    if (parts == 3) store<u64>(iovec + 2 * IOVEC_BYTES, host + <u64>spillOf(state, i));
    makeRoom(state, iovec + IOVEC_BYTES, u32At(state, L.RECEIVER_PAYLOAD_BYTES));
  }
}

/** Sets how much lands at a place, whose payload iovec this is; the rest of a packet is spilled. */
// @ts-ignore: decorator of AssemblyScript
@inline
function makeRoom(state: usize, iovec: usize, bytes: u32): void {
  store<u64>(iovec + IOVEC_LENGTH, bytes);
  if (u32At(state, L.RECEIVER_PARTS) != 3) return;
  const longest = max(u32At(state, L.RECEIVER_PACKET_BYTES), u32At(state, L.RECEIVER_LAST_PACKET_BYTES));
  store<u64>(iovec + IOVEC_BYTES + IOVEC_LENGTH, longest - u32At(state, L.RECEIVER_HEADER_BYTES) - bytes);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function spillOf(state: usize, i: u32): usize {
  return <usize>u32At(state, L.RECEIVER_SPILL_AT) + <usize>i * u32At(state, L.RECEIVER_SPILL_BYTES);
}

/** Marks a slot as being written; readers of what it held will notice. */
function lockSlot(state: usize, slot: u32): void {
  const at = <usize>u32At(state, L.RECEIVER_LOCKS_AT) + (<usize>slot << 3);
  // A read-modify-write is a full barrier: no pixel can be written before the lock is seen odd.
  if ((atomic.load<u64>(at) & 1) == 0) atomic.add<u64>(at, 1);
}

/** Ends a closed frame's hold of its slot: what is written there from now on locks it again. */
function unlockSlot(state: usize, entry: usize): void {
  const at = <usize>u32At(state, L.RECEIVER_LOCKS_AT) + (<usize>load<u32>(entry + L.FRAME_ENTRY_SLOT) << 3);
  store<u64>(entry + L.FRAME_ENTRY_SLOT_LOCK, atomic.add<u64>(at, 1) + 1);
}

/** The open frame that uses a slot, or 0. Two image ids may share one (id mod slots). */
function openFrameInSlot(state: usize, slot: u32): usize {
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  for (let frame = load<u64>(state + L.RECEIVER_OLDEST); frame <= newest; frame++) {
    const entry = entryOf(state, frame);
    if (
      load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame &&
      load<u32>(entry + L.FRAME_ENTRY_STATE) == OPEN &&
      load<u32>(entry + L.FRAME_ENTRY_SLOT) == slot
    ) return entry;
  }
  return 0;
}

/**
 * Prepares the vector for the packets predicted next; returns how many messages it can take.
 *
 * Each message has room for `segments` packets. Where the last messages brought one packet each, the
 * first place of every message is the predicted one, and the others lead to the stage; where they
 * brought several, the places are predicted one after the other.
 */
export function armReceive(state: usize): u32 {
  const messages = u32At(state, L.RECEIVER_MESSAGES);
  const segments = u32At(state, L.RECEIVER_SEGMENTS);
  const controls = <usize>u32At(state, L.RECEIVER_CONTROLS_AT);
  if (controls != 0) {
    for (let m: u32 = 0; m < messages; m++) {
      const message = <usize>u32At(state, L.RECEIVER_MESSAGES_AT) + <usize>m * MESSAGE_BYTES;
      store<u64>(message + MESSAGE_CONTROL_LENGTH, CONTROL_BYTES);
    }
  }
  // Before the first packet nothing can be predicted, and a ring taken over still has readers.
  if (u32At(state, L.RECEIVER_EPOCH) == 0) return armStage(state);
  if (segments > 1) armStage(state);
  const step: u32 = u32At(state, L.RECEIVER_COALESCED) != 0 ? 1 : segments;
  const armed = armPlaces(state, messages * segments / step, step);
  // A frame whose slot is not free yet ends the prediction: what follows lands in the stage.
  if (armed == 0) return armStage(state);
  return step == segments ? armed : max(armed / segments, 1);
}

/** Points every `step`-th place at its predicted packet, `count` of them; returns how many it could. */
function armPlaces(state: usize, count: u32, step: u32): u32 {
  const perFrame = u32At(state, L.RECEIVER_PACKETS_PER_FRAME);
  const payload = <u64>u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  const slots = <u64>u32At(state, L.RECEIVER_SLOTS);
  const frames = load<u64>(state + L.RECEIVER_HOST_BASE) + <u64>u32At(state, L.RECEIVER_FRAMES_AT);
  const slotBytes = <u64>u32At(state, L.RECEIVER_SLOT_BYTES);
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  const spilling = u32At(state, L.RECEIVER_PARTS) == 3;
  const iovecStep = <usize>step * u32At(state, L.RECEIVER_PARTS) * IOVEC_BYTES;
  const expectedStep = <usize>step * EXPECTED_BYTES;
  let frame = load<u64>(state + L.RECEIVER_NEXT_FRAME);
  let packet = u32At(state, L.RECEIVER_NEXT_PACKET);
  let iovec = <usize>u32At(state, L.RECEIVER_IOVECS_AT) + IOVEC_BYTES;
  let expected = <usize>u32At(state, L.RECEIVER_EXPECTED_AT);
  // What is closed is in its readers' hands: the rest of it is not waited for.
  const oldest = load<u64>(state + L.RECEIVER_OLDEST);
  if (frame < oldest) {
    frame = oldest;
    packet = 0;
  }
  let armed: u32 = 0;
  let first: u32 = <u32>-1; // slot of the first frame that is not open yet
  // Readers lose what is in the slots that are armed: where frames have few packets, not the whole ring.
  let room = max(<u32>slots / 4, 1);
  while (armed < count) {
    const entry = entryOf(state, frame);
    let target: u64;
    if (load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame && load<u32>(entry + L.FRAME_ENTRY_STATE) == OPEN) {
      target = frames + <u64>load<u32>(entry + L.FRAME_ENTRY_SLOT) * slotBytes;
    } else {
      const imageId = load<u64>(state + L.RECEIVER_NEWEST_IMAGE_ID) +
        (frame - newest) * load<u64>(state + L.RECEIVER_IMAGE_STEP);
      const slot = <u32>(imageId % slots);
      if (slot == first) break; // frames come in even steps: the first slot is the first to repeat
      if (first == <u32>-1) first = slot;
      if (openFrameInSlot(state, slot) != 0) break; // that frame has to close first
      if (room-- == 0) break;
      lockSlot(state, slot);
      target = frames + <u64>slot * slotBytes;
    }
    const end = <u32>min(<u64>perFrame, <u64>packet + (count - armed));
    armed += end - packet;
    target += <u64>packet * payload;
    let next = i64x2.replace_lane(i64x2.splat(frame), 1, packet);
    for (; packet < end; packet++) {
      store<u64>(iovec, target);
      if (spilling) makeRoom(state, iovec, <u32>pixelBytesOf(state, packet));
      v128.store(expected, next);
      next = i64x2.add(next, i64x2(0, 1));
      target += payload;
      iovec += iovecStep;
      expected += expectedStep;
    }
    if (packet == perFrame) {
      packet = 0;
      frame++;
    }
  }
  return armed;
}

/** Points all places at the second half of the stage: what lands there is moved; returns the messages. */
function armStage(state: usize): u32 {
  const messages = u32At(state, L.RECEIVER_MESSAGES);
  const places = messages * u32At(state, L.RECEIVER_SEGMENTS);
  const payload = u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  const base = load<u64>(state + L.RECEIVER_HOST_BASE) + <u64>u32At(state, L.RECEIVER_STAGE_AT) + <u64>places * payload;
  const step = <usize>u32At(state, L.RECEIVER_PARTS) * IOVEC_BYTES;
  let iovec = <usize>u32At(state, L.RECEIVER_IOVECS_AT) + IOVEC_BYTES;
  const expected = <usize>u32At(state, L.RECEIVER_EXPECTED_AT);
  for (let i: u32 = 0; i < places; i++) {
    store<u64>(iovec, base + <u64>i * payload);
    makeRoom(state, iovec, payload);
    iovec += step;
    store<u64>(expected + <usize>i * EXPECTED_BYTES, NOTHING_EXPECTED, EXPECTED_PACKET);
  }
  return messages;
}

/** Size of the datagrams in a message, bytes: all but the last are as long. */
// @ts-ignore: decorator of AssemblyScript
@inline
function segmentBytes(state: usize, m: u32): u32 {
  const message = <usize>u32At(state, L.RECEIVER_MESSAGES_AT) + <usize>m * MESSAGE_BYTES;
  const controls = <usize>u32At(state, L.RECEIVER_CONTROLS_AT);
  if (controls == 0 || load<u64>(message + MESSAGE_CONTROL_LENGTH) < CONTROL_USED) {
    return load<u32>(message + MESSAGE_LENGTH);
  }
  return load<u32>(controls + <usize>m * CONTROL_BYTES + CONTROL_SEGMENT);
}

/** Handles `n` received messages; returns how many frames wait in the queue of closed ones. */
export function receiveBatch(state: usize, n: u32, now: u64): u32 {
  return isGigafrost(state) ? handleBatch(state, n, now, true) : handleBatch(state, n, now, false);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function handleBatch(state: usize, n: u32, now: u64, gf: bool): u32 {
  const messages = <usize>u32At(state, L.RECEIVER_MESSAGES_AT);
  const segments = u32At(state, L.RECEIVER_SEGMENTS);
  const length = u32At(state, L.RECEIVER_PACKET_BYTES);
  const kind = <u32>(u32At(state, L.RECEIVER_VERSION) << 8 | u32At(state, L.RECEIVER_DETECTOR_TYPE));
  let staged = n * segments; // places from this one on have been copied to the stage
  let packets: u32 = 0;
  for (let m: u32 = 0; m < n; m++) {
    if (!gf && segments == 1 && staged == n) {
      const run = acceptRun(state, m, n, kind, now);
      packets += run;
      m += run;
      if (m == n) break;
    }
    const message = messages + <usize>m * MESSAGE_BYTES;
    const received = load<u32>(message + MESSAGE_LENGTH);
    const truncated = (load<u32>(message + MESSAGE_FLAGS) & L.MSG_TRUNC) != 0;
    const segment = segmentBytes(state, m);
    if (gf && segments == 1 && !truncated) {
      staged = handlePacket(state, m, received, kind, now, staged, n, gf); // of any length
      packets++;
    } else if (segment == length && !truncated && received <= segments * length) {
      let left = received;
      for (let i = m * segments; left > 0; i++) {
        staged = handlePacket(state, i, min(left, length), kind, now, staged, n, gf);
        left -= min(left, length);
        packets++;
      }
    } else {
      // Not our datagrams, whatever they look like where they landed.
      const datagrams = segment == 0 ? 1 : (received + segment - 1) / segment;
      if (datagrams <= 1) reject(state, headerAt(state, m * segments), received, kind);
      else count(state, L.COUNT_MALFORMED, datagrams);
      packets += max(datagrams, 1);
    }
  }
  if (segments > 1) store<u32>(state + L.RECEIVER_COALESCED, packets >= 2 * n ? 1 : 0);
  return u32At(state, L.RECEIVER_DONE_COUNT);
}

/**
 * Accepts the packets from message `m` on as long as nothing surprises: one after the other of one open
 * frame, each where it was predicted, and none its last. Returns how many; the next one may be anything.
 *
 * Nearly all packets come like this, so what is the same for all of them is looked at once.
 */
function acceptRun(state: usize, m: u32, n: u32, kind: u32, now: u64): u32 {
  let header = headerAt(state, m);
  let expected = <usize>u32At(state, L.RECEIVER_EXPECTED_AT) + <usize>m * EXPECTED_BYTES;
  const frame = load<u64>(expected);
  const entry = entryOf(state, frame);
  if (
    load<u64>(entry + L.FRAME_ENTRY_FRAME) != frame || load<u32>(entry + L.FRAME_ENTRY_STATE) != OPEN ||
    u32At(state, L.RECEIVER_IDENTITY_KNOWN) == 0 || u32At(state, L.RECEIVER_HOLD_COUNT) != 0 ||
    u32At(state, L.RECEIVER_PARTS) != 2 || silent(state, now)
  ) return 0;
  const length = u32At(state, L.RECEIVER_PACKET_BYTES);
  const payload = u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  const last = u32At(state, L.RECEIVER_PACKETS_PER_FRAME) - 1;
  const place = load<u64>(state + L.RECEIVER_HOST_BASE) + <u64>placeOf(state, entry, 0);
  const identity = load<u64>(state + L.RECEIVER_IDENTITY) << 16; // 48 bits
  // Another bunch id may well be the same image's; but most are the first packet's, bit by bit.
  const checked: u64 = u32At(state, L.RECEIVER_IMAGE_ID_FIELD) == IMAGE_ID_FRAME ? 0 : -1;
  const bunch = load<u64>(entry + L.FRAME_ENTRY_HEADER + HEADER_BUNCH_ID) & checked;
  const before = load<u32>(entry + L.FRAME_ENTRY_RECEIVED);
  const most = min(n - m, last - before);
  let message = <usize>u32At(state, L.RECEIVER_MESSAGES_AT) + <usize>m * MESSAGE_BYTES;
  let iovec = payloadIovec(state, m);
  let packet: u32 = 0, accepted: u32 = 0;
  while (accepted < most) {
    const next = load<u32>(header + HEADER_PACKET);
    if (
      load<u32>(message + MESSAGE_LENGTH) != length || (load<u32>(message + MESSAGE_FLAGS) & L.MSG_TRUNC) != 0 ||
      load<u64>(header + HEADER_FRAME) != frame || load<u64>(expected) != frame ||
      load<u64>(expected, EXPECTED_PACKET) != <u64>next || next >= last ||
      load<u64>(header + HEADER_IDENTITY) << 16 != identity || <u32>load<u16>(header + HEADER_TYPE) != kind ||
      (load<u64>(header + HEADER_BUNCH_ID) & checked) != bunch || load<u64>(iovec) != place + <u64>next * payload
    ) break;
    const word = entry + L.FRAME_ENTRY_BITMAP + ((next >> 6) << 3);
    const bits = load<u64>(word), bit = <u64>1 << (next & 63);
    if ((bits & bit) != 0) break;
    store<u64>(word, bits | bit);
    packet = next;
    accepted++;
    header += L.HEADER_BYTES;
    expected += EXPECTED_BYTES;
    message += MESSAGE_BYTES;
    iovec += 2 * IOVEC_BYTES;
  }
  if (accepted == 0) return 0;
  store<u32>(entry + L.FRAME_ENTRY_RECEIVED, before + accepted);
  store<u64>(entry + L.FRAME_ENTRY_LAST_NS, now);
  store<u64>(state + L.RECEIVER_LAST_ACCEPT_NS, now);
  count(state, L.COUNT_ACCEPTED, accepted);
  expectAfter(state, frame, packet, last);
  return accepted;
}

/** Predicts what comes after an accepted packet, unless more than that came before. */
// @ts-ignore: decorator of AssemblyScript
@inline
function expectAfter(state: usize, frame: u64, packet: u32, last: u32): void {
  const nextFrame = load<u64>(state + L.RECEIVER_NEXT_FRAME);
  if (frame > nextFrame || (frame == nextFrame && packet >= u32At(state, L.RECEIVER_NEXT_PACKET))) {
    store<u64>(state + L.RECEIVER_NEXT_FRAME, packet == last ? frame + 1 : frame);
    store<u32>(state + L.RECEIVER_NEXT_PACKET, packet == last ? 0 : packet + 1);
  }
}

// @ts-ignore: decorator of AssemblyScript
@inline
function headerAt(state: usize, i: u32): usize {
  return <usize>u32At(state, L.RECEIVER_HEADERS_AT) + <usize>i * L.HEADER_BYTES;
}

/** Handles the packet at place `i`; returns the first staged place, which a surprise makes this one. */
// @ts-ignore: decorator of AssemblyScript
@inline
function handlePacket(
  state: usize,
  i: u32,
  received: u32,
  kind: u32,
  now: u64,
  stagedBefore: u32,
  n: u32,
  gf: bool,
): u32 {
  let staged = stagedBefore;
  const perFrame = u32At(state, L.RECEIVER_PACKETS_PER_FRAME);
  const payload = u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  const header = headerAt(state, i);
  const packet = packetOf(state, header, gf);
  const frame = frameOf(header, gf);
  const length = gf && packet + 1 == perFrame
    ? u32At(state, L.RECEIVER_LAST_PACKET_BYTES)
    : u32At(state, L.RECEIVER_PACKET_BYTES);
  if (
    received != length || kindIn(header, gf) != kind || packet >= perFrame || frame > LARGEST_FRAME ||
    !isOfStream(state, header, gf)
  ) {
    reject(state, header, received, kind);
    return staged;
  }
  const expected = <usize>u32At(state, L.RECEIVER_EXPECTED_AT) + <usize>i * EXPECTED_BYTES;
  const predicted = frame == load<u64>(expected) && <u64>packet == load<u64>(expected, EXPECTED_PACKET);
  // From the first surprise on, everything may be overwritten by moves and by zeroing; a silence may
  // end an epoch, and its frames, even with the packet that was predicted.
  if (i < staged && (!predicted || silent(state, now))) staged = stage(state, i, n);
  const entry = admit(state, header, frame, now);
  let from = i >= staged ? stageOf(state, i, payload) : landedAt(state, i);
  if (entry == 0) {
    if (hold(state, header, packet, from, now)) restart(state, now);
    return staged;
  }
  if (!isOfImage(state, entry, header, gf)) {
    countMalformed(state, header, received);
    return staged;
  }
  if (u32At(state, L.RECEIVER_HOLD_COUNT) != 0) dropHeld(state);
  if (!accept(state, entry, frame, packet, now)) return staged;
  const to = placeOf(state, entry, packet);
  if (to != from) {
    if (i < staged) {
      staged = stage(state, i, n);
      from = stageOf(state, i, payload);
    }
    memory.copy(to, from, gf ? pixelBytesOf(state, packet) : payload);
    count(state, L.COUNT_MOVED, 1);
  }
  if (load<u32>(entry + L.FRAME_ENTRY_RECEIVED) == perFrame) closeComplete(state);
  return staged;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function payloadIovec(state: usize, i: u32): usize {
  return <usize>u32At(state, L.RECEIVER_IOVECS_AT) + <usize>i * u32At(state, L.RECEIVER_PARTS) * IOVEC_BYTES + IOVEC_BYTES;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function landedAt(state: usize, i: u32): usize {
  return <usize>(load<u64>(payloadIovec(state, i)) - load<u64>(state + L.RECEIVER_HOST_BASE));
}

// @ts-ignore: decorator of AssemblyScript
@inline
function placeOf(state: usize, entry: usize, packet: u32): usize {
  return <usize>u32At(state, L.RECEIVER_FRAMES_AT) +
    <usize>load<u32>(entry + L.FRAME_ENTRY_SLOT) * u32At(state, L.RECEIVER_SLOT_BYTES) +
    <usize>packet * u32At(state, L.RECEIVER_PAYLOAD_BYTES);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function stageOf(state: usize, i: u32, payload: u32): usize {
  return <usize>u32At(state, L.RECEIVER_STAGE_AT) + <usize>i * payload;
}

/** Copies the payloads from place `first` on to the stage, before moves overwrite them. */
function stage(state: usize, first: u32, n: u32): u32 {
  const payload = u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  const segments = u32At(state, L.RECEIVER_SEGMENTS);
  const length = u32At(state, L.RECEIVER_PACKET_BYTES);
  for (let i = first; i < n * segments; i++) {
    const m = i / segments;
    const message = <usize>u32At(state, L.RECEIVER_MESSAGES_AT) + <usize>m * MESSAGE_BYTES;
    if ((i - m * segments) * length >= load<u32>(message + MESSAGE_LENGTH)) continue; // nothing landed here
    const to = stageOf(state, i, payload);
    const room = <u32>load<u64>(payloadIovec(state, i) + 8);
    memory.copy(to, landedAt(state, i), room);
    if (room < payload) memory.copy(to + room, spillOf(state, i), payload - room);
  }
  return first;
}

/** Counts a packet that is no packet of this detector. */
function reject(state: usize, header: usize, received: u32, kind: u32): void {
  const gf = isGigafrost(state);
  const found = kindIn(header, gf);
  const whole = received == u32At(state, L.RECEIVER_PACKET_BYTES) ||
    received == u32At(state, L.RECEIVER_LAST_PACKET_BYTES);
  if (whole && found >> 8 == kind >> 8 && (found != kind || !isOfStream(state, header, gf))) {
    count(state, L.COUNT_FOREIGN, 1);
    return;
  }
  countMalformed(state, header, received);
}

/** Counts a packet that is wrong, and the gap that it leaves in its frame. */
function countMalformed(state: usize, header: usize, received: u32): void {
  count(state, L.COUNT_MALFORMED, 1);
  if (received < u32At(state, L.RECEIVER_HEADER_BYTES)) return;
  // If its header still names a frame that misses it, the frame will not call it lost.
  const gf = isGigafrost(state);
  const frame = frameOf(header, gf);
  const entry = entryOf(state, frame);
  if (load<u64>(entry + L.FRAME_ENTRY_FRAME) != frame || load<u32>(entry + L.FRAME_ENTRY_STATE) == FREE) {
    if (!isExpected(state, frame)) return;
    clearEntry(state, entry, frame);
    store<u32>(entry + L.FRAME_ENTRY_STATE, ANNOUNCED);
  }
  const packet = packetOf(state, header, gf);
  if (packet < u32At(state, L.RECEIVER_PACKETS_PER_FRAME) && hasPacket(entry, packet)) return;
  const damaged = load<u32>(entry + L.FRAME_ENTRY_DAMAGED) + 1;
  if (damaged + load<u32>(entry + L.FRAME_ENTRY_RECEIVED) > u32At(state, L.RECEIVER_PACKETS_PER_FRAME)) return;
  store<u32>(entry + L.FRAME_ENTRY_DAMAGED, damaged);
  if (load<u32>(entry + L.FRAME_ENTRY_STATE) == CLOSED) count(state, L.COUNT_DAMAGED, 1);
}

/** Whether a frame may begin soon, by what has been accepted, or is held for the first time. */
function isExpected(state: usize, frame: u64): bool {
  if (u32At(state, L.RECEIVER_EPOCH) == 0) return u32At(state, L.RECEIVER_HOLD_COUNT) != 0 && isNearHeld(state, frame);
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  return frame > newest && frame - newest <= <u64>u32At(state, L.RECEIVER_WINDOW);
}

function clearEntry(state: usize, entry: usize, frame: u64): void {
  memory.fill(entry, 0, u32At(state, L.RECEIVER_ENTRY_BYTES));
  store<u64>(entry + L.FRAME_ENTRY_FRAME, frame);
}

/** Whether no packet has been accepted for so long that any frame number is believed. */
// @ts-ignore: decorator of AssemblyScript
@inline
function silent(state: usize, now: u64): bool {
  return now - load<u64>(state + L.RECEIVER_LAST_ACCEPT_NS) > load<u64>(state + L.RECEIVER_IDLE_NS);
}

/** The open frame a good packet belongs to; 0 when its number or its module is not believed. */
function admit(state: usize, header: usize, frame: u64, now: u64): usize {
  if (!isKnown(state, identityOf(state, header))) return 0;
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  const window = <u64>u32At(state, L.RECEIVER_WINDOW);
  const begun = u32At(state, L.RECEIVER_EPOCH) != 0;
  if (begun && frame >= load<u64>(state + L.RECEIVER_OLDEST) && (frame <= newest || frame - newest <= window)) {
    const entry = entryOf(state, frame);
    if (load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame && load<u32>(entry + L.FRAME_ENTRY_STATE) == OPEN) return entry;
    return openFrame(state, header, frame, now);
  }
  if (begun && !silent(state, now)) return 0;
  beginEpoch(state, header);
  return openFrame(state, header, frame, now);
}

/** Whether this is who sends here. */
// @ts-ignore: decorator of AssemblyScript
@inline
function isKnown(state: usize, identity: u64): bool {
  return u32At(state, L.RECEIVER_IDENTITY_KNOWN) != 0 && identity == load<u64>(state + L.RECEIVER_IDENTITY);
}

/** Closes all frames and starts to count from this packet's frame. */
function beginEpoch(state: usize, header: usize): void {
  const frame = frameOf(header, isGigafrost(state));
  if (u32At(state, L.RECEIVER_EPOCH) != 0) {
    closeBelow(state, load<u64>(state + L.RECEIVER_NEWEST) + 1);
    count(state, L.COUNT_RESTARTS, 1);
    const entries = <usize>u32At(state, L.RECEIVER_TABLE_MASK) + 1;
    const bytes = <usize>u32At(state, L.RECEIVER_ENTRY_BYTES);
    for (let i: usize = 0; i < entries; i++) {
      const entry = <usize>u32At(state, L.RECEIVER_TABLE_AT) + i * bytes;
      store<u32>(entry + L.FRAME_ENTRY_STATE, FREE);
    }
  }
  const imageId = imageIdOf(state, header);
  store<u32>(state + L.RECEIVER_EPOCH, u32At(state, L.RECEIVER_EPOCH) + 1);
  store<u64>(state + L.RECEIVER_NEWEST, frame);
  store<u64>(state + L.RECEIVER_OLDEST, frame);
  store<u64>(state + L.RECEIVER_NEWEST_IMAGE_ID, imageId);
  store<u64>(state + L.RECEIVER_IDENTITY, identityOf(state, header));
  store<u32>(state + L.RECEIVER_IDENTITY_KNOWN, 1);
  store<u64>(state + L.RECEIVER_NEXT_FRAME, frame);
  store<u32>(state + L.RECEIVER_NEXT_PACKET, 0);
}

/** Opens a frame, closing those that fall out of the window or stand in its slot. */
function openFrame(state: usize, header: usize, frame: u64, now: u64): usize {
  const window = <u64>u32At(state, L.RECEIVER_WINDOW);
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  const imageId = imageIdOf(state, header);
  const slot = <u32>(imageId % <u64>u32At(state, L.RECEIVER_SLOTS));
  if (frame > newest) {
    if (frame >= window) {
      closeBelow(state, frame - window + 1);
      closeComplete(state); // those that only waited for their turn
    }
    const step = imageId - load<u64>(state + L.RECEIVER_NEWEST_IMAGE_ID);
    if (frame == newest + 1) store<u64>(state + L.RECEIVER_IMAGE_STEP, step);
    store<u64>(state + L.RECEIVER_NEWEST, frame);
    store<u64>(state + L.RECEIVER_NEWEST_IMAGE_ID, imageId);
  }
  const standing = openFrameInSlot(state, slot);
  if (standing != 0) {
    const other = load<u64>(standing + L.FRAME_ENTRY_FRAME);
    if (other > frame) return 0; // a newer frame has taken the slot: this one is late
    closeBelow(state, other + 1);
    closeComplete(state);
  }
  lockSlot(state, slot);
  const entry = entryOf(state, frame);
  const announced = load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame &&
    load<u32>(entry + L.FRAME_ENTRY_STATE) == ANNOUNCED;
  const damaged = announced ? load<u32>(entry + L.FRAME_ENTRY_DAMAGED) : 0;
  clearEntry(state, entry, frame);
  store<u64>(entry + L.FRAME_ENTRY_IMAGE_ID, imageId);
  store<u64>(entry + L.FRAME_ENTRY_FIRST_NS, now);
  store<u32>(entry + L.FRAME_ENTRY_SLOT, slot);
  store<u32>(entry + L.FRAME_ENTRY_STATE, OPEN);
  store<u32>(entry + L.FRAME_ENTRY_DAMAGED, damaged);
  store<u32>(entry + L.FRAME_ENTRY_EPOCH, u32At(state, L.RECEIVER_EPOCH));
  memory.copy(entry + L.FRAME_ENTRY_HEADER, header, L.HEADER_BYTES);
  return entry;
}

/** Marks the packet as there; false for a duplicate. */
function accept(state: usize, entry: usize, frame: u64, packet: u32, now: u64): bool {
  const word = entry + L.FRAME_ENTRY_BITMAP + ((packet >> 6) << 3);
  const bit = <u64>1 << (packet & 63);
  const bits = load<u64>(word);
  if ((bits & bit) != 0) {
    count(state, L.COUNT_DUPLICATE, 1);
    return false;
  }
  store<u64>(word, bits | bit);
  store<u32>(entry + L.FRAME_ENTRY_RECEIVED, load<u32>(entry + L.FRAME_ENTRY_RECEIVED) + 1);
  store<u64>(entry + L.FRAME_ENTRY_LAST_NS, now);
  store<u64>(state + L.RECEIVER_LAST_ACCEPT_NS, now);
  count(state, L.COUNT_ACCEPTED, 1);
  expectAfter(state, frame, packet, u32At(state, L.RECEIVER_PACKETS_PER_FRAME) - 1);
  return true;
}

/** Closes the frames whose turn it is, as long as they are complete. */
function closeComplete(state: usize): void {
  const perFrame = u32At(state, L.RECEIVER_PACKETS_PER_FRAME);
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  let frame = load<u64>(state + L.RECEIVER_OLDEST);
  while (frame <= newest) {
    const entry = entryOf(state, frame);
    if (
      load<u64>(entry + L.FRAME_ENTRY_FRAME) != frame || load<u32>(entry + L.FRAME_ENTRY_STATE) != OPEN ||
      load<u32>(entry + L.FRAME_ENTRY_RECEIVED) != perFrame
    ) break;
    closeEntry(state, entry);
    frame++;
    store<u64>(state + L.RECEIVER_OLDEST, frame);
  }
}

/** Closes all frames below `limit`, complete or not; numbers without a frame count as skipped. */
function closeBelow(state: usize, limit: u64): void {
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  let frame = load<u64>(state + L.RECEIVER_OLDEST);
  if (frame >= limit) return;
  while (frame < limit && frame <= newest) {
    const entry = entryOf(state, frame);
    if (load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame && load<u32>(entry + L.FRAME_ENTRY_STATE) == OPEN) {
      closeEntry(state, entry);
    } else {
      count(state, L.COUNT_FRAMES_SKIPPED, 1);
      if (load<u64>(entry + L.FRAME_ENTRY_FRAME) == frame && load<u32>(entry + L.FRAME_ENTRY_STATE) == ANNOUNCED) {
        count(state, L.COUNT_DAMAGED, load<u32>(entry + L.FRAME_ENTRY_DAMAGED));
      }
    }
    frame++;
  }
  if (frame < limit) {
    count(state, L.COUNT_FRAMES_SKIPPED, limit - frame);
    frame = limit;
  }
  store<u64>(state + L.RECEIVER_OLDEST, frame);
}

/** Zeroes what is missing, counts, and queues the frame for publication. */
function closeEntry(state: usize, entry: usize): void {
  const perFrame = u32At(state, L.RECEIVER_PACKETS_PER_FRAME);
  const missing = perFrame - load<u32>(entry + L.FRAME_ENTRY_RECEIVED);
  if (missing == 0) {
    store<u32>(entry + L.FRAME_ENTRY_DAMAGED, 0);
    count(state, L.COUNT_FRAMES_GOOD, 1);
  } else {
    for (let packet: u32 = 0; packet < perFrame; packet++) {
      if (!hasPacket(entry, packet)) memory.fill(placeOf(state, entry, packet), 0, pixelBytesOf(state, packet));
    }
    const damaged = min(load<u32>(entry + L.FRAME_ENTRY_DAMAGED), missing);
    store<u32>(entry + L.FRAME_ENTRY_DAMAGED, damaged);
    count(state, L.COUNT_DAMAGED, damaged);
    count(state, L.COUNT_FRAMES_INCOMPLETE, 1);
    count(state, L.COUNT_MISSING_PACKETS, missing);
  }
  store<u32>(entry + L.FRAME_ENTRY_STATE, CLOSED);
  // Now and not when it is published: before that, another frame may take the slot.
  unlockSlot(state, entry);
  // A copy: the entry may serve another frame before the host has read the queue.
  const queued = u32At(state, L.RECEIVER_DONE_COUNT);
  const done = <usize>u32At(state, L.RECEIVER_DONE_AT) + <usize>queued * L.FRAME_ENTRY_BITMAP;
  memory.copy(done, entry, L.FRAME_ENTRY_BITMAP);
  store<u32>(state + L.RECEIVER_DONE_COUNT, queued + 1);
}

/** Closes frames that wait too long, gives up held packets; returns the length of the queue. */
export function expireFrames(state: usize, now: u64, timeout: u64): u32 {
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  if (u32At(state, L.RECEIVER_EPOCH) != 0) {
    for (let frame = load<u64>(state + L.RECEIVER_OLDEST); frame <= newest; frame++) {
      const entry = entryOf(state, frame);
      if (load<u64>(entry + L.FRAME_ENTRY_FRAME) != frame || load<u32>(entry + L.FRAME_ENTRY_STATE) != OPEN) continue;
      if (now - load<u64>(entry + L.FRAME_ENTRY_FIRST_NS) < timeout) break;
      closeBelow(state, frame + 1);
    }
    closeComplete(state);
  }
  if (u32At(state, L.RECEIVER_HOLD_COUNT) != 0 && now - load<u64>(state + L.RECEIVER_HOLD_NS) >= timeout) dropHeld(state);
  return u32At(state, L.RECEIVER_DONE_COUNT);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function heldAt(state: usize, i: u32): usize {
  const bytes = L.HEADER_BYTES + <usize>u32At(state, L.RECEIVER_PAYLOAD_BYTES);
  return <usize>u32At(state, L.RECEIVER_HOLD_AT) + <usize>i * bytes;
}

/** Keeps a packet that may begin an epoch; true when there are enough of them to believe it. */
function hold(state: usize, header: usize, packet: u32, payloadAt: usize, now: u64): bool {
  const identity = identityOf(state, header);
  const known = isKnown(state, identity);
  if (!known && u32At(state, L.RECEIVER_EPOCH) != 0 && !silent(state, now)) {
    count(state, L.COUNT_FOREIGN, 1);
    return false;
  }
  let held = u32At(state, L.RECEIVER_HOLD_COUNT);
  let votes = held != 0 ? u32At(state, L.RECEIVER_HOLD_VOTES) : 0;
  if (held != 0 && !(known ? continues(state, header) : supports(state, header))) {
    if (!known && --votes != 0) {
      store<u32>(state + L.RECEIVER_HOLD_VOTES, votes);
      count(state, L.COUNT_FOREIGN, 1);
      return false;
    }
    dropHeld(state);
    held = votes = 0;
  }
  const at = heldAt(state, held);
  memory.copy(at, header, L.HEADER_BYTES);
  memory.copy(at + L.HEADER_BYTES, payloadAt, pixelBytesOf(state, packet));
  if (held == 0) store<u64>(state + L.RECEIVER_HOLD_NS, now);
  held++;
  store<u32>(state + L.RECEIVER_HOLD_COUNT, held);
  store<u32>(state + L.RECEIVER_HOLD_VOTES, votes + 1);
  return held == u32At(state, known ? L.RECEIVER_HOLD_LIMIT : L.RECEIVER_IDENTITY_LIMIT);
}

/** Whether a packet of the known sender goes on where the last held one ended. */
function continues(state: usize, header: usize): bool {
  const last = heldAt(state, u32At(state, L.RECEIVER_HOLD_COUNT) - 1);
  return identityOf(state, last) == identityOf(state, header) && follows(state, last, header);
}

/** Whether a packet is of the same sender as the held ones, and of a frame close to the first. */
function supports(state: usize, header: usize): bool {
  const first = heldAt(state, 0);
  return identityOf(state, first) == identityOf(state, header) && isNearHeld(state, frameOf(header, isGigafrost(state)));
}

/** Whether a frame is within the window around the first held packet's. */
function isNearHeld(state: usize, frame: u64): bool {
  const first = frameOf(heldAt(state, 0), isGigafrost(state));
  return max(frame, first) - min(frame, first) <= <u64>u32At(state, L.RECEIVER_WINDOW);
}

/** The held packet of the lowest frame: where an epoch begins. */
function earliestHeld(state: usize, held: u32): usize {
  const gf = isGigafrost(state);
  let earliest = heldAt(state, 0);
  for (let i: u32 = 1; i < held; i++) {
    const header = heldAt(state, i);
    if (frameOf(header, gf) < frameOf(earliest, gf)) earliest = header;
  }
  return earliest;
}

/** The held packets are believed: a gap in the frame numbers, a restart of the counter, or who sends. */
function restart(state: usize, now: u64): void {
  const gf = isGigafrost(state);
  const limit = u32At(state, L.RECEIVER_HOLD_COUNT);
  const frame = frameOf(heldAt(state, 0), gf);
  const newest = load<u64>(state + L.RECEIVER_NEWEST);
  store<u32>(state + L.RECEIVER_HOLD_COUNT, 0);
  if (isKnown(state, identityOf(state, heldAt(state, 0))) && frame > newest && frame - newest < LARGEST_GAP) {
    closeBelow(state, frame);
    store<u64>(state + L.RECEIVER_NEWEST, frame);
    store<u64>(state + L.RECEIVER_NEWEST_IMAGE_ID, imageIdOf(state, heldAt(state, 0)));
  } else {
    beginEpoch(state, earliestHeld(state, limit));
  }
  for (let i: u32 = 0; i < limit; i++) {
    const header = heldAt(state, i);
    const packet = packetOf(state, header, gf);
    const frame = frameOf(header, gf);
    const entry = admit(state, header, frame, now);
    if (entry == 0) {
      count(state, L.COUNT_LATE, 1);
      continue;
    }
    if (!isOfImage(state, entry, header, gf)) {
      countMalformed(state, header, u32At(state, L.RECEIVER_PACKET_BYTES));
      continue;
    }
    if (!accept(state, entry, frame, packet, now)) continue;
    memory.copy(placeOf(state, entry, packet), header + L.HEADER_BYTES, pixelBytesOf(state, packet));
    if (load<u32>(entry + L.FRAME_ENTRY_RECEIVED) == u32At(state, L.RECEIVER_PACKETS_PER_FRAME)) closeComplete(state);
  }
}

/** Whether a packet is the same frame's next or a later one, or of the frame after it. */
function follows(state: usize, before: usize, header: usize): bool {
  const gf = isGigafrost(state);
  const frame = frameOf(header, gf);
  const last = frameOf(before, gf);
  return frame == last
    ? packetOf(state, header, gf) > packetOf(state, before, gf)
    : frame == last + 1;
}

/** Counts the held packets as what they are, and forgets them. */
function dropHeld(state: usize): void {
  const held = u32At(state, L.RECEIVER_HOLD_COUNT);
  store<u32>(state + L.RECEIVER_HOLD_COUNT, 0);
  for (let i: u32 = 0; i < held; i++) {
    const kind = kindOf(state, heldAt(state, i));
    count(state, kind == DUPLICATE ? L.COUNT_DUPLICATE : kind == LATE ? L.COUNT_LATE : L.COUNT_FOREIGN, 1);
  }
}

/** What a packet of no open frame is. */
function kindOf(state: usize, header: usize): u32 {
  if (!isKnown(state, identityOf(state, header))) return FOREIGN;
  const gf = isGigafrost(state);
  const frame = frameOf(header, gf);
  if (frame >= load<u64>(state + L.RECEIVER_OLDEST)) return FOREIGN; // far ahead of everything
  const entry = entryOf(state, frame);
  const packet = packetOf(state, header, gf);
  if (load<u64>(entry + L.FRAME_ENTRY_FRAME) != frame || load<u32>(entry + L.FRAME_ENTRY_STATE) != CLOSED) return LATE;
  if (hasPacket(entry, packet)) return DUPLICATE;
  // From now on the frame knows it: a second one is a duplicate.
  const word = entry + L.FRAME_ENTRY_BITMAP + ((packet >> 6) << 3);
  store<u64>(word, load<u64>(word) | (<u64>1 << (packet & 63)));
  return LATE;
}
