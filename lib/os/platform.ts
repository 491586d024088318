/**
 * Which platforms the system-call layer knows, and where their C library is.
 *
 * @module
 */

/** Thrown when std-daq is started where its system calls do not exist. */
export class UnsupportedPlatformError extends Error {
  override name = "UnsupportedPlatformError";
}

/** CPU architectures whose struct layouts and libraries are known. */
export type Architecture = "x86_64" | "aarch64";

/** The machine's architecture.
 *
 * @throws {UnsupportedPlatformError} If this is not Linux on x86-64 or arm64.
 */
export function architecture(build: { os: string; arch: string } = Deno.build): Architecture {
  if (build.os !== "linux") {
    throw new UnsupportedPlatformError(
      `std-daq is not supported on ${build.os}: it needs Linux (recvmmsg, /dev/shm, flock). ` +
        "Run it on a Linux machine or in a container.",
    );
  }
  if (build.arch !== "x86_64" && build.arch !== "aarch64") {
    throw new UnsupportedPlatformError(
      `std-daq is not supported on ${build.arch}: only x86_64 and aarch64 are known.`,
    );
  }
  return build.arch;
}

/**
 * Absolute paths of glibc on the common distributions, most common first. The FFI permission of
 * every service lists exactly these.
 */
export const LIBC_PATHS: Readonly<Record<Architecture, readonly string[]>> = {
  x86_64: ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
  aarch64: ["/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6", "/usr/lib/libc.so.6"],
};
