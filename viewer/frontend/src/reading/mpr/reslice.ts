// Cuts a plane, or a slab of some thickness, out of a volume: values between voxels by their eight neighbours. Pure.
import { sliceAt, voxelAt, type Grid } from "./grid.ts";
import type { Plane } from "./planes.ts";
import { add, applied, times, type Vector } from "./vectors.ts";

export type Voxels = Uint8Array | Int8Array | Uint16Array | Int16Array;
export type SlabMode = "mean" | "max" | "min";

export interface Cut {
  readonly middle: Vector; // in the patient, in the middle of the screen
  readonly plane: Plane;
  readonly columns: number; // of the screen
  readonly rows: number;
  readonly step_mm: number; // from one pixel of the screen to the next
  readonly thickness_mm: number; // 0: a plane
  readonly mode: SlabMode;
  readonly isRough?: boolean; // a slab of the nearest voxels, for while something moves
}

const FINELY = 64; // parts of a step between slices
const MOST_ROUGH = 12; // layers of a slab while something moves

/** Fills `out` with the values of a cut; where there is no voxel it puts `outside`. */
export function reslice(grid: Grid, voxels: Voxels, cut: Cut, outside: number, out: Voxels): void {
  const { plane, columns, rows, step_mm } = cut;
  const right = times(applied(grid.toVoxel, plane.right), step_mm);
  const down = times(applied(grid.toVoxel, plane.down), step_mm);
  const layers = layersOf(grid, cut);
  const start = add(add(voxelAt(grid, cut.middle), times(right, -(columns - 1) / 2)), times(down, -(rows - 1) / 2));
  const sampler = new Sampler(grid, voxels);
  for (let y = 0; y < rows; y++) {
    const row = add(start, times(down, y));
    for (let x = 0; x < columns; x++) {
      const i = row[0] + right[0] * x;
      const j = row[1] + right[1] * x;
      const k = row[2] + right[2] * x;
      const value = layers.length === 1 ? sampler.at(i, j, k) : throughSlab(sampler, i, j, k, layers, cut);
      out[y * columns + x] = Number.isNaN(value) ? outside : Math.round(value);
    }
  }
}

/** Where the layers of a slab lie from its middle, among the voxels: no further apart than the voxels themselves. */
function layersOf(grid: Grid, { plane, thickness_mm, isRough = false }: Cut): Vector[] {
  const away = applied(grid.toVoxel, plane.away);
  if (thickness_mm <= 0) return [[0, 0, 0]];
  const voxels = Math.max(...away.map((share) => Math.abs(share) * thickness_mm));
  const count = Math.max(2, Math.min(isRough ? MOST_ROUGH : Infinity, Math.ceil(voxels) + 1));
  return Array.from({ length: count }, (_, at) => times(away, (at / (count - 1) - 0.5) * thickness_mm));
}

function throughSlab(sampler: Sampler, i: number, j: number, k: number, layers: readonly Vector[], { mode, isRough = false }: Cut): number {
  let found = 0;
  let result = mode === "max" ? -Infinity : mode === "min" ? Infinity : 0;
  for (const layer of layers) {
    const [x, y, z] = [i + layer[0], j + layer[1], k + layer[2]];
    const value = isRough ? sampler.nearest(x, y, z) : sampler.at(x, y, z);
    if (Number.isNaN(value)) continue;
    found++;
    if (mode === "mean") result += value;
    else if (mode === "max" ? value > result : value < result) result = value;
  }
  if (found === 0) return NaN;
  return mode === "mean" ? result / found : result;
}

class Sampler {
  private readonly columns: number;
  private readonly rows: number;
  private readonly slices: number;
  private readonly perSlice: number;
  private readonly finely: Float32Array | null; // the slice at each fine part of an even step

  constructor(
    grid: Grid,
    private readonly voxels: Voxels,
  ) {
    [this.columns, this.rows, this.slices] = grid.size;
    this.perSlice = this.columns * this.rows;
    const parts = (this.slices - 1) * FINELY + 1;
    this.finely = grid.places === null ? null : Float32Array.from({ length: parts }, (_, at) => sliceAt(grid, at / FINELY));
  }

  /** The slice at so many even steps, which lie within the volume. */
  private slice(steps: number): number {
    return this.finely === null ? steps : (this.finely[Math.round(steps * FINELY)] as number);
  }

  /** The voxel that is nearest to a place, NaN outside. */
  nearest(i: number, j: number, k: number): number {
    const { columns, rows, slices } = this;
    if (k < -0.5 || k > slices - 0.5) return NaN;
    const [x, y, z] = [Math.round(i), Math.round(j), Math.round(this.slice(Math.min(slices - 1, Math.max(0, k))))];
    if (x < 0 || y < 0 || x >= columns || y >= rows) return NaN;
    return this.voxels[z * this.perSlice + y * columns + x] as number;
  }

  /** The value at a place among the voxels, NaN outside; half a voxel around the outermost still counts. */
  at(i: number, j: number, k: number): number {
    const { columns, rows, slices, perSlice, voxels } = this;
    if (i < -0.5 || j < -0.5 || k < -0.5 || i > columns - 0.5 || j > rows - 0.5 || k > slices - 0.5) return NaN;
    const x = i < 0 ? 0 : i > columns - 1 ? columns - 1 : i;
    const y = j < 0 ? 0 : j > rows - 1 ? rows - 1 : j;
    const z = this.slice(k < 0 ? 0 : k > slices - 1 ? slices - 1 : k);
    const x0 = Math.floor(x);
    const y0 = Math.floor(y);
    const z0 = Math.floor(z);
    const [fx, fy, fz] = [x - x0, y - y0, z - z0];
    const right = x0 < columns - 1 ? 1 : 0;
    const down = y0 < rows - 1 ? columns : 0;
    const base = z0 * perSlice + y0 * columns + x0;
    const near = flat(voxels, base, right, down, fx, fy);
    if (fz === 0 || z0 >= slices - 1) return near;
    return near + (flat(voxels, base + perSlice, right, down, fx, fy) - near) * fz;
  }
}

function flat(voxels: Voxels, at: number, right: number, down: number, fx: number, fy: number): number {
  const a = voxels[at] as number;
  const b = voxels[at + right] as number;
  const c = voxels[at + down] as number;
  const d = voxels[at + down + right] as number;
  const top = a + (b - a) * fx;
  return top + (c + (d - c) * fx - top) * fy;
}
