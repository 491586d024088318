/**
 * One way to be a service: arguments, config, log, statistics, signals, health, status in Redis, an ordered stop
 * and documented exit statuses ({@link defaultServiceSetup}, {@link runService}); requests through RabbitMQ
 * ({@link servePrimary}, {@link servePostprocessing}), or of whatever comes ({@link serveEach}); threads for the data plane ({@link startDataWorker},
 * {@link runDataWorker}); and child services under supervision ({@link Supervisor}).
 *
 * @module
 */
export * from "./backoff.ts";
export * from "./arguments.ts";
export * from "./config_owners.ts";
export * from "./data_worker_error.ts";
export * from "./default_service_setup.ts";
export * from "./describe_error.ts";
export * from "./env.ts";
export * from "./exit_code.ts";
export * from "./find_config.ts";
export * from "./health.ts";
export * from "./limited.ts";
export * from "./logging.ts";
export * from "./permissions.ts";
export * from "./run_data_worker.ts";
export * from "./service.ts";
export * from "./service_command.ts";
export * from "./service_program.ts";
export * from "./serve_each.ts";
export * from "./serve_requests.ts";
export * from "./service_start_error.ts";
export * from "./start_data_worker.ts";
export * from "./status_reporter.ts";
export * from "./stop_stack.ts";
export * from "./supervisor.ts";
export * from "./usage_error.ts";
export * from "./version.ts";
