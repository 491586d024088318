import assert from "node:assert/strict";
import fc from "fast-check";
import { jungfrau, RECORDED, recordedConfig } from "./_test_configs.ts";
import { ConfigError } from "./config_error.ts";
import { hasChipGaps, type ModuleRectangle, moduleRectangles } from "./geometry.ts";
import { parseConfig } from "./parse_config.ts";

function errorOf(json: unknown): ConfigError {
  try {
    parseConfig(json, "test.json");
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    return error;
  }
  assert.fail("the config was accepted");
}

function pathsOf(json: unknown): string[] {
  return errorOf(json).issues.map((issue) => issue.path);
}

for (const name of RECORDED) {
  Deno.test(`parseConfig() accepts the recorded config ${name}, warning of no field that counts`, async () => {
    const json = await recordedConfig(name);
    const { config, warnings } = parseConfig(json);
    const ignored = name === "eiger05m_out" ? ["gpfs_block_size", "live_stream_configs"] : [];
    assert.deepEqual(warnings.map((warning) => warning.split(" ")[0]), ignored);
    for (const [field, value] of Object.entries(json)) {
      assert.deepEqual(Reflect.get(config, field), value);
    }
  });
}

Deno.test("parseConfig() fills in the defaults of the reference", () => {
  const { config } = parseConfig(jungfrau());
  assert.deepEqual(config, {
    ...jungfrau(),
    log_level: "info",
    stats_collection_period: 10,
    max_number_of_forwarders_spawned: 8,
    use_all_forwarders: false,
    sender_sends_full_images: false,
    module_sync_queue_size: 50,
    fsync: "none",
    file_mode: "0644",
    create_directories: false,
    allowed_user_ids: [],
    no_images_timeout: 60,
    number_of_writers: 1,
    gpfs_block_size: 16777216,
    module_rotations: {},
    compression: "none",
    compression_threads: 1,
    compressed_ring: false,
    file_format: "std-daq",
    converted_pixel_type: "float32",
    high_gain: false,
    double_pixels: "keep",
    live_stream_configs: {},
    delay_filter_timeout: 10,
    frame_window: 4,
    frame_timeout_ms: 500,
    image_timeout_ms: 1000,
    udp_bind_address: "0.0.0.0",
  });
});

Deno.test("parseConfig() lists every wrong field with path, value and what is allowed", () => {
  const error = errorOf(jungfrau({
    detector_name: "../x",
    detector_type: "jungfrau",
    image_pixel_height: undefined,
    bit_depth: 12,
    start_udp_port: "50020",
    module_positions: { "0": [0, 0, 1.5, 511], "01": [0, 512, 1023, 1023], "1": [1, 2, 3] },
    live_stream_configs: { "tcp://*:1": { type: "periodic", config: [1] }, "x": {} },
    submodule_info: [{ submodule: 0, port: 70000 }],
    frame_window: 33,
    udp_bind_address: "localhost",
    shm_group: -1,
  }));
  assert.deepEqual(
    error.issues.map((issue) => issue.path).sort(),
    [
      "bit_depth",
      "detector_name",
      "detector_type",
      "frame_window",
      "image_pixel_height",
      'live_stream_configs["tcp://*:1"].config',
      "live_stream_configs.x",
      "module_positions.0[2]",
      "module_positions.01",
      "module_positions.1",
      "shm_group",
      "start_udp_port",
      "submodule_info[0].port",
      "udp_bind_address",
    ].sort(),
  );
  for (const issue of error.issues) {
    assert.ok(error.message.includes(`${issue.path} is `), issue.path);
    assert.ok(error.message.includes(issue.expected), issue.expected);
    assert.doesNotMatch(issue.expected, /Invalid input|Too (big|small)/);
  }
  assert.match(error.message, /^detector config test\.json is not valid \(14 problems\):\n/);
  assert.match(error.message, /\n {2}bit_depth is 12; expected one of 4, 8, 16, 32\n/);
  assert.match(error.message, /image_pixel_height is missing; expected an integer from 1 to 65535/);
  assert.match(error.message, /stream_configs\.x is {}; expected the key to be an address, tcp:/);
  assert.match(error.message, /Correct these and start again/);
});

Deno.test("parseConfig() lists what does not go together beside what is wrong in itself", () => {
  const overlapping = { "0": [0, 0, 1023, 511], "1": [0, 100, 1023, 611] };
  assert.deepEqual(
    pathsOf(jungfrau({
      bit_depth: 12,
      start_udp_port: 65535,
      module_positions: overlapping,
      frame_slots: 3,
    })),
    ["bit_depth", "start_udp_port", "frame_window", "module_positions.1"],
  );
  assert.deepEqual(
    pathsOf(jungfrau({ switch_user_active: false, allowed_user_ids: [1000] })),
    ["allowed_user_ids"],
  );
  assert.deepEqual(pathsOf(jungfrau({ allowed_user_ids: [1000, 0] })), ["allowed_user_ids[1]"]);
  // What needs a field that is wrong waits until it is right.
  assert.deepEqual(
    pathsOf(jungfrau({ n_modules: 0, start_udp_port: 65535, module_positions: overlapping })),
    ["n_modules", "module_positions.1"],
  );
  assert.deepEqual(
    pathsOf(jungfrau({ frame_window: 33, frame_slots: 3, image_pixel_width: "1024" })),
    ["image_pixel_width", "frame_window"],
  );
});

Deno.test("parseConfig() checks the other modules when one has a wrong position", () => {
  const module_positions = { "0": [0, 0, 1023, 510], "1": [0, 512, 1023], "3": [0, 0, 9, 9] };
  const error = errorOf(jungfrau({ module_positions }));
  assert.deepEqual(
    error.issues.map((issue) => issue.path),
    ["module_positions.1", "module_positions.3", "module_positions.0"],
  );
  assert.match(error.message, /module_positions\.1 is \[0,512,1023\]; expected four integers/);
  assert.match(error.message, /module_positions\.0 is .*not 1024x511/);
  // Whether a module has the right size depends on its rotation, and of a Jungfrau on module 0.
  assert.deepEqual(
    pathsOf(jungfrau({ module_positions, module_rotations: { "1": 45 } })),
    ["module_positions.1", "module_rotations.1", "module_positions.3"],
  );
  assert.deepEqual(
    pathsOf(jungfrau({ module_positions: { "0": [], "1": [0, 0, 1029, 513] } })),
    ["module_positions.0", "module_positions.1"], // outside the image, not too large
  );
});

Deno.test("parseConfig() finds every cross-field problem whatever else is wrong", async () => {
  const problems = {
    bit_depth: jungfrau({ bit_depth: 32 }),
    start_udp_port: jungfrau({ start_udp_port: 65535 }),
    "submodule_info[0].submodule": jungfrau({ submodule_info: [{ submodule: 2, port: 7 }] }),
    frame_window: jungfrau({ frame_slots: 3 }),
    "module_positions.0": jungfrau({ module_positions: { "0": [0, 0, 9, 9] } }),
    "module_positions.1": jungfrau({ module_positions: { "0": [0, 0, 1023, 511] } }),
    double_pixels: jungfrau({ double_pixels: "interpolate" }),
    n_modules: { ...await recordedConfig("gigafrost_504x252"), n_modules: 4 },
    image_pixel_height: { ...await recordedConfig("gigafrost_504x252"), image_pixel_height: 2 },
  };
  for (const [path, json] of Object.entries(problems)) {
    assert.ok(pathsOf(json).includes(path), path);
    const paths = pathsOf({ ...json, log_level: "loud", live_stream_configs: { x: {} } });
    assert.ok(["log_level", "live_stream_configs.x", path].every((p) => paths.includes(p)), path);
  }
});

Deno.test("parseConfig() refuses what is not an object", () => {
  for (const json of [undefined, null, 1, "x", [], [jungfrau()]]) {
    assert.match(errorOf(json).message, /the config is .*expected a JSON object/);
  }
});

Deno.test("parseConfig() warns about an unknown field and names the one it resembles", () => {
  const { warnings } = parseConfig(jungfrau({
    bit_dept: 16,
    "what ever": 1,
    submodule_info: [{ submodule: 0, port: 50020, hostnam: "a" }],
    live_stream_configs: { "tcp://a:1": { type: "forward", cofnig: [] } },
  }));
  assert.deepEqual(warnings.slice(0, 4), [
    "unknown field bit_dept is ignored; did you mean bit_depth?",
    'unknown field ["what ever"] is ignored; remove it or check its name',
    "unknown field submodule_info[0].hostnam is ignored; did you mean hostname?",
    'unknown field live_stream_configs["tcp://a:1"].cofnig is ignored; did you mean config?',
  ]);
});

Deno.test("parseConfig() shows the misspelt field in the error of the missing one", () => {
  const { message } = errorOf(jungfrau({ n_modules: undefined, n_module: 2 }));
  assert.match(message, /n_modules is missing/);
  assert.match(message, /note: unknown field n_module is ignored; did you mean n_modules\?/);
});

Deno.test("parseConfig() warns when module_positions has no effect", async () => {
  const json = {
    ...await recordedConfig("gigafrost_504x252"),
    module_positions: { "0": [0, 0, 1, 1] },
  };
  assert.match(parseConfig(json).warnings.join(), /module_positions is ignored for a gigafrost/);
});

Deno.test("parseConfig() warns of what only converted images have, and of what nobody reads in a calibration", () => {
  const calibration = { gains: "/g.h5", pedestal: "/p.h5", pedestal_tracking: { frmes: 2 } };
  const more = { calibration, converted_pixel_type: "int16", high_gain: true };
  const warnings = parseConfig(jungfrau(more)).warnings.join("\n");
  for (const field of ["calibration", "converted_pixel_type", "high_gain"]) {
    assert.match(warnings, new RegExp(`^${field} is ignored for a jungfrau-raw`, "m"));
  }
  assert.match(warnings, /pedestal_tracking\.frmes is ignored; did you mean frames\?/);
  assert.deepEqual(parseConfig(jungfrau({})).warnings, []);
});

Deno.test("parseConfig() warns of each field that would do something in the reference, and does not here", () => {
  const changes = {
    gpfs_block_size: 4_194_304,
    max_number_of_forwarders_spawned: 2,
    use_all_forwarders: true,
    sender_sends_full_images: true,
    delay_filter_timeout: 3,
    live_stream_configs: { "tcp://127.0.0.1:20000": { type: "forward" } },
  };
  for (const [field, value] of Object.entries(changes)) {
    const { warnings } = parseConfig(jungfrau({ [field]: value }));
    assert.equal(warnings.length, 1, field);
    assert.match(warnings[0]!, new RegExp(`^${field} is ignored: .`));
  }
  const { warnings } = parseConfig(jungfrau({
    ...changes,
    submodule_info: [
      { submodule: 0, port: 7000, activate: 0 },
      { submodule: 1, port: 7001, activate: true },
    ],
  }));
  assert.equal(warnings.length, 7);
  assert.match(warnings.join(), /submodule_info\[0\]\.activate is ignored: module 0 is received/);
});

Deno.test("parseConfig() does not warn of fields without effect that ask for nothing else", () => {
  const { warnings } = parseConfig(jungfrau({
    gpfs_block_size: 16_777_216,
    max_number_of_forwarders_spawned: 8,
    use_all_forwarders: false,
    sender_sends_full_images: false,
    delay_filter_timeout: 10,
    live_stream_configs: {},
    submodule_info: [{
      submodule: 0,
      port: 7000,
      activate: 1,
      hostname: "beb1",
      row: 0,
      column: 0,
    }],
  }));
  assert.deepEqual(warnings, []);
});

Deno.test("parseConfig() takes detector names that are safe in file and socket names only", () => {
  for (const detector_name of ["a", "EG9M", "gf-teststand", "jf.1_x", "x".repeat(64)]) {
    parseConfig(jungfrau({ detector_name }));
  }
  for (
    const detector_name of ["", ".a", "-a", "a..b", "a/b", "a b", "a\n", "é", "x".repeat(65), 1]
  ) {
    assert.deepEqual(pathsOf(jungfrau({ detector_name })), ["detector_name"]);
  }
});

Deno.test("parseConfig() takes {} for no submodule_info, and refuses other objects", () => {
  assert.deepEqual(parseConfig(jungfrau({ submodule_info: {} })).config.submodule_info, []);
  assert.deepEqual(pathsOf(jungfrau({ submodule_info: { a: 1 } })), ["submodule_info"]);
  assert.deepEqual(pathsOf(jungfrau({ submodule_info: [{}] })), [
    "submodule_info[0].submodule",
    "submodule_info[0].port",
  ]);
});

Deno.test("parseConfig() takes live streams of every type, and refuses wrong settings", () => {
  const live_stream_configs = {
    "tcp://127.0.0.1:20000": { type: "batch", config: [2, 555] },
    "tcp://127.0.0.1:20001": { type: "forward", config: [] },
    "ipc:///tmp/live": { type: "forward" },
    "tcp://127.0.0.1:20002": { type: "periodic", config: [1, 5] },
  };
  const { config } = parseConfig(jungfrau({ live_stream_configs }));
  assert.deepEqual(config.live_stream_configs, live_stream_configs);
  for (
    const stream of [{ type: "batch" }, { type: "periodic", config: [0, 1] }, { type: "all" }, {}]
  ) {
    assert.equal(pathsOf(jungfrau({ live_stream_configs: { "tcp://a:1": stream } })).length, 1);
  }
});

Deno.test("parseConfig() checks the bit depth of the detector", async () => {
  const eiger = await recordedConfig("eiger05m_out");
  for (const bit_depth of [4, 8, 16, 32]) parseConfig({ ...eiger, bit_depth });
  assert.deepEqual(pathsOf({ ...eiger, bit_depth: 12 }), ["bit_depth"]);
  assert.deepEqual(pathsOf(jungfrau({ bit_depth: 4 })), ["bit_depth"]);
  assert.deepEqual(pathsOf(jungfrau({ bit_depth: 32 })), ["bit_depth"]);
});

Deno.test("parseConfig() refuses ports past 65535", () => {
  parseConfig(jungfrau({ start_udp_port: 65534 }));
  assert.match(
    errorOf(jungfrau({ start_udp_port: 65535 })).message,
    /start_udp_port is 65535; expected at most 65534/,
  );
});

Deno.test("parseConfig() refuses sub-modules that share a port or a module", () => {
  const ports = (...list: [submodule: number, port: number][]): Record<string, unknown> =>
    jungfrau({ submodule_info: list.map(([submodule, port]) => ({ submodule, port })) });
  parseConfig(ports([0, 50021], [1, 50020]));
  assert.deepEqual(pathsOf(ports([0, 7], [1, 7])), ["submodule_info[1].port"]);
  assert.deepEqual(pathsOf(ports([0, 7], [0, 8])), ["submodule_info[1].submodule"]);
  assert.deepEqual(pathsOf(ports([2, 7])), ["submodule_info[0].submodule"]);
  assert.deepEqual(pathsOf(ports([0, 50021])), ["submodule_info[0].port"]);
});

Deno.test("parseConfig() refuses a frame window that does not fit the frame ring", () => {
  parseConfig(jungfrau({ frame_slots: 4 }));
  assert.deepEqual(pathsOf(jungfrau({ frame_slots: 3 })), ["frame_window"]);
});

Deno.test("parseConfig() names a module that is missing, unknown, out of the image or too small", () => {
  const first = [0, 0, 1023, 511];
  const cases: [Record<string, unknown>, string, RegExp][] = [
    [{ "0": first }, "module_positions.1", /is missing/],
    [{}, "module_positions.0", /is missing/],
    [{ "0": first, "1": [0, 512, 1023, 1023], "2": first }, "module_positions.2", /no such module/],
    [{ "0": first, "1": [0, 513, 1023, 1024] }, "module_positions.1", /y from 0 to 1023/],
    [{ "0": first, "1": [1, 512, 1024, 1023] }, "module_positions.1", /x from 0 to 1023/],
    [{ "0": first, "1": [0, 512, 1023, 1022] }, "module_positions.1", /not 1024x511/],
    [
      { "0": first, "1": [0, 0, 511, 1023] },
      "module_positions.1",
      /module_rotations says which modules lie/,
    ],
    [{ "0": first, "1": [1023, 1022, 0, 511] }, "module_positions.1", /in common with module 0/],
  ];
  for (const [module_positions, path, message] of cases) {
    const error = errorOf(jungfrau({ module_positions }));
    assert.equal(error.issues[0]?.path, path);
    assert.match(error.message, message);
  }
});

Deno.test("parseConfig() takes modules on their side where module_rotations says so", () => {
  const upright = [0, 0, 1023, 511], onItsSide = [0, 0, 511, 1023];
  const one = (position: number[], rotation?: number): Record<string, unknown> =>
    jungfrau({
      n_modules: 1,
      module_positions: { "0": position },
      ...(rotation === undefined ? {} : { module_rotations: { "0": rotation } }),
    });
  for (const rotation of [undefined, 0, 180]) parseConfig(one(upright, rotation));
  for (const rotation of [90, 270]) parseConfig(one(onItsSide, rotation));
  assert.match(errorOf(one(upright, 90)).message, /512x1024 px .* on its side, not 1024x512/);
  assert.match(errorOf(one(onItsSide, 180)).message, /1024x512 px .*, not 512x1024; module_rot/);
  assert.deepEqual(pathsOf(one(upright, 45)), ["module_rotations.0"]);
  assert.deepEqual(pathsOf(jungfrau({ module_rotations: { "2": 90 } })), ["module_rotations.2"]);
});

Deno.test("parseConfig() takes what can be done about double pixels of a detector", async () => {
  const eiger = await recordedConfig("eiger05m_out");
  for (const double_pixels of ["keep", "mask", "interpolate"]) {
    parseConfig({ ...eiger, double_pixels });
  }
  for (const double_pixels of ["keep", "mask"]) parseConfig(jungfrau({ double_pixels }));
  const refused = (changes: Record<string, unknown>, message: RegExp): void => {
    const error = errorOf(jungfrau(changes));
    assert.equal(error.issues[0]?.path, "double_pixels");
    assert.match(error.message, message);
  };
  refused({ double_pixels: "share" }, /one of "keep", "mask", "interpolate"/);
  refused({ double_pixels: "interpolate" }, /expected keep or mask for a jungfrau-raw/);
  const converted = { detector_type: "jungfrau-converted", double_pixels: "interpolate" };
  refused(converted, /modules of 1030x514 px .* needs the gaps/);
  parseConfig(jungfrau({ ...converted, ...WITH_GAPS }));
});

Deno.test("parseConfig() has defaults for tracked pedestals, and limits", () => {
  const tracking = (pedestal_tracking: unknown): Record<string, unknown> =>
    jungfrau({
      detector_type: "jungfrau-converted",
      calibration: { gains: "/g.h5", pedestal: "/p.h5", pedestal_tracking },
    });
  const { calibration } = parseConfig(tracking({})).config;
  assert.deepEqual(calibration?.pedestal_tracking, {
    frames: 1000,
    noise: 4,
    noise_dataset: "/pedestal_rms",
  });
  assert.equal(parseConfig(tracking(undefined)).config.calibration?.pedestal_tracking, undefined);
  for (const frames of [1, 10_001, 2.5]) {
    assert.deepEqual(pathsOf(tracking({ frames })), ["calibration.pedestal_tracking.frames"]);
  }
  for (const noise of [0, 11, "4"]) {
    assert.deepEqual(pathsOf(tracking({ noise })), ["calibration.pedestal_tracking.noise"]);
  }
});

Deno.test("parseConfig() takes the bunch id as image id where packets carry one", async () => {
  const eiger = await recordedConfig("eiger05m_out");
  parseConfig({ ...eiger, image_id_source: "frame_number" });
  for (const image_id_source of ["bunch_id", "frame_number"]) {
    assert.equal(
      parseConfig(jungfrau({ image_id_source })).config.image_id_source,
      image_id_source,
    );
  }
  assert.equal(parseConfig(jungfrau()).config.image_id_source, undefined);
  assert.deepEqual(pathsOf({ ...eiger, image_id_source: "bunch_id" }), ["image_id_source"]);
  assert.deepEqual(pathsOf(jungfrau({ image_id_source: "pulse" })), ["image_id_source"]);
});

const WITH_GAPS = {
  image_pixel_height: 1028,
  image_pixel_width: 1030,
  module_positions: { "0": [0, 0, 1029, 513], "1": [0, 514, 1029, 1027] },
};

Deno.test("parseConfig() takes Jungfrau modules with gaps between their chips, all or none", () => {
  assert.equal(hasChipGaps(parseConfig(jungfrau()).config), false);
  assert.equal(hasChipGaps(parseConfig(jungfrau(WITH_GAPS)).config), true);
  const module_positions = { ...WITH_GAPS.module_positions, "1": [0, 514, 1023, 1025] };
  const error = errorOf(jungfrau({ ...WITH_GAPS, module_positions }));
  assert.match(error.message, /module_positions.1 .* 1030x514 px .*, not 1024x512/);
});

Deno.test("moduleRectangles() turns a module clockwise, after its flips", () => {
  const orientation = (position: number[], rotation: number): string => {
    const { config } = parseConfig(jungfrau({
      detector_type: "moench",
      n_modules: 1,
      module_positions: { "0": position },
      module_rotations: { "0": rotation },
    }));
    const [{ flipX, flipY, transposed }] = moduleRectangles(config) as [ModuleRectangle];
    return `${transposed ? "T" : ""}${flipX ? "X" : ""}${flipY ? "Y" : ""}`;
  };
  const all = [0, 90, 180, 270];
  assert.deepEqual(all.map((r) => orientation([0, 0, 399, 399], r)), ["", "TX", "XY", "TY"]);
  assert.deepEqual(all.map((r) => orientation([399, 0, 0, 399], r)), ["X", "TXY", "Y", "T"]);
  assert.deepEqual(all.map((r) => orientation([0, 399, 399, 0], r)), ["Y", "T", "X", "TXY"]);
  assert.deepEqual(all.map((r) => orientation([399, 399, 0, 0], r)), ["XY", "TY", "", "TX"]);
});

Deno.test("parseConfig() finds the modules of the shipped 9M config outside its image", async () => {
  const shipped = {
    ...await recordedConfig("eiger9m_real"),
    image_pixel_height: 3106,
    image_pixel_width: 3264,
  };
  assert.equal(pathsOf(shipped).length, 6);
});

Deno.test("parseConfig() checks the size and the module count of a gigafrost", async () => {
  const json = await recordedConfig("gigafrost_504x252");
  parseConfig({ ...json, image_pixel_height: 2016, image_pixel_width: 2016 });
  assert.deepEqual(
    pathsOf({ ...json, n_modules: 4, image_pixel_height: 2020, image_pixel_width: 506 }),
    ["n_modules", "image_pixel_height", "image_pixel_width"],
  );
  parseConfig({ ...json, image_pixel_height: 4, image_pixel_width: 24 });
  assert.deepEqual(pathsOf({ ...json, image_pixel_width: 20 }), ["image_pixel_width"]);
});

Deno.test("parseConfig() accepts every grid of modules, flipped in any way", () => {
  const grid = fc.record({
    detector: fc.constantFrom(["eiger", 514, 256] as const, ["jungfrau-raw", 1024, 512] as const),
    columns: fc.integer({ min: 1, max: 4 }),
    rows: fc.integer({ min: 1, max: 8 }), // up to the 32 modules of a Jungfrau 16M
    gap: fc.integer({ min: 0, max: 40 }),
    flips: fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 32, maxLength: 32 }),
  });
  fc.assert(fc.property(grid, ({ detector: [type, width, height], columns, rows, gap, flips }) => {
    const expected = Array.from({ length: columns * rows }, (_, module) => {
      const [flipX = false, flipY = false] = flips[module] ?? [];
      const x = (module % columns) * (width + gap);
      const y = Math.floor(module / columns) * (height + gap);
      return { module, x, y, width, height, flipX, flipY, transposed: false };
    });
    const positions = expected.map(({ module, x, y, flipX, flipY }) => {
      const [right, bottom] = [x + width - 1, y + height - 1];
      const corners = [
        flipX ? right : x,
        flipY ? bottom : y,
        flipX ? x : right,
        flipY ? y : bottom,
      ];
      return [String(module), corners];
    });
    const { config } = parseConfig(jungfrau({
      detector_type: type,
      n_modules: expected.length,
      image_pixel_width: columns * (width + gap),
      image_pixel_height: rows * (height + gap),
      module_positions: Object.fromEntries(positions),
    }));
    assert.deepEqual(moduleRectangles(config), expected);
  }));
});

Deno.test("parseConfig() throws nothing but ConfigError when fields are replaced at random", () => {
  const fields = fc.constantFrom(
    ...Object.keys(jungfrau()),
    "live_stream_configs",
    "submodule_info",
    "frame_slots",
    "shm_group",
    "unknown",
  );
  const value = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true }),
    fc.jsonValue(),
    fc.integer(),
    fc.dictionary(fc.nat({ max: 3 }).map(String), fc.array(fc.integer(), { maxLength: 5 })),
  );
  fc.assert(
    fc.property(fc.dictionary(fields, value, { maxKeys: 4 }), (changes) => {
      const json = { ...jungfrau(), ...changes };
      try {
        parseConfig(json);
      } catch (error) {
        assert.ok(error instanceof ConfigError, String(error));
        assert.ok(error.issues.length > 0);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("parseConfig() throws ConfigError on any value that is not a config", () => {
  fc.assert(fc.property(fc.anything(), (json) => {
    assert.throws(() => parseConfig(json), ConfigError);
  }));
});

Deno.test("parseConfig() takes a ring of compressed images only for files of such", () => {
  const compressed_ring = true;
  parseConfig(jungfrau({ compressed_ring, compression: "bitshuffle-lz4" }));
  assert.match(
    errorOf(jungfrau({ compressed_ring })).message,
    /compression is "none"; expected bitshuffle-lz4 with compressed_ring/,
  );
});
