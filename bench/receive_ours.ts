/**
 * Our side of the receive row: the loop of a receive Worker with one lane, its ring in shared memory.
 *
 *   receive_ours.ts <port> <detector type> <slots> <batch> <warm-up> <packets> <ring name>
 *
 * Prints {"packets", "cpu_us", "calls"}: CPU time of the receiving thread after the warm-up.
 *
 * @module
 */
import { detectorFor } from "../lib/detector/mod.ts";
import { cpuTimeMicroseconds, monotonicNs, UdpSocket } from "../lib/os/mod.ts";
import { frameRingSpec, ModuleReceiver, runReceiveLoop } from "../lib/receive/mod.ts";
import { Socket } from "../lib/zmq/mod.ts";
import { benchConfig } from "./_config.ts";
import { print, printJson } from "./_print.ts";

const [port, type, slots, batch, warm, wanted, name] = Deno.args as [
  string,
  "eiger" | "jungfrau-raw",
  string,
  string,
  string,
  string,
  string,
];

/** A socket that counts what it hands out, and stops the clock when that is enough. */
class CountingSocket extends UdpSocket {
  received = 0;
  counted = 0;
  calls = 0;
  cpu = 0;

  override receiveBatch(vector: bigint, count: number): number {
    const n = super.receiveBatch(vector, count);
    if (n === 0) return 0;
    this.received += n;
    if (this.cpu > 0) {
      this.counted += n;
      this.calls++;
    } else if (this.received >= Number(warm)) this.cpu = cpuTimeMicroseconds("thread");
    return n;
  }
}

const config = benchConfig({ detector: "bench", type, modules: 1, port: Number(port) });
const detector = detectorFor(config);
const format = detector.packetFormat(config);
const layout = detector.moduleLayout(config);
using stream = new Socket("PUB", { sendHighWaterMark: 50_000 });
stream.bind(`inproc://${name}`);
using receiver = new ModuleReceiver({
  format,
  ring: frameRingSpec({
    name: name,
    format,
    slots: Number(slots),
    dtype: 2,
    rows: layout.rows,
    columns: layout.chips * layout.runPixels,
  }),
  batch: Number(batch),
  window: config.frame_window,
  idleNs: 1_000_000_000n,
  writeMessage: (message, frame) =>
    detector.writeFrameMessage(message, 0, {
      module: 0,
      bitDepth: config.bit_depth,
      layout,
      ...frame,
    }),
  onFrame: (message) => void stream.trySendBuffer(message),
});
using socket = new CountingSocket({
  bind: { address: "127.0.0.1", port: Number(port) },
  receiveBufferBytes: 128 * 2 ** 20,
});
print("ready");
let before = 0;
let quietSince = monotonicNs();
let quiet = true;
runReceiveLoop([{ socket, receiver }], {
  frameTimeoutNs: 1_000_000_000n,
  stopping(): boolean {
    if (socket.received > before) { // as cheap as a service's: one comparison
      before = socket.received;
      quiet = false;
      return socket.counted >= Number(wanted);
    }
    if (!quiet) quietSince = monotonicNs();
    quiet = true;
    return monotonicNs() - quietSince > (before > 0 ? 1_000_000_000n : 10_000_000_000n);
  },
});
const cpu = cpuTimeMicroseconds("thread") - socket.cpu;
const accepted = Number(receiver.ring.index.counter(0));
printJson({
  packets: socket.counted,
  cpu_us: cpu,
  calls: socket.calls,
  received: socket.received,
  accepted,
});
