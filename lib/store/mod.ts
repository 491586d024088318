/**
 * What std-daq remembers: configs and deployments, the log of acquisitions with reports and previews,
 * rates and statuses. In Redis, with the keys of the original, or in a file of SQLite: {@link openStore}.
 * `docs/reference/store.md` has the keys and limits.
 *
 * Needs `net` to Redis; or `read` and `write` of the file, and `read` of its own modules.
 *
 * @module
 */
export { isId as isStoreId } from "./_engine.ts";
export * from "./deployment_state.ts";
export * from "./open_store.ts";
export * from "./service_registry.ts";
export * from "./store.ts";
export * from "./store_address.ts";
export * from "./store_error.ts";
