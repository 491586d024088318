/**
 * NeXus in image files: application definition NXmx.
 *
 * @module
 */
export * from "./check_nxmx.ts";
export * from "./image_units.ts";
export * from "./missing_fields.ts";
export * from "./nexus_layouts.ts";
export * from "./nxmx_tree.ts";
export * from "./pixel_mask.ts";
