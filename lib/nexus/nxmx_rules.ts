/**
 * What NXmx asks of a file, as data.
 *
 * Source: application definition NXmx of the NeXus definitions
 * (https://manual.nexusformat.org/classes/applications/NXmx.html): fields with minOccurs 1 or without are
 * required. Left out is what our files never have: NXdetector_group, distance_derived,
 * incident_polarisation_stokes, transformations of the sample, and short_name of instrument and source where
 * nobody gave it.
 *
 * @module
 */

/** How much a thing is wanted. */
export type Level = "required" | "recommended" | "optional";

/** What a field is a quantity of; it then has units of that kind. */
export type Quantity =
  | "length"
  | "time"
  | "wavelength"
  | "energy"
  | "length or pixels"
  | "frequency";

/** Units that are taken, by quantity. */
export const UNITS: Readonly<Record<Quantity, readonly string[]>> = {
  length: ["m", "mm", "um", "µm", "nm", "cm"],
  time: ["s", "ms", "us", "µs", "ns"],
  wavelength: ["angstrom", "Å", "Angstrom", "nm", "m"],
  energy: ["eV", "keV", "J"],
  "length or pixels": ["pixel", "pixels", "px", "m", "mm"],
  frequency: ["Hz", "s^-1", "1/s"],
};

/** A field of a group. */
export interface FieldRule {
  /** Its name. */
  readonly name: string;
  /** How much it is wanted. */
  readonly level: Level;
  /** What it is made of; default anything. */
  readonly is?: "text" | "time" | "numbers" | "axis" | "depends_on";
  /** Texts it may be. */
  readonly oneOf?: readonly string[];
  /** What it is a quantity of. */
  readonly quantity?: Quantity;
}

/** A group of a class, and what is wanted in it. */
export interface GroupRule {
  /** `NX_class`. */
  readonly nxClass: string;
  /** How much it is wanted. */
  readonly level: Level;
  /** Its fields. */
  readonly fields: readonly FieldRule[];
  /** Its groups. */
  readonly groups?: readonly GroupRule[];
}

const required = (name: string, more: Partial<FieldRule> = {}): FieldRule => ({
  ...{ name, level: "required" },
  ...more,
});
const recommended = (name: string, more: Partial<FieldRule> = {}): FieldRule => ({
  ...{ name, level: "recommended" },
  ...more,
});
const optional = (name: string, more: Partial<FieldRule> = {}): FieldRule => ({
  ...{ name, level: "optional" },
  ...more,
});

const MODULE: GroupRule = {
  nxClass: "NXdetector_module",
  level: "required",
  fields: [
    required("data_origin", { is: "numbers" }),
    required("data_size", { is: "numbers" }),
    optional("module_offset", { is: "axis", quantity: "length" }),
    required("fast_pixel_direction", { is: "axis", quantity: "length" }),
    required("slow_pixel_direction", { is: "axis", quantity: "length" }),
  ],
};

const DETECTOR: GroupRule = {
  nxClass: "NXdetector",
  level: "required",
  fields: [
    optional("depends_on", { is: "depends_on" }),
    recommended("data", { is: "numbers" }),
    recommended("description", { is: "text" }),
    recommended("distance", { is: "numbers", quantity: "length" }),
    recommended("count_time", { is: "numbers", quantity: "time" }),
    recommended("beam_center_x", { is: "numbers", quantity: "length or pixels" }),
    recommended("beam_center_y", { is: "numbers", quantity: "length or pixels" }),
    recommended("pixel_mask", { is: "numbers" }),
    recommended("bit_depth_readout", { is: "numbers" }),
    optional("detector_readout_time", { is: "numbers", quantity: "time" }),
    optional("frame_time", { is: "numbers", quantity: "time" }),
    optional("dead_time", { is: "numbers", quantity: "time" }),
    optional("saturation_value", { is: "numbers" }),
    optional("threshold_energy", { is: "numbers", quantity: "energy" }),
    required("sensor_material", { is: "text" }),
    required("sensor_thickness", { is: "numbers", quantity: "length" }),
  ],
  groups: [MODULE],
};

const BEAM: GroupRule = {
  nxClass: "NXbeam",
  level: "required",
  fields: [
    required("incident_wavelength", { is: "numbers", quantity: "wavelength" }),
    required("total_flux", { is: "numbers", quantity: "frequency" }),
    recommended("incident_beam_size", { is: "numbers", quantity: "length" }),
    recommended("profile", {
      is: "text",
      oneOf: ["Gaussian", "Airy", "top-hat", "rectangular"],
    }),
  ],
};

/** NXmx, from its entry on. */
export const NXMX: GroupRule = {
  nxClass: "NXentry",
  level: "required",
  fields: [
    required("definition", { is: "text", oneOf: ["NXmx"] }),
    required("start_time", { is: "time" }),
    optional("end_time", { is: "time" }),
    required("end_time_estimated", { is: "time" }),
  ],
  groups: [
    {
      nxClass: "NXdata",
      level: "required",
      fields: [recommended("data", { is: "numbers" })],
    },
    {
      nxClass: "NXsample",
      level: "required",
      fields: [required("name", { is: "text" }), required("depends_on", { is: "depends_on" })],
    },
    {
      nxClass: "NXinstrument",
      level: "required",
      fields: [required("name", { is: "text" }), recommended("time_zone", { is: "text" })],
      groups: [DETECTOR, BEAM],
    },
    { nxClass: "NXsource", level: "required", fields: [required("name", { is: "text" })] },
  ],
};
