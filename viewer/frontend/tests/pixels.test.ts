// The order in which the rest of a series is fetched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { centreOut } from "../src/reading/order.ts";

test("every other image is fetched once, the nearest first", () => {
  for (let length = 0; length < 12; length++) {
    for (let from = 0; from < length; from++) {
      const order = centreOut(length, from);
      assert.deepEqual([...order].sort((a, b) => a - b), [...Array(length).keys()].filter((each) => each !== from));
      const distances = order.map((each) => Math.abs(each - from));
      assert.deepEqual(distances, [...distances].sort((a, b) => a - b));
    }
  }
});
