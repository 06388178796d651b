// Marks: lengths, angles, axes and regions of known size, whatever the shape of a pixel, and how handles change them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Begun } from "../src/reading/begun.ts";
import { handleMoved, handlesOf, inMiddle, inOrder, isTooSmall, KINDS, PLACES, POINTS, shaped } from "../src/reading/kinds.ts";
import { angleAt, crossing, lengthOf } from "../src/reading/mark_geometry.ts";
import { figuresOf, kept } from "../src/reading/measuring.ts";
import { inEllipse, inRectangle, valueAt, type Values } from "../src/reading/region.ts";
import { scaleOf, type Point } from "../src/reading/scale.ts";

type Source = "patient" | "calibrated" | "detector" | "unstated" | "none";

function image(row: number, column: number, source: Source = "patient", more: object = {}) {
  return { spacing: [row, column, source] as const, regions: [], aspect: row / column, unit: "HU", ...more };
}

function near(found: number | null, wanted: number, within: number): void {
  assert.ok(found !== null && Math.abs(found - wanted) <= within, `${found} is not ${wanted}`);
}

const RATIOS = [0.5, 1, 1.25, 3];
const TURNS = Array.from({ length: 24 }, (_, at) => (at * Math.PI) / 12 + 0.01);

/** A place from a place in the patient, in millimetres. */
function at(mm: Point, row: number, column: number): Point {
  return [100 + mm[0] / column, 80 + mm[1] / row];
}

test("a known length is right to a tenth of a millimetre in every direction and pixel", () => {
  for (const row of RATIOS) {
    for (const turn of TURNS) {
      const ends = [at([0, 0], row, 0.8), at([61.3 * Math.cos(turn), 61.3 * Math.sin(turn)], row, 0.8)];
      const found = figuresOf("length", ends, image(row, 0.8), null);
      near(found.value, 61.3, 0.05);
      assert.deepEqual([found.unit, found.calibration], ["mm", "patient"]);
    }
  }
});

test("an angle is right to a tenth of a degree in every pixel, and so is Cobb's", () => {
  for (const row of RATIOS) {
    for (const turn of TURNS) {
      for (const wide of [3, 27.4, 90, 154.2]) {
        const leg = (by: number): Point => at([50 * Math.cos(turn + by), 50 * Math.sin(turn + by)], row, 0.8);
        const angle = (wide * Math.PI) / 180;
        const found = figuresOf("angle", [leg(0), at([0, 0], row, 0.8), leg(angle)], image(row, 0.8), null);
        near(found.value, wide, 0.05);
        const cobb = figuresOf("cobb", [at([0, 0], row, 0.8), leg(0), leg(angle), at([0, 0], row, 0.8)], image(row, 0.8), null);
        near(cobb.value, Math.min(wide, 180 - wide), 0.05);
        assert.equal(found.unit, "°");
      }
    }
  }
});

test("an angle needs the shape of a pixel only, a length the size", () => {
  const points: Point[] = [[0, 10], [0, 0], [10, 0]];
  near(figuresOf("angle", [[10, 10], [0, 0], [10, 0]], image(0, 0, "none", { aspect: 2 }), null).value, 63.4, 0.05);
  const length = figuresOf("length", points.slice(0, 2), image(0, 0, "none"), null);
  assert.deepEqual([length.value, length.unit, length.calibration], [10, "px", "none"]);
  near(figuresOf("angle", points, image(0, 0, "none", { aspect: 1 }), null).value, 90, 0);
});

test("the size of a pixel at the detector is said to be that, and of ultrasound its region's alone", () => {
  assert.equal(figuresOf("length", [[0, 0], [10, 0]], image(0.2, 0.2, "detector"), null).calibration, "detector");
  const ultrasound = image(0.2, 0.2, "unstated", { regions: [[10, 10, 100, 100, 0.5, 0.25]], aspect: 1 });
  const inside = figuresOf("length", [[20, 20], [40, 20]], ultrasound, null);
  assert.deepEqual([inside.value, inside.unit, inside.calibration], [10, "mm", "ultrasound"]);
  const across = figuresOf("length", [[20, 20], [140, 20]], ultrasound, null);
  assert.deepEqual([across.value, across.unit], [120, "px"]);
  near(figuresOf("angle", [[40, 40], [20, 20], [40, 20]], ultrasound, null).value, 26.6, 0.05);
});

test("the short axis stands square on the long one, whatever is moved", () => {
  for (const row of RATIOS) {
    const { aspect } = scaleOf(image(row, 0.8), []);
    for (const turn of TURNS) {
      const start: Point[] = [[100, 100], [100 + 40 * Math.cos(turn), 100 + 40 * Math.sin(turn)]];
      let points = shaped("bidirectional", start, aspect);
      for (const [handle, to] of [[2, [90, 130]], [0, [70, 95]], [3, [150, 111]], [1, [171, 140]]] as const) {
        points = handleMoved("bidirectional", points, handle, to, aspect);
        const [a, b, c, d] = points as [Point, Point, Point, Point];
        near(angleAt([0, 0], [b[0] - a[0], b[1] - a[1]], [d[0] - c[0], d[1] - c[1]], aspect), 90, 1e-6);
        const put = points[handle] as Point;
        near(Math.hypot(put[0] - to[0], put[1] - to[1]), 0, 1e-9);
      }
    }
  }
});

test("the longer axis is the first, and the figures say both", () => {
  const points: Point[] = [[0, 0], [10, 0], [5, -20], [5, 20]];
  const turned = inOrder("bidirectional", points, 1);
  assert.equal(turned.isSwapped, true);
  assert.deepEqual(turned.points, [[5, -20], [5, 20], [0, 0], [10, 0]]);
  const found = figuresOf("bidirectional", turned.points, image(0.5, 0.5), null);
  assert.deepEqual([found.value, found.stats?.short], [20, 5]);
});

test("an ellipse keeps its square axes and its other end when one end is moved", () => {
  for (const aspect of RATIOS) {
    let points = shaped("ellipse", [[10, 20], [50, 60]], aspect);
    for (const [handle, to] of [[0, [4, 33]], [3, [37, 80]], [2, [20, 11]]] as const) {
      const other = points[handle % 2 === 0 ? handle + 1 : handle - 1];
      points = handleMoved("ellipse", points, handle, to, aspect);
      assert.deepEqual(points[handle], to);
      assert.deepEqual(points[handle % 2 === 0 ? handle + 1 : handle - 1], other);
      const [a, b, c, d] = points as [Point, Point, Point, Point];
      near(angleAt([0, 0], [b[0] - a[0], b[1] - a[1]], [d[0] - c[0], d[1] - c[1]], aspect), 90, 1e-6);
      near(((a[0] + b[0]) - (c[0] + d[0])) / 2, 0, 1e-9);
    }
    const middle = handlesOf("ellipse", points)[4] as Point;
    const moved = handleMoved("ellipse", points, 4, [middle[0] + 3, middle[1] - 2], aspect);
    near((moved[2] as Point)[0] - (points[2] as Point)[0], 3, 1e-9);
  }
});

test("every handle of a rectangle comes to where it is put, and its opposite stays", () => {
  const opposite = [1, 0, 3, 2];
  for (let handle = 0; handle < 4; handle++) {
    const before = handlesOf("rectangle", [[10, 20], [50, 60]]);
    const after = handlesOf("rectangle", handleMoved("rectangle", [[10, 20], [50, 60]], handle, [31, 42], 1));
    assert.deepEqual(after[handle], [31, 42]);
    const stays = opposite[handle] as number;
    assert.deepEqual(after[stays], before[stays]);
  }
});

test("every kind is whole when it is set in the middle, and measures something", () => {
  const frame = block(40, 40, (x, y) => x + y);
  for (const kind of KINDS) {
    const places = inMiddle(kind, 40, 40);
    assert.equal(places.length, PLACES[kind]);
    const points = shaped(kind, places, 1);
    assert.equal(points.length, POINTS[kind]);
    assert.equal(isTooSmall(kind, points), false, kind);
    const { value } = figuresOf(kind, points, image(1, 1), frame);
    assert.equal(value === null, kind === "arrow" || kind === "text", kind);
  }
});

test("what a click leaves is too small to be a mark", () => {
  for (const kind of ["length", "arrow", "ellipse", "rectangle", "bidirectional"] as const) {
    assert.equal(isTooSmall(kind, shaped(kind, [[5, 5], [5.4, 5.2]], 1)), true, kind);
  }
});

test("the pointer gives a mark its places by clicks and drags, and clicks for nothing are nothing", () => {
  const drag = (begun: Begun, from: Point, to: Point): string => {
    begun.press(from);
    begun.move(to);
    return begun.lift();
  };
  assert.equal(drag(new Begun("probe"), [1, 1], [2, 2]), "whole");
  assert.equal(drag(new Begun("length"), [1, 1], [9, 9]), "whole");
  assert.equal(drag(new Begun("length"), [1, 1], [1.5, 1]), "nothing");
  const angle = new Begun("angle");
  assert.equal(angle.hover([0, 0]), false);
  assert.equal(drag(angle, [9, 1], [1, 1]), "more");
  assert.equal(angle.hover([5, 5]), true);
  assert.equal(angle.isWhole, true);
  assert.equal(drag(angle, [5, 6], [1, 9]), "whole");
  assert.deepEqual(angle.places, [[9, 1], [1, 1], [1, 9]]);
  const cobb = new Begun("cobb");
  assert.equal(drag(cobb, [0, 0], [9, 0]), "more");
  assert.equal(drag(cobb, [3, 3], [3, 3]), "more"); // a click between the lines
  assert.equal(drag(cobb, [0, 9], [9, 12]), "whole");
  assert.deepEqual(cobb.places, [[0, 0], [9, 0], [0, 9], [9, 12]]);
});

test("axes that a handle has laid on each other are too small", () => {
  assert.equal(isTooSmall("bidirectional", [[0, 0], [20, 0], [10, 0], [10, 0.3]]), true);
  assert.equal(isTooSmall("ellipse", handleMoved("ellipse", [[0, 5], [10, 5], [5, 0], [5, 10]], 0, [9.8, 5], 1)), true);
});

test("places are kept to a thousandth of a pixel", () => {
  assert.deepEqual(kept([[1.23456, 7]]), [[1.235, 7]]);
});

test("the values in a region are those whose pixel has its middle inside, padding left out", () => {
  const frame = block(64, 48, (x, y) => (x < 8 ? -2000 : 3 * x - y), { slope: 2, intercept: -10, padding: [-2000, -1990] });
  const [a, b]: Point[] = [[2.6, 3.2], [40.4, 30.9]];
  check(frame, inRectangle(frame, a as Point, b as Point), (x, y) => x > 2.6 && x < 40.4 && y > 3.2 && y < 30.9);
  for (const turn of TURNS) {
    const [u, v]: Point[] = [[17 * Math.cos(turn), 17 * Math.sin(turn)], [-9 * Math.sin(turn), 9 * Math.cos(turn)]];
    const ellipse = { middle: [20.3, 22.7] as Point, u: u as Point, v: v as Point };
    check(frame, inEllipse(frame, ellipse), (x, y) => {
      const [dx, dy] = [x - 20.3, y - 22.7];
      const [s, t] = [(dx * Math.cos(turn) + dy * Math.sin(turn)) / 17, (dy * Math.cos(turn) - dx * Math.sin(turn)) / 9];
      return s * s + t * t <= 1;
    });
  }
});

test("a region in padding, outside the image, or in colour has no values", () => {
  const frame = block(10, 10, () => -2000, { padding: [-2000, -2000] });
  assert.equal(inRectangle(frame, [1, 1], [9, 9]), null);
  assert.equal(valueAt(frame, [3, 3]), null);
  assert.equal(inRectangle(block(10, 10, () => 1), [20, 20], [30, 30]), null);
  assert.equal(valueAt(block(10, 10, () => 1), [10, 3]), null);
  assert.equal(inRectangle({ ...block(10, 10, () => 1), samples: 3 }, [1, 1], [9, 9]), null);
  const figures = figuresOf("ellipse", shaped("ellipse", [[1, 1], [9, 9]], 1), image(0, 0, "none", { aspect: 1 }), null);
  assert.deepEqual([figures.unit, figures.stats], ["px²", undefined]);
});

test("small values keep their places and stay in order", () => {
  const frame = block(20, 20, (x) => x, { slope: 0.000123, intercept: 0 });
  const { stats } = figuresOf("rectangle", [[0, 0], [20, 20]], image(1, 1), frame);
  near(stats?.mean ?? null, 9.5 * 0.000123, 1e-6);
  assert.ok((stats?.min ?? 1) <= (stats?.mean ?? 0) && (stats?.mean ?? 1) <= (stats?.max ?? 0));
});

test("the axis across is as long as was asked for", () => {
  const flat = { unit: "px", x: 1, y: 2, calibration: "none", aspect: 2 } as const;
  const [c, d] = crossing([0, 0], [30, 10], [15, 5], 0.5, 2);
  near(lengthOf(c, d, flat), lengthOf([0, 0], [30, 10], flat) / 2, 1e-9);
});

function block(columns: number, rows: number, value: (x: number, y: number) => number, more: Partial<Values> = {}): Values {
  const values = Array.from({ length: columns * rows }, (_, i) => value(i % columns, Math.floor(i / columns)));
  return { columns, rows, samples: 1, values, slope: 1, intercept: 0, padding: null, ...more };
}

function check(frame: Values, found: ReturnType<typeof inEllipse>, isInside: (x: number, y: number) => boolean): void {
  const wanted: number[] = [];
  for (let y = 0; y < frame.rows; y++) {
    for (let x = 0; x < frame.columns; x++) {
      const stored = frame.values[y * frame.columns + x] as number;
      if (isInside(x + 0.5, y + 0.5) && stored > -1990) wanted.push(stored * frame.slope + frame.intercept);
    }
  }
  const mean = wanted.reduce((sum, each) => sum + each, 0) / wanted.length;
  assert.equal(found?.count, wanted.length);
  near(found?.mean ?? null, mean, 1e-9);
  near(found?.sd ?? null, Math.sqrt(wanted.reduce((sum, each) => sum + (each - mean) ** 2, 0) / wanted.length), 1e-9);
  assert.deepEqual([found?.min, found?.max], [Math.min(...wanted), Math.max(...wanted)]);
}
