/**
 * A receive Worker: the sockets and frame rings of some modules.
 *
 * @module
 */
import { type DetectorConfig, modulePort } from "../../lib/config/mod.ts";
import { detectorFor, type ModuleLayout } from "../../lib/detector/mod.ts";
import { pinThread, UdpSocket } from "../../lib/os/mod.ts";
import { frameRingName, frameStreamAddress } from "../../lib/protocol/mod.ts";
import {
  frameRingSpec,
  groSegments,
  ModuleReceiver,
  type ReceiveLane,
  runReceiveLoop,
} from "../../lib/receive/mod.ts";
import { runDataWorker } from "../../lib/service/run_data_worker.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";

/** What the service tells a Worker. */
export interface ReceiveWorkerInit {
  config: DetectorConfig;
  /** Modules to receive. */
  modules: number[];
  /** Slots of each frame ring. */
  frameSlots: number;
  /** Group of rings and sockets. */
  gid: number | undefined;
  /** Folder of ipc sockets. */
  ipcFolder: string;
  /** Wanted socket buffer, bytes. */
  socketBufferBytes: number;
  /** Messages per receive call; the receiver's own choice if left out. */
  batch: number | undefined;
  /** Have the kernel bring packets together. */
  gro: boolean;
  /** CPU to stay on. */
  cpu: number | undefined;
}

runDataWorker<ReceiveWorkerInit>((init, control) => {
  const { config, modules, gid } = init;
  using stack = new DisposableStack();
  if (init.cpu !== undefined) pinThread([init.cpu]);
  const detector = detectorFor(config);
  const format = detector.packetFormat(config);
  const layout = detector.moduleLayout(config);
  const segments = init.gro ? groSegments(format) : 1;
  if (init.gro && segments === 1) {
    control.log("warning", "--gro has no effect: this detector's packets differ in length");
  }
  const frameTimeoutNs = BigInt(config.frame_timeout_ms) * 1_000_000n;

  const lanes = modules.map((module): ReceiveLane => {
    const stream = stack.use(new Socket("PUB", { sendHighWaterMark: 50_000 }));
    stream.bind(frameStreamAddress(config.detector_name, module, init.ipcFolder), {
      mode: gid === undefined ? 0o600 : 0o660,
      ...(gid === undefined ? {} : { gid }),
    });
    const receiver = stack.use(
      new ModuleReceiver({
        format,
        ring: frameRingSpec({
          name: frameRingName(config.detector_name, module),
          format,
          slots: init.frameSlots,
          ...ringPixels(layout),
        }),
        gid,
        batch: init.batch,
        segments,
        module,
        window: config.frame_window,
        idleNs: frameTimeoutNs,
        writeMessage: (message, frame) =>
          detector.writeFrameMessage(message, 0, {
            module,
            bitDepth: config.bit_depth,
            layout,
            ...frame,
          }),
        onFrame: (message) => void stream.trySendBuffer(message),
      }),
    );
    const socket = stack.use(
      new UdpSocket({
        bind: { address: config.udp_bind_address, port: modulePort(config, module) },
        receiveBufferBytes: init.socketBufferBytes,
        gro: segments > 1,
      }),
    );
    if (socket.warning !== undefined) control.log("warning", socket.warning, { module });
    return { socket, receiver };
  });
  control.ready();
  runReceiveLoop(lanes, { frameTimeoutNs, stopping: () => control.stopping });
});

/** Type and shape of what is in a frame ring; packed pixels are bytes. */
function ringPixels(layout: ModuleLayout): { dtype: number; rows: number; columns: number } {
  const { rows, chips, runPixels, pixelBytes, packedBits } = layout;
  const columns = chips * runPixels;
  return packedBits === undefined
    ? { dtype: ImageMetadataDtype[pixelTypeOf(pixelBytes)], rows, columns }
    : { dtype: ImageMetadataDtype.uint8, rows, columns: columns * packedBits / 8 };
}

function pixelTypeOf(bytes: number): "uint8" | "uint16" | "uint32" {
  return bytes === 1 ? "uint8" : bytes === 2 ? "uint16" : "uint32";
}
