/**
 * Checks that a file is what NXmx asks for.
 *
 * @module
 */
import type { ArrayFile, ValueKind } from "../hdf5/mod.ts";
import {
  type FieldRule,
  type GroupRule,
  type Level,
  NXMX,
  type Quantity,
  UNITS,
} from "./nxmx_rules.ts";

/** One thing that is missing in a file, or wrong. */
export interface NxmxFinding {
  /** `required`: the file is not valid; `recommended`: tools may miss it. */
  readonly level: "required" | "recommended";
  /** Where it is, or should be; an attribute is behind an `@`. */
  readonly path: string;
  /** What is wrong, as a sentence without the path. */
  readonly problem: string;
}

/**
 * Compares a file with the application definition NXmx: groups by their class, fields by their names,
 * times, units, chains of `depends_on`, and the default plot.
 *
 * @returns What is missing or wrong, in the order of the definition; nothing for a file as it should be.
 */
export function checkNxmx(file: ArrayFile): NxmxFinding[] {
  const entries = childrenOf(file, "/", NXMX.nxClass);
  if (entries.length === 0) {
    return [{ level: "required", path: "/", problem: "has no group of class NXentry" }];
  }
  const ofEntries = entries.flatMap((entry) => [
    ...checkGroup(file, entry, NXMX),
    ...checkPlot(file, entry),
    ...checkMask(file, entry),
    ...checkModules(file, entry),
  ]);
  return [...ofEntries, ...["/", ...entries].flatMap((group) => checkDefault(file, group))];
}

/** Whether a file says that it is an NXmx file. */
export function saysNxmx(file: ArrayFile): boolean {
  return childrenOf(file, "/", NXMX.nxClass)
    .some((entry) => file.text(`${entry}/definition`)?.trim() === "NXmx");
}

function checkGroup(file: ArrayFile, path: string, rule: GroupRule): NxmxFinding[] {
  const fields = rule.fields.flatMap((field) => checkField(file, path, field));
  const axes = rule.ofAxes === true ? axesIn(file, path) : [];
  const groups = (rule.groups ?? []).flatMap((below) => {
    const found = childrenOf(file, path, below.nxClass);
    if (found.length > 0) return found.flatMap((child) => checkGroup(file, child, below));
    if (below.level === "optional") return [];
    return [{ level: below.level, path, problem: `has no group of class ${below.nxClass}` }];
  });
  return [...fields, ...axes.flatMap((axis) => checkTransformation(file, axis)), ...groups];
}

function checkField(file: ArrayFile, group: string, rule: FieldRule): NxmxFinding[] {
  const path = `${group}/${rule.name}`;
  const level = rule.level === "required" ? "required" : "recommended";
  if (file.shape(path) === undefined) {
    return rule.level === "optional" ? [] : [{ level, path, problem: "is missing" }];
  }
  const problems = [
    ...checkValue(file, path, rule),
    ...checkShape(file, path, rule),
    ...checkUnits(file, path, rule.quantity),
  ];
  // What is there has to be right, however much it is wanted.
  return [...wrong(path, problems), ...checkAttributes(file, path, rule.attributes)];
}

function wrong(path: string, problems: readonly string[]): NxmxFinding[] {
  return problems.map((problem) => ({ level: "required", path, problem }));
}

/** Attributes that are wanted and not there. */
function checkAttributes(
  file: ArrayFile,
  path: string,
  wanted: Readonly<Record<string, Level>> = {},
): NxmxFinding[] {
  const there = file.attributeNames(path);
  return Object.entries(wanted).flatMap(([name, level]): NxmxFinding[] =>
    level === "optional" || there.includes(name)
      ? []
      : [{ level, path: `${path}@${name}`, problem: "is missing" }]
  );
}

const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const TIME_ZONE = /^(Z|[+-]\d\d(:?\d\d)?)$/;

function checkValue(file: ArrayFile, path: string, rule: FieldRule): string[] {
  const kind = file.kind(path);
  switch (rule.is) {
    case "text":
    case "time":
    case "time zone":
    case "depends_on":
      return kind === "text" ? checkText(file, path, rule) : ["is not a text"];
    case "axis": {
      const own = [...checkNumbers(kind), ...checkAxis(file, path, ["translation"])];
      return [...own, ...checkChain(file, path, dependsOnOf(file, path))];
    }
    case "numbers":
      return checkNumbers(kind);
    case "integers":
      return kind === "float" ? ["is of floating point, not an integer"] : checkNumbers(kind);
    case "floats":
      return kind === "integer" ? ["is an integer, not of floating point"] : checkNumbers(kind);
    case "boolean": {
      if (kind === "boolean") return [];
      const truth = kind === "integer" && file.numbers(path).every((n) => n === 0 || n === 1);
      return truth ? [] : ["is neither true nor false, nor 1 or 0"];
    }
  }
}

function checkNumbers(kind: ValueKind | undefined): string[] {
  if (kind === "integer" || kind === "float") return [];
  return [kind === "text" ? "is a text, not a number" : "is not a number"];
}

function checkText(file: ArrayFile, path: string, { is, oneOf, level }: FieldRule): string[] {
  const text = file.text(path)?.trim();
  if (text === undefined) return is === "text" && oneOf === undefined ? [] : ["is not one text"];
  // Not known yet, as the time of the end while images are being written.
  if (text === "") return level === "optional" ? [] : ["is empty"];
  const told = `is ${JSON.stringify(text)}`;
  if (oneOf !== undefined && !oneOf.includes(text)) return [`${told}, not ${oneOf.join(" or ")}`];
  if (is === "time" && !UTC_TIME.test(text)) {
    return [`${told}, not a time in UTC such as 2026-01-02T03:04:05.678Z`];
  }
  if (is === "time zone" && !TIME_ZONE.test(text)) {
    return [`${told}, not an offset from UTC such as +01:00`];
  }
  return is === "depends_on" ? checkChain(file, path, text) : [];
}

function checkShape(file: ArrayFile, path: string, { rank, last }: FieldRule): string[] {
  const shape = file.shape(path) ?? [];
  const isRank = rank === undefined || shape.length === rank;
  const isLast = last === undefined || last.includes(shape.at(-1) ?? 1);
  if (isRank && isLast) return [];
  const wanted = [
    ...(rank === undefined ? [] : [`${rank} dimension${rank === 1 ? "" : "s"}`]),
    ...(last === undefined ? [] : [`${last.join(" or ")} numbers in the last one`]),
  ];
  return [`has the shape (${shape.join(", ")}), not ${wanted.join(" and ")}`];
}

function checkUnits(file: ArrayFile, path: string, quantity: Quantity | undefined): string[] {
  if (quantity === undefined) return [];
  const { units } = file.attributes(path);
  const taken = UNITS[quantity];
  if (units === undefined) return [`has no attribute units, such as ${taken[0]}`];
  if (taken.includes(String(units)) || taken.at(-1) === "…") return [];
  return [`has units ${units}, not of ${quantity}`];
}

/** Attributes without which an axis has no direction, or no place. */
const AXIS_ATTRIBUTES: Readonly<Record<string, Level>> = {
  transformation_type: "required",
  vector: "required",
  depends_on: "required",
};

/** Units of an axis, by its `transformation_type`. */
const AXIS_QUANTITY: Readonly<Record<string, Quantity>> = {
  translation: "length",
  rotation: "angle",
};

/** Paths of the axes in a group of class NXtransformations. */
function axesIn(file: ArrayFile, group: string): string[] {
  return file.names(group)
    // Further values of the axis whose name is before it.
    .filter((name) => !/_(end|increment_set)$/.test(name))
    .map((name) => `${group}/${name}`)
    .filter((path) => file.shape(path) !== undefined);
}

/** An axis in a group of class NXtransformations. */
function checkTransformation(file: ArrayFile, path: string): NxmxFinding[] {
  const quantity = AXIS_QUANTITY[String(file.attributes(path)["transformation_type"])];
  const problems = [
    ...checkNumbers(file.kind(path)),
    ...checkAxis(file, path),
    ...checkChain(file, path, dependsOnOf(file, path)),
    ...checkUnits(file, path, quantity),
  ];
  return [...wrong(path, problems), ...checkAttributes(file, path, AXIS_ATTRIBUTES)];
}

/** What a transformation says wrongly of itself. */
function checkAxis(
  file: ArrayFile,
  path: string,
  types: readonly string[] = Object.keys(AXIS_QUANTITY),
): string[] {
  const names = file.attributeNames(path);
  const { transformation_type: type } = file.attributes(path);
  const vectors = ["vector", "offset"].filter((name) => names.includes(name)).flatMap((name) => {
    const numbers = file.attributeNumbers(path, name);
    if (numbers === undefined) return [`has the ${name} of something else than numbers`];
    if (numbers.length !== 3) return [`has the ${name} (${numbers.join(", ")}), not x, y and z`];
    const isNone = name === "vector" && numbers.every((n) => n === 0);
    return isNone ? ["has the vector (0, 0, 0), which is no direction"] : [];
  });
  if (type === undefined || types.includes(String(type))) return vectors;
  return [`has the transformation_type ${type}, not ${types.join(" or ")}`, ...vectors];
}

function dependsOnOf(file: ArrayFile, path: string): string {
  const { depends_on: text = "." } = file.attributes(path);
  return String(text).trim();
}

/** Follows a chain of axes to its end, ".". */
function checkChain(file: ArrayFile, from: string, first: string): string[] {
  const seen: string[] = [from];
  for (let text = first; text !== ".";) {
    const path = resolveAxis(seen.at(-1)!, text);
    if (file.shape(path) === undefined) return [`depends on ${path}, which is not there`];
    if (seen.includes(path)) return [`depends on itself, through ${path}`];
    const lacks = Object.keys(AXIS_ATTRIBUTES)
      .find((name) => !file.attributeNames(path).includes(name));
    if (lacks !== undefined) return [`depends on ${path}, which has no attribute ${lacks}`];
    const [problem] = checkAxis(file, path);
    if (problem !== undefined) return [`depends on ${path}, which ${problem}`];
    seen.push(path);
    text = dependsOnOf(file, path);
  }
  return [];
}

/** A path as it stands in `depends_on`: absolute, or relative to the group of who says it. */
function resolveAxis(from: string, text: string): string {
  if (text.startsWith("/")) return text;
  return `${from.slice(0, from.lastIndexOf("/"))}/${text.replace(/^\.\//, "")}`;
}

/** Which group opens first: without it tools have to guess. */
function checkDefault(file: ArrayFile, path: string): NxmxFinding[] {
  const { default: name } = file.attributes(path);
  if (name === undefined) {
    return [{ level: "recommended", path, problem: "has no attribute default" }];
  }
  if (file.names(path).includes(String(name))) return [];
  return [{ level: "recommended", path, problem: `has the default ${name}, which is not there` }];
}

/** What is plotted: the signal of each group of data. */
function checkPlot(file: ArrayFile, entry: string): NxmxFinding[] {
  return childrenOf(file, entry, "NXdata").flatMap((path): NxmxFinding[] => {
    const { signal } = file.attributes(path);
    const field = `${path}/${signal}`;
    if (signal === undefined) {
      return [{ level: "required", path, problem: "has no attribute signal" }];
    }
    const shape = file.shape(field);
    if (shape === undefined) {
      return [{ level: "required", path, problem: `has the signal ${signal}, which is not there` }];
    }
    if (shape.length >= 3) return [];
    return [{ level: "required", path: field, problem: `has ${shape.length} dimensions, not 3` }];
  });
}

/** A mask has the size of an image. */
function checkMask(file: ArrayFile, entry: string): NxmxFinding[] {
  return childrenOf(file, entry, "NXinstrument")
    .flatMap((instrument) => childrenOf(file, instrument, "NXdetector"))
    .flatMap((detector): NxmxFinding[] => {
      const path = `${detector}/pixel_mask`;
      const mask = file.shape(path), image = file.shape(`${detector}/data`)?.slice(-2);
      if (mask === undefined || image === undefined) return [];
      if (mask.slice(-2).join() === image.join()) return [];
      const problem = `has the shape (${mask.join(", ")}), an image (${image.join(", ")})`;
      return [{ level: "required", path, problem }];
    });
}

/** A stretch of rows or columns. */
type Span = readonly [first: number, count: number];

/** Modules are parts of the image, each pixel of one at most. */
function checkModules(file: ArrayFile, entry: string): NxmxFinding[] {
  return childrenOf(file, entry, "NXinstrument")
    .flatMap((instrument) => childrenOf(file, instrument, "NXdetector"))
    .flatMap((detector) => {
      const image = file.shape(`${detector}/data`)?.slice(-2);
      const modules = childrenOf(file, detector, "NXdetector_module").flatMap((path) => {
        const spans = spansOf(file, path);
        return spans === undefined ? [] : [{ path, spans }];
      });
      const outside = modules.filter(({ spans }) =>
        image !== undefined &&
        !spans.every(([first, count], i) => first >= 0 && count > 0 && first + count <= image[i]!)
      ).flatMap(({ path }) => wrong(path, [`is not within the image (${image?.join(", ")})`]));
      const twice = modules.flatMap(({ path, spans }, i) => {
        const other = modules.slice(0, i).find((each) =>
          each.spans.every(([first, count], k) => {
            const [start, length] = spans[k]!;
            return first < start + length && start < first + count;
          })
        );
        return other === undefined ? [] : wrong(path, [`has pixels of ${other.path}`]);
      });
      return [...outside, ...twice];
    });
}

/** Where a module is in the image: the slow dimension first; undefined if it does not say. */
function spansOf(file: ArrayFile, module: string): Span[] | undefined {
  const [origin, size] = [`${module}/data_origin`, `${module}/data_size`];
  if (file.shape(origin)?.join() !== "2" || file.shape(size)?.join() !== "2") return undefined;
  const counts = file.numbers(size);
  return [...file.numbers(origin)].map((first, i) => [first, counts[i]!]);
}

/** Paths of the groups of a class in a group. */
function childrenOf(file: ArrayFile, group: string, nxClass: string): string[] {
  const prefix = group === "/" ? "" : group;
  return file.names(group).map((name) => `${prefix}/${name}`)
    .filter((path) => file.attributes(path)["NX_class"] === nxClass);
}
