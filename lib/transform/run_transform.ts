/**
 * The thread of a service that makes images of images: follows a ring, publishes another one.
 *
 * @module
 */
import { monotonicNs, wallClockNs } from "../os/mod.ts";
import {
  type Dtype,
  DTYPE_BYTES,
  imageRingName,
  imageStreamAddress,
  ProtocolError,
} from "../protocol/mod.ts";
import { indexMemoryBytes, RingWriter, SharedMemory } from "../ring/mod.ts";
import { Socket, waitForAny } from "../zmq/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";
import { ImageSource } from "./image_source.ts";
import { ImageTransformer } from "./image_transformer.ts";
import {
  SlotTransformer,
  type TransformOperation,
  type TransformSetup,
} from "./slot_transformer.ts";
import { formerPlace, notePlace } from "./source_place.ts";
import { runTransformer, type TransformQueue, WorkerHands } from "./transform_queue.ts";

/** What the service tells its thread; cloneable. */
export interface TransformInit {
  detector: string;
  operation: TransformOperation;
  /** Suffix of the ring that is followed, and of the one that is made. */
  from: string;
  to: string;
  height: number;
  width: number;
  dtype: Dtype;
  /** Slots of either ring. */
  slots: number;
  blockElements: number;
  gid: number | undefined;
  ipcFolder: string;
  /** To the Workers. */
  queues: TransformQueue[];
}

/** What the service tells each of its Workers; cloneable. */
export interface TransformWorkerInit {
  setup: TransformSetup;
  queue: TransformQueue;
}

/** What the thread has of the outside, see `DataWorkerControl` of lib/service. */
export interface TransformControl {
  readonly stopping: boolean;
  ready(): void;
  log(level: "warning", message: string): void;
}

/** Distance of two complaints of a Worker about images, ms. */
const COMPLAIN_EVERY_MS = 5_000;
/** Longest wait for images, so that a stop is noticed: ms. */
const LONGEST_WAIT_MS = 10;
/** Longest wait for a Worker, while images could be taken that come meanwhile: ms. */
const SHORT_WAIT_MS = 0.5;

/** What Workers are told of the images. */
export function transformSetup(init: TransformInit): TransformSetup {
  const { operation, height, width, dtype, blockElements } = init;
  const elementBytes = DTYPE_BYTES[dtype];
  const imageBytes = height * width * elementBytes;
  if (elementBytes !== 1 && elementBytes !== 2 && elementBytes !== 4 && elementBytes !== 8) {
    throw new RangeError(`Pixels of ${elementBytes} bytes cannot be compressed`);
  }
  return { operation, imageBytes, elementBytes, blockElements };
}

/** Runs until told to stop. */
export function runTransform(init: TransformInit, control: TransformControl): void {
  const { detector, slots, height, width, dtype, gid, ipcFolder } = init;
  const { imageBytes } = transformSetup(init);
  const images = { slotBytes: imageBytes, dtype: ImageMetadataDtype[dtype], height, width };
  using stack = new DisposableStack();
  const ring = stack.use(RingWriter.create(new SharedMemory(indexMemoryBytes(slots)), {
    name: imageRingName(detector, init.to),
    ...images, // slots for those, too, that get no smaller: the original's have the same size
    slots,
    geometry: 0n,
  }, { gid }));
  const stream = stack.use(new Socket("PUB", { sendHighWaterMark: 50_000 }));
  stream.bind(imageStreamAddress(detector, ipcFolder, init.to), {
    mode: gid === undefined ? 0o600 : 0o660,
    ...(gid === undefined ? {} : { gid }),
  });
  const bell = stack.use(new Socket("SUB", { receiveHighWaterMark: 50_000, subscribe: "" }));
  bell.connect(imageStreamAddress(detector, ipcFolder, init.from));
  const hands = new WorkerHands(init.queues, () => control.stopping);
  const source = stack.use(
    new ImageSource({
      name: imageRingName(detector, init.from),
      ...images,
      slots,
      memory: new SharedMemory(indexMemoryBytes(slots)),
      goesOnAt: formerPlace(ring),
      onAttach: (fd, place) => {
        if (place !== undefined) notePlace(ring, place);
        hands.attach({ from: fd, to: ring.data.fd, slots });
      },
    }),
  );
  const transformer = new ImageTransformer({
    ...{ source, ring, hands },
    publish: (metadata) => void stream.trySendBuffer(metadata),
  });
  source.attach(); // no image that comes after "ready" is missed
  control.ready();

  const wallOffset = wallClockNs() - monotonicNs();
  let message: Uint8Array | undefined; // of a service without an index, to be taken yet
  const offer = (bytes: Uint8Array): boolean => {
    try {
      return transformer.offer(bytes, monotonicNs() + wallOffset);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      control.log("warning", `a message was ignored: ${error.message}`);
      return true;
    }
  };
  while (!control.stopping) {
    if (transformer.pump(monotonicNs())) continue;
    if (transformer.pending > 0) hands.wait(hands.free ? SHORT_WAIT_MS : LONGEST_WAIT_MS);
    else waitForAny([bell], LONGEST_WAIT_MS);
    for (;;) {
      message ??= bell.tryReceive()?.[0];
      if (message === undefined || (!source.indexed && !offer(message))) break;
      message = undefined;
    }
  }
  transformer.flush();
}

/** A Worker's work: the images of its queue, slot to slot, until it is told to stop. */
export function runTransformWorker(
  { setup, queue }: TransformWorkerInit,
  control: TransformControl,
): void {
  const transformer = new SlotTransformer(setup);
  let complained = -Infinity;
  control.ready();
  runTransformer(queue, transformer, () => control.stopping, (slot, reason) => {
    if (performance.now() - complained < COMPLAIN_EVERY_MS) return;
    complained = performance.now();
    control.log("warning", `the image in slot ${slot} is damaged: ${reason}`);
  });
}
