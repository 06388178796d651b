// Curves on paper: where leads stand, how long a sheet is, and what calipers measure.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  clockText, laneAt, mmPerUnit, pathOf, rangeOf, roundStep, sheetOf, sheetsOf, spanOf, stepped, twelveLeads,
  type Channel, type Group, type Look,
} from "../src/reading/traces.ts";

const NAMES = ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"];
const channel = (name: string, unit = "uV"): Channel => ({
  name, unit, scale: 2.5, baseline: 0, skew_ms: 0, low_hz: null, high_hz: null, notch_hz: null,
});
const group = (names: readonly string[], seconds: number): Group => ({
  label: "", rate_hz: 500, samples: seconds * 500, is_derived: false, channels: names.map((name) => channel(name)),
});
const look = (change: Partial<Look> = {}): Look => ({ speed: 25, gain: 10, layout: "columns", ...change });

test("twelve leads stand in three rows of four with a rhythm strip, each column the next quarter of the time", () => {
  const sheet = sheetOf(group(NAMES, 10), look(), 0);
  assert.equal(sheet.lanes.length, 13);
  const rows = [0, 1, 2].map((line) => sheet.lanes.filter((_, n) => n < 12 && n % 3 === line).map((lane) => NAMES[lane.channel]));
  assert.deepEqual(rows, [["I", "aVR", "V1", "V4"], ["II", "aVL", "V2", "V5"], ["III", "aVF", "V3", "V6"]]);
  assert.deepEqual([...new Set(sheet.lanes.slice(0, 12).map((lane) => `${lane.x_mm} ${lane.from_s}`))],
    ["0 0", "62.5 2.5", "125 5", "187.5 7.5"]);
  const strip = sheet.lanes[12];
  assert.deepEqual([NAMES[strip?.channel ?? 0], strip?.seconds], ["II", 10]);
});

test("a recording without the twelve leads has all its channels in rows", () => {
  assert.equal(twelveLeads(group(["I", "II", "ABP"], 4)), null);
  const sheet = sheetOf(group(["I", "II", "ABP"], 4), look(), 0);
  assert.deepEqual(sheet.lanes.map((lane) => [lane.channel, lane.from_s, lane.seconds]), [[0, 0, 4], [1, 0, 4], [2, 0, 4]]);
});

test("an averaged beat begins in every lead", () => {
  const sheet = sheetOf(group(NAMES, 1), look(), 0);
  assert.deepEqual([...new Set(sheet.lanes.map((lane) => lane.from_s))], [0]);
  assert.deepEqual([...new Set(sheet.lanes.slice(0, 12).map((lane) => lane.seconds))], [1]);
});

test("a long recording fills sheets of ten seconds, or of five at twice the speed", () => {
  assert.equal(sheetsOf(group(NAMES, 10), look()), 1);
  assert.equal(sheetsOf(group(NAMES, 3600), look()), 360);
  assert.equal(sheetsOf(group(NAMES, 3600), look({ speed: 50 })), 720);
  const last = sheetOf(group(["I"], 23), look(), 2);
  assert.deepEqual([last.from_s, last.seconds], [20, 3]);
});

test("a millivolt is as high as the gain says, whatever the unit", () => {
  assert.equal(mmPerUnit(channel("I", "mV"), look({ gain: 20 }), [0, 1], 30), 20);
  assert.equal(mmPerUnit(channel("I", "uV"), look({ gain: 10 }), [0, 1], 30), 0.01);
});

test("what is no voltage is scaled so that it fits", () => {
  const scale = mmPerUnit(channel("ABP", "mm[Hg]"), look(), [0, 120], 20);
  assert.ok(120 * scale <= 16 && 120 * scale > 4);
  assert.deepEqual([0.3, 1, 1.2, 30, 51].map(roundStep), [0.5, 1, 2, 50, 100]);
});

test("calipers measure time along and voltage up", () => {
  const span = spanOf({ x_mm: 10, y_mm: 40 }, { x_mm: 30, y_mm: 32 }, look(), true);
  assert.deepEqual([span.ms, span.perMinute, span.mV], [800, 75, 0.8]);
  const faster = spanOf({ x_mm: 30, y_mm: 0 }, { x_mm: 28, y_mm: 0 }, look({ speed: 50 }), false);
  assert.deepEqual([faster.ms, faster.perMinute, faster.mV], [40, null, null]);
});

test("a point finds the lane that it lies in", () => {
  const sheet = sheetOf(group(NAMES, 10), look(), 0);
  assert.equal(NAMES[laneAt(sheet, look(), { x_mm: 130, y_mm: 50 })?.channel ?? -1], "V2");
  assert.equal(laneAt(sheet, look(), { x_mm: 130, y_mm: 1 }), null);
});

test("a curve keeps every peak, however many samples there are to a pixel", () => {
  const counts = new Int16Array(1000);
  counts[503] = 900;
  counts[504] = -900;
  const drawn = pathOf(counts, { stepPx: 0.1, xPx: 0, toY: (count) => count, gap: -32768 });
  assert.ok(drawn.length <= 200);
  const heights = drawn.map((point) => point?.[1] ?? 0);
  assert.deepEqual([Math.max(...heights), Math.min(...heights)], [900, -900]);
  assert.equal(pathOf(counts, { stepPx: 0.5, xPx: 0, toY: (count) => count, gap: -32768 }).length, 1000);
});

test("a gap breaks the curve and counts for nothing", () => {
  const counts = new Int16Array([4, -32768, 8]);
  const drawn = pathOf(counts, { stepPx: 1, xPx: 0, toY: (count) => count, gap: -32768 });
  assert.deepEqual(drawn, [[0, 4], null, [2, 8]]);
  assert.deepEqual(rangeOf(counts, channel("I"), -32768), [10, 20]);
  assert.deepEqual(rangeOf(new Int16Array([-32768]), channel("I"), -32768), [0, 0]);
});

test("steps end where they end, and times are said as they are long", () => {
  assert.deepEqual([stepped([5, 10, 20], 10, 1), stepped([5, 10, 20], 20, 1), stepped([5, 10, 20], 5, -1)], [20, 20, 5]);
  assert.equal(clockText(7.5, false), "7.5 s");
  assert.equal(clockText(3725, true), "1:02:05");
});
