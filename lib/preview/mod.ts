/**
 * Pictures of image files.
 *
 * @module
 */
export * from "./file_preview.ts";
export * from "./gif.ts";
export * from "./image_renderer.ts";
export * from "./indexed_image.ts";
export * from "./png.ts";
export * from "./preview_formats.ts";
