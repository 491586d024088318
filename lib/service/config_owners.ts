import type { DetectorConfig } from "../config/mod.ts";
import type { ServiceName } from "./permissions.ts";

/** The services that start with a detector config. */
export type ConfigReader = Exclude<ServiceName, "config_deployer" | "udp_simulator">;

// The writer is in all of them: every file holds the config that its images were made with.
const RECEIVER = ["std_udp_recv", "std_h5_writer"] as const;
const ASSEMBLER = ["std_assembler", "std_h5_writer"] as const;
/** What hands images on, or takes them. */
const IMAGE_RINGS = [
  "std_assembler",
  "std_data_compress",
  "std_data_decompress",
  "std_h5_writer",
] as const;
const WRITING = ["std_h5_writer", "writer_agent"] as const;
const EVERY = ["std_udp_recv", ...IMAGE_RINGS, "writer_agent"] as const;
/** Settings of the original that nothing acts on: `parseConfig` warns of them. */
const NOBODY = [] as const;

/**
 * The one table of who reads which field of a config, and has to be started again when it changes: the writer
 * with all that somebody acts on, since it puts the config into every file. A field that has no line here does
 * not compile.
 */
export const CONFIG_OWNERS: Readonly<Record<keyof DetectorConfig, readonly ConfigReader[]>> = {
  detector_name: EVERY, // names rings and sockets
  detector_type: EVERY,
  image_pixel_height: EVERY, // gigafrost: the packets, too
  image_pixel_width: EVERY,
  bit_depth: EVERY,
  n_modules: EVERY, // the account of images counts modules
  start_udp_port: RECEIVER,
  submodule_info: RECEIVER,
  udp_bind_address: RECEIVER,
  image_id_source: RECEIVER,
  frame_window: RECEIVER,
  frame_timeout_ms: RECEIVER,
  frame_slots: ["std_udp_recv", ...ASSEMBLER],
  module_positions: ASSEMBLER,
  module_rotations: ASSEMBLER,
  module_sync_queue_size: ASSEMBLER,
  image_timeout_ms: ASSEMBLER,
  double_pixels: ASSEMBLER,
  calibration: ASSEMBLER,
  high_gain: ASSEMBLER,
  photon_energy_kev: ASSEMBLER,
  converted_pixel_type: [...IMAGE_RINGS, "writer_agent"],
  ram_buffer_gb: IMAGE_RINGS,
  image_slots: IMAGE_RINGS,
  number_of_writers: WRITING,
  no_images_timeout: WRITING,
  fsync: WRITING,
  file_mode: WRITING,
  file_group: WRITING,
  create_directories: WRITING,
  file_format: WRITING,
  nexus: WRITING,
  compressed_ring: ["std_data_compress", ...WRITING],
  compression: WRITING,
  compression_threads: ["std_data_compress", "std_data_decompress", ...WRITING],
  switch_user_active: WRITING,
  writer_user_id: WRITING,
  allowed_user_ids: WRITING,
  log_level: EVERY,
  stats_collection_period: EVERY,
  shm_group: EVERY,
  max_number_of_forwarders_spawned: NOBODY,
  use_all_forwarders: NOBODY,
  sender_sends_full_images: NOBODY,
  gpfs_block_size: NOBODY,
  live_stream_configs: NOBODY,
  delay_filter_timeout: NOBODY,
};

/** The services along the data's way: the order in which they start. */
export const START_ORDER: readonly ConfigReader[] = EVERY;

/**
 * The services that a change of a config affects, in the order of their start.
 *
 * @param fields Names of the fields that have another value; one that is none of the config affects nobody.
 */
export function servicesAffectedBy(fields: readonly string[]): ConfigReader[] {
  const owners: Readonly<Record<string, readonly ConfigReader[] | undefined>> = CONFIG_OWNERS;
  const affected = new Set(fields.flatMap((field) => owners[field] ?? []));
  return START_ORDER.filter((service) => affected.has(service));
}
