/**
 * Frames → packets: the simulator's send vector.
 *
 * A message is one datagram, or with UDP segmentation offload `segments` of them; a datagram is two
 * iovecs: a header of its own and a payload that stays where the frame is.
 *
 *   messages: [iov, count] …     iovecs: [header 0][payload 0] [header 1][payload 1] …
 *
 * Layouts: SIMULATOR_MODULE, SIMULATOR_DATAGRAM in lib/kernels/layout.ts; headers:
 * lib/protocol/sls_header.ts and lib/protocol/gigafrost_header.ts.
 */
import * as L from "./layout";

const TRUNCATED: u32 = L.KIND_TRUNCATED;
const VERSION: u32 = L.KIND_VERSION;
const PACKET_NUMBER: u32 = L.KIND_PACKET_NUMBER;
const DETECTOR_TYPE: u32 = L.KIND_DETECTOR_TYPE;
const IDENTITY: u32 = L.KIND_IDENTITY;
const BUNCH_ID: u32 = L.KIND_BUNCH_ID;

const MESSAGE_BYTES: usize = L.MMSGHDR_BYTES;
const MESSAGE_IOV: usize = L.MMSGHDR_IOV;
const MESSAGE_IOV_COUNT: usize = L.MMSGHDR_IOV_COUNT;
const MESSAGE_CONTROL: usize = L.MMSGHDR_CONTROL;
const MESSAGE_CONTROL_BYTES: usize = L.MMSGHDR_CONTROL_LENGTH;
const IOVEC_BYTES: usize = L.IOVEC_BYTES;
const IOVEC_LENGTH: usize = L.IOVEC_LENGTH;

const HEADER_FRAME: usize = L.SLS_HEADER_FRAME_NUMBER;
const HEADER_PACKET: usize = L.SLS_HEADER_PACKET_NUMBER;
const HEADER_BUNCH_ID: usize = L.SLS_HEADER_DET_SPEC1;
const HEADER_TIMESTAMP: usize = L.SLS_HEADER_TIMESTAMP;
const HEADER_MODULE: usize = L.SLS_HEADER_MOD_ID;
const HEADER_DAQ_RECORD: usize = L.SLS_HEADER_DET_SPEC3;
const HEADER_TYPE: usize = L.SLS_HEADER_DET_TYPE;
const HEADER_VERSION: usize = L.SLS_HEADER_VERSION;

const GF_TYPE: usize = L.GIGAFROST_HEADER_PROTOCOL_ID;
const GF_VERSION: usize = L.GIGAFROST_HEADER_ROW_BLOCKS;
const GF_STATUS: usize = L.GIGAFROST_HEADER_STATUS; // the stream is in its highest bits
const GF_STREAM_BELOW: u32 = (<u32>1 << L.GIGAFROST_STREAM_SHIFT) - 1;
const GF_FRAME: usize = L.GIGAFROST_HEADER_FRAME_INDEX;
const GF_ROW: usize = L.GIGAFROST_HEADER_STARTING_ROW;
const GF_TIMING: usize = L.GIGAFROST_HEADER_IMAGE_TIMING; // the time is in its lowest bits
const GF_TIME_MASK: u64 = (<u64>1 << L.GIGAFROST_TIME_BITS) - 1;

// @ts-ignore: decorator of AssemblyScript
@inline
function u32At(state: usize, field: usize): u32 {
  return load<u32>(state + field);
}

/** Fills the vector with packets `first`…`first + n − 1` of a frame; returns its messages. */
export function packetiseFrame(state: usize, frame: u32, first: u32, n: u32): u32 {
  for (let i: u32 = 0; i < n; i++) writeDatagram(state, i, frame, first + i);
  return writeMessages(state, n);
}

/** Fills the vector with `n` datagrams of the schedule, from `first` on; returns its messages. */
export function packetiseSchedule(state: usize, first: u32, n: u32): u32 {
  let datagram = <usize>u32At(state, L.SIMULATOR_MODULE_SCHEDULE_AT) +
    <usize>first * L.SIMULATOR_DATAGRAM_BYTES;
  for (let i: u32 = 0; i < n; i++) {
    writeDatagram(
      state,
      i,
      load<u32>(datagram + L.SIMULATOR_DATAGRAM_FRAME),
      load<u32>(datagram + L.SIMULATOR_DATAGRAM_PACKET),
    );
    spoil(
      state,
      i,
      load<u32>(datagram + L.SIMULATOR_DATAGRAM_KIND),
      load<u32>(datagram + L.SIMULATOR_DATAGRAM_ARGUMENT),
    );
    datagram += L.SIMULATOR_DATAGRAM_BYTES;
  }
  return writeMessages(state, n);
}

// @ts-ignore: decorator of AssemblyScript
@inline
function headerOf(state: usize, i: u32): usize {
  return <usize>u32At(state, L.SIMULATOR_MODULE_HEADERS_AT) + <usize>i * L.HEADER_BYTES;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function iovecOf(state: usize, i: u32): usize {
  return <usize>u32At(state, L.SIMULATOR_MODULE_IOVECS_AT) + <usize>i * 2 * IOVEC_BYTES;
}

// @ts-ignore: decorator of AssemblyScript
@inline
function isGigafrost(state: usize): bool {
  return u32At(state, L.SIMULATOR_MODULE_HEADER_KIND) == L.HEADER_KIND_GIGAFROST;
}

/** Writes what differs from packet to packet into an SLS header. */
function writeSlsFields(state: usize, header: usize, frame: u32, packet: u32): void {
  const number = load<u64>(state + L.SIMULATOR_MODULE_FIRST_FRAME) + frame;
  store<u64>(header + HEADER_FRAME, number);
  store<u32>(header + HEADER_PACKET, packet);
  store<u64>(
    header + HEADER_TIMESTAMP,
    <u64>frame * load<u64>(state + L.SIMULATOR_MODULE_FRAME_TICKS),
  );
  if (u32At(state, L.SIMULATOR_MODULE_HAS_BUNCH) != 0) {
    store<f64>(
      header + HEADER_BUNCH_ID,
      <f64>(load<u64>(state + L.SIMULATOR_MODULE_FIRST_BUNCH) + frame),
    );
  }
  if (u32At(state, L.SIMULATOR_MODULE_DAQ_RECORD) != 0) {
    store<u32>(header + HEADER_DAQ_RECORD, <u32>number);
  }
}

/** Writes what differs from packet to packet into a GigaFRoST header. */
function writeGigafrostFields(state: usize, header: usize, frame: u32, packet: u32): void {
  store<u32>(header + GF_FRAME, <u32>load<u64>(state + L.SIMULATOR_MODULE_FIRST_FRAME) + frame);
  store<u16>(header + GF_ROW, <u16>(packet * u32At(state, L.SIMULATOR_MODULE_ROWS_PER_PACKET)));
  const time = <u64>frame * load<u64>(state + L.SIMULATOR_MODULE_FRAME_TICKS) & GF_TIME_MASK;
  store<u64>(header + GF_TIMING, load<u64>(header + GF_TIMING) & ~GF_TIME_MASK | time);
}

/** Writes place `i` of the vector: a good packet. */
function writeDatagram(state: usize, i: u32, frame: u32, packet: u32): void {
  const header = headerOf(state, i);
  memory.copy(header, state + L.SIMULATOR_MODULE_TEMPLATE, L.HEADER_BYTES);
  if (isGigafrost(state)) writeGigafrostFields(state, header, frame, packet);
  else writeSlsFields(state, header, frame, packet);

  const payload = u32At(state, L.SIMULATOR_MODULE_PAYLOAD_BYTES);
  const lastPayload = u32At(state, L.SIMULATOR_MODULE_LAST_PAYLOAD_BYTES);
  const host = load<u64>(state + L.SIMULATOR_MODULE_HOST_BASE);
  const last = u32At(state, L.SIMULATOR_MODULE_PACKETS_PER_FRAME) - 1;
  const frameBytes = <usize>last * payload + lastPayload;
  const sources = u32At(state, L.SIMULATOR_MODULE_SOURCES);
  const block = frame / u32At(state, L.SIMULATOR_MODULE_FRAMES_PER_BLOCK) %
    u32At(state, L.SIMULATOR_MODULE_BLOCKS);
  const source = <usize>u32At(state, L.SIMULATOR_MODULE_SOURCES_AT) +
    <usize>(block * sources + frame % sources) * frameBytes;
  const iovec = iovecOf(state, i);
  store<u64>(iovec, host + <u64>header);
  store<u64>(iovec + IOVEC_LENGTH, u32At(state, L.SIMULATOR_MODULE_HEADER_BYTES));
  store<u64>(iovec + IOVEC_BYTES, host + <u64>source + <u64>packet * payload);
  store<u64>(iovec + IOVEC_BYTES + IOVEC_LENGTH, packet == last ? lastPayload : payload);
}

/** Makes place `i` of the vector wrong in the wanted way. */
function spoil(state: usize, i: u32, kind: u32, argument: u32): void {
  const header = headerOf(state, i);
  const gf = isGigafrost(state);
  if (kind == TRUNCATED) {
    const inHeader = min(argument, u32At(state, L.SIMULATOR_MODULE_HEADER_BYTES));
    store<u64>(iovecOf(state, i) + IOVEC_LENGTH, inHeader);
    store<u64>(iovecOf(state, i) + IOVEC_BYTES + IOVEC_LENGTH, argument - inHeader);
  } else if (kind == VERSION) {
    store<u8>(header + (gf ? GF_VERSION : HEADER_VERSION), argument);
  } else if (kind == PACKET_NUMBER) {
    if (gf) store<u16>(header + GF_ROW, argument);
    else store<u32>(header + HEADER_PACKET, argument);
  } else if (kind == DETECTOR_TYPE) {
    store<u8>(header + (gf ? GF_TYPE : HEADER_TYPE), argument);
  } else if (kind == IDENTITY) {
    if (gf) store<u8>(header + GF_STATUS, <u32>load<u8>(header + GF_STATUS) & GF_STREAM_BELOW | argument << L.GIGAFROST_STREAM_SHIFT);
    else store<u16>(header + HEADER_MODULE, argument);
  } else if (kind == BUNCH_ID) {
    store<f64>(header + HEADER_BUNCH_ID, load<f64>(header + HEADER_BUNCH_ID) + <f64>argument);
  }
}

/** Groups `n` datagrams into messages; returns how many messages. */
function writeMessages(state: usize, n: u32): u32 {
  const host = load<u64>(state + L.SIMULATOR_MODULE_HOST_BASE);
  const segments = u32At(state, L.SIMULATOR_MODULE_SEGMENTS);
  const control = u32At(state, L.SIMULATOR_MODULE_CONTROL_AT);
  let message = <usize>u32At(state, L.SIMULATOR_MODULE_MESSAGES_AT);
  let messages: u32 = 0;
  for (let i: u32 = 0; i < n; i += segments) {
    store<u64>(message + MESSAGE_IOV, host + <u64>iovecOf(state, i));
    store<u64>(message + MESSAGE_IOV_COUNT, 2 * <u64>min(segments, n - i));
    store<u64>(message + MESSAGE_CONTROL, control == 0 ? 0 : host + control);
    store<u64>(message + MESSAGE_CONTROL_BYTES, u32At(state, L.SIMULATOR_MODULE_CONTROL_BYTES));
    message += MESSAGE_BYTES;
    messages++;
  }
  return messages;
}
