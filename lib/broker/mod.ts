/**
 * Requests through RabbitMQ, as std-daq's Python services and clients speak it: services that carry out
 * requests ({@link PrimaryService}) or go on where another has ended ({@link PostprocessingService}), and
 * clients that send, kill and follow them ({@link BrokerClient}). `docs/reference/broker.md` has the wire.
 *
 * Needs `net` to the broker, and `read` of the files that BROKER_*_FILE name.
 *
 * @module
 */
export * from "./broker_client.ts";
export * from "./broker_error.ts";
export * from "./broker_options.ts";
export * from "./broker_service.ts";
export * from "./postprocessing_service.ts";
export * from "./primary_service.ts";
export * from "./service_options.ts";
export * from "./status.ts";
export * from "./status_aggregator.ts";
export * from "./topic.ts";
export type { SchemaIssue } from "../validation/mod.ts";
