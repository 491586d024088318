import assert from "node:assert/strict";
import fc from "fast-check";
import { STATS, writer } from "./_test_agent.ts";
import { bar, lossText, oneLine, rateText, rows, statusLine, withPrefix } from "./format.ts";

for (
  const [value, text] of [
    [0, "0 "],
    [5, "5 "],
    [1.5, "1.50 "],
    [99.96, "100 "],
    [999.6, "1.00 k"],
    [1573.4, "1.57 k"],
    [16_530, "16.5 k"],
    [1.65e9, "1.65 G"],
    [5e15, "5000 T"],
  ] as const
) {
  Deno.test(`withPrefix() writes ${value} as "${text}"`, () =>
    assert.equal(withPrefix(value), text));
}

Deno.test("rateText() shows images and bytes per second", () => {
  assert.equal(
    rateText({ images_per_second: 100, bytes_per_second: 2.1e8 }),
    "100 images/s, 210 MB/s",
  );
});

Deno.test("lossText() names only what was lost", () => {
  assert.equal(lossText({ packets_accepted: 5n, packets_lost: 0n }), "no losses");
  assert.equal(
    lossText({ packets_lost: 3n, images_incomplete: 2n, kernel_drops: 3n }),
    "3 dropped by the kernel, 3 lost packets, 2 incomplete images",
  );
});

Deno.test("statusLine() says rates, losses, and the acquisition while it runs", () => {
  const stats = {
    status: "ok" as const,
    message: "",
    stats: STATS.stats,
    accounting: { packets_lost: 10n },
  };
  assert.equal(
    statusLine(stats, writer()),
    "detector 1.57 k images/s, 1.65 GB/s | written 0 images/s, 0 B/s | 10 lost packets",
  );
  assert.match(
    statusLine({ ...stats, accounting: { compress_images_overwritten: 2n } }, writer()),
    / 2 images lost before compression$/,
  );
  assert.match(
    statusLine(stats, writer({ state: "ACQUIRING_IMAGES", done: 1, message: "" })),
    /\| WRITING ACQUIRING_IMAGES 1\/3 images$/,
  );
});

Deno.test("bar() is as wide as asked and never more than full", () => {
  assert.equal(bar(1, 2, 18), "[#####-----]  50 %");
  fc.assert(
    fc.property(
      fc.nat(1000),
      fc.nat(1000),
      fc.integer({ min: 9, max: 200 }),
      (done, total, columns) => {
        assert.equal(bar(done, total, columns).length, columns);
      },
    ),
  );
});

Deno.test("rows() aligns the values", () => {
  assert.equal(rows([["a", "1"], ["long", "2"]]), "a     1\nlong  2\n");
});

Deno.test("oneLine() lets nothing through that steers a terminal or turns the text", () => {
  assert.equal(oneLine("a\nb\x1b[2Jc\x9b2Jd"), "a b [2Jc 2Jd");
  assert.equal(oneLine("user\u202eexe\u2028next"), "user exe next");
  assert.equal(oneLine({ run_id: 2n ** 60n }), '{"run_id":1152921504606846976}');
  assert.equal(oneLine(null), "");
});
