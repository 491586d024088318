import type { ConfigIssue } from "./config_error.ts";
import { frameSlots } from "./derived.ts";
import { detectorFacts } from "./detector_facts.ts";
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

/**
 * Checks what the schema cannot: everything that depends on more than one field.
 *
 * @param config A config that passed the schema.
 * @returns The wrong fields (bit depth of the detector, ports, window, geometry); none if it is usable.
 */
export function checkConfig(config: DetectorConfig): ConfigIssue[] {
  return [
    ...checkBitDepth(config),
    ...checkPorts(config),
    ...checkWindow(config),
    ...checkGeometry(config),
    ...checkDoublePixels(config),
  ];
}

function checkBitDepth({ detector_type, bit_depth }: DetectorConfig): ConfigIssue[] {
  const { bitDepths } = detectorFacts(detector_type);
  return bitDepths.includes(bit_depth) ? [] : [{
    path: "bit_depth",
    value: bit_depth,
    expected: `${bitDepths.join(" or ")} for a ${detector_type}`,
  }];
}

function checkDoublePixels(config: DetectorConfig): ConfigIssue[] {
  const { detector_type, double_pixels: value } = config;
  const { doublePixels = ["keep"], moduleWithGaps } = detectorFacts(detector_type);
  const path = "double_pixels";
  if (!doublePixels.includes(value)) {
    const expected = `${doublePixels.join(" or ")} for a ${detector_type}`;
    return [{ path, value, expected }];
  }
  if (value !== "interpolate" || moduleWithGaps === undefined || hasChipGaps(config)) return [];
  const { width, height } = moduleWithGaps;
  return [{
    path,
    value,
    expected: `modules of ${width}x${height} px in module_positions: what is shared needs the gaps`,
  }];
}

function checkWindow(config: DetectorConfig): ConfigIssue[] {
  const slots = frameSlots(config);
  return config.frame_window <= slots ? [] : [{
    path: "frame_window",
    value: config.frame_window,
    expected: `at most frame_slots (${slots}): every open frame needs a slot of its own`,
  }];
}

function checkPorts(config: DetectorConfig): ConfigIssue[] {
  const { n_modules, start_udp_port, submodule_info: submodules = [] } = config;
  const issues: ConfigIssue[] = [];
  const highest = MAX_PORT + 1 - n_modules;
  if (start_udp_port > highest) {
    issues.push({
      path: "start_udp_port",
      value: start_udp_port,
      expected:
        `at most ${highest}, so that all ${n_modules} modules have a port up to ${MAX_PORT}`,
    });
  }

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

function checkGeometry(config: DetectorConfig): ConfigIssue[] {
  if (config.detector_type === "gigafrost") return checkGigafrost(config);
  const { module: plain, moduleWithGaps } = detectorFacts(config.detector_type);
  const size = hasChipGaps(config) ? moduleWithGaps : plain;
  return size === undefined ? [] : checkPositions(config, size);
}

function checkGigafrost(config: DetectorConfig): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  if (config.n_modules !== GIGAFROST_MODULES) {
    issues.push({
      path: "n_modules",
      value: config.n_modules,
      expected: `${GIGAFROST_MODULES} for a gigafrost (4 quadrants with 2 links each)`,
    });
  }
  for (const path of ["image_pixel_height", "image_pixel_width"] as const) {
    // Rows: two quadrants of two interleaved links. Columns: two quadrants of pixel pairs (3 bytes each),
    // which the camera sends in blocks of 12 pixels.
    const least = path === "image_pixel_width" ? GIGAFROST_MIN_WIDTH : 4;
    if (config[path] % 4 !== 0 || config[path] < least || config[path] > GIGAFROST_MAX_SIDE) {
      issues.push({
        path,
        value: config[path],
        expected: `a multiple of 4 from ${least} to ${GIGAFROST_MAX_SIDE} for a gigafrost`,
      });
    }
  }
  return issues;
}

function checkPositions(
  config: DetectorConfig,
  size: { width: number; height: number },
): ConfigIssue[] {
  const { n_modules, module_positions: positions, module_rotations: rotations } = config;
  const issues: ConfigIssue[] = [];
  for (
    const [field, modules] of Object.entries({
      module_positions: positions,
      module_rotations: rotations,
    })
  ) {
    for (const [key, value] of Object.entries<unknown>(modules)) {
      if (Number(key) < n_modules) continue;
      issues.push({
        path: `${field}.${key}`,
        value,
        expected: `no such module: n_modules is ${n_modules}, so the keys are "0" to "${
          n_modules - 1
        }"`,
      });
    }
  }

  const placed: ModuleRectangle[] = [];
  for (let module = 0; module < n_modules; module++) {
    const path = `module_positions.${module}`;
    const value = positions[String(module)];
    if (value === undefined) {
      issues.push({
        path,
        value,
        expected: `[x0, y0, x1, y1] of module ${module} (n_modules is ${n_modules})`,
      });
      continue;
    }
    const rectangle = positionRectangle(module, value, rotations[String(module)]);
    const wrong = wrongSize(config, size, rectangle) ?? outside(config, rectangle) ??
      overlap(placed, rectangle);
    if (wrong !== undefined) issues.push({ path, value, expected: wrong });
    placed.push(rectangle);
  }
  return issues;
}

function wrongSize(
  { detector_type }: DetectorConfig,
  size: { width: number; height: number },
  { width, height, transposed }: ModuleRectangle,
): string | undefined {
  const [wide, high] = transposed ? [size.height, size.width] : [size.width, size.height];
  if (width === wide && height === high) return undefined;
  const onItsSide = width === high && height === wide;
  return `a module of ${wide}x${high} px (width x height, corners inclusive) for a ` +
    `${detector_type}${transposed ? " on its side" : ""}, not ${width}x${height}` +
    (onItsSide ? "; module_rotations says which modules lie on their side" : "");
}

function outside(
  { image_pixel_width, image_pixel_height }: DetectorConfig,
  { x, y, width, height }: ModuleRectangle,
): string | undefined {
  return x + width <= image_pixel_width && y + height <= image_pixel_height
    ? undefined
    : `a module inside the image: x from 0 to ${image_pixel_width - 1}, y from 0 to ${
      image_pixel_height - 1
    }`;
}

function overlap(
  placed: readonly ModuleRectangle[],
  rectangle: ModuleRectangle,
): string | undefined {
  const other = placed.find((earlier) =>
    rectangle.x < earlier.x + earlier.width && earlier.x < rectangle.x + rectangle.width &&
    rectangle.y < earlier.y + earlier.height && earlier.y < rectangle.y + rectangle.height
  );
  return other === undefined ? undefined : `no pixel in common with module ${other.module}`;
}
