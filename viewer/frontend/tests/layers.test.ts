// What lies over images: what a state makes of a frame, masks, frames of one object, meanings of values.
import assert from "node:assert/strict";
import { test } from "node:test";
import { greyOf } from "../src/reading/greys.ts";
import { paintBits, paintMask, type Segmentation } from "../src/reading/masks.ts";
import { meaningOf, rangeOf, valueText } from "../src/reading/meaning.ts";
import type { Instance } from "../src/reading/manifest.ts";
import { framesInOrder, instanceOf } from "../src/reading/per_frame.ts";
import { areaFor, greysFor, isOn, outline, placeFor, type State } from "../src/reading/states.ts";

const base64 = (bytes: readonly number[]): string => Buffer.from(bytes).toString("base64");
const CT = { slope: 1, intercept: -1024 };
const VOI = { on: {}, center: 40, width: 400, function: "LINEAR", table: "", first: 0, label: "", of_stored: false };
const STATE = {
  kind: "grayscale", images: { a: [], b: [2] }, rescale: [1, -1024], vois: [VOI], is_inverse: null, greys: "", palette: "",
  areas: [{ on: { a: [] }, left: 10, top: 20, right: 110, bottom: 70, mode: "SCALE TO FIT", column_mm: 0.5, magnified: 0 }],
  quarter_turns: 0, is_mirrored: false,
} as unknown as State;

test("a reference without frames is to all of them", () => {
  assert.deepEqual([isOn(STATE.images, "a", 7), isOn(STATE.images, "b", 2), isOn(STATE.images, "b", 1), isOn(STATE.images, "c", 1)], [true, true, false, false]);
  assert.equal(isOn({}, "c", 1), true);
});

test("a state's window is brought into the values that the image's own rescale makes", () => {
  assert.deepEqual(greysFor(STATE, "a", 1, CT), { center: 40, width: 400, curve: "LINEAR" });
  const own = { slope: 2, intercept: 100 };
  const greys = greysFor(STATE, "a", 1, own);
  for (const stored of [900, 1064, 1200]) {
    const theirs = greyOf(stored - 1024, { center: 40, width: 400, isInverted: false });
    const ours = greyOf(stored * own.slope + own.intercept, { ...greys, isInverted: false } as never);
    assert.ok(Math.abs(ours - theirs) < 0.5, `${ours} for ${theirs}`);
  }
});

test("a table of stored values is looked up with what was stored", () => {
  const table = base64([10, 20, 30, 40]);
  const state = { ...STATE, vois: [{ ...VOI, table, first: 5, of_stored: true }] };
  for (const own of [CT, { slope: 2, intercept: 7 }, { slope: 1, intercept: 0.5 }]) {
    const greys = greysFor(state, "a", 1, own);
    for (const [stored, grey] of [[4, 10], [5, 10], [6, 20], [8, 40], [99, 40]] as const) {
      assert.equal(greyOf(stored * own.slope + own.intercept, { ...greys, isInverted: false } as never), grey);
    }
  }
});

test("an image without a window of the state stays as sent", () => {
  assert.equal(greysFor({ ...STATE, vois: [{ ...VOI, on: { b: [] } }] }, "a", 1, CT), null);
});

test("the area that a state shows fills the surface, whichever way it lies", () => {
  const image = { columns: 200, rows: 100, aspect: 1 };
  assert.deepEqual(placeFor(STATE, areaFor(STATE, "a", 1), image, [400, 400]), {
    scale: 4, middle: [60, 45], quarterTurns: 0, isMirrored: false,
  });
  const lying = { ...STATE, quarter_turns: 1 as const, is_mirrored: true };
  assert.equal(placeFor(lying, areaFor(STATE, "a", 1), image, [400, 300]).scale, 3);
  assert.equal(areaFor(STATE, "b", 2), null);
  const real = { ...STATE.areas[0], mode: "TRUE SIZE" } as never;
  assert.ok(Math.abs(placeFor(STATE, real, image, [9, 9]).scale - 0.5 / (25.4 / 96)) < 1e-9);
});

test("round shapes go through their points", () => {
  const circle = outline({ kind: "CIRCLE", points: [[10, 10], [13, 14]] });
  assert.ok(circle.every(([x, y]) => Math.abs(Math.hypot(x - 10, y - 10) - 5) < 1e-9));
  const ellipse = outline({ kind: "ELLIPSE", points: [[0, 5], [20, 5], [10, 2], [10, 8]] });
  assert.ok(ellipse.every(([x, y]) => Math.abs(((x - 10) / 10) ** 2 + ((y - 5) / 3) ** 2 - 1) < 1e-9));
  const points = [[0, 0], [5, 9], [12, 3], [20, 8]] as const;
  const curve = outline({ kind: "INTERPOLATED", points });
  for (const point of points) assert.ok(curve.some(([x, y]) => x === point[0] && y === point[1]));
});

const WHOLE: Segmentation = {
  label: "", kind: "BINARY", most: 1, masks: [],
  segments: [1, 2].map((number) => ({ number, label: "", kind: "", algorithm: "", colour: [number, 2, 3] as const })),
};
const SENT = { frame: 1, segment: 1, uid: "a", image_frame: 1, lies: null };

test("bits, fractions and labels become colours", () => {
  const out = new Uint8ClampedArray(4 * 10);
  paintBits(base64([0b0000_0101, 0b10]), [7, 8, 9], 255, out);
  assert.deepEqual([0, 1, 2, 8, 9].map((at) => out[4 * at + 3]), [255, 0, 255, 0, 255]);
  const fractions = new Uint8ClampedArray(8);
  const mask = { frame: 1, rows: 1, columns: 2, depth: 8, bits: base64([0, 128]) };
  paintMask(mask, SENT, { ...WHOLE, kind: "FRACTIONAL", most: 255 }, () => true, fractions);
  assert.deepEqual([...fractions], [0, 0, 0, 0, 1, 2, 3, 128]);
  const labels = new Uint8ClampedArray(16);
  const map = { frame: 1, rows: 1, columns: 4, depth: 16, bits: base64([1, 0, 2, 0, 0, 0, 9, 0]) };
  paintMask(map, { ...SENT, segment: 0 }, { ...WHOLE, kind: "LABELMAP" }, (part) => part !== 1, labels);
  assert.deepEqual([0, 1, 2, 3].map((at) => labels[4 * at + 3]), [0, 255, 0, 0]);
});

const INSTANCE = {
  uid: "a", frames: 3, windows: [[1, 2, ""]], spacing: [0, 0, "none"], aspect: 1,
  per_frame: {
    order: [3, 1, 2], position: { start: [0, 0, 5], step: [0, 0, 2] }, spacing: { all: [0.8, 0.4] },
    thickness_mm: { each: [1, 2, 3] }, windows: { each: [[[10, 20]], [[30, 40]], []] }, time_ms: { all: 40 },
  },
} as unknown as Instance;

test("each frame has its own place, scale, window and time", () => {
  assert.deepEqual(framesInOrder(INSTANCE), [3, 1, 2]);
  const second = instanceOf(INSTANCE, 2);
  assert.deepEqual(second.position, [0, 0, 7]);
  assert.deepEqual([second.spacing, second.aspect], [[0.8, 0.4, "patient"], 2]);
  assert.deepEqual([second.thickness_mm, second.frame_time_ms, second.windows], [2, 40, [[30, 40, ""]]]);
  assert.deepEqual(instanceOf(INSTANCE, 3).windows, [[1, 2, ""]]);
  const plain = { ...INSTANCE, per_frame: undefined } as unknown as Instance;
  assert.equal(instanceOf(plain, 1), plain);
  assert.deepEqual(framesInOrder(plain), [1, 2, 3]);
});

test("headers say what values mean", () => {
  const said: Record<string, string> = {
    Function: "SIGMOID", Padding: "-2000.0,-2000.0", Unit: "Bq%2Fml", Scales: "0.5,1.0,SUVbw;2,0,%C2%B5m", Table: "-3;Ben%3B;0*3,7,ff*2",
  };
  const meaning = meaningOf((name) => said[name] ?? "");
  assert.equal(meaning.curve, "SIGMOID");
  assert.deepEqual(meaning.padding, [-2000, -2000]);
  assert.deepEqual([meaning.table?.first, meaning.table?.label, [...(meaning.table?.values ?? [])]], [-3, "Ben;", [0, 0, 0, 7, 255, 255]]);
  assert.equal(valueText(4, 1, 0, meaning.unit, meaning.scales), "4 Bq/ml, 3 SUVbw, 8 µm");
  assert.deepEqual(meaningOf(() => ""), { unit: "", scales: [] });
  assert.deepEqual(rangeOf([-2000, 5, 9, -2000], meaning.padding), [5, 9]);
  assert.deepEqual(rangeOf([-2000], meaning.padding), [-2000, -2000]);
});
