import assert from "node:assert/strict";
import { jungfrau } from "../config/_test_configs.ts";
import { parseConfig } from "../config/mod.ts";
import { libzmqCandidates } from "../zmq/library.ts";
import { libzmqPaths, permissionsFor, SERVICE_NAMES, type ServiceName } from "./permissions.ts";

const { config } = parseConfig(jungfrau());

function flags(service: ServiceName, more = {}): Record<string, string[]> {
  const list = permissionsFor(service, config, {
    root: "/opt/daq",
    configPath: "/etc/JF.json",
    ...more,
  });
  return Object.fromEntries(list.map((text) => {
    const [, kind = "", values = ""] = /^--allow-([a-z]+)=(.+)$/.exec(text) ?? assert.fail(text);
    return [kind, values.split(",")];
  }));
}

for (const service of SERVICE_NAMES) {
  Deno.test(`permissionsFor() gives ${service} its config, scoped FFI, and never run, sys or write`, () => {
    const { read, env, ffi, net, ...rest } = flags(service);
    assert.deepEqual(rest, {});
    assert.ok(read?.includes("/etc/JF.json"));
    assert.ok(env?.every((name) => /^(SERVICE_NAME|STD_DAQ_\w+)$/.test(name)));
    assert.ok(ffi?.every((path) => /^\/.*\/(libc\.so\.6|libzmq\.so\.5|addon\.node)$/.test(path)));
    assert.equal(net === undefined, service !== "writer_agent");
  });
}

Deno.test("permissionsFor() gives writer_agent its own port and data roots only", () => {
  const { read, net } = flags("writer_agent", { apiPort: 5123, dataRoots: ["/data/a", "/data/b"] });
  assert.deepEqual(net, ["127.0.0.1:5123"]);
  assert.deepEqual(read, ["/etc/JF.json", "/data/a", "/data/b"]);
});

Deno.test("permissionsFor() gives writer_agent its store: a file of SQLite, or Redis and its secrets", () => {
  const sqlite = flags("writer_agent", { store: { address: "sqlite:/var/lib/daq/store" } });
  assert.deepEqual([sqlite.read, sqlite.write], [
    ["/etc/JF.json", "/var/lib/daq/store", "/opt/daq/lib/store"], // its Worker's modules
    ["/var/lib/daq/store"],
  ]);
  const list = permissionsFor("writer_agent", config, {
    root: "/opt/daq",
    configPath: "/etc/JF.json",
    store: { address: "rediss://:secret@redis.psi", files: ["/etc/ca.pem"] },
  });
  assert.ok(list.includes("--allow-net=127.0.0.1:5000,redis.psi:6379"));
  assert.ok(list.includes("--allow-read=/etc/JF.json,/etc/ca.pem"));
  assert.ok(list.some((flag) => /^--allow-env=.*,REDIS_PASSWORD,/.test(flag)));
  assert.ok(!list.join().includes("secret"));
  assert.deepEqual(flags("std_assembler", { store: { address: "sqlite:/s" } }).write, undefined);
});

Deno.test("permissionsFor() permits no file for a config that Redis has", () => {
  const options = { configPath: undefined, redis: { address: "redis://daq-1" } };
  const { read, net } = flags("writer_agent", { ...options, dataRoots: ["/data"] });
  assert.deepEqual([read, net], [["/data"], ["127.0.0.1:5000", "daq-1:6379"]]);
});

Deno.test("permissionsFor() names servers by IPv6 as Deno does", () => {
  const { net } = flags("writer_agent", {
    store: { address: "redis://[fd00::5]" },
    broker: { address: "amqp://[fd00::6]" },
  });
  assert.deepEqual(net, ["127.0.0.1:5000", "[fd00::5]:6379", "[fd00::6]:5672"]);
});

Deno.test("permissionsFor() adds the health port", () => {
  assert.deepEqual(flags("std_assembler", { healthPort: 9 }).net, ["127.0.0.1:9"]);
});

Deno.test("permissionsFor() lets a service report to Redis where there is one, and read how", () => {
  const { net, env, ...rest } = flags("std_udp_recv", { redis: { address: "redis://daq-1" } });
  assert.deepEqual(net, ["daq-1:6379"]);
  assert.ok(env?.includes("REDIS_PASSWORD_FILE"));
  assert.deepEqual(rest.sys, ["hostname"]);
});

Deno.test("permissionsFor() keeps libzmq from the simulator", () => {
  assert.ok(flags("udp_simulator").ffi?.every((path) => path.endsWith("libc.so.6")));
});

Deno.test("permissionsFor() lets a shm_group be looked up when it is a name", () => {
  const reads = (shm_group: string | number): boolean =>
    permissionsFor("writer_agent", { ...config, shm_group }, { root: "/", configPath: "/c.json" })
      .some((flag) => flag.includes("/etc/group"));
  assert.deepEqual([reads("daq"), reads("100"), reads(100)], [true, false, false]);
});

Deno.test("permissionsFor() refuses a path that Deno's flags cannot name", () => {
  assert.throws(
    () => permissionsFor("writer_agent", config, { root: "/", configPath: "/a,b.json" }),
    /\/a,b\.json has a comma/,
  );
});

Deno.test("libzmqPaths() lists what lib/zmq tries", () => {
  const root = decodeURIComponent(new URL("../..", import.meta.url).pathname).replace(/\/$/, "");
  assert.deepEqual(libzmqPaths(root, Deno.env.get("STD_DAQ_LIBZMQ")), libzmqCandidates());
});

Deno.test("the assembler and the writer of corrected images may read the folders of its calibration, and nobody else", () => {
  const calibration = {
    gains: ["/cal/a/g0.h5", "/cal/a/g1.h5"],
    pedestal: "/cal/b/p.h5",
    gains_dataset: "/gains",
    pedestal_dataset: "/pedestal",
    pixel_mask_dataset: "/pixel_mask",
  };
  const options = { root: "/opt/daq", configPath: "/etc/JF.json" };
  const readBy = (service: ServiceName, detector_type: typeof config.detector_type): string =>
    permissionsFor(service, { ...config, detector_type, calibration }, options)
      .find((flag) => flag.startsWith("--allow-read")) ?? "";
  const readers: readonly ServiceName[] = ["std_assembler", "std_h5_writer"];
  for (const service of readers) {
    assert.match(readBy(service, "jungfrau-converted"), /,\/cal\/a,\/cal\/b$/);
    assert.doesNotMatch(readBy(service, "jungfrau-raw"), /\/cal/);
  }
  for (const service of SERVICE_NAMES.filter((name) => !readers.includes(name))) {
    assert.doesNotMatch(readBy(service, "jungfrau-converted"), /\/cal/);
  }
});
