/**
 * What the end-to-end tests work with: real processes, real sockets, real files. Calibrations are apart, in
 * `calibration.ts`: they load the HDF5 library, for which most tests need not wait.
 *
 * @module
 */
export * from "./faulty_disk.ts";
export * from "./certificates.ts";
export * from "./configs.ts";
export * from "./daq.ts";
export * from "./data.ts";
export * from "./detector.ts";
export * from "./file_service.ts";
export * from "./free_ports.ts";
export * from "./h5_arrays.ts";
export * from "./guarded_server.ts";
export * from "./h5py.ts";
export * from "./leftovers.ts";
export * from "./pipeline.ts";
export * from "./process.ts";
export * from "./python_peer.ts";
export * from "./rabbitmq.ts";
export * from "./recorded.ts";
export * from "./redis.ts";
export * from "./ring_entries.ts";
export * from "./server_source.ts";
export * from "./service_process.ts";
export * from "./simulate.ts";
export * from "./small_disk.ts";
export * from "./stream_listener.ts";
export * from "./tcp_proxy.ts";
export * from "./writer_driver.ts";
export * from "./udp_source.ts";
export * from "./until.ts";
