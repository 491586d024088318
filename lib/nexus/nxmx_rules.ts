/**
 * What NXmx asks of a file, as data.
 *
 * Source: application definition NXmx of the NeXus definitions
 * (https://manual.nexusformat.org/classes/applications/NXmx.html), in the edition of the gold standard of
 * 2020 and in today's; where they differ the stricter one holds. Fields, groups and attributes without a
 * level are required. `nxmx_rules_test.ts` compares all of this with the definition path by path, and has
 * what differs, with the reasons.
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
  | "frequency"
  | "temperature"
  | "angle"
  | "flux"
  | "number per area";

/** Units that are taken, by quantity; "…" at the end: and others, as there are too many ways to write them. */
export const UNITS: Readonly<Record<Quantity, readonly string[]>> = {
  length: ["m", "mm", "um", "µm", "nm", "cm"],
  time: ["s", "ms", "us", "µs", "ns"],
  wavelength: ["angstrom", "Å", "Angstrom", "nm", "m"],
  energy: ["eV", "keV", "J"],
  "length or pixels": ["pixel", "pixels", "px", "m", "mm"],
  frequency: ["Hz", "s^-1", "1/s"],
  temperature: ["K", "degC", "mK"],
  angle: ["deg", "degree", "degrees", "rad", "mrad"],
  flux: ["s^-1 m^-2", "…"],
  "number per area": ["m^-2", "…"],
};

/** What a field is made of. */
export type Content =
  | "text"
  /** A text: date and time in UTC. */
  | "time"
  /** A text: offset from UTC. */
  | "time zone"
  /** A text: path of an axis, or ".". */
  | "depends_on"
  | "numbers"
  | "integers"
  | "floats"
  /** True or false, or 1 or 0. */
  | "boolean"
  /** Numbers along a direction, which its attributes tell. */
  | "axis";

/** A field of a group. */
export interface FieldRule {
  /** Its name. */
  readonly name: string;
  /** How much it is wanted. */
  readonly level: Level;
  /** What it is made of. */
  readonly is: Content;
  /** Texts it may be. */
  readonly oneOf?: readonly string[];
  /** What it is a quantity of. */
  readonly quantity?: Quantity;
  /** How many dimensions it has. */
  readonly rank?: number;
  /** Lengths that its last dimension may have. */
  readonly last?: readonly number[];
  /** How much its attributes are wanted, by name; `units` are told by `quantity`. */
  readonly attributes?: Readonly<Record<string, Level>>;
}

/** A group of a class, and what is wanted in it. */
export interface GroupRule {
  /** `NX_class`. */
  readonly nxClass: string;
  /** How much it is wanted. */
  readonly level: Level;
  /** Its fields. */
  readonly fields: readonly FieldRule[];
  /** All of its fields are axes, whatever their names are. */
  readonly ofAxes?: boolean;
  /** Its groups. */
  readonly groups?: readonly GroupRule[];
}

type More = Omit<FieldRule, "name" | "level" | "is">;

const required = (name: string, is: Content, more: More = {}): FieldRule => ({
  ...{ name, is, level: "required" },
  ...more,
});
const recommended = (name: string, is: Content, more: More = {}): FieldRule => ({
  ...{ name, is, level: "recommended" },
  ...more,
});
const optional = (name: string, is: Content, more: More = {}): FieldRule => ({
  ...{ name, is, level: "optional" },
  ...more,
});

const INDICES = { rank: 1, last: [2, 3] } as const;
const AXIS = {
  quantity: "length",
  attributes: {
    transformation_type: "required",
    vector: "required",
    offset: "required",
    depends_on: "required",
  },
} as const;

const MODULE: GroupRule = {
  nxClass: "NXdetector_module",
  level: "required",
  fields: [
    required("data_origin", "integers", INDICES),
    required("data_size", "integers", INDICES),
    optional("data_stride", "integers", INDICES),
    optional("module_offset", "axis", AXIS),
    required("fast_pixel_direction", "axis", AXIS),
    required("slow_pixel_direction", "axis", AXIS),
  ],
};

const TRANSFORMATIONS: GroupRule = {
  nxClass: "NXtransformations",
  level: "optional",
  fields: [],
  ofAxes: true,
};

const DETECTOR: GroupRule = {
  nxClass: "NXdetector",
  level: "required",
  fields: [
    optional("depends_on", "depends_on"),
    recommended("data", "numbers"),
    recommended("description", "text"),
    optional("time_per_channel", "numbers", { quantity: "time" }),
    recommended("distance", "floats", { quantity: "length" }),
    recommended("distance_derived", "boolean"),
    optional("dead_time", "floats", { quantity: "time" }),
    recommended("count_time", "numbers", { quantity: "time" }),
    optional("beam_center_derived", "boolean"),
    recommended("beam_center_x", "floats", { quantity: "length or pixels" }),
    recommended("beam_center_y", "floats", { quantity: "length or pixels" }),
    optional("angular_calibration_applied", "boolean"),
    optional("angular_calibration", "floats"),
    optional("flatfield_applied", "boolean"),
    optional("flatfield", "numbers"),
    optional("flatfield_error", "numbers"),
    optional("flatfield_errors", "numbers"),
    optional("pixel_mask_applied", "boolean"),
    recommended("pixel_mask", "integers"),
    optional("countrate_correction_applied", "boolean"),
    optional("countrate_correction_lookup_table", "numbers", { rank: 1 }),
    optional("virtual_pixel_interpolation_applied", "boolean"),
    recommended("bit_depth_readout", "integers"),
    optional("detector_readout_time", "floats", { quantity: "time" }),
    optional("frame_time", "floats", { quantity: "time" }),
    optional("gain_setting", "text"),
    optional("saturation_value", "numbers"),
    optional("underload_value", "numbers"),
    required("sensor_material", "text"),
    required("sensor_thickness", "floats", { quantity: "length" }),
    optional("threshold_energy", "floats", { quantity: "energy" }),
    optional("type", "text"),
  ],
  groups: [TRANSFORMATIONS, MODULE],
};

const BEAM: GroupRule = {
  nxClass: "NXbeam",
  level: "required",
  fields: [
    required("incident_wavelength", "floats", { quantity: "wavelength" }),
    optional("incident_wavelength_weight", "floats"),
    optional("incident_wavelength_weights", "floats"),
    optional("incident_wavelength_spread", "floats", { quantity: "wavelength" }),
    optional("flux", "floats", { quantity: "flux" }),
    required("total_flux", "floats", { quantity: "frequency" }),
    optional("flux_integrated", "floats", { quantity: "number per area" }),
    optional("total_flux_integrated", "floats"),
    recommended("incident_beam_size", "floats", { quantity: "length", rank: 1, last: [2] }),
    recommended("profile", "text", { oneOf: ["Gaussian", "Airy", "top-hat", "rectangular"] }),
    optional("incident_polarisation_stokes", "numbers", { last: [4] }),
    optional("incident_polarization_stokes", "numbers", { last: [4] }),
  ],
};

const DETECTOR_GROUP: GroupRule = {
  nxClass: "NXdetector_group",
  level: "optional",
  fields: [
    required("group_names", "text"),
    required("group_index", "integers", { rank: 1 }),
    required("group_parent", "integers", { rank: 1 }),
  ],
};

const ATTENUATOR: GroupRule = {
  nxClass: "NXattenuator",
  level: "optional",
  fields: [optional("attenuator_transmission", "numbers")],
};

/** NXmx, from its entry on. */
export const NXMX: GroupRule = {
  nxClass: "NXentry",
  level: "required",
  fields: [
    optional("title", "text"),
    required("definition", "text", { oneOf: ["NXmx"] }),
    required("start_time", "time"),
    optional("end_time", "time"),
    required("end_time_estimated", "time"),
  ],
  groups: [
    {
      nxClass: "NXdata",
      level: "required",
      fields: [
        recommended("data", "numbers"),
        optional("data_scaling_factor", "numbers"),
        optional("data_offset", "numbers"),
      ],
    },
    {
      nxClass: "NXsample",
      level: "required",
      fields: [
        required("name", "text"),
        required("depends_on", "depends_on"),
        optional("temperature", "numbers", { quantity: "temperature" }),
      ],
      groups: [TRANSFORMATIONS],
    },
    {
      nxClass: "NXinstrument",
      level: "required",
      fields: [
        required("name", "text", { attributes: { short_name: "recommended" } }),
        recommended("time_zone", "time zone"),
      ],
      groups: [ATTENUATOR, DETECTOR_GROUP, DETECTOR, BEAM],
    },
    {
      nxClass: "NXsource",
      level: "required",
      fields: [required("name", "text", { attributes: { short_name: "optional" } })],
    },
  ],
};
