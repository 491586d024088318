/**
 * The REST interface of the writer: schemas that server and client share, and the client.
 *
 * @module
 */
export * from "./client.ts";
export * from "../protocol/json.ts";
export * from "./schemas.ts";
