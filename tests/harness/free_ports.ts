import { OsError, UdpSocket } from "../../lib/os/mod.ts";

// Below the range from which the kernel takes ports for outgoing connections.
const LOWEST = 10_000;
const HIGHEST = 32_000;

function anyPort(count: number): number {
  return LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST - count));
}

/** First of `count` UDP ports in a row that nobody uses. */
export function freeUdpPorts(count: number): number {
  for (;;) {
    const first = anyPort(count);
    try {
      for (let i = 0; i < count; i++) {
        using _socket = new UdpSocket({ bind: { address: "0.0.0.0", port: first + i } });
      }
      return first;
    } catch (error) {
      if (!(error instanceof OsError)) throw error; // taken: try others
    }
  }
}

/** A TCP port of 127.0.0.1 that nobody uses. */
export function freeTcpPort(): number {
  for (;;) {
    const port = anyPort(1);
    try {
      using _listener = Deno.listen({ hostname: "127.0.0.1", port });
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
