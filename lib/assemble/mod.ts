/**
 * Assembling: frames of all modules into images, in order, by kernels.
 *
 * @module
 */
export * from "./assembler.ts";
export * from "./borders.ts";
export * from "./calibration_board.ts";
export * from "./calibration_maps.ts";
export * from "./conversion.ts";
export * from "./convert_module.ts";
export * from "./converter_queue.ts";
export * from "./converter_setup.ts";
export * from "./converters.ts";
export * from "./counters.ts";
export * from "./module_converter.ts";
export * from "./module_source.ts";
export * from "./placement.ts";
export * from "./synchroniser.ts";
