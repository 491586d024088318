/** `daq host tune --apply` on a real network card: a virtual one, in a network namespace of its own. */
import { equal, match } from "node:assert/strict";
import { ROOT } from "./harness/mod.ts";

/** The kernel's settings are this machine's: read-only here, so that nothing but the card can change. */
const NAMESPACE = `
  mount -t sysfs none /sys
  mount --bind /proc/sys /proc/sys
  mount -o remount,bind,ro /proc/sys
  ip link add eth7 type veth peer name eth8
  "$@" || true # the kernel's settings cannot be set here
  ip -o link
`;

Deno.test({
  name: "daq host tune --apply sets the MTU of the card named, and of no other",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    const user = Deno.uid() === 0 ? [] : ["--map-root-user"];
    const daq = [
      Deno.execPath(),
      "run",
      "--quiet",
      "--no-prompt",
      "-P=daq",
      "services/daq/main.ts",
    ];
    const tune = ["host", "tune", "--apply", "--interface", "eth7"];
    const { success, stdout, stderr } = await new Deno.Command("unshare", {
      args: [...user, "--net", "--mount", "sh", "-ec", NAMESPACE, "sh", ...daq, ...tune],
      cwd: ROOT,
    }).output();
    const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    equal(success, true, err);
    match(out!, /^ip link set dev eth7 mtu 9000$/m);
    match(out!, /eth7@eth8: .* mtu 9000 /);
    match(out!, /eth8@eth7: .* mtu 1500 /);
  },
});
