// How an image lies on a surface: no place is lost on the way there and back, whatever was done.
import assert from "node:assert/strict";
import { test } from "node:test";
import { back, fitted, matrixOf, panned, through, turned, zoomed } from "../src/reading/lie.ts";
import type { Place } from "../src/reading/surface.ts";

const size = [800, 600] as const;
const shape = { columns: 256, rows: 128, aspect: 1.5 };

function near(a: readonly number[], b: readonly number[]): void {
  a.forEach((each, i) => assert.ok(Math.abs(each - (b[i] as number)) < 1e-9, `${a.join()} is not ${b.join()}`));
}

function places(): Place[] {
  const all: Place[] = [];
  for (const quarterTurns of [0, 1, 2, 3] as const)
    for (const isMirrored of [false, true]) all.push({ scale: 1.7, middle: [40.25, 99.5], quarterTurns, isMirrored });
  return all;
}

test("a fitted image touches two borders with its own corners", () => {
  const matrix = matrixOf(fitted(shape, size), shape.aspect, size);
  near(through(matrix, [0, 0]), [0, 0]); // 256 x 192 units in 800 x 600
  near(through(matrix, [256, 128]), [800, 600]);
  const upended = matrixOf(fitted(shape, size, { quarterTurns: 1, isMirrored: false }), shape.aspect, size);
  near(through(upended, [0, 0]), [625, 0]); // 192 x 256 units, 2.34 pixels each
  near(through(upended, [256, 128]), [175, 600]);
});

test("a quarter is clockwise as it is seen, and a mirror swaps left and right as they are seen", () => {
  for (const place of places()) {
    const before = matrixOf(place, shape.aspect, size);
    const after = matrixOf(turned(place), shape.aspect, size);
    const mirrored = matrixOf({ ...place, isMirrored: !place.isMirrored }, shape.aspect, size);
    for (const point of [[0, 0], [10, 3], [256, 128]] as const) {
      const [u, v] = through(before, point);
      near(through(after, point), [400 - (v - 300), 300 + (u - 400)]);
      near(through(mirrored, point), [800 - u, v]);
    }
  }
});

test("places come back from the surface as they went", () => {
  for (const place of places()) {
    const matrix = matrixOf(place, shape.aspect, size);
    near(back(matrix, through(matrix, [17.5, -3])), [17.5, -3]);
    near(through(matrix, place.middle), [400, 300]);
  }
});

test("what is under the pointer stays there when zooming, and moves with it when panning", () => {
  for (const place of places()) {
    const at = [123, 456] as const;
    const held = back(matrixOf(place, shape.aspect, size), at);
    const close = zoomed(place, 3, at, shape, size);
    near([close.scale], [5.1]);
    near(through(matrixOf(close, shape.aspect, size), held), at);
    const moved = panned(place, 30, -7, shape.aspect);
    near(through(matrixOf(moved, shape.aspect, size), held), [153, 449]);
  }
});

test("zooming ends before the image is lost", () => {
  const place = fitted(shape, size);
  assert.equal(zoomed(place, 1e9, [0, 0], shape, size).scale, 64);
  assert.equal(zoomed(place, 1e-9, [0, 0], shape, size).scale, place.scale / 8);
});
