/**
 * The NeXus part of the files of one detector.
 *
 * @module
 */
import { z } from "zod";
import { issuesText } from "../validation/mod.ts";
import { type DetectorConfig, type NexusRequest, nexusRequestSchema } from "../config/mod.ts";
import { missingFields } from "./missing_fields.ts";
import { type NexusLayout, type NexusRun, nxmxTree } from "./nxmx_tree.ts";
import { type DeflatedMask, pixelMask } from "./pixel_mask.ts";

/** What a run's NeXus files are made of; `request` as JSON. */
export type NexusOrder = Omit<NexusRun, "fileName" | "software" | "mask" | "request"> & {
  /** `nexus` of the request. */
  readonly request?: string;
};

/** Makes the NeXus part of files; the pixel mask is made once. */
export class NexusLayouts {
  readonly #config: DetectorConfig;
  readonly #software: string;
  readonly #onMissing: (fields: readonly string[]) => void;
  readonly #onNote: (message: string) => void;
  #mask: DeflatedMask | undefined;
  #missing = "";

  /**
   * Reads nothing yet.
   *
   * @param software `std-daq <version>`.
   * @param onMissing Told which fields that NXmx requires nobody gave: at the first such run, and whenever
   * they are others.
   * @param onNote Told why the pixel mask lacks the calibration's pixels, if it does.
   */
  constructor(
    config: DetectorConfig,
    software: string,
    onMissing: (fields: readonly string[]) => void = () => {},
    onNote: (message: string) => void = () => {},
  ) {
    this.#onNote = onNote;
    this.#onMissing = onMissing;
    this.#config = config;
    this.#software = software;
  }

  /**
   * What the files of a run hold beside the images, by the file's name.
   *
   * @throws {TypeError} If the request's part is not what it should be.
   * @throws {OsError} If the mask's file cannot be opened.
   * @throws {ArrayFileError} If it has no mask of the image's size.
   */
  of({ request, ...run }: NexusOrder): (fileName: string) => NexusLayout {
    const software = this.#software;
    const mask = this.#mask ??= pixelMask(this.#config, this.#onNote);
    const values = request === undefined ? undefined : parseRequest(request);
    const layout = (fileName: string): NexusLayout =>
      nxmxTree(this.#config, { ...run, request: values, fileName, software, mask });
    this.#tellMissing(missingFields(layout("").tree));
    return layout;
  }

  #tellMissing(fields: readonly string[]): void {
    const text = fields.join();
    if (text !== "" && text !== this.#missing) this.#onMissing(fields);
    this.#missing = text;
  }
}

const requestSchema = z.object({ nexus: nexusRequestSchema });

function parseRequest(text: string): NexusRequest {
  const request = { nexus: JSON.parse(text) };
  const { data, error } = requestSchema.safeParse(request);
  if (error === undefined) return data.nexus;
  throw new TypeError(`${issuesText(error.issues, request, "it")}. Correct the request.`);
}
