// When a claim's end is told, and which case comes next.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lastsIn, nextAddress } from "../src/reading/claim_times.ts";

const NOW = Date.parse("2026-11-28T10:00:00Z");

test("the end of a claim is told in its last half hour", () => {
  const cases: [string | null, number | null][] = [
    [null, null],
    ["2026-11-28T22:00:00Z", null],
    ["2026-11-28T10:30:01Z", null],
    ["2026-11-28T10:30:00Z", 30],
    ["2026-11-28T10:00:01Z", 1],
    ["2026-11-28T09:00:00Z", 0],
  ];
  for (const [until, minutes] of cases) assert.equal(lastsIn(until, NOW), minutes, String(until));
});

test("the next case is asked for within the list that one came from", () => {
  assert.equal(nextAddress("7K3M-2QXF", null), "/api/worklist/next?after=7K3M-2QXF");
  assert.equal(
    nextAddress("7K3M-2QXF", '{"priority":"pressing","q":"ct & mr"}'),
    "/api/worklist/next?after=7K3M-2QXF&priority=pressing&q=ct+%26+mr",
  );
  for (const broken of ["", "null", "[", '{"page":2}']) {
    assert.equal(nextAddress("X", broken), "/api/worklist/next?after=X", broken);
  }
});
