// Greys: inversion, colours, smaller copies, parts of images. What pydicom makes of windows: tests/viewer/test_greys.py.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Greys, greysOf, halved, paint, paintArea } from "../src/reading/greys.ts";

const tone = { slope: 1, intercept: 0, center: 128, width: 256, isInverted: false };

test("a negative value has its own grey, not that of its bits", () => {
  const values = Int16Array.of(-100, 0, 100);
  const out = new Uint8ClampedArray(12);
  paint(values, { ...tone, center: 0.5, width: 201 }, out);
  assert.deepEqual([...out], [0, 0, 0, 255, 128, 128, 128, 255, 255, 255, 255, 255]);
  paint(values, { ...tone, center: 0.5, width: 201, isInverted: true }, out);
  assert.deepEqual([out[0], out[4], out[8]], [255, 128, 0]); // 127.5 rounds to the even one of both
});

test("floating values are painted like whole ones", () => {
  const whole = Int16Array.from({ length: 600 }, (_, i) => i - 300);
  const [a, b] = [new Uint8ClampedArray(2400), new Uint8ClampedArray(2400)];
  for (const curve of ["LINEAR", "LINEAR_EXACT", "SIGMOID"] as const) {
    paint(whole, { ...tone, slope: 0.5, intercept: 40, center: 30, width: 170, curve }, a);
    paint(Float32Array.from(whole), { ...tone, slope: 0.5, intercept: 40, center: 30, width: 170, curve }, b);
    assert.ok(a.every((each, at) => Math.abs(each - (b[at] as number)) <= 1)); // halves may round either way
  }
});

test("colours are shown as they are, whatever the window", () => {
  const out = new Uint8ClampedArray(8);
  paint(Uint8Array.of(1, 2, 3, 250, 128, 0), { ...tone, samples: 3, center: 1, width: 1 }, out);
  assert.deepEqual([...out], [1, 2, 3, 255, 250, 128, 0, 255]);
  paint(Uint8Array.of(1, 2, 3, 250, 128, 0), { ...tone, samples: 3, isInverted: true }, out);
  assert.deepEqual([...out], [254, 253, 252, 255, 5, 127, 255, 255]);
});

test("a table is made once for a window, and anew for another one or another type", () => {
  const greys = new Greys();
  const first = greys.of(new Uint16Array(1), tone);
  assert.equal(greys.of(new Uint16Array(9), { ...tone }), first);
  assert.notEqual(greys.of(new Uint16Array(1), { ...tone, width: 100 }), first);
  assert.equal(greys.of(new Int8Array(1), tone).length, 256);
  const table = { first: 0, values: [10, 20] };
  assert.equal(greysOf(new Uint8Array(1), { ...tone, table })[200], 20);
});

test("half the size is the mean of what is covered, to the odd edge", () => {
  const grid = { columns: 3, rows: 3, samples: 1 as const, values: Int16Array.of(0, 2, -9, 4, 6, -11, 100, 200, 7) };
  const half = halved(grid);
  assert.deepEqual([half.columns, half.rows, ...half.values], [2, 2, 3, -10, 150, 7]);
  const colours = { columns: 2, rows: 1, samples: 3 as const, values: Uint8Array.of(0, 10, 255, 10, 20, 255) };
  assert.deepEqual([...halved(colours).values], [5, 15, 255]);
});

test("a part of an image is painted row by row", () => {
  const values = Uint8Array.from({ length: 12 }, (_, i) => i);
  const out = new Uint8ClampedArray(16);
  const area = { left: 1, top: 1, right: 3, bottom: 3 };
  const exact = { ...tone, curve: "LINEAR" as const };
  paintArea({ columns: 4, rows: 3, samples: 1, values }, area, exact, out, new Greys());
  assert.deepEqual([0, 4, 8, 12].map((at) => out[at]), [5, 6, 9, 10]);
});
