/**
 * One way to be a service: arguments, config, log, statistics, signals, health, an ordered stop and documented
 * exit statuses ({@link runService}); threads for the data plane ({@link startDataWorker},
 * {@link runDataWorker}); and child services under supervision ({@link Supervisor}).
 *
 * @module
 */
export * from "./backoff.ts";
export * from "./arguments.ts";
export * from "./data_worker_error.ts";
export * from "./describe_error.ts";
export * from "./env.ts";
export * from "./exit_code.ts";
export * from "./health.ts";
export * from "./limited.ts";
export * from "./logging.ts";
export * from "./permissions.ts";
export * from "./run_data_worker.ts";
export * from "./service.ts";
export * from "./service_command.ts";
export * from "./service_program.ts";
export * from "./service_start_error.ts";
export * from "./start_data_worker.ts";
export * from "./stop_stack.ts";
export * from "./supervisor.ts";
export * from "./usage_error.ts";
export * from "./version.ts";
