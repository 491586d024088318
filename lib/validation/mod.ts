/**
 * What is wrong with a value that came from outside (a config, a request, a message), in words: one way for all.
 *
 * @module
 */
export * from "./describe_value.ts";
export * from "./reason_of.ts";
export * from "./unknown_fields.ts";
export * from "./value_issue.ts";
