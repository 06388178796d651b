import assert from "node:assert/strict";
import { test } from "node:test";
import { afterChange, mentioned, nextNumber, numberAt, withAnchor, withoutAnchor, type Anchor } from "../src/reading/anchors_text.ts";

const anchor = (number: number, measurement: number | null = null): Anchor => ({
  number,
  instance_uid: "1.2.3",
  frame: 1,
  measurement,
  window: null,
  is_inverted: false,
  place: null,
});

test("an anchor is put in after a space and the cursor stands behind it", () => {
  assert.deepEqual(withAnchor("A nodule. More", 8, 2), { text: "A nodule [2]. More", at: 12 });
  assert.deepEqual(withAnchor("", 0, 1), { text: "[1]", at: 3 });
  assert.equal(withAnchor("Økt tetthet", 0, 1).text, "[1] Økt tetthet");
  assert.deepEqual(withAnchor("Line\n", 5, 1).text, "Line\n[1]");
});

test("what was put in is taken out again whole", () => {
  const text = "A nodule, and more.";
  for (let at = 0; at <= text.length; at++) {
    const put = withAnchor(text, at, 3);
    assert.equal(withoutAnchor(put.text, 3).replaceAll(" ", ""), text.replaceAll(" ", ""));
    assert.equal(numberAt(put.text, put.at - 1), 3);
  }
});

test("the cursor is on an anchor only inside its brackets", () => {
  const text = "See [12] and";
  assert.deepEqual([4, 5, 7, 8].map((at) => numberAt(text, at)), [null, 12, 12, null]);
});

test("anchors that no text mentions do not count, and numbers that are words are passed over", () => {
  const anchors = [anchor(2), anchor(1), anchor(5)];
  assert.deepEqual(mentioned(anchors, ["[1] and [2]"]).map((each) => each.number), [1, 2]);
  assert.equal(nextNumber(anchors, ["[1] and [2]", "as in [3]"]), 4);
  assert.equal(nextNumber([], [""]), 1);
});

test("an anchor keeps its mark when another goes, and its image when its own does", () => {
  const [a, b, c] = [{ n: 1 }, { n: 2 }, { n: 3 }];
  const anchors = [anchor(1, 0), anchor(2, 1), anchor(3, 2), anchor(4)];
  const after = afterChange(anchors, [a, b, c], [a, c]);
  assert.deepEqual(after.map((each) => each.measurement), [0, null, 1, null]);
  assert.deepEqual(afterChange(anchors, [a, b], [a, b, c]), anchors);
});
