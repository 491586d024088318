import type { DetectorConfig } from "../config/mod.ts";
import { detectorFor } from "../detector/mod.ts";
import { RECEIVER } from "../kernels/mod.ts";
import { UdpSocket } from "../os/mod.ts";
import { frameRingSpec, ModuleReceiver, readFrameCounts } from "../receive/mod.ts";
import type { FrameRingCounts } from "../receive/mod.ts";
import { planFaults } from "./fault_plan.ts";
import { type Outcome, OutcomeCounter } from "./outcome.ts";
import { PacketSender } from "./packet_sender.ts";
import { createSimulation, type SimulationOptions } from "./simulation.ts";

/** What a real receiver made of a simulation. */
export interface Received {
  readonly counts: FrameRingCounts;
  /** Missing packets of every incomplete frame, by image id. */
  readonly missing: Map<bigint, number>;
  /** What was to be expected. */
  readonly expected: Outcome;
}

/** Datagrams that wait in the receiver's socket at most: fewer than the smallest buffer holds. */
const IN_FLIGHT = 12;

const SLOTS = 64;

/**
 * Sends a one-module simulation through a real socket to a real receiver, a few packets at a time, so
 * that nothing is lost on the way.
 *
 * @param makeConfig Makes the config for a port.
 * @param options What to simulate.
 * @param onPixels Told the pixels of every frame that the receiver publishes.
 */
export function receiveSimulation(
  makeConfig: (port: number) => DetectorConfig,
  options: SimulationOptions,
  onPixels?: (imageId: bigint, missing: number, bytes: Uint8Array) => void,
): Received {
  using socket = new UdpSocket({ bind: { address: "127.0.0.1", port: 0 } });
  const config = makeConfig(socket.port);
  const simulation = createSimulation(config, options);
  const { format, layout } = simulation;
  const missing = new Map<bigint, number>();
  const ring = frameRingSpec({
    name: `simulate-test-${Deno.pid}-${crypto.randomUUID().slice(0, 8)}`,
    format,
    slots: SLOTS,
    dtype: 2,
    rows: layout.rows,
    columns: layout.chips * layout.runPixels,
  });
  using receiver = new ModuleReceiver({
    format,
    ring,
    window: config.frame_window,
    idleNs: 1n << 62n,
    writeMessage: (message, frame) =>
      detectorFor(config).writeFrameMessage(message, 0, {
        module: 0,
        bitDepth: config.bit_depth,
        layout,
        ...frame,
      }),
    onFrame: (message) => {
      const view = new DataView(message.buffer, message.byteOffset);
      const imageId = view.getBigUint64(0, true);
      const lost = Number(view.getBigUint64(8, true));
      if (lost > 0) missing.set(imageId, lost);
      const slot = Number(imageId % BigInt(SLOTS));
      const at = receiver.memory.dv.getUint32(receiver.state + RECEIVER.frames_at, true) +
        slot * ring.slotBytes;
      onPixels?.(imageId, lost, receiver.memory.u8.subarray(at, at + ring.slotBytes));
    },
  });
  using sender = new PacketSender(simulation);
  const counter = new OutcomeCounter(simulation);
  let now = 1n, expectedPackets = 0, received = 0;
  for (const schedule of planFaults(simulation, 0)) {
    counter.addSchedule(0, schedule);
    for (let first = 0; first < schedule.datagrams.length; first += IN_FLIGHT) {
      expectedPackets += sender.sendSchedules([schedule.datagrams.slice(first, first + IN_FLIGHT)]);
      // Loopback delivers within the call that sends.
      while (received < expectedPackets) {
        const n = socket.receiveBatch(receiver.vector, receiver.arm());
        if (n === 0) {
          throw new Error(`${expectedPackets - received} packets got lost in the socket`);
        }
        receiver.handle(n, now++);
        received += n;
      }
    }
  }
  receiver.expire(now + 1_000n, 0n);
  return { counts: readFrameCounts(receiver.ring.index), missing, expected: counter.finish() };
}
