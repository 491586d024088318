/**
 * Errors of ZeroMQ calls.
 *
 * @module
 */
import { errnoName } from "../os/mod.ts";
import { zmq } from "./library.ts";

/** Names of libzmq's own error numbers (zmq.h: ZMQ_HAUSNUMERO + n). */
const OWN_NAMES: Readonly<Record<number, string>> = {
  156384763: "EFSM",
  156384764: "ENOCOMPATPROTO",
  156384765: "ETERM",
  156384766: "EMTHREAD",
};

const ADVICE: Readonly<Record<string, string>> = {
  EACCES: "check who may write into the folder of the socket file",
  EADDRINUSE: "another socket is bound to this address: stop its process or choose another address",
  EADDRNOTAVAIL: "no interface of this machine has the address",
  EEXIST: "there is a file of that name that is not a socket: remove it or choose another address",
  EFSM: "a REQ socket sends, then receives, in turns; a REP socket receives, then sends",
  EHOSTUNREACH: "no peer with this routing id is connected",
  EINVAL: "check the address (tcp://host:port, ipc:///path) or the option's value",
  EMFILE: "too many sockets or open files: close some or raise `ulimit -n`",
  ENAMETOOLONG: "a socket file's path has at most 107 bytes: choose a shorter detector name",
  ENODEV: "this machine has no such network interface: give an address or *",
  ENOENT: "no such folder, or the socket was not bound or connected to the address",
  ENOTSOCK: "the socket is closed",
  ENOTSUP: "this socket type cannot do that",
  EPROTONOSUPPORT: "the address must begin with tcp://, ipc:// or inproc://",
  ETERM: "the ZeroMQ context was closed",
  ETIMEDOUT: "the peer did not answer or take the message in time: check that it runs",
};

/** A ZeroMQ call that failed: which call, on which address, and the name of its error. */
export class ZmqError extends Error {
  /** The class's name. */
  override name = "ZmqError";
  /** The operation, e.g. `bind`. */
  readonly call: string;
  /** The error's name, e.g. `EADDRINUSE`. */
  readonly code: string;
  /** The address or option concerned, empty where there is none. */
  readonly address: string;

  /**
   * Composes the message.
   *
   * @param call The operation that failed.
   * @param code Name of its error.
   * @param address Address or option concerned.
   */
  constructor(call: string, code: string, address = "", options?: ErrorOptions) {
    const advice = ADVICE[code];
    super(
      `zmq ${call}${address ? ` ${address}` : ""}: ${code}${advice ? ` (${advice})` : ""}`,
      options,
    );
    this.call = call;
    this.code = code;
    this.address = address;
  }
}

/** Name of a libzmq error number. */
export function zmqErrorName(errno: number): string {
  if (errno === 95) return "ENOTSUP"; // the same number as EOPNOTSUPP; libzmq means this one
  return OWN_NAMES[errno] ?? errnoName(errno);
}

/** The failed call as a {@link ZmqError}; read right after the call. */
export function lastZmqError(call: string, address = ""): ZmqError {
  return new ZmqError(call, zmqErrorName(zmq.zmq_errno()), address);
}
