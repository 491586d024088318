import assert from "node:assert/strict";
import { TestFolder } from "../hdf5/_testing.ts";
import { ArrayFile, encodeArrayFile, type FileTree, type TreeField } from "../hdf5/mod.ts";
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

/** Paths of all fields of a rule that are wanted. */
function wanted({ nxClass, fields, groups = [] }: GroupRule): [path: string, level: string][] {
  const own = fields.filter(({ level }) => level !== "optional")
    .map(({ name, level }): [string, string] => [`${PLACES[nxClass]}/${name}`, level]);
  return [...own, ...groups.flatMap(wanted)];
}

Deno.test("checkNxmx() finds nothing in a file for which the config says all", () => {
  assert.deepEqual(findings((tree) => tree), []);
});

Deno.test("checkNxmx() names each field that is missing", () => {
  const all = wanted(NXMX).filter(([path]) => !path.endsWith("/data")); // links: see below
  assert.ok(all.length > 20);
  for (const [path, level] of all) {
    const found = findings((tree) => withField(tree, path));
    assert.deepEqual(found[0], { level, path, problem: "is missing" }, path);
    assert.equal(found.length, 1, path);
  }
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
  const axis = { units: "m", transformation_type: "translation", vector: [1, 0, 0] };
  const cases: [path: string, field: TreeField, problem: RegExp][] = [
    ["/entry/definition", { value: "NXtomo" }, /is "NXtomo", not NXmx/],
    ["/entry/start_time", { value: "yesterday" }, /is "yesterday", not a time such as/],
    ["/entry/end_time_estimated", { value: " " }, /is empty/],
    ["/entry/sample/name", { value: 7 }, /is not a text/],
    ["/entry/sample/depends_on", { value: "nowhere" }, /on \/entry\/sample\/nowhere, which is not/],
    ["/entry/instrument/beam/profile", { value: "round" }, /is "round", not Gaussian or/],
    ["/entry/instrument/beam/incident_wavelength", { value: 1 }, /no attribute units, such as ang/],
    [`${DETECTOR}/sensor_thickness`, { value: 1, attributes: { units: "s" } }, /units s, not of/],
    [`${DETECTOR}/sensor_thickness`, { value: "thick", attributes: { units: "m" } }, /is a text/],
    [`${DETECTOR}/pixel_mask`, { value: [1, 2] }, /has the shape \(2\), an image \(8, 24\)/],
    [`${module}/slow_pixel_direction`, { value: 1, attributes: { units: "m" } }, /no attribute t/],
    [
      `${module}/fast_pixel_direction`,
      { value: 1, attributes: { ...axis, depends_on: "module_offset" } },
      /never/,
    ],
    [
      `${module}/module_offset`,
      { value: 0, attributes: { ...axis, depends_on: `${module}/fast_pixel_direction` } },
      /depends on itself, through/,
    ],
  ];
  for (const [path, field, problem] of cases) {
    const found = findings((tree) => withField(tree, path, field));
    if (problem.source === "never") {
      assert.deepEqual(found, [], "a relative depends_on");
      continue;
    }
    assert.ok(
      found.some((each) => each.path === path && problem.test(each.problem)),
      `${path}: ${JSON.stringify(found)}`,
    );
    assert.ok(found.every(({ level }) => level === "required"));
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
