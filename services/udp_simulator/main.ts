/**
 * udp_simulator: a detector made of arithmetic → UDP packets, with faults on demand.
 *
 * @module
 */
import { modulePort } from "../../lib/config/mod.ts";
import { runService } from "../../lib/service/mod.ts";
import { outcomeJson, runSimulation } from "../../lib/simulate/mod.ts";
import { simulationFromOptions, simulatorOptions } from "./options.ts";
import { report } from "./report.ts";

await runService({
  name: "udp_simulator",
  summary:
    "Sends the UDP packets of a simulated detector, as real ones look, with faults on demand.",
  config: "detector",
  arguments: simulatorOptions,
  async run({ config, options, logger, signal, ready, onStats }): Promise<void> {
    const simulation = simulationFromOptions(config, options);
    let sent = { images_sent: 0, packets_sent: 0 };
    onStats(() => sent);
    const result = await runSimulation(simulation, {
      address: options.address,
      gso: options.gso ?? false,
      spread: options.spread ?? false,
      signal,
      onReady: () =>
        ready({
          modules: simulation.modules,
          address: options.address,
          first_port: modulePort(config, simulation.modules[0]!),
          first_image_id: simulation.firstImageId,
        }),
      onProgress: (images, packets) => sent = { images_sent: images, packets_sent: packets },
    });
    const packetsPerSecond = Math.round(result.datagrams / Math.max(result.seconds, 1e-9));
    logger.info("sent {images} images in {datagrams} packets, {packetsPerSecond} packets/s", {
      images: result.images,
      datagrams: result.datagrams,
      packetsPerSecond,
    });
    if (options.json) {
      report({
        event: "sent",
        sent: result.expected.sent, // the dropped ones included
        datagrams: result.datagrams,
        images: result.images,
        seconds: result.seconds,
        packets_per_second: packetsPerSecond,
        expected: outcomeJson(result.expected),
      });
    }
  },
});
