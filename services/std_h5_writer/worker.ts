/**
 * The writer's thread: takes actions, answers them.
 *
 * @module
 */
import { AccountingReader } from "../../lib/accounting/mod.ts";
import { type DetectorConfig, imageShape } from "../../lib/config/mod.ts";
import { detectorFor } from "../../lib/detector/mod.ts";
import { NexusLayouts } from "../../lib/nexus/mod.ts";
import { monotonicNs } from "../../lib/os/mod.ts";
import {
  COMPRESSED_SUFFIX,
  decodeWriterAction,
  driverAddress,
  frameRingName,
  imageRingName,
  type WriterAction,
  writerAddress,
} from "../../lib/protocol/mod.ts";
import { RingMissingError } from "../../lib/ring/mod.ts";
import { runDataWorker } from "../../lib/service/run_data_worker.ts";
import type { TransformQueue } from "../../lib/transform/mod.ts";
import {
  DataRoots,
  type FileOwnership,
  FileWriter,
  type ImageFormat,
  ImageLocator,
  WorkerCompressors,
} from "../../lib/writer/mod.ts";
import { Socket } from "../../lib/zmq/mod.ts";
import { ImageMetadataDtype } from "../../proto/gen/std_buffer/image_metadata_pb.ts";
import { Answers } from "./answers.ts";
import { Publications, PUBLISH_EVERY_NS } from "./publications.ts";

/** What the service tells the writer's thread. */
export interface WriterWorkerInit {
  config: DetectorConfig;
  /** Images are those of the ring `<detector>-<suffix>`. */
  suffix: string;
  writerId: number;
  imageSlots: number;
  /** What images look like. */
  format: ImageFormat;
  /** To the compressors' threads. */
  queues: TransformQueue[];
  gid: number | undefined;
  ipcFolder: string;
  /** Absolute paths of the folders that may be written to. */
  dataRoots: string[];
  /** Whose files are. */
  ownership: FileOwnership;
  /** Stored in every file. */
  attributes: Record<string, string>;
}

/** An agent that has just started needs a moment to connect to us: ms. */
const ANSWER_LIMIT_MS = 1_000;

/**
 * A run that is not over when the service stops is left to its agent for so long, ns: it may be stopping, too,
 * and knows how the run ended.
 */
const LAST_CLOSE_NS = 2_000_000_000n;

runDataWorker<WriterWorkerInit>((init, control) => {
  const { config, writerId, gid, ipcFolder } = init;
  const { detector_name: name } = config;
  using stack = new DisposableStack();
  const detector = detectorFor(config);
  const [height, width] = imageShape(config);
  const pixelType = detector.pixelType(config);
  const accounting = stack.use(
    new AccountingReader({
      frames: Array.from({ length: config.n_modules }, (_, module) => frameRingName(name, module)),
      image: imageRingName(name),
      packetsPerFrame: detector.packetFormat(config).packetsPerFrame,
    }),
  );
  const images = stack.use(
    new ImageLocator({
      name: imageRingName(name, init.suffix),
      slotBytes: init.format.imageBytes,
      slots: init.imageSlots,
      dtype: ImageMetadataDtype[pixelType],
      height,
      width,
    }),
  );
  const compressors = stack.use(
    new WorkerCompressors(init.format, init.queues, () => control.stopping),
  );
  const socket = stack.use(new Socket("PUSH", { sendHighWaterMark: 50_000 }));
  const answers = new Answers({
    socket,
    limitMs: ANSWER_LIMIT_MS,
    isStopping: () => control.stopping,
    log: control.log,
  });
  const writer = stack.use(
    new FileWriter({
      detector: name,
      detectorType: config.detector_type,
      height,
      width,
      pixelType,
      images,
      compressedImages: init.suffix === COMPRESSED_SUFFIX,
      compressors,
      compression: config.compression,
      fileFormat: config.file_format,
      nexus: new NexusLayouts(
        config,
        init.attributes["software"] ?? "",
        (fields) =>
          control.log("warning", "a NeXus file lacks what NXmx requires: give it in nexus", {
            fields: fields.join(" "),
          }),
        (message) => control.log("warning", message),
      ),
      output: new DataRoots(init.dataRoots, init.ownership),
      createFolders: config.create_directories,
      fsync: config.fsync,
      readAccounting: () => accounting.read(),
      attributes: init.attributes,
      clock: () => Date.now() / 1000,
      onWorking: (working) => answers.tellWorking(working),
      onWarning: (message) => control.log("warning", message),
    }),
  );
  const actions = stack.use(new Socket("PULL", { receiveHighWaterMark: 50_000 }));
  socket.bind(writerAddress(name, writerId, ipcFolder), {
    mode: gid === undefined ? 0o600 : 0o660,
    ...(gid === undefined ? {} : { gid }),
  });
  actions.connect(driverAddress(name, writerId, ipcFolder));
  attachIfThere(images);
  control.ready();

  let stoppedAt: bigint | undefined;
  const isOver = (): boolean => {
    if (!control.stopping) return false;
    stoppedAt ??= monotonicNs();
    return !writer.hasRun || monotonicNs() - stoppedAt >= LAST_CLOSE_NS;
  };
  // Images become visible in the file, and are forced to the disk if that is asked for.
  const publications = new Publications(PUBLISH_EVERY_NS, monotonicNs);
  while (!isOver()) {
    // As long as there are orders, images wait for each other; those being compressed are not waited for.
    let parts = writer.isBusy ? actions.tryReceive() : actions.receiveBlocking(publications.waitMs);
    if (parts === undefined && writer.isBusy) {
      writer.settle(true);
      parts = actions.tryReceive();
    }
    const action = parts === undefined ? undefined : decode(parts[0]!, control.log);
    const answer = action === undefined ? undefined : writer.handle(action);
    writer.settle();
    const published = publications.runIfDue(() => writer.publish());
    for (const each of writer.takeAnswers()) answers.send(each);
    if (answer !== undefined) answers.send(answer);
    control.counters[0] = writer.imagesWritten;
    control.counters[1] = writer.bytesWritten;
    // Mapping a large ring takes its time: done before the first file asks for it.
    if (published && !writer.hasRun) attachIfThere(images);
  }
});

/** Attaches to the image ring, if it is there already. */
function attachIfThere(images: ImageLocator): void {
  try {
    images.attach();
  } catch (error) {
    if (!(error instanceof RingMissingError)) throw error; // its writer may start later
  }
}

function decode(
  bytes: Uint8Array,
  log: (level: "warning", message: string) => void,
): WriterAction | undefined {
  try {
    return decodeWriterAction(bytes);
  } catch (error) {
    log(
      "warning",
      `an action was ignored: ${error instanceof Error ? error.message : String(error)}`,
    );
    return undefined;
  }
}
