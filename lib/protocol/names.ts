/**
 * Names of rings and sockets, std-daq's: rings are files in /dev/shm, sockets are ZeroMQ ipc addresses
 * under one folder (/tmp unless told otherwise).
 *
 * @module
 */
import { ProtocolError } from "./protocol_error.ts";

/** Folder of the ipc sockets of std-daq. */
export const DEFAULT_IPC_FOLDER = "/tmp";

/** Suffix of the image ring and its stream. */
export const IMAGE_SUFFIX = "image";

/** Suffix of the ring of compressed images (HDF5 filter 32008) and its stream. */
export const COMPRESSED_SUFFIX = "h5bitshuffle-lz4";

/** Longest path of a Unix socket, bytes: `sun_path` without its final zero. */
const MAX_SOCKET_PATH_BYTES = 107;

/** Longest file name, bytes. ".index" is appended to a ring's name. */
const MAX_RING_NAME_BYTES = 255 - ".index".length;

/**
 * Name of a module's frame ring, `<detector>-<module>`.
 *
 * @throws {ProtocolError} If the detector's name cannot be a file name or the module is no number from 0.
 */
export function frameRingName(detector: string, module: number): string {
  return ringName(detector, String(index("module", module)));
}

/**
 * Name of an image ring, `<detector>-image`, or `<detector>-<suffix>` for compressed and filtered images.
 *
 * @throws {ProtocolError} If the detector's name or the suffix cannot be in a file name.
 */
export function imageRingName(detector: string, suffix: string = IMAGE_SUFFIX): string {
  return ringName(detector, suffix);
}

/**
 * Where a module's receiver publishes its frames: `ipc:///tmp/<detector>-<module>` (PUB).
 *
 * @throws {ProtocolError} As {@link frameRingName}, or if the path is too long for a socket.
 */
export function frameStreamAddress(
  detector: string,
  module: number,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return ipcAddress(folder, frameRingName(detector, module));
}

/**
 * Suffix of the ring that files are written from.
 *
 * @param config A detector's config: whether images are compressed in a ring of their own.
 */
export function writtenSuffix(config: { readonly compressed_ring: boolean }): string {
  return config.compressed_ring ? COMPRESSED_SUFFIX : IMAGE_SUFFIX;
}

/**
 * Where the metadata of images is published: `ipc:///tmp/<detector>-image` (PUB).
 *
 * @throws {ProtocolError} As {@link imageRingName}, or if the path is too long for a socket.
 */
export function imageStreamAddress(
  detector: string,
  folder: string = DEFAULT_IPC_FOLDER,
  suffix: string = IMAGE_SUFFIX,
): string {
  return ipcAddress(folder, imageRingName(detector, suffix));
}

/**
 * Where the driver orders writer `i`: `ipc:///tmp/<detector>-driver-<i>`.
 *
 * @throws {ProtocolError} If a part cannot be in a file name, or the path is too long for a socket.
 */
export function driverAddress(
  detector: string,
  i: number,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return ipcAddress(folder, ringName(detector, `driver-${index("writer", i)}`));
}

/**
 * Where writer `i` answers: `ipc:///tmp/<detector>-writer-<i>`.
 *
 * @throws {ProtocolError} If a part cannot be in a file name, or the path is too long for a socket.
 */
export function writerAddress(
  detector: string,
  i: number,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return ipcAddress(folder, ringName(detector, `writer-${index("writer", i)}`));
}

/**
 * Where the assembler is asked about its calibration: `ipc:///tmp/<detector>-calibration`.
 *
 * @throws {ProtocolError} If a part cannot be in a file name, or the path is too long for a socket.
 */
export function calibrationAddress(
  detector: string,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return ipcAddress(folder, ringName(detector, "calibration"));
}

/**
 * Where `daq run` is asked to go over to another config: `ipc:///tmp/<detector>-run`.
 *
 * @throws {ProtocolError} If a part cannot be in a file name, or the path is too long for a socket.
 */
export function runAddress(detector: string, folder: string = DEFAULT_IPC_FOLDER): string {
  return ipcAddress(folder, ringName(detector, "run"));
}

/**
 * File that is locked while a config is deployed: no run begins meanwhile. `/tmp/<detector>-deployment.lock`.
 *
 * @throws {ProtocolError} If the detector's name cannot be in a file name.
 */
export function deploymentLockPath(
  detector: string,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return `${folder}/${ringName(detector, "deployment.lock")}`;
}

/**
 * File that is locked while a run is written: its end is waited for. `/tmp/<detector>-acquisition.lock`.
 *
 * @throws {ProtocolError} If the detector's name cannot be in a file name.
 */
export function acquisitionLockPath(
  detector: string,
  folder: string = DEFAULT_IPC_FOLDER,
): string {
  return `${folder}/${ringName(detector, "acquisition.lock")}`;
}

function ringName(detector: string, suffix: string): string {
  const name = `${namePart("detector name", detector)}-${namePart("ring suffix", suffix)}`;
  const bytes = new TextEncoder().encode(name).byteLength;
  if (bytes > MAX_RING_NAME_BYTES) {
    throw new ProtocolError(
      `name "${name}" has ${bytes} bytes, expected at most ${MAX_RING_NAME_BYTES}: ` +
        "shorten detector_name",
    );
  }
  return name;
}

function ipcAddress(folder: string, name: string): string {
  if (!folder.startsWith("/") || folder.includes("\0")) {
    throw new ProtocolError(`ipc folder "${folder}" is not an absolute path, expected one as /tmp`);
  }
  const path = `${folder.replace(/\/+$/, "")}/${name}`;
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes > MAX_SOCKET_PATH_BYTES) {
    throw new ProtocolError(
      `socket path "${path}" has ${bytes} bytes, expected at most ${MAX_SOCKET_PATH_BYTES}: ` +
        "shorten detector_name or the ipc folder",
    );
  }
  return `ipc://${path}`;
}

function namePart(what: string, part: string): string {
  if (part === "" || part.includes("/") || part.includes("\0")) {
    throw new ProtocolError(
      `${what} ${JSON.stringify(part)} cannot be in a file name, expected letters, digits, ` +
        '"-", "_" or "."',
    );
  }
  return part;
}

function index(what: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ProtocolError(`${what} number ${value}, expected a whole number from 0`);
  }
  return value;
}
