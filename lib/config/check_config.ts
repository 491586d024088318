import type { ConfigIssue } from "./config_error.ts";
import { frameSlots } from "./derived.ts";
import { detectorFacts, type ModuleSize } from "./detector_facts.ts";
import {
  GIGAFROST_MAX_SIDE,
  GIGAFROST_MIN_WIDTH,
  GIGAFROST_MODULES,
  hasChipGaps,
  type ModuleRectangle,
  positionRectangle,
} from "./geometry.ts";
import type { DetectorConfig } from "./schema.ts";

const MAX_PORT = 65_535;

/** A config as far as it is right in itself. */
export type RightFields = {
  readonly [Field in keyof DetectorConfig]?: DetectorConfig[Field] | undefined;
};

/** Looks for what is wrong between fields; where one of them is wrong in itself, it has nothing to say. */
type Check = (config: RightFields, wrong: ReadonlySet<PropertyKey>) => ConfigIssue[];

const CHECKS: readonly Check[] = [
  check(["detector_type", "bit_depth"], checkBitDepth),
  check(["n_modules", "start_udp_port"], checkHighestPort),
  check(["n_modules", "start_udp_port", "submodule_info"], checkModulePorts),
  check(["frame_slots", "frame_window"], checkWindow),
  check(["detector_type", "n_modules"], checkGigafrostModules),
  check(["detector_type", "image_pixel_height"], checkGigafrostSide("image_pixel_height")),
  check(["detector_type", "image_pixel_width"], checkGigafrostSide("image_pixel_width")),
  check(["detector_type", "n_modules", "module_positions"], checkModuleKeys("module_positions")),
  check(["detector_type", "n_modules", "module_rotations"], checkModuleKeys("module_rotations")),
  check(["detector_type", "n_modules", "module_positions"], checkMissing),
  check(["detector_type", "module_positions", "module_rotations"], checkSizes),
  check(
    ["detector_type", "module_positions", "image_pixel_width", "image_pixel_height"],
    checkInside,
  ),
  check(["detector_type", "module_positions"], checkOverlaps),
  check(["compression", "compressed_ring"], checkCompressedRing),
  check(["switch_user_active", "writer_user_id"], checkUser),
  check(["switch_user_active", "allowed_user_ids"], checkAllowedUsers),
  check(["detector_type", "image_id_source"], checkImageIdSource),
  check(["detector_type", "double_pixels"], checkDoublePixels),
  check(["detector_type", "double_pixels", "module_positions"], checkGapsToShare),
  check(["detector_type", "converted_pixel_type", "photon_energy_kev"], checkPhotons),
];

/**
 * Checks what the schema cannot: everything that depends on more than one field.
 *
 * @param config What of a config passed the schema.
 * @param wrong The fields that did not: whatever depends on them is left unchecked.
 * @returns The wrong fields (bit depth of the detector, ports, window, geometry), each once; none if
 * the config is usable.
 */
export function checkConfig(
  config: RightFields,
  wrong: ReadonlySet<PropertyKey> = new Set(),
): ConfigIssue[] {
  const issues = new Map<string, ConfigIssue>();
  for (const issue of CHECKS.flatMap((find) => find(config, wrong))) {
    // A module of the wrong size is likely to be outside, too: the first problem tells enough.
    if (!issues.has(issue.path)) issues.set(issue.path, issue);
  }
  return [...issues.values()];
}

/** A check that is made when all of its fields are right in themselves. */
function check<Field extends keyof DetectorConfig>(
  fields: readonly Field[],
  find: (config: Pick<DetectorConfig, Field>) => ConfigIssue[],
): Check {
  return (config, wrong) => areRight(config, wrong, fields) ? find(config) : [];
}

function areRight<Field extends keyof DetectorConfig>(
  _config: RightFields,
  wrong: ReadonlySet<PropertyKey>,
  fields: readonly Field[],
): _config is RightFields & Pick<DetectorConfig, Field> {
  return fields.every((field) => !wrong.has(field));
}

/** The fields of a config that a check reads. */
type Fields<Field extends keyof DetectorConfig> = Pick<DetectorConfig, Field>;

function checkBitDepth(
  { detector_type, bit_depth }: Fields<"detector_type" | "bit_depth">,
): ConfigIssue[] {
  const { bitDepths } = detectorFacts(detector_type);
  return bitDepths.includes(bit_depth) ? [] : [{
    path: "bit_depth",
    value: bit_depth,
    expected: `${bitDepths.join(" or ")} for a ${detector_type}`,
  }];
}

function checkPhotons(
  { detector_type, converted_pixel_type: type, photon_energy_kev: value }: Fields<
    "detector_type" | "converted_pixel_type" | "photon_energy_kev"
  >,
): ConfigIssue[] {
  const counted = detector_type === "jungfrau-converted" && type !== "float32";
  const expected = `the energy of one photon, keV: pixels of ${type} count photons`;
  return counted && value === undefined ? [{ path: "photon_energy_kev", value, expected }] : [];
}

function checkImageIdSource(
  { detector_type, image_id_source: value }: Fields<"detector_type" | "image_id_source">,
): ConfigIssue[] {
  if (value !== "bunch_id" || detectorFacts(detector_type).hasBunchIds === true) return [];
  const expected = `frame_number for a ${detector_type}, whose packets carry no bunch id`;
  return [{ path: "image_id_source", value, expected }];
}

function checkCompressedRing(
  { compression, compressed_ring }: Fields<"compression" | "compressed_ring">,
): ConfigIssue[] {
  if (!compressed_ring || compression === "bitshuffle-lz4") return [];
  const expected = "bitshuffle-lz4 with compressed_ring, which has no other images";
  return [{ path: "compression", value: compression, expected }];
}

function checkUser(
  { switch_user_active, writer_user_id }: Fields<"switch_user_active" | "writer_user_id">,
): ConfigIssue[] {
  if (!switch_user_active || writer_user_id !== undefined) return [];
  const expected = "false, or a writer_user_id that files are written as";
  return [{ path: "switch_user_active", value: switch_user_active, expected }];
}

function checkAllowedUsers(
  { switch_user_active, allowed_user_ids }: Fields<"switch_user_active" | "allowed_user_ids">,
): ConfigIssue[] {
  if (switch_user_active !== false || allowed_user_ids.length === 0) return [];
  const expected = "[] with switch_user_active false: files are not written as another user then";
  return [{ path: "allowed_user_ids", value: allowed_user_ids, expected }];
}

function checkWindow(config: Fields<"frame_slots" | "frame_window">): ConfigIssue[] {
  const slots = frameSlots(config);
  return config.frame_window <= slots ? [] : [{
    path: "frame_window",
    value: config.frame_window,
    expected: `at most frame_slots (${slots}): every open frame needs a slot of its own`,
  }];
}

function checkHighestPort(
  { n_modules, start_udp_port }: Fields<"n_modules" | "start_udp_port">,
): ConfigIssue[] {
  const highest = MAX_PORT + 1 - n_modules;
  return start_udp_port <= highest ? [] : [{
    path: "start_udp_port",
    value: start_udp_port,
    expected: `at most ${highest}, so that all ${n_modules} modules have a port up to ${MAX_PORT}`,
  }];
}

function checkModulePorts(
  config: Fields<"n_modules" | "start_udp_port" | "submodule_info">,
): ConfigIssue[] {
  const { n_modules, start_udp_port, submodule_info: submodules = [] } = config;
  const issues: ConfigIssue[] = [];
  const entryOfModule = new Map<number, number>();
  const userOfPort = new Map<number, string>();
  submodules.forEach(({ submodule, port }, index) => {
    const path = `submodule_info[${index}]`;
    const earlier = entryOfModule.get(submodule);
    if (submodule >= n_modules) {
      issues.push({
        path: `${path}.submodule`,
        value: submodule,
        expected: `a module of this detector: 0 to ${n_modules - 1} (n_modules is ${n_modules})`,
      });
    } else if (earlier !== undefined) {
      issues.push({
        path: `${path}.submodule`,
        value: submodule,
        expected: `a module not yet listed (submodule_info[${earlier}] has it)`,
      });
    }
    const user = userOfPort.get(port);
    if (user !== undefined) {
      issues.push({
        path: `${path}.port`,
        value: port,
        expected: `a port of its own (${user} has it)`,
      });
    }
    if (earlier === undefined) entryOfModule.set(submodule, index);
    if (user === undefined) userOfPort.set(port, path);
  });

  for (let module = 0; module < n_modules; module++) {
    const user = userOfPort.get(start_udp_port + module);
    if (user !== undefined && !entryOfModule.has(module)) {
      issues.push({
        path: `${user}.port`,
        value: start_udp_port + module,
        expected: `a port of its own (module ${module} has it: start_udp_port + ${module})`,
      });
    }
  }
  return issues;
}

function checkGigafrostModules(
  { detector_type, n_modules }: Fields<"detector_type" | "n_modules">,
): ConfigIssue[] {
  return detector_type !== "gigafrost" || n_modules === GIGAFROST_MODULES ? [] : [{
    path: "n_modules",
    value: n_modules,
    expected: `${GIGAFROST_MODULES} for a gigafrost (4 quadrants with 2 links each)`,
  }];
}

function checkGigafrostSide<Side extends "image_pixel_height" | "image_pixel_width">(
  path: Side,
): (config: Fields<"detector_type" | Side>) => ConfigIssue[] {
  return (config) => {
    const value: number = config[path];
    if (config.detector_type !== "gigafrost") return [];
    // Rows: two quadrants of two interleaved links. Columns: two quadrants of pixel pairs (3 bytes each),
    // which the camera sends in blocks of 12 pixels.
    const least = path === "image_pixel_width" ? GIGAFROST_MIN_WIDTH : 4;
    return value % 4 === 0 && value >= least && value <= GIGAFROST_MAX_SIDE ? [] : [{
      path,
      value,
      expected: `a multiple of 4 from ${least} to ${GIGAFROST_MAX_SIDE} for a gigafrost`,
    }];
  };
}

function checkModuleKeys<Field extends "module_positions" | "module_rotations">(
  field: Field,
): (config: Fields<"detector_type" | "n_modules" | Field>) => ConfigIssue[] {
  return (config) => {
    if (detectorFacts(config.detector_type).module === undefined) return [];
    const { n_modules } = config;
    const unknown = Object.entries<unknown>(config[field])
      .filter(([key]) => Number(key) >= n_modules);
    return unknown.map(([key, value]) => ({
      path: `${field}.${key}`,
      value,
      expected: `no such module: n_modules is ${n_modules}, so the keys are "0" to "${
        n_modules - 1
      }"`,
    }));
  };
}

function checkMissing(
  config: Fields<"detector_type" | "n_modules" | "module_positions">,
): ConfigIssue[] {
  const { detector_type, n_modules, module_positions: positions } = config;
  if (detectorFacts(detector_type).module === undefined) return [];
  return Array.from({ length: n_modules }, (_, module) => module)
    .filter((module) => positions[String(module)] === undefined)
    .map((module) => ({
      path: `module_positions.${module}`,
      value: undefined,
      expected: `[x0, y0, x1, y1] of module ${module} (n_modules is ${n_modules})`,
    }));
}

/** What `wrong` has to say about each module that `module_positions` has a say in. */
function checkModules(
  config: Fields<"detector_type" | "module_positions"> & Partial<Fields<"module_rotations">>,
  wrong: (rectangle: ModuleRectangle) => string | undefined,
): ConfigIssue[] {
  if (detectorFacts(config.detector_type).module === undefined) return [];
  return Object.entries(config.module_positions).flatMap(([key, value]) => {
    const expected = wrong(positionRectangle(Number(key), value, config.module_rotations?.[key]));
    return expected === undefined ? [] : [{ path: `module_positions.${key}`, value, expected }];
  });
}

function checkSizes(
  config: Fields<"detector_type" | "module_positions" | "module_rotations">,
): ConfigIssue[] {
  const size = moduleSize(config);
  return size === undefined ? [] : checkModules(config, ({ width, height, transposed }) => {
    const [wide, high] = transposed ? [size.height, size.width] : [size.width, size.height];
    if (width === wide && height === high) return undefined;
    const onItsSide = width === high && height === wide;
    return `a module of ${wide}x${high} px (width x height, corners inclusive) for a ` +
      `${config.detector_type}${transposed ? " on its side" : ""}, not ${width}x${height}` +
      (onItsSide ? "; module_rotations says which modules lie on their side" : "");
  });
}

/** The size all modules must have; undefined while the one that decides, module 0, has no position. */
function moduleSize(
  config: Fields<"detector_type" | "module_positions">,
): ModuleSize | undefined {
  const { module: plain, moduleWithGaps } = detectorFacts(config.detector_type);
  if (moduleWithGaps === undefined) return plain;
  if (config.module_positions["0"] === undefined) return undefined;
  return hasChipGaps(config) ? moduleWithGaps : plain;
}

function checkInside(
  config: Fields<
    "detector_type" | "module_positions" | "image_pixel_width" | "image_pixel_height"
  >,
): ConfigIssue[] {
  const { image_pixel_width, image_pixel_height } = config;
  return checkModules(
    config,
    ({ x, y, width, height }) =>
      x + width <= image_pixel_width && y + height <= image_pixel_height
        ? undefined
        : `a module inside the image: x from 0 to ${image_pixel_width - 1}, y from 0 to ${
          image_pixel_height - 1
        }`,
  );
}

function checkOverlaps(config: Fields<"detector_type" | "module_positions">): ConfigIssue[] {
  const placed: ModuleRectangle[] = [];
  return checkModules(config, (rectangle) => {
    const other = placed.find((earlier) =>
      rectangle.x < earlier.x + earlier.width && earlier.x < rectangle.x + rectangle.width &&
      rectangle.y < earlier.y + earlier.height && earlier.y < rectangle.y + rectangle.height
    );
    placed.push(rectangle);
    return other === undefined ? undefined : `no pixel in common with module ${other.module}`;
  });
}

function checkDoublePixels(
  { detector_type, double_pixels: value }: Fields<"detector_type" | "double_pixels">,
): ConfigIssue[] {
  const { doublePixels = ["keep"] } = detectorFacts(detector_type);
  return doublePixels.includes(value) ? [] : [{
    path: "double_pixels",
    value,
    expected: `${doublePixels.join(" or ")} for a ${detector_type}`,
  }];
}

function checkGapsToShare(
  config: Fields<"detector_type" | "double_pixels" | "module_positions">,
): ConfigIssue[] {
  const { moduleWithGaps } = detectorFacts(config.detector_type);
  const size = moduleSize(config);
  if (config.double_pixels !== "interpolate" || moduleWithGaps === undefined) return [];
  if (size === undefined || size === moduleWithGaps) return [];
  const { width, height } = moduleWithGaps;
  return [{
    path: "double_pixels",
    value: config.double_pixels,
    expected: `modules of ${width}x${height} px in module_positions: what is shared needs the gaps`,
  }];
}
