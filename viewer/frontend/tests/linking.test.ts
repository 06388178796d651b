// How panes follow each other, and where planes cross.
import assert from "node:assert/strict";
import { test } from "node:test";
import { crossing, lieOf, toImage, toPatient, type Lie } from "../src/reading/geometry.ts";
import { besides, layoutOfKey, panesOf, withSecond } from "../src/reading/layouts.ts";
import { follow, followsWindow, liesOver, linkBetween, mostAlike, placeOnto } from "../src/reading/linking.ts";
import type { Frame, Series } from "../src/reading/manifest.ts";

const AXIAL = [1, 0, 0, 0, 1, 0];
const SAGITTAL = [0, 1, 0, 0, 0, -1];

interface Made {
  readonly count: number;
  readonly orientation?: readonly number[] | null;
  readonly from?: number;
  readonly step?: number;
  readonly reference?: string;
  readonly mm?: number;
  readonly size?: number;
  readonly words?: Partial<Series>;
}

/** A series of slices along their normal. */
function stack({ count, orientation = AXIAL, from = 0, step = 1, reference = "1.2", mm = 1, size = 100, words = {} }: Made): Series {
  const frames: Frame[] = [];
  const series = {
    kind: "stack", modality: "CT", plane: "axial", description: "", is_scout: false, frame_of_reference: reference, frames, ...words,
  } as unknown as Series;
  for (let index = 0; index < count; index++) {
    const away = from + index * step;
    const position = orientation === SAGITTAL ? [away, 0, 0] : [0, 0, away];
    const instance = {
      uid: `${index}`, rows: size, columns: size, aspect: 1, spacing: [mm, mm, "patient"],
      ...(orientation === null ? {} : { position, orientation }),
    };
    frames.push({ series, instance, frame: 1, index, id: `${reference}/${index}` } as unknown as Frame);
  }
  return series;
}

const at = (series: Series, index: number): Frame => series.frames[index] as Frame;

test("one space is followed by position, whatever the slices' distance and direction", () => {
  const thin = stack({ count: 100, from: 0, step: 1 });
  const thick = stack({ count: 20, from: 95, step: -5 });
  const link = linkBetween(at(thin, 10), at(thick, 3));
  assert.deepEqual(link, { by: "position", offset: 0 });
  for (let index = 0; index < 100; index++) {
    const found = follow(link!, at(thin, index), thick);
    assert.ok(Math.abs((found?.instance.position?.[2] ?? 1e9) - index) <= 5, `${index}`);
  }
});

test("another space keeps the distance that both had when they were linked", () => {
  const now = stack({ count: 50, step: 2, reference: "1.2" });
  const before = stack({ count: 40, from: 1000, step: 2.5, reference: "9.9" });
  const link = linkBetween(at(now, 20), at(before, 10));
  assert.deepEqual(link, { by: "position", offset: 1025 - 40 });
  assert.equal(follow(link!, at(now, 20), before)?.index, 10);
  assert.equal(follow(link!, at(now, 30), before)?.index, 18);
  assert.equal(follow(link!, at(now, 0), before)?.index, 0, "not past the end");
});

test("series without places go by number when they are of one length, others not at all", () => {
  const [a, b, c] = [12, 12, 13].map((count) => stack({ count, orientation: null }));
  const link = linkBetween(at(a!, 4), at(b!, 6));
  assert.deepEqual(link, { by: "index", offset: 2 });
  assert.equal(follow(link!, at(a!, 5), b!)?.index, 7);
  assert.equal(follow(link!, at(a!, 11), b!)?.index, 11);
  assert.equal(linkBetween(at(a!, 4), at(c!, 4)), null);
  assert.equal(linkBetween(at(stack({ count: 9 }), 4), at(stack({ count: 9, orientation: SAGITTAL }), 4)), null, "planes differ");
});

test("a window is taken over among like values that were in the same window", () => {
  const [ct, mr] = [stack({ count: 2 }), stack({ count: 2, words: { modality: "MR" } })];
  const [brain, bone] = [{ center: 40, width: 80 }, { center: 500, width: 2500 }];
  assert.equal(followsWindow(ct, ct, brain, { ...brain }), true);
  assert.equal(followsWindow(ct, ct, brain, bone), false, "brain beside bone stays so");
  assert.equal(followsWindow(ct, mr, brain, brain), false);
  assert.equal(followsWindow(ct, ct, null, brain), false);
});

test("zoom and middle mean the same millimetres in the other pane", () => {
  const [fine, coarse] = [stack({ count: 2, mm: 0.5, size: 512 }), stack({ count: 2, mm: 1, size: 256 })];
  const place = { scale: 2, middle: [100.5, 200.5], quarterTurns: 1, isMirrored: true } as const;
  const onto = placeOnto(place, at(fine, 0), at(coarse, 0));
  assert.deepEqual(onto, { scale: 4, middle: [50.5, 100.5], quarterTurns: 1, isMirrored: true });
  const [a, b] = [stack({ count: 2, orientation: null, size: 100 }), stack({ count: 2, orientation: null, size: 50, reference: "" })];
  assert.deepEqual(placeOnto({ ...place, middle: [50, 25] }, at(a, 0), at(b, 0)).middle, [25, 12.5], "elsewhere by share of the image");
});

test("series of one geometry lie over each other", () => {
  const [one, other] = [stack({ count: 10 }), stack({ count: 10, words: { description: "T2" } })];
  assert.equal(liesOver(at(one, 1), at(other, 1)), true);
  assert.equal(liesOver(at(one, 1), at(stack({ count: 10, orientation: SAGITTAL }), 1)), false);
  assert.equal(liesOver(at(stack({ count: 4, orientation: null }), 1), at(stack({ count: 5, orientation: null, size: 90 }), 1)), false);
});

test("a plane crosses another where geometry says so", () => {
  const axial = lieOf(at(stack({ count: 100, size: 100 }), 40)) as Lie;
  const sagittal = lieOf(at(stack({ count: 10, orientation: SAGITTAL, from: 20, size: 100 }), 0)) as Lie;
  const found = crossing(axial, { ...sagittal, origin: [20, 0, 90] });
  const [a, b] = [...found!].sort((p, q) => p[0] - q[0]);
  assert.ok(Math.abs(a![1] - 50.5) < 1e-9 && Math.abs(b![1] - 50.5) < 1e-9, "z = 40 is 50 mm below the first row");
  assert.deepEqual([a![0], b![0]], [0, 100]);
  assert.equal(crossing(axial, { ...sagittal, reference: "other" }), null);
  assert.equal(crossing(axial, axial), null);
  assert.equal(crossing(axial, { ...sagittal, origin: [500, 0, 90] }), null, "it is not reached");
});

test("places go to the patient and back", () => {
  for (const orientation of [AXIAL, SAGITTAL]) {
    const lie = lieOf(at(stack({ count: 3, orientation, mm: 0.7, from: 31 }), 2)) as Lie;
    for (const point of [[0, 0], [12.25, 99.5], [50, 3]] as const) {
      const [x, y] = toImage(lie, toPatient(lie, point));
      assert.ok(Math.hypot(x - point[0], y - point[1]) < 1e-9);
    }
  }
});

test("the series of an earlier study that is most alike is taken", () => {
  const now = stack({ count: 40, words: { description: "Thorax lunge 1 mm" } });
  const [soft, lung, scout, mr] = [
    stack({ count: 60, words: { description: "Thorax 3 mm" } }),
    stack({ count: 50, words: { description: "THORAX LUNGE" } }),
    stack({ count: 90, words: { description: "Thorax lunge", is_scout: true } }),
    stack({ count: 90, words: { description: "Thorax lunge", modality: "MR" } }),
  ];
  assert.equal(mostAlike([soft!, scout!, mr!, lung!], now), lung);
  assert.equal(mostAlike([], now), undefined);
});

test("a second pane is beside the present one", () => {
  assert.deepEqual([panesOf("1x1"), panesOf("2x1"), panesOf("2x2")], [1, 2, 4]);
  assert.deepEqual([withSecond("1x1"), withSecond("2x1")], ["1x2", "2x1"]);
  assert.deepEqual([besides(0, 2), besides(1, 2), besides(2, 4), besides(3, 4), besides(0, 1)], [1, 0, 3, 2, 0]);
  assert.deepEqual([layoutOfKey("Digit2"), layoutOfKey("Digit9"), layoutOfKey("KeyA")], ["1x2", null, null]);
});
