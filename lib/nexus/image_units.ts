/**
 * Units of what an image file holds, of any format.
 *
 * @module
 */
import { detectorFacts, type DetectorType } from "../config/mod.ts";
import type { DatasetAttributes, PixelType, TreeAttributes } from "../hdf5/mod.ts";

/** What the value of a pixel is in. */
export function pixelUnits(type: DetectorType, pixelType: PixelType): "counts" | "ADU" | "keV" {
  if (type === "jungfrau-converted") return pixelType === "float32" ? "keV" : "counts";
  return detectorFacts(type).counts === true ? "counts" : "ADU";
}

/** Of the fields of `image_info`; what is not here is a number of things, an id or a mask. */
const INFO_UNITS: Readonly<Record<string, string>> = {
  first_packet_ns: "ns",
  complete_ns: "ns",
  published_ns: "ns",
};

/** Likewise, of what detectors tell of an image themselves. */
const OWN_INFO_UNITS = {
  eg: { exptime: "100 ns" },
  jf: {},
  // The camera's packets do not tell how long its tick is, and no other source of ours does.
  gf: { scan_time: "ticks", sync_time: "ticks", frame_timestamp: "ticks", exposure_time: "ticks" },
} as const;

/**
 * Attributes that tell the units of a file's images, and of `image_info`: `<field>_units` there, as a field
 * of a record can have no attribute of its own.
 */
export function imageUnits(type: DetectorType, pixelType: PixelType): DatasetAttributes {
  const { imageMetadata: kind } = detectorFacts(type);
  const units: Record<string, string> = {
    ...INFO_UNITS,
    ...(kind === undefined ? {} : OWN_INFO_UNITS[kind]),
  };
  const info: TreeAttributes = Object.fromEntries(
    Object.entries(units).map(([field, unit]) => [`${field}_units`, unit]),
  );
  return { data: { units: pixelUnits(type, pixelType) }, image_info: info };
}
