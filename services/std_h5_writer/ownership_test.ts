import assert from "node:assert/strict";
import { effectiveUserId } from "../../lib/os/mod.ts";
import { fileOwnership } from "./ownership.ts";

const CONFIG = { file_mode: "0640", file_group: undefined, allowed_user_ids: [] };

for (
  const [config, warning] of [
    [{}, /set writer_user_id, or run/],
    [{ switch_user_active: false, writer_user_id: 1 }, /writer_user_id and switch_user_active/],
    [{ writer_user_id: 0 }, undefined], // asked for
    [{ writer_user_id: 1 }, undefined],
  ] as const
) {
  Deno.test({
    name: `files of root are ${warning ? "not made silently" : "no surprise"} by ${
      JSON.stringify(config)
    }`,
    ignore: effectiveUserId() !== 0,
    fn: async () => {
      const warnings: string[] = [];
      await fileOwnership(
        { ...CONFIG, switch_user_active: true, ...config } as never,
        (message) => {
          warnings.push(message);
        },
      );
      assert.equal(warnings.length, warning === undefined ? 0 : 1);
      if (warning !== undefined) assert.match(warnings[0]!, warning);
    },
  });
}
