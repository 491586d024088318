/**
 * A consumer of the image stream that notes when messages come.
 *
 *   latency_subscriber.ts <address> <messages> <output>
 *
 * Writes pairs of u64 {image id, monotonic ns}; ends when it has the messages or after 2 s of silence.
 *
 * @module
 */
import { monotonicNs } from "../lib/os/mod.ts";
import { decodeImageMetadata } from "../lib/protocol/mod.ts";
import { Socket } from "../lib/zmq/mod.ts";
import { print, printJson } from "./_print.ts";

const [address, messages, output] = Deno.args as [string, string, string];
using socket = new Socket("SUB", { subscribe: "", receiveHighWaterMark: 50_000 });
socket.connect(address);
print("ready");
const stamps: bigint[] = [];
for (
  let quiet = 0;
  stamps.length < 2 * Number(messages) && quiet < (stamps.length > 0 ? 20 : 200);
) {
  const parts = socket.receiveBlocking(100);
  const now = monotonicNs();
  if (parts === undefined) {
    quiet++;
    continue;
  }
  quiet = 0;
  stamps.push(decodeImageMetadata(parts[0]!).imageId, now);
}
Deno.writeFileSync(output, new Uint8Array(BigUint64Array.from(stamps).buffer));
printJson({ messages: stamps.length / 2 });
