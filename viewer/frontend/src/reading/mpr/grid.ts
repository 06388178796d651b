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
  readonly unevenness: number; // the greatest way of a slice from its place, as a share of the distance of slices
}

export type WhyNot = "few" | "unplaced" | "unlike" | "one-place" | "unscaled" | "uneven";

const FEWEST = 5;
const UNEVEN = 0.25;

/** The volume that slices make, in the order in which they are given, or why they make none. */
export function gridOf(slices: readonly Slice[]): Grid | WhyNot {
  const [first, last] = [slices[0], slices.at(-1)];
  if (first === undefined || last === undefined || slices.length < FEWEST) return "few";
  const places = slices.map((each) => vectorOf(each.position));
  const axes = axesOf(first);
  if (axes === null || places.some((place) => place === null)) return "unplaced";
  if (!slices.every((each) => isLike(each, first))) return "unlike";
  if (first.spacing === null) return "unscaled";
  const placed = places as Vector[];
  const [from, to] = [placed[0] as Vector, placed.at(-1) as Vector];
  const step = times(minus(to, from), 1 / (slices.length - 1));
  const normal = unit(cross(axes[0], axes[1]));
  if (Math.abs(dot(step, normal)) < 1e-3) return "one-place";
  const ways = placed.map((place, k) => length(minus(place, add(from, times(step, k)))));
  const unevenness = Math.max(...ways) / length(step);
  const distances = placed.slice(1).map((place, k) => dot(minus(place, placed[k] as Vector), normal) / dot(step, normal));
  if (distances.some((each) => each <= 1e-3)) return "one-place";
  if (unevenness > UNEVEN) return "uneven";
  const matrix: Matrix = [times(axes[0], first.spacing[1]), times(axes[1], first.spacing[0]), step];
  const toVoxel = inverse(matrix);
  if (toVoxel === null) return "one-place";
  return { size: [first.columns, first.rows, slices.length], origin: from, axes: matrix, toVoxel, unevenness };
}

/** Where a place in the patient is among the voxels; whole numbers are their middles. */
export function voxelAt(grid: Grid, place: Vector): Vector {
  return applied(grid.toVoxel, minus(place, grid.origin));
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
