import { describeValue } from "./config_error.ts";
import { detectorFacts } from "./detector_facts.ts";
import {
  calibrationSchema,
  type DetectorConfig,
  detectorConfigSchema,
  liveStreamSchema,
  submoduleSchema,
  trackingSchema,
} from "./schema.ts";

/**
 * Finds the fields that nothing reads: most often a misspelt name.
 *
 * @param json The config as read.
 * @returns One sentence per unknown field, with the known field it resembles.
 */
export function unknownFields(json: unknown): string[] {
  if (!isObject(json)) return [];
  const calibration = isObject(json["calibration"]) ? json["calibration"] : {};
  const streamFields = liveStreamSchema.options.flatMap((option) => Object.keys(option.shape));
  return [
    ...unknownIn(json, "", Object.keys(detectorConfigSchema.shape)),
    ...(Array.isArray(json["submodule_info"]) ? json["submodule_info"] : []).flatMap(
      (entry: unknown, index) =>
        unknownIn(entry, `submodule_info[${index}].`, Object.keys(submoduleSchema.shape)),
    ),
    ...unknownIn(calibration, "calibration.", Object.keys(calibrationSchema.shape)),
    ...unknownIn(
      calibration["pedestal_tracking"],
      "calibration.pedestal_tracking.",
      Object.keys(trackingSchema.shape),
    ),
    ...Object.entries(isObject(json["live_stream_configs"]) ? json["live_stream_configs"] : {})
      .flatMap(([address, entry]) =>
        unknownIn(entry, `live_stream_configs[${describeValue(address)}].`, [
          ...new Set(streamFields),
        ])
      ),
  ];
}

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

function unknownIn(value: unknown, prefix: string, known: readonly string[]): string[] {
  if (!isObject(value)) return [];
  return Object.keys(value).filter((key) => !known.includes(key)).map((key) => {
    const close = closest(key, known);
    const hint = close === undefined ? "remove it or check its name" : `did you mean ${close}?`;
    return `unknown field ${prefix}${printable(key)} is ignored; ${hint}`;
  });
}

function printable(key: string): string {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(key) ? key : describeValue(key);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The known name that at most a third of the letters, and at most 3, set apart. */
function closest(name: string, known: readonly string[]): string | undefined {
  const limit = Math.min(3, Math.floor(name.length / 3));
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    if (Math.abs(candidate.length - name.length) > limit) continue;
    const distance = editDistance(name.toLowerCase(), candidate);
    if (distance <= limit && distance < (best?.distance ?? Infinity)) {
      best = { candidate, distance };
    }
  }
  return best?.candidate;
}

/** Levenshtein distance: insertions, deletions and replacements that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      current.push(Math.min(
        (previous[column] ?? Infinity) + 1,
        (current[column - 1] ?? Infinity) + 1,
        (previous[column - 1] ?? Infinity) + (a[row - 1] === b[column - 1] ? 0 : 1),
      ));
    }
    previous = current;
  }
  return previous[b.length] ?? Infinity;
}
