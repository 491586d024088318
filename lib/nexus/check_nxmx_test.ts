import assert from "node:assert/strict";
import { TestFolder } from "../hdf5/_testing.ts";
import {
  ArrayFile,
  encodeArrayFile,
  type FileTree,
  type TreeAttributes,
  type TreeField,
} from "../hdf5/mod.ts";
import { checkNxmx, type NxmxFinding, saysNxmx } from "./check_nxmx.ts";
import { NexusLayouts } from "./nexus_layouts.ts";
import { type GroupRule, NXMX } from "./nxmx_rules.ts";
import { smallConfig, writeNexusFile } from "./_testing.ts";

const DETECTOR = "/entry/instrument/detector";

/** What is found in a file whose tree was changed. */
function findings(change: (tree: FileTree) => FileTree): NxmxFinding[] {
  using folder = new TestFolder();
  const config = smallConfig();
  const run = { format: "nexus", runId: 7n, startTime: 1_767_323_045, images: 3 } as const;
  const { tree } = new NexusLayouts(config, "std-daq test").of(run)("images.h5");
  const ended = withField(tree, "/entry/end_time_estimated", { value: "2026-01-02T03:04:06Z" });
  writeNexusFile(folder.file(), config, { format: "nexus", options: { tree: change(ended) } });
  using file = new ArrayFile(folder.file());
  return checkNxmx(file);
}

/** The tree with the field at a path replaced, or taken away. */
function withField(tree: FileTree, path: string, field?: TreeField): FileTree {
  const [name = "", ...rest] = path.replace(/^\//, "").split("/");
  if (rest.length > 0) {
    const below = withField(tree.groups?.[name] ?? {}, rest.join("/"), field);
    return { ...tree, groups: { ...tree.groups, [name]: below } };
  }
  const fields = Object.entries(tree.fields ?? {}).filter(([key]) => key !== name);
  return { ...tree, fields: { ...Object.fromEntries(fields), ...(field && { [name]: field }) } };
}

/** Where our files have the groups of a class. */
const PLACES: Record<string, string> = {
  NXentry: "/entry",
  NXdata: "/entry/data",
  NXsample: "/entry/sample",
  NXsource: "/entry/source",
  NXinstrument: "/entry/instrument",
  NXbeam: "/entry/instrument/beam",
  NXdetector: DETECTOR,
  NXdetector_module: `${DETECTOR}/detector_module`,
};

/** Paths of all fields and attributes of a rule that are wanted, in groups that our files have. */
function wanted({ nxClass, fields, groups = [] }: GroupRule): [path: string, level: string][] {
  const place = PLACES[nxClass];
  if (place === undefined) return [];
  const own = fields.flatMap(({ name, level, attributes = {} }): [string, string][] => [
    [`${place}/${name}`, level],
    ...Object.entries(attributes).map(([attribute, level]): [string, string] => [
      `${place}/${name}@${attribute}`,
      level,
    ]),
  ]).filter(([, level]) => level !== "optional");
  return [...own, ...groups.flatMap(wanted)];
}

/** The tree without a field, or without an attribute of one (`path@name`). */
function without(tree: FileTree, path: string): FileTree {
  const [field = "", attribute] = path.split("@");
  if (attribute === undefined) return withField(tree, field);
  const [, ...names] = field.split("/");
  const name = names.pop() ?? "";
  const group = names.reduce<FileTree>((at, each) => at.groups?.[each] ?? {}, tree);
  const { [attribute]: _, ...attributes } = group.fields?.[name]?.attributes ?? {};
  return withField(tree, field, { ...group.fields![name]!, attributes });
}

Deno.test("checkNxmx() finds nothing in a file for which the config says all", () => {
  assert.deepEqual(findings((tree) => tree), []);
});

Deno.test("checkNxmx() names each field and attribute that is missing", () => {
  const all = wanted(NXMX).filter(([path]) => !path.endsWith("/data")); // links: see below
  // Attributes apart: they are not missed of what is missing itself. Offsets apart from what chains need.
  const kinds = [/^[^@]+$/, /name@/, /@offset/, /@(transformation_type|vector|depends_on)/];
  const counts = kinds.map((kind) => {
    const some = all.filter(([path]) => kind.test(path));
    const found = findings((tree) => some.reduce((each, [path]) => without(each, path), tree));
    const expected = some.map(([path, level]) => ({ level, path, problem: "is missing" }));
    // What hangs on an axis without a direction says so, too.
    const missing = found.filter(({ problem }) => !problem.startsWith("depends on"));
    const byPath = (list: { path: string }[]) => Map.groupBy(list, ({ path }) => path);
    assert.deepEqual(byPath(missing), byPath(expected));
    return some.length;
  });
  assert.deepEqual(counts, [26, 1, 3, 9]);
  assert.equal(all.length, 39);
});

Deno.test("checkNxmx() finds modules beside the image, and two at one place", () => {
  const place = `${DETECTOR}/detector_module`;
  const beside = findings((tree) => withField(tree, `${place}/data_origin`, { value: [1n, 0n] }));
  assert.deepEqual(beside, [
    { level: "required", path: place, problem: "is not within the image (8, 24)" },
  ]);
  const second = (tree: FileTree): FileTree => {
    const { instrument } = tree.groups?.["entry"]?.groups ?? {};
    const first = instrument?.groups?.["detector"]?.groups?.["detector_module"];
    const fields = Object.entries(first?.fields ?? {});
    return fields.reduce(
      (all, [name, field]) => withField(all, `${DETECTOR}/second/${name}`, field),
      tree,
    );
  };
  const asModule = (tree: FileTree): FileTree => {
    const entry = tree.groups!["entry"]!, instrument = entry.groups!["instrument"]!;
    const detector = instrument.groups!["detector"]!, added = detector.groups!["second"]!;
    const groups = {
      ...detector.groups,
      second: { ...added, attributes: { NX_class: "NXdetector_module" } },
    };
    const all = { ...instrument.groups, detector: { ...detector, groups } };
    return {
      ...tree,
      groups: {
        entry: {
          ...entry,
          groups: { ...entry.groups, instrument: { ...instrument, groups: all } },
        },
      },
    };
  };
  assert.deepEqual(findings((tree) => asModule(second(tree))), [
    { level: "required", path: `${DETECTOR}/second`, problem: `has pixels of ${place}` },
  ]);
});

Deno.test("checkNxmx() names groups that are missing", () => {
  for (const [nxClass, path] of Object.entries(PLACES).slice(1)) {
    const parent = path.slice(0, path.lastIndexOf("/"));
    const name = path.slice(parent.length + 1);
    const without = (tree: FileTree, [first, ...rest]: string[]): FileTree => {
      const groups = { ...tree.groups };
      if (first === undefined) delete groups[name];
      else groups[first] = without(groups[first] ?? {}, rest);
      return { ...tree, groups };
    };
    const [found] = findings((tree) => without(tree, parent.slice(1).split("/")));
    const problem = `has no group of class ${nxClass}`;
    assert.deepEqual(found, { level: "required", path: parent, problem });
  }
  using folder = new TestFolder();
  const bytes = encodeArrayFile({ datasets: { "/a": { data: new Uint8Array(1), shape: [1] } } });
  Deno.writeFileSync(folder.file(), bytes);
  using file = new ArrayFile(folder.file());
  assert.equal(saysNxmx(file), false);
  assert.deepEqual(checkNxmx(file).map(({ problem }) => problem), [
    "has no group of class NXentry",
  ]);
});

Deno.test("checkNxmx() names what is wrong with a value, its units and its axes", () => {
  const module = `${DETECTOR}/detector_module`;
  const axis = {
    ...{ units: "m", transformation_type: "translation", vector: [1, 0, 0], offset: [0, 0, 0] },
  };
  const along = (change: TreeAttributes): TreeField => ({
    value: 1,
    attributes: { ...axis, depends_on: ".", ...change },
  });
  const size = (value: number[]): TreeField => ({ value, attributes: { units: "m" } });
  const cases: [path: string, field: TreeField, problem: RegExp][] = [
    ["/entry/definition", { value: "NXtomo" }, /is "NXtomo", not NXmx/],
    ["/entry/start_time", { value: "yesterday" }, /is "yesterday", not a time in UTC such as/],
    ["/entry/start_time", { value: "2026-01-02T03:04:05+01:00" }, /not a time in UTC/],
    ["/entry/instrument/time_zone", { value: "CET" }, /is "CET", not an offset from UTC/],
    ["/entry/sample/temperature", { value: 293 }, /no attribute units, such as K/],
    ["/entry/instrument/beam/flux", { value: 1 }, /no attribute units, such as s/],
    [
      "/entry/instrument/beam/incident_beam_size",
      size([1e-5]),
      /shape \(1\), not 1 dimension and 2/,
    ],
    ["/entry/instrument/beam/incident_wavelength_spread", { value: 1 }, /no attribute units/],
    [`${DETECTOR}/bit_depth_readout`, { value: 16 }, /is of floating point, not an integer/],
    [`${DETECTOR}/distance`, { value: 1n, attributes: { units: "m" } }, /is an integer, not of fl/],
    [`${DETECTOR}/distance_derived`, { value: 0.5 }, /is neither true nor false/],
    [`${DETECTOR}/underload_value`, { value: "none" }, /is a text, not a number/],
    [`${module}/data_origin`, { value: [0, 0] }, /is of floating point, not an integer/],
    [`${module}/data_size`, { value: [8n] }, /shape \(1\), not 1 dimension and 2 or 3 numbers/],
    ["/entry/end_time_estimated", { value: " " }, /is empty/],
    ["/entry/sample/name", { value: 7 }, /is not a text/],
    ["/entry/sample/depends_on", { value: "nowhere" }, /on \/entry\/sample\/nowhere, which is not/],
    ["/entry/instrument/beam/profile", { value: "round" }, /is "round", not Gaussian or/],
    ["/entry/instrument/beam/incident_wavelength", { value: 1 }, /no attribute units, such as ang/],
    [`${DETECTOR}/sensor_thickness`, { value: 1, attributes: { units: "s" } }, /units s, not of/],
    [`${DETECTOR}/sensor_thickness`, { value: "thick", attributes: { units: "m" } }, /is a text/],
    [`${DETECTOR}/pixel_mask`, { value: [1, 2] }, /has the shape \(2\), an image \(8, 24\)/],
    [`${DETECTOR}/pixel_mask`, { value: [1, 2] }, /is of floating point, not an integer/],
    [
      `${module}/slow_pixel_direction`,
      along({ transformation_type: "rotation" }),
      /not translation/,
    ],
    [
      `${module}/slow_pixel_direction`,
      along({ vector: [1, 0] }),
      /vector \(1, 0\), not x, y and z/,
    ],
    [`${module}/slow_pixel_direction`, along({ vector: [0, 0, 0] }), /which is no direction/],
    [
      `${module}/slow_pixel_direction`,
      along({ offset: 1 }),
      /has the offset \(1\), not x, y and z/,
    ],
    [`${module}/slow_pixel_direction`, along({ offset: "none" }), /offset of something else/],
    [
      `${module}/module_offset`,
      { value: 0, attributes: { ...axis, depends_on: `${module}/fast_pixel_direction` } },
      /depends on itself, through/,
    ],
  ];
  // As many in one file as there are paths.
  for (let left = cases; left.length > 0;) {
    const now = left.filter(([path], i) => left.findIndex(([other]) => other === path) === i);
    left = left.filter((each) => !now.includes(each));
    const found = findings((tree) =>
      now.reduce((each, [path, field]) => withField(each, path, field), tree)
    );
    for (const [path, , problem] of now) {
      assert.ok(
        found.some((each) => each.path === path && problem.test(each.problem)),
        `${path}: ${JSON.stringify(found)}`,
      );
    }
    assert.ok(found.every(({ level }) => level === "required"));
    assert.deepEqual(
      [...new Set(found.map(({ path }) => path))].filter((path) =>
        !now.some(([other]) => other === path) && !/pixel_direction|module_offset/.test(path)
      ),
      [],
      "nothing else",
    );
  }
  const relative = { value: 1, attributes: { ...axis, depends_on: "module_offset" } };
  assert.deepEqual(
    findings((tree) => withField(tree, `${module}/fast_pixel_direction`, relative)),
    [],
    "a relative depends_on",
  );
});

Deno.test("checkNxmx() looks at the axes of a sample that has some", () => {
  const place = "/entry/sample/transformations";
  const turned = (attributes: TreeAttributes) => (tree: FileTree): FileTree => {
    const { entry } = tree.groups!;
    const { sample } = entry!.groups!;
    const fields = { omega: { value: [0, 0.1], attributes }, omega_end: { value: [0.1, 0.2] } };
    const transformations = { attributes: { NX_class: "NXtransformations" }, fields };
    const groups = { ...entry!.groups, sample: { ...sample, groups: { transformations } } };
    const withAxis = { ...tree, groups: { entry: { ...entry, groups } } };
    return withField(withAxis, "/entry/sample/depends_on", { value: `${place}/omega` });
  };
  const omega = {
    ...{ units: "deg", transformation_type: "rotation", vector: [1, 0, 0], depends_on: "." },
  };
  assert.deepEqual(findings(turned(omega)), []);
  const { vector: _, ...noVector } = omega;
  const cases: [attributes: TreeAttributes, ...found: [path: string, problem: string][]][] = [
    [
      noVector,
      ["/entry/sample/depends_on", `depends on ${place}/omega, which has no attribute vector`],
      [`${place}/omega@vector`, "is missing"],
    ],
    [{ ...omega, units: "mm" }, [`${place}/omega`, "has units mm, not of angle"]],
    [
      { ...omega, depends_on: "kappa" },
      ["/entry/sample/depends_on", `depends on ${place}/kappa, which is not there`],
      [`${place}/omega`, `depends on ${place}/kappa, which is not there`],
    ],
  ];
  for (const [attributes, ...expected] of cases) {
    const found = findings(turned(attributes)).map(({ path, problem }) => [path, problem]);
    assert.deepEqual(found, expected);
  }
});

Deno.test("checkNxmx() wants a signal that is there, in three dimensions", () => {
  const data = (change: FileTree) => (tree: FileTree): FileTree => ({
    ...tree,
    groups: {
      entry: {
        ...tree.groups?.["entry"],
        groups: { ...tree.groups?.["entry"]?.groups, data: change },
      },
    },
  });
  const plot = { NX_class: "NXdata" };
  const problems = (change: FileTree): string[] =>
    findings(data(change)).map(({ problem }) => problem);
  assert.deepEqual(problems({ attributes: plot }), ["is missing", "has no attribute signal"]);
  const signal = { ...plot, signal: "data" };
  assert.deepEqual(problems({ attributes: signal }), [
    "is missing",
    "has the signal data, which is not there",
  ]);
  assert.deepEqual(problems({ attributes: signal, fields: { data: { value: [1] } } }), [
    "has 1 dimensions, not 3",
  ]);
});

Deno.test("checkNxmx() recommends a default at the root and in the entry, which is there", () => {
  const without = ({ attributes, ...tree }: FileTree, name?: string): FileTree => ({
    ...tree,
    attributes: { NX_class: attributes?.["NX_class"] ?? "", ...(name && { default: name }) },
  });
  const inEntry = (name?: string) => (tree: FileTree): FileTree => ({
    ...tree,
    groups: { ...tree.groups, entry: without(tree.groups?.["entry"] ?? {}, name) },
  });
  const level = "recommended";
  assert.deepEqual(findings((tree) => without(tree)), [
    { level, path: "/", problem: "has no attribute default" },
  ]);
  assert.deepEqual(findings(inEntry()), [
    { level, path: "/entry", problem: "has no attribute default" },
  ]);
  assert.deepEqual(findings(inEntry("plot")), [
    { level, path: "/entry", problem: "has the default plot, which is not there" },
  ]);
});

Deno.test("what a config does not say is not in the file, and checkNxmx() says so", () => {
  using folder = new TestFolder();
  writeNexusFile(folder.file(), smallConfig({ nexus: {} }), { format: "nexus" });
  using file = new ArrayFile(folder.file());
  assert.ok(saysNxmx(file));
  assert.deepEqual(
    checkNxmx(file).filter(({ level }) => level === "required").map(({ path }) => path).sort(),
    [
      "/entry/instrument/beam/incident_wavelength",
      "/entry/instrument/beam/total_flux",
      `${DETECTOR}/detector_module/fast_pixel_direction`,
      `${DETECTOR}/detector_module/slow_pixel_direction`,
      `${DETECTOR}/sensor_material`,
      `${DETECTOR}/sensor_thickness`,
      "/entry/instrument/name",
      "/entry/sample/name",
      "/entry/source/name",
    ].sort(),
  );
});
