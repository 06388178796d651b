// Which copy of an image is drawn, and which part of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Grid } from "../src/reading/greys.ts";
import { levelFor, levelOf, seen } from "../src/reading/levels.ts";
import { matrixOf } from "../src/reading/lie.ts";

const image: Grid = { columns: 3000, rows: 2500, samples: 1, values: new Uint16Array(3000 * 2500) };
const size = [900, 750] as const;

function matrix(scale: number, middle: readonly [number, number] = [1500, 1250], aspect = 1) {
  return matrixOf({ scale, middle, quarterTurns: 1, isMirrored: true }, aspect, size);
}

test("a copy has at least as many pixels as the screen shows of it, and less than twice", () => {
  const levels = [5, 1, 0.9, 0.5, 0.3, 0.25, 0.01].map((scale) => levelFor(matrix(scale), image));
  assert.deepEqual(levels, [0, 0, 0, 1, 1, 2, 6]);
  assert.equal(levelFor(matrix(0.25, [0, 0], 4), image), 0, "high pixels are shown one for one");
  assert.equal(levelFor(matrix(1e-9), image), 11, "and no copy is empty");
});

test("a copy is made when it is first wanted, and once", () => {
  const levels = [image];
  const quarter = levelOf(levels, 2);
  assert.deepEqual([levels.length, quarter.columns, quarter.rows], [3, 750, 625]);
  assert.equal(levelOf(levels, 2), quarter);
});

test("only what is on the screen is painted, with a pixel around it", () => {
  const close = seen(matrix(10), size, image, 1); // turned: 75 columns, 90 rows
  assert.deepEqual(close, { left: 1461, top: 1204, right: 1539, bottom: 1296 });
  assert.deepEqual(seen(matrix(0.1), size, image, 1), { left: 0, top: 0, right: 3000, bottom: 2500 });
  assert.equal(seen(matrix(10, [-500, 1250]), size, image, 1), null);
});
