import assert from "node:assert/strict";
import { recordedConfig } from "./_test_configs.ts";
import { moduleRectangles } from "./geometry.ts";
import { parseConfig } from "./parse_config.ts";

Deno.test("moduleRectangles() gives top left corner, size and flips of Eiger half modules", async () => {
  const { config } = parseConfig(await recordedConfig("eiger05m_out"));
  const size = { width: 514, height: 256, flipX: false, transposed: false };
  assert.deepEqual(moduleRectangles(config), [
    { module: 0, x: 0, y: 0, ...size, flipY: false },
    { module: 1, x: 516, y: 0, ...size, flipY: false },
    { module: 2, x: 0, y: 258, ...size, flipY: true },
    { module: 3, x: 516, y: 258, ...size, flipY: true },
  ]);
});

Deno.test("moduleRectangles() implies the quadrants of a gigafrost", async () => {
  const { config } = parseConfig(await recordedConfig("gigafrost_504x252"));
  // As in the recorded images: streams 0 and 1 begin at rows 126 and 127, 4 and 5 at rows 125 and 124.
  const corners = moduleRectangles(config).map(({ x, y, flipY }) => [x, y, flipY]);
  assert.deepEqual(corners, [
    [0, 126, false],
    [0, 126, false],
    [252, 126, false],
    [252, 126, false],
    [0, 0, true],
    [0, 0, true],
    [252, 0, true],
    [252, 0, true],
  ]);
  assert.ok(moduleRectangles(config).every(({ width, height }) => width === 252 && height === 126));
});

Deno.test("moduleRectangles() gives the whole image for a pco", async () => {
  const json = { ...await recordedConfig("gigafrost_504x252"), detector_type: "pco", n_modules: 1 };
  assert.deepEqual(moduleRectangles(parseConfig(json).config), [
    {
      module: 0,
      x: 0,
      y: 0,
      width: 504,
      height: 252,
      flipX: false,
      flipY: false,
      transposed: false,
    },
  ]);
});
