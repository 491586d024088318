/**
 * Frames → packets: the simulator's send vector.
 *
 * A message is one datagram, or with UDP segmentation offload `segments` of them; a datagram is two
 * iovecs: a header of its own and a payload that stays where the frame is.
 *
 *   messages: [iov, count] …     iovecs: [header 0][payload 0] [header 1][payload 1] …
 *
 * Layouts: SIMULATOR_MODULE, SIMULATOR_DATAGRAM in lib/kernels/layout.ts; header:
 * lib/protocol/sls_header.ts.
 */
import * as L from "./layout";

// SIMULATOR_KINDS
const TRUNCATED: u32 = 1;
const VERSION: u32 = 2;
const PACKET_NUMBER: u32 = 3;
const DETECTOR_TYPE: u32 = 4;
const IDENTITY: u32 = 5;

// struct mmsghdr and struct iovec, lib/os/socket.ts
const MESSAGE_BYTES: usize = 64;
const MESSAGE_IOV: usize = 16;
const MESSAGE_IOV_COUNT: usize = 24;
const MESSAGE_CONTROL: usize = 32;
const MESSAGE_CONTROL_BYTES: usize = 40;
const IOVEC_BYTES: usize = 16;

// SLS header
const HEADER_FRAME: usize = 0;
const HEADER_PACKET: usize = 12;
const HEADER_BUNCH_ID: usize = 16;
const HEADER_TIMESTAMP: usize = 24;
const HEADER_MODULE: usize = 32;
const HEADER_DAQ_RECORD: usize = 40;
const HEADER_TYPE: usize = 46;
const HEADER_VERSION: usize = 47;

// @ts-ignore: decorator of AssemblyScript

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
  let datagram = <usize> u32At(state, L.SIMULATOR_MODULE_SCHEDULE_AT) +
    <usize> first * L.SIMULATOR_DATAGRAM_BYTES;
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

function headerOf(state: usize, i: u32): usize {
  return <usize> u32At(state, L.SIMULATOR_MODULE_HEADERS_AT) + <usize> i * L.HEADER_BYTES;
}

// @ts-ignore: decorator of AssemblyScript

function iovecOf(state: usize, i: u32): usize {
  return <usize> u32At(state, L.SIMULATOR_MODULE_IOVECS_AT) + <usize> i * 2 * IOVEC_BYTES;
}

/** Writes place `i` of the vector: a good packet. */
function writeDatagram(state: usize, i: u32, frame: u32, packet: u32): void {
  const number = load<u64>(state + L.SIMULATOR_MODULE_FIRST_FRAME) + frame;
  const header = headerOf(state, i);
  memory.copy(header, state + L.SIMULATOR_MODULE_TEMPLATE, L.HEADER_BYTES);
  store<u64>(header + HEADER_FRAME, number);
  store<u32>(header + HEADER_PACKET, packet);
  store<u64>(
    header + HEADER_TIMESTAMP,
    <u64> frame * load<u64>(state + L.SIMULATOR_MODULE_FRAME_TICKS),
  );
  if (u32At(state, L.SIMULATOR_MODULE_HAS_BUNCH) != 0) {
    store<f64>(
      header + HEADER_BUNCH_ID,
      <f64> (load<u64>(state + L.SIMULATOR_MODULE_FIRST_BUNCH) + frame),
    );
  }
  if (u32At(state, L.SIMULATOR_MODULE_DAQ_RECORD) != 0) {
    store<u32>(header + HEADER_DAQ_RECORD, <u32> number);
  }

  const payload = u32At(state, L.SIMULATOR_MODULE_PAYLOAD_BYTES);
  const host = load<u64>(state + L.SIMULATOR_MODULE_HOST_BASE);
  const frameBytes = <usize> u32At(state, L.SIMULATOR_MODULE_PACKETS_PER_FRAME) * payload;
  const sources = u32At(state, L.SIMULATOR_MODULE_SOURCES);
  const block = frame / u32At(state, L.SIMULATOR_MODULE_FRAMES_PER_BLOCK) %
    u32At(state, L.SIMULATOR_MODULE_BLOCKS);
  const source = <usize> u32At(state, L.SIMULATOR_MODULE_SOURCES_AT) +
    <usize> (block * sources + frame % sources) * frameBytes;
  const iovec = iovecOf(state, i);
  store<u64>(iovec, host + <u64> header);
  store<u64>(iovec + 8, L.HEADER_BYTES);
  store<u64>(iovec + 16, host + <u64> source + <u64> packet * payload);
  store<u64>(iovec + 24, payload);
}

/** Makes place `i` of the vector wrong in the wanted way. */
function spoil(state: usize, i: u32, kind: u32, argument: u32): void {
  const header = headerOf(state, i);
  if (kind == TRUNCATED) {
    const inHeader = min(argument, <u32> L.HEADER_BYTES);
    store<u64>(iovecOf(state, i) + 8, inHeader);
    store<u64>(iovecOf(state, i) + 24, argument - inHeader);
  } else if (kind == VERSION) {
    store<u8>(header + HEADER_VERSION, argument);
  } else if (kind == PACKET_NUMBER) {
    store<u32>(header + HEADER_PACKET, argument);
  } else if (kind == DETECTOR_TYPE) {
    store<u8>(header + HEADER_TYPE, argument);
  } else if (kind == IDENTITY) {
    store<u16>(header + HEADER_MODULE, argument);
  }
}

/** Groups `n` datagrams into messages; returns how many messages. */
function writeMessages(state: usize, n: u32): u32 {
  const host = load<u64>(state + L.SIMULATOR_MODULE_HOST_BASE);
  const segments = u32At(state, L.SIMULATOR_MODULE_SEGMENTS);
  const control = u32At(state, L.SIMULATOR_MODULE_CONTROL_AT);
  let message = <usize> u32At(state, L.SIMULATOR_MODULE_MESSAGES_AT);
  let messages: u32 = 0;
  for (let i: u32 = 0; i < n; i += segments) {
    store<u64>(message + MESSAGE_IOV, host + <u64> iovecOf(state, i));
    store<u64>(message + MESSAGE_IOV_COUNT, 2 * <u64> min(segments, n - i));
    store<u64>(message + MESSAGE_CONTROL, control == 0 ? 0 : host + control);
    store<u64>(message + MESSAGE_CONTROL_BYTES, u32At(state, L.SIMULATOR_MODULE_CONTROL_BYTES));
    message += MESSAGE_BYTES;
    messages++;
  }
  return messages;
}
