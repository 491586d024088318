import { DEFAULT_SLOTS, type DetectorConfig } from "./schema.ts";

/** Pixel types of an assembled image. */
export type PixelType = "uint8" | "uint16" | "uint32" | "int16" | "int32" | "float32";

const PIXEL_BYTES: Record<PixelType, number> = {
  uint8: 1,
  uint16: 2,
  uint32: 4,
  int16: 2,
  int32: 4,
  float32: 4,
};
const GB = 1e9;

/**
 * The type of the image's pixels.
 *
 * @param config A config from `parseConfig`.
 * @returns Type of the image's pixels: by `bit_depth` (4 bit are unpacked to 8), but for
 * converted Jungfrau images `converted_pixel_type`.
 */
export function pixelType(config: DetectorConfig): PixelType {
  if (config.detector_type === "jungfrau-converted") return config.converted_pixel_type;
  return ({ 4: "uint8", 8: "uint8", 16: "uint16", 32: "uint32" } as const)[config.bit_depth];
}

/**
 * The size of the image.
 *
 * @param config A config from `parseConfig`.
 * @returns `[height, width]` of the image, in px.
 */
export function imageShape(config: DetectorConfig): [height: number, width: number] {
  return [config.image_pixel_height, config.image_pixel_width];
}

/**
 * The memory one image takes.
 *
 * @param config A config from `parseConfig`.
 * @returns Size of one uncompressed image, in bytes.
 */
export function imageBytes(config: DetectorConfig): number {
  const [height, width] = imageShape(config);
  return height * width * PIXEL_BYTES[pixelType(config)];
}

/**
 * The length of each module's frame ring.
 *
 * @param config A config from `parseConfig`.
 * @returns Slots of each module's frame ring: `frame_slots`, or the reference's 1000.
 */
export function frameSlots(config: Pick<DetectorConfig, "frame_slots">): number {
  return config.frame_slots ?? DEFAULT_SLOTS;
}

/**
 * The length of the image ring.
 *
 * @param config A config from `parseConfig`.
 * @returns Slots of the image ring: `image_slots`, or as the reference has it what fits into
 * `ram_buffer_gb` (of 10^9 bytes) and never fewer than 1000.
 */
export function imageSlots(config: DetectorConfig): number {
  if (config.image_slots !== undefined) return config.image_slots;
  const bufferBytes = (config.ram_buffer_gb ?? 0) * GB;
  return Math.max(DEFAULT_SLOTS, Math.floor(bufferBytes / imageBytes(config)));
}

/**
 * The UDP port of a module.
 *
 * @param config A config from `parseConfig`.
 * @param module Index of the module.
 * @returns UDP port the module sends to: the one `submodule_info` gives it, or `start_udp_port + module`.
 * @throws {RangeError} If the config has no such module.
 */
export function modulePort(config: DetectorConfig, module: number): number {
  if (!Number.isInteger(module) || module < 0 || module >= config.n_modules) {
    throw new RangeError(
      `module ${module} does not exist: ${config.detector_name} has modules 0 to ${
        config.n_modules - 1
      }; choose one of these or change n_modules`,
    );
  }
  const submodule = config.submodule_info?.find((entry) => entry.submodule === module);
  return submodule?.port ?? config.start_udp_port + module;
}
