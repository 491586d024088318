/**
 * What the writer driver (the agent) tells a file writer, on `ipc:///tmp/<detector>-driver-<i>`.
 *
 * Format: `proto/std_buffer/writer_action.proto`: std-daq's fields, and ours from number 100 up, which
 * the original ignores and does not send.
 *
 * @module
 */
import type { MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import {
  type CloseFileCommandSchema,
  WriterActionSchema,
} from "../../proto/gen/std_buffer/writer_action_pb.ts";
import { decodeMessage, encodeMessage, numberOf, uint64Of } from "./_message.ts";
import {
  type ImageMetadata,
  imageMetadataFromMessage,
  imageMetadataToMessage,
} from "./image_metadata.ts";
import { ProtocolError } from "./protocol_error.ts";

/** Names of the actions. */
export type WriterActionName = WriterAction["action"];

/** How images can be compressed in a file; `bitshuffle-lz4` is HDF5 filter 32008. */
export type FileCompression = "none" | "bitshuffle-lz4";

/** Format of a file: std-daq's, NeXus, or both in one. */
export type WriterFileFormat = "std-daq" | "nexus" | "both";

/** When a file is forced to the disk: not at all, when it is closed, and also every second. */
export type FsyncPolicy = "none" | "at_end" | "every_second";

/** The last second that a JavaScript Date can be, since 1970. */
const LATEST = 8.64e12;

/** Open a file and get ready to record. */
export interface CreateFileAction {
  /** Which action this is. */
  readonly action: "create_file";
  /** Absolute path. */
  readonly path: string;
  /** Which of the detector's writers is meant, from 0. */
  readonly writerId: number;
  /** Ours: images of the run, in all its files; 0 = unlimited (what an original sends). */
  readonly nImages: number;
  /** Ours: answer each record_image too. */
  readonly acknowledgeImages: boolean;
  /** Ours: number of the acquisition; 0 from an original. */
  readonly runId: bigint;
  /** Ours: the user's request as JSON, stored in the file; empty from an original. */
  readonly request: string;
  /** Ours: how the run is spread over several files; left out for one file, as by an original. */
  readonly split?: {
    /** The path that was asked for; the first writer makes the master file there. */
    readonly outputFile: string;
    /** Writers that share the images. */
    readonly writers: number;
    /** Images of a file, 0 = no limit. */
    readonly imagesPerFile: number;
  };
  /** Ours: how to compress images; left out: as the writer's config says. */
  readonly compression?: FileCompression;
  /** Ours: threads to compress on; left out: all that the writer has. */
  readonly compressionThreads?: number;
  /** Ours: format of the file; left out: as the writer's config says. */
  readonly fileFormat?: WriterFileFormat;
  /** Ours: `nexus` of the request, JSON; left out: the config's alone. */
  readonly nexus?: string;
  /** Ours: when to force the file to the disk; left out: as the writer's config says. */
  readonly fsync?: FsyncPolicy;
  /** Ours: take the place of a file that is there; default: that is refused. */
  readonly overwrite?: boolean;
  /** Ours: make the folders that are missing; left out: as the writer's config says. */
  readonly createFolders?: boolean;
  /** Ours: user that the file is made as; left out: as the writer's config says. */
  readonly userId?: number;
  /** Ours: when all writers of the run were told to begin, seconds since 1970; left out: the writer's clock. */
  readonly startTime?: number;
}

/** Write one image of the ring to the file. */
export interface RecordImageAction {
  /** Which action this is. */
  readonly action: "record_image";
  /** The image. */
  readonly metadata: ImageMetadata;
  /** Ours: number of the image's entry in the ring's index; left out by an original. */
  readonly entry?: bigint;
}

/** Finish and close the file. */
export interface CloseFileAction {
  /** Which action this is. */
  readonly action: "close_file";
  /** Ours: remove the file if it has no image; default false. */
  readonly discardEmpty?: boolean;
  /** Ours: what became of the run, stored in the file; left out by an original. */
  readonly end?: RunEnd;
}

/** How a run ended, as its files tell it. */
export interface RunEnd {
  /** In words; begins with "Completed.", "Interrupted." or "ERROR: ". */
  readonly outcome: string;
  /** What became of its images, in all its files; left out where nobody knows any more. */
  readonly account?: RunEndAccount;
  /** When all its writers were told to close, seconds since 1970; left out: the writer's clock. */
  readonly endTime?: number;
}

/** What became of a run's images; ids as far as known, `12, 15-17`, empty: none is known. */
export interface RunEndAccount {
  /** On file. */
  readonly written: number;
  /** Those of them with something missing; left out if the writers did not say. */
  readonly incomplete?: number;
  /** Packets missing in them; likewise. */
  readonly packetsMissing?: number;
  /** First packet of the first of them, ns since 1970; left out if it is not known. */
  readonly firstPacketNs?: bigint;
  /** Last packet of the last of them; likewise. */
  readonly lastPacketNs?: bigint;
  /** Overwritten in the image ring before they were on file. */
  readonly lost: number;
  /** Their ids. */
  readonly lostIds: string;
  /** Those of the lost ones that a writer had been told to record. */
  readonly overwritten: number;
  /** A writer was told to record them, and did not, or did not say that it did. */
  readonly failed: number;
  /** Their ids. */
  readonly failedIds: string;
  /** Never came. */
  readonly missing: number;
  /** Their ids. */
  readonly missingIds: string;
  /** Asked for and not taken: the run was stopped, or failed, before. */
  readonly notTaken: number;
}

/** Answer once all images sent so far are written. */
export interface ConfirmLastImageAction {
  /** Which action this is. */
  readonly action: "confirm_last_image";
}

/** An order to a file writer. */
export type WriterAction =
  | CreateFileAction
  | RecordImageAction
  | CloseFileAction
  | ConfirmLastImageAction;

/**
 * The message for an action. With our own fields at their defaults (0, false, "", left out) it is byte
 * for byte what the original sends.
 *
 * @throws {ProtocolError} If the path is empty or a value does not fit its field.
 */
export function encodeWriterAction(action: WriterAction): Uint8Array<ArrayBuffer> {
  return encodeMessage(WriterActionSchema, { action: toMessage(action) });
}

/**
 * The action in a received message.
 *
 * @throws {ProtocolError} If the bytes are no such message, hold no action this version knows, a
 * create_file without path or with an unknown compression, format or fsync, or a record_image without
 * usable metadata.
 */
export function decodeWriterAction(bytes: Uint8Array): WriterAction {
  return fromMessage(decodeMessage(WriterActionSchema, bytes).action);
}

type ActionMessage = MessageShape<typeof WriterActionSchema>["action"];
type ActionMessageInit = NonNullable<MessageInitShape<typeof WriterActionSchema>["action"]>;

function toMessage(action: WriterAction): ActionMessageInit {
  switch (action.action) {
    case "create_file":
      return {
        case: "createFile",
        value: {
          path: checkedPath(action.path),
          writerId: action.writerId,
          nImages: uint64Of("CreateFileCommand.n_images", action.nImages),
          acknowledgeImages: action.acknowledgeImages,
          runId: uint64Of("CreateFileCommand.run_id", action.runId),
          request: action.request,
          compression: action.compression ?? "",
          compressionThreads: action.compressionThreads ?? 0,
          fileFormat: action.fileFormat ?? "",
          nexus: action.nexus ?? "",
          fsync: action.fsync ?? "",
          overwrite: action.overwrite ?? false,
          ...(action.createFolders !== undefined && { createFolders: action.createFolders }),
          ...(action.userId !== undefined && { userId: action.userId }),
          ...(action.startTime !== undefined && { startTime: action.startTime }),
          ...(action.split !== undefined && {
            outputFile: checkedPath(action.split.outputFile),
            nWriters: action.split.writers,
            imagesPerFile: uint64Of(
              "CreateFileCommand.images_per_file",
              action.split.imagesPerFile,
            ),
          }),
        },
      };
    case "record_image":
      return {
        case: "recordImage",
        value: {
          imageMetadata: imageMetadataToMessage(action.metadata),
          ...(action.entry === undefined
            ? {}
            : { entry: uint64Of("RecordImage.entry", action.entry) }),
        },
      };
    case "close_file":
      return {
        case: "closeFile",
        value: {
          discardEmpty: action.discardEmpty ?? false,
          ...(action.end !== undefined && { outcome: action.end.outcome }),
          ...(action.end?.endTime !== undefined && { endTime: action.end.endTime }),
          ...(action.end?.account !== undefined && accountToMessage(action.end.account)),
        },
      };
    case "confirm_last_image":
      return { case: "confirmLastImage", value: {} };
  }
}

function fromMessage(message: ActionMessage): WriterAction {
  switch (message.case) {
    case "createFile": {
      const { path, writerId, nImages, acknowledgeImages, runId, request } = message.value;
      const { outputFile, nWriters, imagesPerFile } = message.value;
      const { compression, compressionThreads, fileFormat, nexus, fsync } = message.value;
      const { overwrite, createFolders, userId, startTime } = message.value;
      return {
        action: "create_file",
        path: checkedPath(path),
        writerId,
        nImages: numberOf("CreateFileCommand.n_images", nImages),
        acknowledgeImages,
        runId,
        request,
        ...(compression !== "" && { compression: checkedCompression(compression) }),
        ...(compressionThreads !== 0 && { compressionThreads }),
        ...(fileFormat !== "" && { fileFormat: checkedFormat(fileFormat) }),
        ...(nexus !== "" && { nexus }),
        ...(fsync !== "" && { fsync: checkedFsync(fsync) }),
        ...(overwrite && { overwrite }),
        ...(createFolders !== undefined && { createFolders }),
        ...(userId !== undefined && { userId }),
        ...(startTime !== undefined && {
          startTime: timeOf("CreateFileCommand.start_time", startTime),
        }),
        ...(outputFile !== "" && {
          split: {
            outputFile,
            writers: Math.max(1, nWriters),
            imagesPerFile: numberOf("CreateFileCommand.images_per_file", imagesPerFile),
          },
        }),
      };
    }
    case "recordImage": {
      const { imageMetadata, entry } = message.value;
      if (imageMetadata === undefined) {
        throw new ProtocolError("RecordImage has no image_metadata, expected the image to record");
      }
      const metadata = imageMetadataFromMessage(imageMetadata);
      return { action: "record_image", metadata, ...(entry === undefined ? {} : { entry }) };
    }
    case "closeFile": {
      const { discardEmpty, outcome, endTime } = message.value;
      const account = accountFromMessage(message.value);
      const told = {
        ...(account && { account }),
        ...(endTime !== undefined && { endTime: timeOf("CloseFileCommand.end_time", endTime) }),
      };
      return {
        action: "close_file",
        ...(discardEmpty && { discardEmpty }),
        ...(outcome !== "" && { end: { outcome, ...told } }),
      };
    }
    case "confirmLastImage":
      return { action: "confirm_last_image" };
    case undefined:
      throw new ProtocolError(
        "WriterAction holds no known action, expected create_file, record_image, close_file or " +
          "confirm_last_image",
      );
  }
}

function accountToMessage(account: RunEndAccount): MessageInitShape<typeof CloseFileCommandSchema> {
  const { incomplete, packetsMissing, firstPacketNs, lastPacketNs } = account;
  const field = (name: string, n: number | bigint): bigint => {
    return uint64Of(`CloseFileCommand.${name}`, n);
  };
  return {
    imagesWritten: field("images_written", account.written),
    imagesLost: field("images_lost", account.lost),
    lostIds: account.lostIds,
    imagesOverwritten: field("images_overwritten", account.overwritten),
    imagesFailed: field("images_failed", account.failed),
    failedIds: account.failedIds,
    imagesMissing: field("images_missing", account.missing),
    missingIds: account.missingIds,
    imagesNotTaken: field("images_not_taken", account.notTaken),
    ...(incomplete !== undefined && { imagesIncomplete: field("images_incomplete", incomplete) }),
    ...(packetsMissing !== undefined && {
      packetsMissing: field("packets_missing", packetsMissing),
    }),
    ...(firstPacketNs !== undefined && { firstPacketNs: field("first_packet_ns", firstPacketNs) }),
    ...(lastPacketNs !== undefined && { lastPacketNs: field("last_packet_ns", lastPacketNs) }),
  };
}

/** A time, s since 1970, that is one for calendars, too. */
function timeOf(field: string, seconds: number): number {
  if (seconds >= 0 && seconds <= LATEST) return seconds;
  throw new ProtocolError(`${field} is ${seconds}, expected seconds since 1970, at most ${LATEST}`);
}

/** It is there if the images on file are told. */
function accountFromMessage(
  message: MessageShape<typeof CloseFileCommandSchema>,
): RunEndAccount | undefined {
  const { imagesWritten, imagesIncomplete, packetsMissing } = message;
  const { firstPacketNs, lastPacketNs } = message;
  if (imagesWritten === undefined) return undefined;
  const field = (name: string, n: bigint): number => numberOf(`CloseFileCommand.${name}`, n);
  return {
    written: field("images_written", imagesWritten),
    lost: field("images_lost", message.imagesLost),
    lostIds: message.lostIds,
    overwritten: field("images_overwritten", message.imagesOverwritten),
    failed: field("images_failed", message.imagesFailed),
    failedIds: message.failedIds,
    missing: field("images_missing", message.imagesMissing),
    missingIds: message.missingIds,
    notTaken: field("images_not_taken", message.imagesNotTaken),
    ...(imagesIncomplete !== undefined && {
      incomplete: field("images_incomplete", imagesIncomplete),
    }),
    ...(packetsMissing !== undefined && {
      packetsMissing: field("packets_missing", packetsMissing),
    }),
    ...(firstPacketNs !== undefined && { firstPacketNs }),
    ...(lastPacketNs !== undefined && { lastPacketNs }),
  };
}

function checkedCompression(text: string): FileCompression {
  if (text === "none" || text === "bitshuffle-lz4") return text;
  throw new ProtocolError(
    `CreateFileCommand.compression is ${JSON.stringify(text)}, expected none or bitshuffle-lz4`,
  );
}

function checkedFormat(text: string): WriterFileFormat {
  if (text === "std-daq" || text === "nexus" || text === "both") return text;
  throw new ProtocolError(
    `CreateFileCommand.file_format is ${JSON.stringify(text)}, expected std-daq, nexus or both`,
  );
}

function checkedFsync(text: string): FsyncPolicy {
  if (text === "none" || text === "at_end" || text === "every_second") return text;
  throw new ProtocolError(
    `CreateFileCommand.fsync is ${JSON.stringify(text)}, expected none, at_end or every_second`,
  );
}

function checkedPath(path: string): string {
  if (path === "") throw new ProtocolError("CreateFileCommand.path is empty, expected a path");
  return path;
}
