// How the slices of a series lie in the patient, and whether they make a volume (PS3.3 C.7.6.2.1.1). Pure.
import { add, applied, cross, dot, inverse, length, minus, times, unit, type Matrix, type Vector } from "./vectors.ts";

/** What has to be known of a slice. */
export interface Slice {
  readonly position: readonly number[] | undefined;
  readonly orientation: readonly number[] | undefined;
  readonly rows: number;
  readonly columns: number;
  readonly spacing: readonly [row: number, column: number] | null; // mm
}

/** A volume of voxels: `size` of them along columns, rows and slices, and where each lies in the patient, in mm. */
export interface Grid {
  readonly size: readonly [columns: number, rows: number, slices: number];
  readonly origin: Vector; // middle of the first voxel
  readonly axes: Matrix; // from one voxel to the next along each direction, in mm
  readonly toVoxel: Matrix;
  readonly places: Float32Array | null; // where slices lie unevenly: at which of even steps each one is
  readonly steps_mm: readonly [least: number, greatest: number]; // from slice to slice
}

export type WhyNot = "few" | "unplaced" | "unlike" | "one-place" | "unscaled" | "uneven";

const FEWEST = 5;
const ASIDE = 0.25; // of the mean step: so far may a slice lie beside the line of the others
const MOST_UNEVEN = 1.6; // times the median step: more is a slice that is missing
const EVEN = 0.01;

/** The volume that slices make, in the order in which they are given, or why they make none. */
export function gridOf(slices: readonly Slice[]): Grid | WhyNot {
  const [first, last] = [slices[0], slices.at(-1)];
  if (first === undefined || last === undefined || slices.length < FEWEST) return "few";
  const given = slices.map((each) => vectorOf(each.position));
  const axes = axesOf(first);
  if (axes === null || given.some((place) => place === null)) return "unplaced";
  if (!slices.every((each) => isLike(each, first))) return "unlike";
  if (first.spacing === null) return "unscaled";
  const placed = given as Vector[];
  const [from, to] = [placed[0] as Vector, placed.at(-1) as Vector];
  const step = times(minus(to, from), 1 / (slices.length - 1));
  const normal = unit(cross(axes[0], axes[1]));
  if (Math.abs(dot(step, normal)) < 1e-3) return "one-place";
  const along = placed.map((place) => dot(minus(place, from), normal) / dot(step, normal)); // in even steps
  const gaps = along.slice(1).map((at, k) => at - (along[k] as number));
  if (gaps.some((gap) => gap <= 1e-3)) return "one-place";
  const aside = placed.map((place, k) => length(minus(place, add(from, times(step, along[k] as number)))) / length(step));
  const median = [...gaps].sort((a, b) => a - b)[gaps.length >> 1] as number;
  if (Math.max(...aside) > ASIDE || gaps.some((gap) => gap > median * MOST_UNEVEN)) return "uneven";
  const matrix: Matrix = [times(axes[0], first.spacing[1]), times(axes[1], first.spacing[0]), step];
  const toVoxel = inverse(matrix);
  if (toVoxel === null) return "one-place";
  const isEven = along.every((at, k) => Math.abs(at - k) < EVEN);
  const places = isEven ? null : Float32Array.from(along);
  const steps_mm = [Math.min(...gaps) * length(step), Math.max(...gaps) * length(step)] as const;
  return { size: [first.columns, first.rows, slices.length], origin: from, axes: matrix, toVoxel, places, steps_mm };
}

/** Where a place in the patient is among the voxels; whole numbers are their middles. */
export function voxelAt(grid: Grid, place: Vector): Vector {
  return applied(grid.toVoxel, minus(place, grid.origin));
}

/** Which slice is at so many even steps from the first: between two of them, by their distances. */
export function sliceAt({ places, size }: Grid, steps: number): number {
  if (places === null) return steps;
  let [low, high] = [0, size[2] - 1];
  if (steps <= 0) return steps;
  if (steps >= (places[high] as number)) return high + steps - (places[high] as number);
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((places[middle] as number) <= steps) low = middle;
    else high = middle;
  }
  const from = places[low] as number;
  return low + (steps - from) / ((places[high] as number) - from);
}

/** Where a voxel is in the patient. */
export function placeAt(grid: Grid, voxel: Vector): Vector {
  return add(grid.origin, applied(grid.axes, voxel));
}

/** The middle of the volume. */
export function middleOf(grid: Grid): Vector {
  const [columns, rows, slices] = grid.size;
  return placeAt(grid, [(columns - 1) / 2, (rows - 1) / 2, (slices - 1) / 2]);
}

/** The least distance from one voxel to the next, in mm: finer than this there is nothing to see. */
export function finest(grid: Grid): number {
  return Math.min(...grid.axes.map(length));
}

/** How far the volume reaches from its middle along a direction, in mm. */
export function reach(grid: Grid, direction: Vector): number {
  return grid.axes.reduce((sum, axis, at) => sum + (Math.abs(dot(axis, direction)) * (grid.size[at] as number)) / 2, 0);
}

function axesOf(slice: Slice): readonly [Vector, Vector] | null {
  const given = slice.orientation;
  if (given === undefined || given.length !== 6) return null;
  const [a, b] = [vectorOf(given.slice(0, 3)), vectorOf(given.slice(3))];
  if (a === null || b === null || Math.abs(length(a) - 1) > 0.01 || Math.abs(length(b) - 1) > 0.01) return null;
  return Math.abs(dot(a, b)) > 0.01 ? null : [a, b];
}

function isLike(slice: Slice, first: Slice): boolean {
  return (
    slice.rows === first.rows &&
    slice.columns === first.columns &&
    [0, 1].every((at) => Math.abs((slice.spacing?.[at] ?? 0) - (first.spacing?.[at] ?? 0)) < 1e-4) &&
    (slice.orientation ?? []).length === 6 &&
    (slice.orientation ?? []).every((each, at) => Math.abs(each - (first.orientation?.[at] ?? 9)) < 1e-3)
  );
}

function vectorOf(given: readonly number[] | undefined): Vector | null {
  const [x, y, z] = given ?? [];
  if (x === undefined || y === undefined || z === undefined || given?.length !== 3) return null;
  return [x, y, z].every(Number.isFinite) ? [x, y, z] : null;
}
