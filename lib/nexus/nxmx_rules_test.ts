import assert from "node:assert/strict";
import { NXMX_DEFINITION } from "./_nxmx_definition.ts";
import { type Content, type GroupRule, type Level, NXMX, type Quantity } from "./nxmx_rules.ts";

/** Where our rules ask for something else than the stricter edition, with the level that they have. */
const EXCEPTIONS: Readonly<Record<string, readonly [level: Level | "no rule", why: string]>> = {
  "NXentry@version": ["no rule", "may be left out; which edition a file follows changes no rule"],
  "NXentry/NXsample/NXtransformations": [
    "optional",
    "the data acquisition knows of no goniometer; today's edition does not recommend it",
  ],
  "NXentry/NXinstrument/name@short_name": [
    "recommended",
    "required in 2020 as it has no level, optional today: a file is valid without it",
  ],
  "NXentry/NXinstrument/NXdetector_group": ["optional", "one detector is no group of detectors"],
  "NXentry/NXinstrument/NXdetector/NXcollection": ["no rule", "anything may be in it"],
  "NXentry/NXinstrument/NXdetector/NXdetector_channel": ["no rule", "NXmx asks for nothing in it"],
  "NXentry/NXinstrument/NXbeam@flux": ["no rule", "may be left out"],
  "NXentry/NXinstrument/NXbeam/NXdata": [
    "no rule",
    "incident_wavelength_spectrum: NXmx asks for nothing in it",
  ],
  "NXentry/NXinstrument/NXbeam/incident_polarisation_stokes": [
    "optional",
    "the name of 2020, deprecated; the data acquisition does not know the polarization",
  ],
  "NXentry/NXinstrument/NXbeam/incident_polarization_stokes": [
    "optional",
    "the data acquisition does not know the polarization",
  ],
};

const TYPES: Readonly<Record<Content, string>> = {
  text: "CHAR",
  time: "DATE_TIME",
  "time zone": "DATE_TIME",
  depends_on: "CHAR",
  numbers: "NUMBER",
  integers: "INT",
  floats: "FLOAT",
  boolean: "BOOLEAN",
  axis: "NUMBER",
};

const KINDS_OF_UNITS: Readonly<Record<Quantity, string>> = {
  length: "LENGTH",
  time: "TIME",
  wavelength: "WAVELENGTH",
  energy: "ENERGY",
  "length or pixels": "LENGTH",
  frequency: "FREQUENCY",
  temperature: "TEMPERATURE",
  angle: "ANGLE",
  flux: "FLUX",
  "number per area": "PER_AREA",
};

/** Numbers without a unit. */
const WITHOUT_UNITS = ["UNITLESS", "DIMENSIONLESS"];

interface Ruled {
  level: Level;
  type: string | undefined;
  units: string | undefined;
}

/** What our rules say of each path. */
function ruled(rule: GroupRule, above = ""): [path: string, ruled: Ruled][] {
  const group = `${above}${rule.nxClass}`;
  const fields = rule.fields.flatMap(
    ({ name, level, is, quantity, attributes = {} }): [string, Ruled][] => {
      const path = `${group}/${name}`;
      const units = quantity === undefined ? undefined : KINDS_OF_UNITS[quantity];
      return [
        [path, { level, type: TYPES[is], units }],
        ...Object.entries(attributes).map(([attribute, level]): [string, Ruled] => [
          `${path}@${attribute}`,
          { level, type: undefined, units: undefined },
        ]),
      ];
    },
  );
  const groups = (rule.groups ?? []).flatMap((below) => ruled(below, `${group}/`));
  const own: Ruled = { level: rule.level, type: undefined, units: undefined };
  return [[group, own], ...fields, ...groups];
}

const STRICTEST: readonly (Level | undefined)[] = ["required", "recommended", "optional"];

Deno.test("our rules are NXmx's, path by path: levels, types, units; but for exceptions with a reason", () => {
  const rules = new Map(ruled(NXMX));
  assert.equal(rules.size, ruled(NXMX).length, "no path twice");
  for (const { path, levels, type, units } of NXMX_DEFINITION) {
    const rule = rules.get(path);
    rules.delete(path);
    const level = STRICTEST.find((each) => levels.includes(each));
    const [expected, why] = EXCEPTIONS[path] ?? [level, ""];
    assert.equal(rule?.level ?? "no rule", expected, path);
    if (why !== "") assert.notEqual(expected, level, `${path} is no exception`);
    if (rule === undefined) continue;
    const unit = units !== undefined && WITHOUT_UNITS.includes(units) ? undefined : units;
    assert.deepEqual([rule.type, rule.units], [type, unit], path);
  }
  assert.deepEqual([...rules.keys()], [], "rules of what is not in NXmx");
  const defined = NXMX_DEFINITION.map(({ path }) => path);
  assert.deepEqual(Object.keys(EXCEPTIONS).filter((path) => !defined.includes(path)), []);
});
