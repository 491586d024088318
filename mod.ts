/**
 * std-daq's public API, the part that is plain TypeScript: the detector config, the wire formats,
 * the client of the REST interface, and services and clients through RabbitMQ. It opens no library
 * and needs no permission of its own (`read` for a config file, `net` for clients and services).
 *
 * What works on shared memory, sockets and files goes through FFI and is exported apart, so that a
 * program asks for no more than it uses:
 *
 * | import                  | what it is                                                         |
 * | ----------------------- | ------------------------------------------------------------------ |
 * | `@std-daq/std-daq`      | this module                                                        |
 * | `…/acquisition`         | the state machine of an acquisition and the check of output paths  |
 * | `…/accounting`          | the account of packets, frames and images                          |
 * | `…/broker`              | RabbitMQ alone, as it is in this module                            |
 * | `…/calibration`         | gains, pedestals and masks: files, pedestal runs                   |
 * | `…/detector`            | what a detector is: packets, module geometry, metadata             |
 * | `…/hdf5`                | image files: writing and reading                                   |
 * | `…/ring`                | RAM rings: writer, reader, follower                                |
 * | `…/service`             | how to be a service: `runService`, data workers, supervision       |
 * | `…/simulate`            | images and packets of a simulated detector                         |
 * | `…/store`               | what is remembered: configs, the log of acquisitions, rates        |
 * | `…/zmq`                 | ZeroMQ sockets                                                     |
 *
 * `acquisition` and `service` are FFI-free, too.
 *
 * @example The config of a detector
 * ```ts
 * import { imageShape, parseConfig } from "@std-daq/std-daq";
 * import { deepStrictEqual } from "node:assert/strict";
 *
 * const { config, warnings } = parseConfig({
 *   detector_name: "JF",
 *   detector_type: "jungfrau-raw",
 *   bit_depth: 16,
 *   n_modules: 1,
 *   image_pixel_height: 512,
 *   image_pixel_width: 1024,
 *   start_udp_port: 50020,
 *   module_positions: { "0": [0, 0, 1023, 511] },
 * });
 * deepStrictEqual(imageShape(config), [512, 1024]);
 * deepStrictEqual(warnings, []);
 * ```
 *
 * @module
 */
export * from "./lib/broker/mod.ts";
export * from "./lib/config/mod.ts";
export * from "./lib/http/mod.ts";
export * from "./lib/protocol/mod.ts";
