// A volume of known values is cut along, across and askew; every value is what its place says.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gridOf, middleOf, placeAt, reach, voxelAt, type Grid, type Slice } from "../src/reading/mpr/grid.ts";
import { edges, letters, lineIn, PLANES, STANDARD, turnedAbout } from "../src/reading/mpr/planes.ts";
import { reslice, type Cut } from "../src/reading/mpr/reslice.ts";
import { cross, dot, length, type Vector } from "../src/reading/mpr/vectors.ts";

const SPACING = [0.5, 0.8] as const; // rows, columns
const SLICE_MM = 2;
const SIZE = [20, 30, 12] as const; // columns, rows, slices

function slices(change: (k: number) => Partial<Slice> = () => ({}), count: number = SIZE[2]): Slice[] {
  return Array.from({ length: count }, (_, k) => ({
    position: [-10, 5, 100 + k * SLICE_MM],
    orientation: [1, 0, 0, 0, 1, 0],
    rows: SIZE[1],
    columns: SIZE[0],
    spacing: SPACING,
    ...change(k),
  }));
}

function grid(given = slices()): Grid {
  const found = gridOf(given);
  assert.notEqual(typeof found, "string", String(found));
  return found as Grid;
}

/** A value that rises evenly along each direction of the patient, so that between voxels it is known too. */
const value = ([x, y, z]: Vector): number => Math.round(1000 + 10 * x + 20 * y + 5 * z);

/** Where a slice lies in even steps. */
const stepsOf = (volume: Grid, k: number): number => volume.places?.[k] ?? k;

function filled(volume: Grid): Int16Array {
  const voxels = new Int16Array(volume.size[0] * volume.size[1] * volume.size[2]);
  for (let k = 0, at = 0; k < volume.size[2]; k++)
    for (let j = 0; j < volume.size[1]; j++)
      for (let i = 0; i < volume.size[0]; i++) voxels[at++] = value(placeAt(volume, [i, j, stepsOf(volume, k)]));
  return voxels;
}

const CUT: Omit<Cut, "middle" | "plane"> = { columns: 9, rows: 7, step_mm: 0.6, thickness_mm: 0, mode: "mean" };

function placeOn(cut: Cut, x: number, y: number): Vector {
  const [a, b] = [(x - (cut.columns - 1) / 2) * cut.step_mm, (y - (cut.rows - 1) / 2) * cut.step_mm];
  return [0, 1, 2].map((at) => cut.middle[at]! + cut.plane.right[at]! * a + cut.plane.down[at]! * b) as unknown as Vector;
}

test("a place in the patient is the same voxel there and back", () => {
  const volume = grid();
  for (const voxel of [[0, 0, 0], [19, 29, 11], [3.25, 17.5, 6.75]] as Vector[]) {
    const back = voxelAt(volume, placeAt(volume, voxel));
    back.forEach((each, at) => assert.ok(Math.abs(each - voxel[at]!) < 1e-9));
  }
  assert.deepEqual(placeAt(volume, [1, 0, 0]).map((each) => Math.round(each * 1e6) / 1e6), [-9.2, 5, 100]);
  assert.equal(Math.round(reach(volume, [0, 0, 1])), (SIZE[2] * SLICE_MM) / 2);
});

test("slices that make no volume say why", () => {
  const says = (change: (k: number) => Partial<Slice>, count?: number): unknown => gridOf(slices(change, count));
  assert.equal(says(() => ({}), 4), "few");
  assert.equal(says((k) => (k === 3 ? { position: undefined } : {})), "unplaced");
  assert.equal(says(() => ({ orientation: undefined })), "unplaced");
  assert.equal(says((k) => (k === 2 ? { columns: 21 } : {})), "unlike");
  assert.equal(says((k) => (k === 2 ? { orientation: [0, 1, 0, 0, 0, 1] } : {})), "unlike");
  assert.equal(says(() => ({ spacing: null })), "unscaled");
  assert.equal(says(() => ({ position: [0, 0, 0] })), "one-place");
  assert.equal(says((k) => ({ position: [-10, 5, Math.floor(k / 2)] })), "one-place");
  const without = (missing: number) => (k: number) => ({ position: [-10, 5, 100 + (k < missing ? k : k + 1) * SLICE_MM] });
  assert.equal(says(without(6)), "uneven");
  assert.equal(says((k) => (k === 6 ? { position: [-9, 5, 100 + k * SLICE_MM] } : {})), "uneven");
});

test("every plane shows the values of its places, also askew and with a tilted gantry", () => {
  const tilted = grid(slices((k) => ({ position: [-10, 5 + k * 0.7, 100 + k * SLICE_MM] })));
  const askew = turnedAbout(turnedAbout(STANDARD, "axial", 0.4), "sagittal", -0.3);
  const widening = grid(slices((k) => ({ position: [-10, 5, 100 + (k < 6 ? k * 2 : 12 + (k - 6) * 2.8)] })));
  assert.deepEqual(widening.steps_mm.map((mm) => Math.round(mm * 10) / 10), [2, 2.8]);
  for (const volume of [grid(), tilted, widening]) {
    const voxels = filled(volume);
    for (const planes of [STANDARD, askew])
      for (const name of PLANES) {
        const cut: Cut = { ...CUT, middle: middleOf(volume), plane: planes[name] };
        const out = new Int16Array(cut.columns * cut.rows);
        reslice(volume, voxels, cut, -9999, out);
        for (let y = 0; y < cut.rows; y++)
          for (let x = 0; x < cut.columns; x++) {
            const wanted = value(placeOn(cut, x, y));
            assert.ok(Math.abs(out[y * cut.columns + x]! - wanted) <= 2, `${name} ${x},${y}: ${out[y * cut.columns + x]} for ${wanted}`);
          }
      }
  }
});

test("outside the volume there is nothing", () => {
  const volume = grid();
  const cut: Cut = { ...CUT, middle: [500, 0, 0], plane: STANDARD.axial };
  const out = new Int16Array(cut.columns * cut.rows);
  reslice(volume, filled(volume), cut, -9999, out);
  assert.ok(out.every((each) => each === -9999));
});

test("a slab gives the mean, the most and the least of what it passes", () => {
  const volume = grid();
  const voxels = filled(volume);
  const middle = middleOf(volume);
  const through = (mode: Cut["mode"], thickness_mm: number, isRough = false): number => {
    const out = new Int16Array(1);
    reslice(volume, voxels, { ...CUT, columns: 1, rows: 1, middle, plane: STANDARD.axial, thickness_mm, mode, isRough }, -1, out);
    return out[0]!;
  };
  assert.ok(Math.abs(through("mean", 8) - value(middle)) <= 1);
  assert.ok(Math.abs(through("max", 8) - value([middle[0], middle[1], middle[2] + 4])) <= 1);
  assert.ok(Math.abs(through("min", 8) - value([middle[0], middle[1], middle[2] - 4])) <= 1);
  assert.equal(through("max", 0), through("mean", 0));
  for (const mode of ["mean", "max", "min"] as const) {
    assert.ok(Math.abs(through(mode, 8, true) - through(mode, 8)) <= 20, "a rough one is near to it");
  }
});

test("planes stay at right angles however they are turned, and their letters say where things are", () => {
  let planes = STANDARD;
  for (let step = 0; step < 60; step++) {
    planes = turnedAbout(planes, PLANES[step % 3]!, Math.sin(step) * 2);
    for (const name of PLANES) {
      const { right, down, away } = planes[name];
      for (const each of [right, down, away]) assert.ok(Math.abs(length(each) - 1) < 1e-9);
      assert.ok(Math.abs(dot(right, down)) < 1e-9 && Math.abs(dot(cross(right, down), away) - 1) < 1e-9);
    }
    assert.ok(Math.abs(dot(planes.axial.away, planes.coronal.away)) < 1e-9);
  }
  assert.deepEqual(edges(STANDARD.axial), ["A", "L", "P", "R"]);
  assert.deepEqual(edges(STANDARD.coronal), ["H", "L", "F", "R"]);
  assert.deepEqual(edges(STANDARD.sagittal), ["H", "P", "F", "A"]);
  assert.equal(letters([0, 0.8, 0.6]), "PH");
  assert.deepEqual(lineIn(STANDARD.axial, STANDARD.coronal).map(Math.abs), [1, 0]);
  assert.deepEqual(lineIn(STANDARD.axial, STANDARD.sagittal).map(Math.abs), [0, 1]);
  const [x, y] = lineIn(STANDARD.axial, turnedAbout(STANDARD, "axial", Math.PI / 6).coronal);
  assert.ok(y / x > 0 && Math.abs(Math.abs(y) - 0.5) < 1e-9, "a turn clockwise lowers the line on the right");
});
