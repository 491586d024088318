/**
 * std-daq's public API: the detector config, rings, wire formats, the account, image files, and the
 * client of the REST interface.
 *
 * @module
 */
export * from "./lib/config/mod.ts";
export * from "./lib/http/mod.ts";
export * from "./lib/protocol/mod.ts";
