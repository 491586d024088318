/**
 * Helpers for tests of NeXus files.
 *
 * @module
 */
import {
  type DetectorConfig,
  imageBytes,
  imageShape,
  parseConfig,
  pixelType,
} from "../config/mod.ts";
import { File, ImageFile, type ImageFileOptions } from "../hdf5/mod.ts";
import { addressOf } from "../os/mod.ts";
import { NexusLayouts } from "./nexus_layouts.ts";
import { END_TIME, END_TIME_ESTIMATED } from "./nxmx_tree.ts";

/** All that a config can say of an experiment, but for the directions of its axes. */
export const COMPLETE = {
  title: "A test",
  instrument: { name: "SLS BEAMLINE X06SA", short_name: "PXI", time_zone: "+01:00" },
  source: { name: "Swiss Light Source", short_name: "SLS", type: "Synchrotron X-ray Source" },
  sample: { name: "lysozyme", temperature: 293 },
  beam: {
    incident_wavelength: 1.25,
    incident_wavelength_spread: 1e-4,
    total_flux: 1e12,
    incident_beam_size: [1e-5, 2e-5],
    profile: "Gaussian",
  },
  detector: {
    sensor_material: "Si",
    sensor_thickness: 3.2e-4,
    distance: 0.25,
    beam_center_x: 10.5,
    beam_center_y: 4,
    count_time: 0.0099,
    frame_time: 0.01,
    detector_readout_time: 1e-4,
    dead_time: 1e-7,
    threshold_energy: 6200,
    saturation_value: 65_535,
    underload_value: 0,
    gain_setting: "auto",
  },
} as const;

/** A small GigaFRoST, whose images may be of any size. */
export function smallConfig(more: Record<string, unknown> = {}): DetectorConfig {
  return parseConfig({
    ...{ detector_name: "GF", detector_type: "gigafrost", bit_depth: 16, n_modules: 8 },
    ...{ image_pixel_height: 8, image_pixel_width: 24, start_udp_port: 50_000 },
    module_positions: {},
    nexus: {
      ...COMPLETE,
      detector: { ...COMPLETE.detector, x_pixel_size: 11e-6, y_pixel_size: 11e-6 },
    },
    ...more,
  }).config;
}

/** Writes a file of images; image i is full of i + 1. */
export function writeNexusFile(
  path: string,
  config: DetectorConfig,
  { format = "both", images = 3, request, options = {} }: {
    format?: "nexus" | "both";
    images?: number;
    request?: string;
    options?: Partial<ImageFileOptions>;
  } = {},
): void {
  const [height, width] = imageShape(config);
  const run = { format, runId: 7n, startTime: 1_767_323_045.5, images };
  const layout = new NexusLayouts(config, "std-daq test")
    .of({ ...run, ...(request !== undefined && { request }) })(
      path.slice(path.lastIndexOf("/") + 1),
    );
  using file = File.open(path, { write: true, create: "exclusive" });
  const writer = ImageFile.create(file, {
    ...{ detector: config.detector_name, height, width, pixelType: pixelType(config) },
    ...{ expectedImages: images, attributes: { NX_class: "NXcollection", run_id: 7n } },
    ...layout,
    ...options,
  });
  const pixels = new Uint8Array(imageBytes(config));
  for (let id = 1; id <= images; id++) {
    new Uint16Array(pixels.buffer).fill(id);
    const image = { imageId: BigInt(id), status: 1, address: addressOf(pixels) };
    writer.appendImage({ ...image, bytes: pixels.byteLength });
  }
  const end = "2026-01-02T03:04:06.000Z";
  const own = options.tree !== undefined; // a test's, without fields that are set later
  writer.close({ texts: own ? {} : { [END_TIME]: end, [END_TIME_ESTIMATED]: end } });
}
