/**
 * The assembler's thread: follows the frame rings, gathers images, publishes them.
 *
 * @module
 */
import {
  type AssembledImage,
  Assembler,
  CalibrationFollower,
  type Converters,
  converterSetup,
  geometryHash,
  InlineConverters,
  ModuleConverter,
  type ModuleMaps,
  ModuleSource,
  WorkerConverters,
} from "../../lib/assemble/mod.ts";
import { type DetectorConfig, imageBytes, imageShape } from "../../lib/config/mod.ts";
import { type Detector, detectorFor, FRAME_MESSAGE_BYTES } from "../../lib/detector/mod.ts";
import { monotonicNs, wallClockNs } from "../../lib/os/mod.ts";
import {
  encodeImageMetadata,
  frameStreamAddress,
  imageStreamAddress,
} from "../../lib/protocol/mod.ts";
import {
  indexMemoryBytes,
  RingReader,
  RingRecord,
  RingWriter,
  SharedMemory,
} from "../../lib/ring/mod.ts";
import { runDataWorker } from "../../lib/service/run_data_worker.ts";
import { Socket, waitForAny } from "../../lib/zmq/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";

/** What the service tells the assembler's thread. */
export interface AssembleWorkerInit {
  config: DetectorConfig;
  frameSlots: number;
  imageSlots: number;
  gid: number | undefined;
  ipcFolder: string;
  /** Converter Workers: their queues, the bell they ring, and the Worker of each module. None: inline. */
  converters:
    | { queues: SharedArrayBuffer[]; bell: SharedArrayBuffer; laneOf: number[] }
    | undefined;
  /** Where images are corrected: the maps of the modules, and the board that says which are in force. */
  correction: { maps: ModuleMaps[]; board: SharedArrayBuffer } | undefined;
}

/** Longest wait for frames, so that a stop and time-outs are noticed: ms. */
const LONGEST_WAIT_MS = 10;

runDataWorker<AssembleWorkerInit>((init, control) => {
  const { config, frameSlots, imageSlots, gid, ipcFolder, correction } = init;
  const { detector_name: name, n_modules: modules } = config;
  using stack = new DisposableStack();
  const detector = detectorFor(config);
  const setup = converterSetup(
    config,
    frameSlots,
    imageSlots,
    Array.from({ length: modules }, (_, m) => m),
    correction?.maps,
  );
  const [height, width] = imageShape(config);
  const dtype = ImageMetadataDtype[detector.pixelType(config)];

  const ring = stack.use(RingWriter.create(new SharedMemory(indexMemoryBytes(imageSlots)), {
    name: setup.image.name,
    slotBytes: setup.image.slotBytes,
    slots: imageSlots,
    dtype,
    height,
    width,
    geometry: geometryHash(setup.modules),
  }, { gid }));
  const stream = stack.use(new Socket("PUB", { sendHighWaterMark: 50_000 }));
  stream.bind(imageStreamAddress(name, ipcFolder), {
    mode: gid === undefined ? 0o600 : 0o660,
    ...(gid === undefined ? {} : { gid }),
  });

  let converters: Converters;
  if (init.converters === undefined) {
    converters = new InlineConverters(new ModuleConverter(setup));
  } else {
    const { queues, bell, laneOf } = init.converters;
    converters = new WorkerConverters(queues, bell, laneOf);
  }

  const indexes = new SharedMemory(modules * indexMemoryBytes(frameSlots));
  const resumeAfter = ring.takenOver ? lastImage(ring) : undefined;
  const sources = setup.modules.map((m) =>
    stack.use(
      new ModuleSource({
        ...m.ring,
        memory: indexes,
        resumeAfter,
        onAttach: () => converters.attach(m.module),
      }),
    )
  );
  // The doorbell: one subscription to all modules. What it says is only used where there is no index.
  const bell = stack.use(new Socket("SUB", { receiveHighWaterMark: 50_000, subscribe: "" }));
  for (const { module } of setup.modules) bell.connect(frameStreamAddress(name, module, ipcFolder));

  for (const source of sources) source.attach(); // no frame that comes after "ready" is missed
  const assembler = new Assembler({
    sources,
    ring,
    converters,
    packetsPerFrame: detector.packetFormat(config).packetsPerFrame,
    window: config.module_sync_queue_size,
    timeoutNs: BigInt(config.image_timeout_ms) * 1_000_000n,
    calibrations: correction && new CalibrationFollower(correction.board),
    goesOnAfter: resumeAfter?.frameIndex ??
      sources.find(({ leftFrame }) => leftFrame !== undefined)?.leftFrame,
    encodeMetadata: metadataEncoder(config, detector),
    publish: (metadata) => void stream.trySendBuffer(metadata),
  });
  control.ready();

  const wallOffset = wallClockNs() - monotonicNs();
  const message = new Uint8Array(FRAME_MESSAGE_BYTES);
  const view = new DataView(message.buffer);
  while (!control.stopping) {
    const now = monotonicNs() + wallOffset;
    if (assembler.pump(now)) continue;
    waitForAny([bell], LONGEST_WAIT_MS);
    while (bell.tryReceiveInto(message) === FRAME_MESSAGE_BYTES) {
      const source = sources[view.getUint16(16, true)];
      if (source === undefined || source.indexed) continue;
      source.offer(view.getBigUint64(0, true), Number(view.getBigUint64(8, true)), message, now);
    }
  }
  assembler.stop();
});

/** The image that a killed assembler published last. */
function lastImage(ring: RingWriter): RingRecord | undefined {
  if (ring.head === 0n) return undefined;
  const memory = new SharedMemory(indexMemoryBytes(ring.spec.slots));
  using reader = RingReader.open(memory, ring.spec.name);
  const record = new RingRecord();
  return reader.read(ring.head - 1n, record) === "ok" ? record : undefined;
}

/** Encodes the public message of an image. */
function metadataEncoder(
  config: DetectorConfig,
  detector: Detector,
): (image: AssembledImage) => Uint8Array {
  const [height, width] = imageShape(config);
  const size = imageBytes(config);
  const dtype = detector.pixelType(config);
  const none = new Uint8Array(FRAME_MESSAGE_BYTES);
  return ({ imageId, status, frameMessage = none, calibrationId }) => {
    const view = new DataView(frameMessage.buffer, frameMessage.byteOffset);
    const detectorMetadata = detector.imageMetadata(view, 0);
    return encodeImageMetadata({
      imageId,
      height,
      width,
      size,
      dtype,
      status: status === 1 ? "good_image" : "missing_packets",
      compression: "none",
      ...(detectorMetadata === undefined ? {} : { detector: detectorMetadata }),
      ...(calibrationId === undefined ? {} : { calibrationId }),
    });
  };
}
