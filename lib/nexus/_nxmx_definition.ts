/**
 * NXmx's list of fields, for the test of our rules.
 *
 * Source: https://github.com/nexusformat/definitions, applications/NXmx.nxdl.xml, of two commits: 001e7722
 * (copyright 2013-2020), the edition of the time of the gold standard (Bernstein et al., IUCrJ 7, 2020), and
 * 365d4d8f (copyright 2013-2024), today's. Read by hand: what has `minOccurs="0"` or `optional` is optional,
 * what has `recommended` is recommended, all else is required, in its group.
 *
 * @module
 */
import type { Level } from "./nxmx_rules.ts";

/** A group, a field or an attribute of the definition. */
export interface DefinedPath {
  /** Classes of the groups, then a field's name; an attribute is behind an `@`. */
  readonly path: string;
  /** Its levels in 2020 and in today's edition; undefined where it is not in it. */
  readonly levels: readonly [of2020: Level | undefined, today: Level | undefined];
  /** Type of a field, the wider one of both editions, such as `INT`. */
  readonly type: string | undefined;
  /** Kind of its units, such as `LENGTH`, by today's edition. */
  readonly units: string | undefined;
}

/** Level (q required, r recommended, o optional, - not there) in 2020 and today, path, type, units. */
const TABLE = `
q q NXentry
- o NXentry@version
o o NXentry/title CHAR
q q NXentry/start_time DATE_TIME
o o NXentry/end_time DATE_TIME
q q NXentry/end_time_estimated DATE_TIME
q q NXentry/definition CHAR

q q NXentry/NXdata
r r NXentry/NXdata/data NUMBER
- o NXentry/NXdata/data_scaling_factor NUMBER
- o NXentry/NXdata/data_offset NUMBER

q q NXentry/NXsample
q q NXentry/NXsample/name CHAR
q q NXentry/NXsample/depends_on CHAR
r o NXentry/NXsample/NXtransformations
o o NXentry/NXsample/temperature NUMBER TEMPERATURE

q q NXentry/NXinstrument
q q NXentry/NXinstrument/name CHAR
q o NXentry/NXinstrument/name@short_name
r r NXentry/NXinstrument/time_zone DATE_TIME

o o NXentry/NXinstrument/NXattenuator
o o NXentry/NXinstrument/NXattenuator/attenuator_transmission NUMBER UNITLESS

r r NXentry/NXinstrument/NXdetector_group
q q NXentry/NXinstrument/NXdetector_group/group_names CHAR
q q NXentry/NXinstrument/NXdetector_group/group_index INT
q q NXentry/NXinstrument/NXdetector_group/group_parent INT

q q NXentry/NXinstrument/NXdetector
o o NXentry/NXinstrument/NXdetector/depends_on CHAR
o o NXentry/NXinstrument/NXdetector/NXtransformations
o o NXentry/NXinstrument/NXdetector/NXcollection
- o NXentry/NXinstrument/NXdetector/NXdetector_channel
r r NXentry/NXinstrument/NXdetector/data NUMBER
r r NXentry/NXinstrument/NXdetector/description CHAR
o o NXentry/NXinstrument/NXdetector/time_per_channel NUMBER TIME
r r NXentry/NXinstrument/NXdetector/distance FLOAT LENGTH
r r NXentry/NXinstrument/NXdetector/distance_derived BOOLEAN
o o NXentry/NXinstrument/NXdetector/dead_time FLOAT TIME
r r NXentry/NXinstrument/NXdetector/count_time NUMBER TIME
o o NXentry/NXinstrument/NXdetector/beam_center_derived BOOLEAN
r r NXentry/NXinstrument/NXdetector/beam_center_x FLOAT LENGTH
r r NXentry/NXinstrument/NXdetector/beam_center_y FLOAT LENGTH
o o NXentry/NXinstrument/NXdetector/angular_calibration_applied BOOLEAN
o o NXentry/NXinstrument/NXdetector/angular_calibration FLOAT
o o NXentry/NXinstrument/NXdetector/flatfield_applied BOOLEAN
o o NXentry/NXinstrument/NXdetector/flatfield NUMBER
o o NXentry/NXinstrument/NXdetector/flatfield_error NUMBER
- o NXentry/NXinstrument/NXdetector/flatfield_errors NUMBER
o o NXentry/NXinstrument/NXdetector/pixel_mask_applied BOOLEAN
r r NXentry/NXinstrument/NXdetector/pixel_mask INT
o o NXentry/NXinstrument/NXdetector/countrate_correction_applied BOOLEAN
- o NXentry/NXinstrument/NXdetector/countrate_correction_lookup_table NUMBER
- o NXentry/NXinstrument/NXdetector/virtual_pixel_interpolation_applied BOOLEAN
r r NXentry/NXinstrument/NXdetector/bit_depth_readout INT
o o NXentry/NXinstrument/NXdetector/detector_readout_time FLOAT TIME
o o NXentry/NXinstrument/NXdetector/frame_time FLOAT TIME
o o NXentry/NXinstrument/NXdetector/gain_setting CHAR
o o NXentry/NXinstrument/NXdetector/saturation_value NUMBER
o o NXentry/NXinstrument/NXdetector/underload_value NUMBER
q q NXentry/NXinstrument/NXdetector/sensor_material CHAR
q q NXentry/NXinstrument/NXdetector/sensor_thickness FLOAT LENGTH
o o NXentry/NXinstrument/NXdetector/threshold_energy FLOAT ENERGY
o o NXentry/NXinstrument/NXdetector/type CHAR

q q NXentry/NXinstrument/NXdetector/NXdetector_module
q q NXentry/NXinstrument/NXdetector/NXdetector_module/data_origin INT
q q NXentry/NXinstrument/NXdetector/NXdetector_module/data_size INT
o o NXentry/NXinstrument/NXdetector/NXdetector_module/data_stride INT
o o NXentry/NXinstrument/NXdetector/NXdetector_module/module_offset NUMBER LENGTH
q q NXentry/NXinstrument/NXdetector/NXdetector_module/module_offset@transformation_type
q q NXentry/NXinstrument/NXdetector/NXdetector_module/module_offset@vector
q q NXentry/NXinstrument/NXdetector/NXdetector_module/module_offset@offset
q q NXentry/NXinstrument/NXdetector/NXdetector_module/module_offset@depends_on
q q NXentry/NXinstrument/NXdetector/NXdetector_module/fast_pixel_direction NUMBER LENGTH
q q NXentry/NXinstrument/NXdetector/NXdetector_module/fast_pixel_direction@transformation_type
q q NXentry/NXinstrument/NXdetector/NXdetector_module/fast_pixel_direction@vector
q q NXentry/NXinstrument/NXdetector/NXdetector_module/fast_pixel_direction@offset
q q NXentry/NXinstrument/NXdetector/NXdetector_module/fast_pixel_direction@depends_on
q q NXentry/NXinstrument/NXdetector/NXdetector_module/slow_pixel_direction NUMBER LENGTH
q q NXentry/NXinstrument/NXdetector/NXdetector_module/slow_pixel_direction@transformation_type
q q NXentry/NXinstrument/NXdetector/NXdetector_module/slow_pixel_direction@vector
q q NXentry/NXinstrument/NXdetector/NXdetector_module/slow_pixel_direction@offset
q q NXentry/NXinstrument/NXdetector/NXdetector_module/slow_pixel_direction@depends_on

q q NXentry/NXinstrument/NXbeam
- o NXentry/NXinstrument/NXbeam@flux
q q NXentry/NXinstrument/NXbeam/incident_wavelength FLOAT WAVELENGTH
o o NXentry/NXinstrument/NXbeam/incident_wavelength_weight FLOAT
- o NXentry/NXinstrument/NXbeam/incident_wavelength_weights FLOAT
o o NXentry/NXinstrument/NXbeam/incident_wavelength_spread FLOAT WAVELENGTH
o o NXentry/NXinstrument/NXbeam/NXdata
o o NXentry/NXinstrument/NXbeam/flux FLOAT FLUX
q o NXentry/NXinstrument/NXbeam/total_flux FLOAT FREQUENCY
- o NXentry/NXinstrument/NXbeam/flux_integrated FLOAT PER_AREA
- o NXentry/NXinstrument/NXbeam/total_flux_integrated FLOAT DIMENSIONLESS
r r NXentry/NXinstrument/NXbeam/incident_beam_size FLOAT LENGTH
r r NXentry/NXinstrument/NXbeam/profile CHAR
r o NXentry/NXinstrument/NXbeam/incident_polarisation_stokes NUMBER
- r NXentry/NXinstrument/NXbeam/incident_polarization_stokes NUMBER

q q NXentry/NXsource
q q NXentry/NXsource/name CHAR
o o NXentry/NXsource/name@short_name
`;

const LEVELS: Readonly<Record<string, Level>> = { q: "required", r: "recommended", o: "optional" };

/** All of NXmx, in its order. */
export const NXMX_DEFINITION: readonly DefinedPath[] = TABLE.trim().split(/\n+/).map((line) => {
  const [of2020 = "", today = "", path = "", type, units] = line.split(" ");
  return { path, levels: [LEVELS[of2020], LEVELS[today]], type, units };
});
