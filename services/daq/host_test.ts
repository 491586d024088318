import assert from "node:assert/strict";
import { testHost } from "../../lib/host/_testing.ts";
import type { Host } from "../../lib/host/mod.ts";
import { type TestContext, testContext } from "./_test_context.ts";
import { hostCommand } from "./commands/host.ts";
import { runDaq } from "./program.ts";

/** Runs `daq host …` on a machine. */
async function host(machine: Host, ...args: string[]): Promise<TestContext> {
  const context = testContext();
  const command = hostCommand(context, () => Promise.resolve(machine));
  await command.parseAsync(args, { from: "user" });
  return context;
}

const NO_RINGS = { ethtool: { success: false, out: "", err: "Operation not supported" } };

Deno.test("daq host check explains every setting, changes nothing, and has status 1 if one is wrong", async () => {
  const machine = testHost({}, NO_RINGS);
  const before = { ...machine.files };
  const context = await host(machine, "check");
  assert.equal(context.exitCode, 1);
  assert.match(context.stdout, /^- net\.core\.rmem_max: 212992, wanted at least 536870912\n/m);
  assert.match(context.stdout, /^ {4}set it: sysctl -w net\.core\.rmem_max=536870912\n/m);
  assert.match(context.stdout, /^\+ net\.core\.rmem_default: 33554432\n/m);
  assert.match(context.stdout, /^- eth1 mtu: 1500, wanted at least 8268\n/m);
  assert.match(context.stdout, /^\? eth1 ring: has none to set\n/m);
  assert.doesNotMatch(context.stdout, /br0/); // no card
  assert.deepEqual(machine.files, before);
  assert.deepEqual(machine.ran, ["ethtool -g eth1"]);
  const json = JSON.parse((await host(machine, "check", "--json")).stdout);
  assert.equal(json[0].name, "net.core.rmem_max");
});

Deno.test("daq host check goes by the packets and modules of a config", async () => {
  const config = new URL("../../docs/examples/eiger-500k.json", import.meta.url).pathname;
  const { stdout } = await host(testHost({}, NO_RINGS), "check", "--config", config);
  assert.match(stdout, /rmem_max: 212992, wanted at least 134217728\n/);
  assert.match(stdout, /eth1 mtu: 1500, wanted at least 4172\n/);
});

Deno.test("daq host tune prints commands, and touches cards only by name", async () => {
  const machine = testHost({}, NO_RINGS);
  const before = { ...machine.files };
  const kernel =
    "sysctl -w net.core.rmem_max=536870912\nsysctl -w net.core.netdev_max_backlog=250000\n";
  const governor = "cpupower frequency-set -g performance\n";
  assert.equal((await host(machine, "tune")).stdout, kernel + governor);
  const named = await host(machine, "tune", "--interface", "eth1", "--irq-cpus", "1,4");
  assert.equal(
    named.stdout,
    `${kernel}ip link set dev eth1 mtu 9000\necho 1 > /proc/irq/40/smp_affinity_list\n` +
      `echo 4 > /proc/irq/41/smp_affinity_list\n${governor}`,
  );
  assert.match(named.stderr, /nothing was changed; --apply does it/);
  assert.deepEqual(machine.files, before);
  assert.ok(machine.ran.every((command) => command.startsWith("ethtool -g")));
});

Deno.test("daq host tune --apply sets all it can, and names what it could not", async () => {
  const machine = testHost({}, NO_RINGS);
  const context = await host(machine, "tune", "--apply", "--irq-cpus", "1", "--interface", "eth1");
  assert.equal(machine.files["/proc/sys/net/core/rmem_max"], "536870912\n");
  assert.equal(machine.files["/proc/irq/41/smp_affinity_list"], "1\n");
  assert.ok(machine.ran.includes("ip link set dev eth1 mtu 9000"));
  assert.equal(context.exitCode, 4);
  assert.match(context.stderr, /cpupower frequency-set .*: cpupower is not installed\n/);
  assert.match(context.stderr, /eth1 mtu is still 1500, wanted at least 8268\n/);
});

Deno.test("daq host tune has nothing to do on a machine that is set up", async () => {
  const machine = testHost({
    "/proc/sys/net/core/rmem_max": "1073741824",
    "/proc/sys/net/core/netdev_max_backlog": "300000",
    "/sys/devices/system/cpu/online": "4",
  });
  const context = await host(machine, "tune", "--apply");
  assert.deepEqual([context.stdout, context.exitCode], ["nothing to change\n", 0]);
});

Deno.test("daq host move-irq moves one, and knows those there are", async () => {
  const machine = testHost();
  const { stdout } = await host(machine, "move-irq", "40", "0-1");
  assert.equal(stdout, "interrupt 40: CPU 0-3 -> 0,1\n");
  await assert.rejects(host(machine, "move-irq", "99", "1"), /this machine has no interrupt 99/);
});

Deno.test("daq host sends interrupts to no CPU that is not there, and to none without a card", async () => {
  const machine = testHost({}, NO_RINGS);
  const before = { ...machine.files };
  const wrong = { name: "UsageError", message: "CPU 2-3 is not there: this machine has 0-1,4" };
  await assert.rejects(host(machine, "move-irq", "40", "1-3"), wrong);
  for (const command of ["check", "tune"]) {
    const args = [command, "--interface", "eth1", "--irq-cpus", "0-3"];
    await assert.rejects(host(machine, ...args), wrong);
  }
  await assert.rejects(host(machine, "tune", "--apply", "--irq-cpus", "1"), {
    name: "UsageError",
    message: /cards that --interface names/,
  });
  assert.deepEqual(machine.files, before);
});

Deno.test("daq host irq and daq host cpu show this machine's", async () => {
  const [irq, cpu] = [testContext(), testContext()];
  const codes = await Promise.all([
    runDaq(["host", "irq", "-n", "1"], irq),
    runDaq(["host", "cpu", "-n", "1"], cpu),
  ]);
  assert.deepEqual(codes, [0, 0]);
  assert.match(irq.stdout, /^irq +CPU\d.* device\n/);
  assert.match(cpu.stdout, /^CPU +user +system +irq +softirq +stolen +idle\n +\d+ +\d+\.\d %/);
});

Deno.test("daq host has status 2 for what is no list, card or number", async () => {
  for (
    const [args, complaint] of [
      [["host", "tune", "--irq-cpus", "3-1"], /is no list of CPUs/],
      [["host", "check", "--interface", "eth1;reboot"], /is no network interface of this machine/],
      [["host", "move-irq", "x", "1"], /expected an integer/],
    ] as const
  ) {
    const context = testContext();
    assert.equal(await runDaq(args, context), 2);
    assert.match(context.stderr, complaint);
  }
});
