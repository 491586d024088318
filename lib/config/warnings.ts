import { detectorFacts } from "./detector_facts.ts";
import type { DetectorConfig } from "./schema.ts";

/**
 * Finds fields that are right in themselves and have no effect, set to what would have one in the
 * reference.
 *
 * @param config A config that passed all checks.
 * @returns One sentence per field, with what to do instead.
 */
export function ignoredFields(config: DetectorConfig): string[] {
  return [
    ...ignoredGeometry(config),
    ...ignoredConversion(config),
    ...ignoredSettings(config),
    ...ignoredSubmodules(config),
  ];
}

function ignoredGeometry(config: DetectorConfig): string[] {
  if (detectorFacts(config.detector_type).module !== undefined) return [];
  return (["module_positions", "module_rotations"] as const)
    .filter((field) => Object.keys(config[field]).length > 0)
    .map((field) =>
      `${field} is ignored for a ${config.detector_type}, whose geometry is fixed; make it {}`
    );
}

/** What fields of the conversion are where nobody gave them. */
const WITHOUT_CONVERSION: { readonly [Field in keyof DetectorConfig]?: unknown } = {
  converted_pixel_type: "float32",
  high_gain: false,
};

function ignoredConversion(config: DetectorConfig): string[] {
  if (config.detector_type === "jungfrau-converted") return [];
  return (["calibration", "photon_energy_kev", "converted_pixel_type", "high_gain"] as const)
    .filter((field) => config[field] !== undefined && config[field] !== WITHOUT_CONVERSION[field])
    .map((field) =>
      `${field} is ignored for a ${config.detector_type}, which is not converted; remove it`
    );
}

/** Settings of the reference that no service acts on, as long as each is what it is by default. */
const WITHOUT_EFFECT = {
  gpfs_block_size: {
    unless: 16_777_216,
    instead: "images are aligned to 4096 bytes in the file, whatever its file system",
  },
  max_number_of_forwarders_spawned: { unless: 8, instead: "images stay on this machine" },
  use_all_forwarders: { unless: false, instead: "images stay on this machine" },
  sender_sends_full_images: { unless: false, instead: "images stay on this machine" },
  delay_filter_timeout: { unless: 10, instead: "no service delays images" },
} as const satisfies { [Field in keyof DetectorConfig]?: { unless: unknown; instead: string } };

function ignoredSettings(config: DetectorConfig): string[] {
  const fields = Object.entries<{ unless: unknown; instead: string }>(WITHOUT_EFFECT)
    .map(([field, { unless, instead }]) => ({ field, unless, instead }))
    .filter(({ field, unless }) => {
      const value: unknown = Reflect.get(config, field);
      return value !== undefined && value !== unless;
    })
    .map(({ field, instead }) => `${field} is ignored: ${instead}`);
  const streams = Object.keys(config.live_stream_configs).length;
  return streams === 0 ? fields : [
    ...fields,
    "live_stream_configs is ignored: no live stream is sent; " +
    `ipc:///tmp/${config.detector_name}-image has the metadata of every image`,
  ];
}

function ignoredSubmodules({ submodule_info = [] }: DetectorConfig): string[] {
  return submodule_info.flatMap(({ activate, submodule }, index) =>
    activate === undefined || Boolean(activate) ? [] : [
      `submodule_info[${index}].activate is ignored: module ${submodule} is received and waited for; ` +
      "leave it out of n_modules and module_positions if it does not send",
    ]
  );
}
