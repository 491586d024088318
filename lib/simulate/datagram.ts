import { SIMULATOR_KINDS } from "../kernels/mod.ts";

/** One datagram to send. */
export interface Datagram {
  /** Index of its frame, from 0. */
  readonly frame: number;
  /** Packet of the frame. */
  readonly packet: number;
  /** What is wrong with it; see {@link KIND}. */
  readonly kind: number;
  /** The wrong value: length in bytes, version, packet number, detector type, module id, or what is added to the bunch id. */
  readonly argument: number;
}

/**
 * Names of the kinds of datagrams, as the kernels have them.
 *
 * @ignore
 */
type Kind = typeof SIMULATOR_KINDS[number];

/** Numbers of the kinds of datagrams. */
export const KIND: Readonly<Record<Kind, number>> = {
  plain: number("plain"),
  truncated: number("truncated"),
  version: number("version"),
  packet_number: number("packet_number"),
  detector_type: number("detector_type"),
  identity: number("identity"),
  bunch_id: number("bunch_id"),
};

function number(kind: Kind): number {
  return SIMULATOR_KINDS.indexOf(kind);
}

/** A packet as it is. */
export function plain(frame: number, packet: number): Datagram {
  return { frame, packet, kind: KIND.plain, argument: 0 };
}
