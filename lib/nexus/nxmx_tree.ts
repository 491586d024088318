/**
 * The NeXus tree of an image file: application definition NXmx, from what the config, the request and the
 * run tell. Nothing is made up: what nobody said is not in it.
 *
 * Source: NXmx of the NeXus definitions (https://manual.nexusformat.org/classes/applications/NXmx.html).
 *
 * @module
 */
import {
  type DetectorConfig,
  detectorFacts,
  type FileFormat,
  imageShape,
  moduleRectangles,
  type NexusConfig,
  type NexusRequest,
  pixelType,
} from "../config/mod.ts";
import type { DatasetAttributes, FileTree, TreeField } from "../hdf5/mod.ts";
import { imageUnits, pixelUnits } from "./image_units.ts";
import type { DeflatedMask } from "./pixel_mask.ts";

/** What a run adds to the config. */
export interface NexusRun {
  /** Format of its files; std-daq's alone has no tree, and {@link imageUnits} only. */
  readonly format: Exclude<FileFormat, "std-daq">;
  /** `nexus` of the request: in place of the config's, member by member. */
  readonly request?: NexusRequest | undefined;
  /** Name of the file, without folders. */
  readonly fileName: string;
  /** Number of the run. */
  readonly runId: bigint;
  /** When it began, seconds since 1970. */
  readonly startTime: number;
  /** Images asked for; 0: until stopped. */
  readonly images: number;
  /** `std-daq <version>`. */
  readonly software: string;
  /** The detector's mask; left out: no `pixel_mask`. */
  readonly mask?: DeflatedMask;
}

/** What makes an image file a NeXus file. */
export interface NexusLayout {
  /** Where the group with the images is. */
  readonly group: string;
  /** All else. */
  readonly tree: FileTree;
  /** Units and the like of the images' datasets. */
  readonly datasetAttributes: DatasetAttributes;
}

/** Planck's constant times the speed of light, keV Å (CODATA 2018). */
const KEV_ANGSTROM = 12.398419843320026;

/** Fields of the tree that are set when the file is closed, by path: of its first image. */
export const START_TIME = "/entry/start_time";
/** Of its last image, unless the run failed. See {@link START_TIME}. */
export const END_TIME = "/entry/end_time";
/** Likewise, and also where the run failed. */
export const END_TIME_ESTIMATED = "/entry/end_time_estimated";

/** Bytes of a time as {@link isoTime} writes it. */
const TIME_BYTES = 24;

const DETECTOR = "/entry/instrument/detector";
const DISTANCE_AXIS = `${DETECTOR}/transformations/detector_z`;

/** Where a NeXus file has the group with the images; without a path of its own at the root. */
export function nexusGroup(detectorName: string): string {
  return `/entry/collection/${detectorName}`;
}

/** A time of NeXus: ISO 8601, UTC, with milliseconds. */
export function isoTime(epochS: number): string {
  return new Date(epochS * 1000).toISOString();
}

/** When the first and the last of some images came, ns since 1970; 0: not known. */
export interface ImageTimes {
  /** First packet of the first one. */
  readonly firstNs: bigint;
  /** Last packet of the last one, or the end of waiting for it. */
  readonly lastNs: bigint;
}

/** How a file is closed. */
export interface FileEnd {
  /** Seconds since 1970. */
  readonly closedAt: number;
  /** Whether its run failed: then nobody knows when it should have ended. */
  readonly failed: boolean;
}

/** The texts with which a NeXus file is closed, by the paths of their fields. */
export function closingTexts(
  { firstNs, lastNs }: ImageTimes,
  { closedAt, failed }: FileEnd,
): Record<string, string> {
  const end = isoTime(lastNs === 0n ? closedAt : Number(lastNs) / 1e9);
  return {
    ...(firstNs > 0n && { [START_TIME]: isoTime(Number(firstNs) / 1e9) }),
    ...(lastNs > 0n && !failed && { [END_TIME]: end }),
    [END_TIME_ESTIMATED]: end,
  };
}

/** Makes the tree. */
export function nxmxTree(config: DetectorConfig, run: NexusRun): NexusLayout {
  const { detector_name: name } = config;
  const nexus = mergeNexus(config.nexus, run.request);
  const group = nexusGroup(name);
  const data = { data: `${group}/data` };
  const { frame_time: frameTime } = nexus.detector ?? {};
  const estimate = run.images > 0 && frameTime !== undefined
    ? isoTime(run.startTime + run.images * frameTime)
    : isoTime(run.startTime);
  const tree: FileTree = {
    attributes: {
      ...{ NX_class: "NXroot", default: "entry", file_name: run.fileName },
      ...{ file_time: isoTime(run.startTime), creator: run.software },
    },
    // With both formats, std-daq's group is at the root, too.
    ...(run.format === "both" && { links: { [name]: group } }),
    groups: {
      entry: {
        attributes: { NX_class: "NXentry", default: "data" },
        fields: {
          definition: { value: "NXmx" },
          ...texts({ title: nexus.title }),
          entry_identifier: { value: String(run.runId) },
          program_name: { value: run.software },
          start_time: { textBytes: TIME_BYTES, text: isoTime(run.startTime) },
          end_time: { textBytes: TIME_BYTES },
          end_time_estimated: { textBytes: TIME_BYTES, text: estimate },
        },
        groups: {
          data: { attributes: { NX_class: "NXdata", signal: "data" }, links: data },
          collection: { attributes: { NX_class: "NXcollection" } },
          sample: sampleGroup(nexus),
          source: named("NXsource", nexus.source, texts({ type: nexus.source?.type })),
          instrument: {
            ...named(
              "NXinstrument",
              nexus.instrument,
              texts({ time_zone: nexus.instrument?.time_zone }),
            ),
            groups: {
              beam: beamGroup(config, nexus),
              detector: { ...detectorGroup(config, nexus, run.mask), links: data },
            },
          },
        },
      },
    },
  };
  return { group, tree, datasetAttributes: datasetAttributes(config) };
}

/** The config's values, and the request's in their place, member by member. */
export function mergeNexus(
  config: NexusConfig = {},
  request: NexusRequest = {},
): NexusConfig {
  const { instrument, source, sample, beam, detector } = config;
  return {
    ...{ ...config, ...request },
    instrument: { ...instrument, ...request.instrument },
    source: { ...source, ...request.source },
    sample: { ...sample, ...request.sample },
    beam: { ...beam, ...request.beam },
    detector: { pixel_mask_dataset: "", ...detector, ...request.detector },
  };
}

function sampleGroup({ sample }: NexusConfig): FileTree {
  return {
    attributes: { NX_class: "NXsample" },
    fields: {
      ...texts({ name: sample?.name }),
      depends_on: { value: "." }, // no goniometer is known of
      ...numbers({ temperature: [sample?.temperature, "K"] }),
    },
  };
}

function beamGroup(config: DetectorConfig, { beam = {} }: NexusConfig): FileTree {
  const { photon_energy_kev: energy } = config;
  const wavelength = beam.incident_wavelength ?? (energy && KEV_ANGSTROM / energy);
  return {
    attributes: { NX_class: "NXbeam" },
    fields: {
      ...numbers({
        incident_wavelength: [wavelength, "angstrom"],
        incident_wavelength_spread: [beam.incident_wavelength_spread, "angstrom"],
        total_flux: [beam.total_flux, "Hz"],
      }),
      ...(beam.incident_beam_size !== undefined && {
        incident_beam_size: { value: beam.incident_beam_size, attributes: { units: "m" } },
      }),
      ...texts({ profile: beam.profile }),
    },
  };
}

function detectorGroup(
  config: DetectorConfig,
  nexus: NexusConfig,
  mask: DeflatedMask | undefined,
): FileTree {
  const { detector } = nexus;
  const { pixelPitch: pitch, nexusType } = detectorFacts(config.detector_type);
  const pixels = pixelUnits(config.detector_type, pixelType(config));
  return {
    attributes: { NX_class: "NXdetector" },
    fields: {
      ...texts({
        description: detector?.description ?? `${config.detector_type} ${config.detector_name}`,
        type: detector?.type ?? nexusType,
        sensor_material: detector?.sensor_material,
        gain_setting: detector?.gain_setting,
      }),
      ...numbers({
        sensor_thickness: [detector?.sensor_thickness, "m"],
        x_pixel_size: [detector?.x_pixel_size ?? pitch, "m"],
        y_pixel_size: [detector?.y_pixel_size ?? pitch, "m"],
        distance: [detector?.distance, "m"],
        beam_center_x: [detector?.beam_center_x, "pixel"],
        beam_center_y: [detector?.beam_center_y, "pixel"],
        count_time: [detector?.count_time, "s"],
        frame_time: [detector?.frame_time, "s"],
        detector_readout_time: [detector?.detector_readout_time, "s"],
        dead_time: [detector?.dead_time, "s"],
        threshold_energy: [detector?.threshold_energy, "eV"],
      }),
      // The axes are made of what was told, not the other way round.
      ...(detector?.distance !== undefined && { distance_derived: { value: false } }),
      ...(detector?.beam_center_x !== undefined && detector.beam_center_y !== undefined &&
        { beam_center_derived: { value: false } }),
      bit_depth_readout: { value: BigInt(config.bit_depth) },
      ...wholes({
        saturation_value: [detector?.saturation_value, pixels],
        underload_value: [detector?.underload_value, pixels],
      }),
      ...(mask !== undefined && { pixel_mask: mask }),
      depends_on: { value: detector?.distance === undefined ? "." : DISTANCE_AXIS },
    },
    groups: {
      ...moduleGroups(config, nexus),
      ...(detector?.distance !== undefined && {
        transformations: {
          attributes: { NX_class: "NXtransformations" },
          fields: {
            detector_z: axis(detector.distance, [0, 0, 1], { dependsOn: "." }),
          },
        },
      }),
    },
  };
}

/** A part of the image: where its first pixel is, and its size, px. */
interface ImagePart {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The modules that the config places, or the whole image where it places none, by the groups' names. */
function moduleGroups(config: DetectorConfig, nexus: NexusConfig): Record<string, FileTree> {
  const [height, width] = imageShape(config);
  const parts: [name: string, part: ImagePart][] =
    detectorFacts(config.detector_type).module === undefined
      ? [["detector_module", { x: 0, y: 0, width, height }]]
      : moduleRectangles(config).map((part) => [`detector_module_${part.module}`, part]);
  return Object.fromEntries(
    parts.map(([name, part]) => [name, moduleGroup(config, nexus, name, part)]),
  );
}

/** A module. All are in one plane, and their pixels in the image's order, however they lie. */
function moduleGroup(
  config: DetectorConfig,
  { detector }: NexusConfig,
  name: string,
  { x, y, width, height }: ImagePart,
): FileTree {
  const { pixelPitch: pitch } = detectorFacts(config.detector_type);
  const { x_pixel_size: dx = pitch, y_pixel_size: dy = pitch } = detector ?? {};
  // Where nobody said where the beam is, the image's first pixel is the origin.
  const { beam_center_x: beamX = 0, beam_center_y: beamY = 0, distance } = detector ?? {};
  // NeXus looks along the beam: z is along it, y upwards, and so x to the left.
  const { fast_axis: fast = [-1, 0, 0], slow_axis: slow = [0, -1, 0] } = detector ?? {};
  const base = distance === undefined ? "." : DISTANCE_AXIS;
  const hasOffset = dx !== undefined && dy !== undefined;
  const dependsOn = hasOffset ? `${DETECTOR}/${name}/module_offset` : base;
  return {
    attributes: { NX_class: "NXdetector_module" },
    fields: {
      data_origin: { value: [BigInt(y), BigInt(x)] },
      data_size: { value: [BigInt(height), BigInt(width)] },
      ...(hasOffset && {
        module_offset: axis(0, [1, 0, 0], {
          dependsOn: base,
          // To the corner of the module's first pixel.
          offset: fast.map((f, i) => f * (x - beamX) * dx + slow[i]! * (y - beamY) * dy),
        }),
      }),
      ...(dx !== undefined && { fast_pixel_direction: axis(dx, fast, { dependsOn }) }),
      ...(dy !== undefined && { slow_pixel_direction: axis(dy, slow, { dependsOn }) }),
    },
  };
}

/** A translation, m. */
function axis(
  value: number,
  vector: readonly number[],
  { dependsOn, offset = [0, 0, 0] }: { dependsOn: string; offset?: readonly number[] },
): TreeField {
  return {
    value,
    attributes: {
      ...{ units: "m", transformation_type: "translation", vector },
      ...{ offset, offset_units: "m", depends_on: dependsOn },
    },
  };
}

/** Something with a name, if it is known. */
function named(
  nexusClass: string,
  { name, short_name: shortName }: { name?: string | undefined; short_name?: string | undefined } =
    {},
  fields: Record<string, TreeField> = {},
): FileTree {
  const attributes = shortName === undefined ? {} : { short_name: shortName };
  return {
    attributes: { NX_class: nexusClass },
    fields: { ...(name !== undefined && { name: { value: name, attributes } }), ...fields },
  };
}

/** The fields of those texts that are known. */
function texts(values: Record<string, string | undefined>): Record<string, TreeField> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, { value }]]
    ),
  );
}

/** The fields of those numbers that are known, with their units. */
function numbers(
  values: Record<string, [value: number | undefined, units: string]>,
): Record<string, TreeField> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, [value, units]]) =>
      value === undefined ? [] : [[name, { value, attributes: { units } }]]
    ),
  );
}

/** The fields of those whole numbers that are known, with their units. */
function wholes(
  values: Record<string, [value: number | undefined, units: string]>,
): Record<string, TreeField> {
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, [value, units]]) =>
      value === undefined ? [] : [[name, { value: BigInt(value), attributes: { units } }]]
    ),
  );
}

function datasetAttributes(config: DetectorConfig): DatasetAttributes {
  const units = imageUnits(config.detector_type, pixelType(config));
  return {
    ...units,
    // A viewer that finds a long name shows it as it is, and no units beside it.
    data: {
      ...units.data,
      long_name: `images (${units.data?.["units"]})`,
      interpretation: "image",
    },
  };
}
