import { ConfigError, type DetectorConfig, frameSlots } from "../config/mod.ts";
import { frameBytes } from "./detector.ts";
import { detectorFor } from "./detector_for.ts";

/**
 * Most bytes of a module's frame ring: it has to be in one memory of the kernels, which ends at 4 GiB,
 * with a receiver's tables, or with images and the maps of their correction.
 */
const LARGEST_FRAME_RING = 3 * 2 ** 30;

/**
 * Slots of each module's frame ring, as far as the kernels can work on it.
 *
 * @param config A config from `parseConfig`.
 * @param option The service's `--frame-slots`, which goes before the config's; undefined: not given.
 * @throws {ConfigError} If a ring of so many does not fit into a memory.
 * @throws {UnsupportedDetectorError} If there is no folder for the detector here.
 */
export function ringFrameSlots(config: DetectorConfig, option?: number): number {
  const slots = option ?? frameSlots(config);
  const bytes = frameBytes(detectorFor(config).packetFormat(config));
  const most = Math.floor(LARGEST_FRAME_RING / bytes);
  if (slots <= most) return slots;
  throw new ConfigError(config.detector_name, [{
    path: option === undefined ? "frame_slots" : "--frame-slots",
    value: slots,
    expected:
      `at most ${most}: the frame ring of a module, of ${bytes} bytes a slot, has at most ` +
      "3 GiB",
  }]);
}
