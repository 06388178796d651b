// The voxels of a series: gathered from its frames as they come, in one block of memory of bounded size.
import type { Frame, Series } from "../manifest.ts";
import type { Pixels } from "../pixels.ts";
import { gridOf, type Grid, type Slice, type WhyNot } from "./grid.ts";
import type { Voxels } from "./reslice.ts";
import { add, times } from "./vectors.ts";

/** Gives a frame's pixels when they have come. */
export type Fetch = (frame: Frame) => Promise<Pixels>;

const BYTES = 2;

export class Volume {
  readonly grid: Grid;
  readonly frames: readonly Frame[];
  readonly coarseness: number; // so many pixels of a slice are one voxel along columns and rows
  readonly slope: number;
  readonly intercept: number;
  voxels: Voxels | null = null;
  arrived = 0;

  constructor(series: Series, grid: Grid, limitBytes: number) {
    this.frames = series.frames;
    const [columns, rows, slices] = grid.size;
    let by = 1;
    while (Math.ceil(columns / by) * Math.ceil(rows / by) * slices * BYTES > limitBytes) by++;
    this.coarseness = by;
    this.grid = by === 1 ? grid : coarser(grid, by);
    const rescales = series.frames.map(({ instance }) => instance);
    const steepest = rescales.reduce((most, each) => (Math.abs(each.slope) > Math.abs(most.slope) ? each : most));
    this.slope = steepest.slope;
    this.intercept = steepest.intercept;
  }

  /** Fetches every slice, the middle ones first; calls back as they come. Stops when told to. */
  async load(fetch: Fetch, onArrived: () => void, signal: AbortSignal): Promise<void> {
    const middle = Math.floor(this.frames.length / 2);
    const order = [...this.frames.keys()].sort((a, b) => Math.abs(a - middle) - Math.abs(b - middle));
    await Promise.all(
      order.map(async (k) => {
        const pixels = await fetch(this.frames[k] as Frame);
        if (signal.aborted) return;
        this.put(k, pixels);
        this.arrived++;
        onArrived();
      }),
    );
  }

  get isWhole(): boolean {
    return this.arrived === this.frames.length;
  }

  /** A value among the voxels, in the unit of the images. */
  valueOf(stored: number): number {
    return stored * this.slope + this.intercept;
  }

  private put(k: number, pixels: Pixels): void {
    const [columns, rows, slices] = this.grid.size;
    const { values, slope, intercept } = pixels;
    this.voxels ??= new (kindOf(pixels))(columns * rows * slices);
    const base = k * columns * rows;
    const isSame = slope === this.slope && intercept === this.intercept;
    if (this.coarseness === 1 && isSame) {
      this.voxels.set(values, base);
      return;
    }
    for (let y = 0, at = base; y < rows; y++) {
      for (let x = 0; x < columns; x++, at++) {
        const value = this.meanOf(pixels, x, y);
        this.voxels[at] = Math.round(isSame ? value : (value * slope + intercept - this.intercept) / this.slope);
      }
    }
  }

  private meanOf({ values, columns, rows }: Pixels, x: number, y: number): number {
    const by = this.coarseness;
    if (by === 1) return values[y * columns + x] as number;
    let [sum, count] = [0, 0];
    for (let j = y * by; j < Math.min(rows, (y + 1) * by); j++) {
      for (let i = x * by; i < Math.min(columns, (x + 1) * by); i++, count++) sum += values[j * columns + i] as number;
    }
    return sum / count;
  }
}

/** The volume that a series makes, or why it makes none. */
export function volumeOf(series: Series, limitBytes: number): Volume | WhyNot {
  if (series.frames.some(({ instance }) => instance.samples !== 1)) return "unlike";
  const grid = gridOf(series.frames.map(sliceOf));
  return typeof grid === "string" ? grid : new Volume(series, grid, limitBytes);
}

function sliceOf({ instance }: Frame): Slice {
  const [row, column, source] = instance.spacing;
  return {
    position: instance.position,
    orientation: instance.orientation,
    rows: instance.rows,
    columns: instance.columns,
    spacing: source === "patient" || source === "calibrated" ? [row, column] : null,
  };
}

function coarser(grid: Grid, by: number): Grid {
  const [columns, rows, slices] = grid.size;
  const [a, b, c] = grid.axes;
  const middle = (by - 1) / 2;
  const inverseOf = grid.toVoxel.map(([i, j, k]) => [i / by, j / by, k] as const);
  return {
    ...grid,
    size: [Math.ceil(columns / by), Math.ceil(rows / by), slices],
    origin: add(grid.origin, add(times(a, middle), times(b, middle))),
    axes: [times(a, by), times(b, by), c],
    toVoxel: [inverseOf[0]!, inverseOf[1]!, inverseOf[2]!],
  };
}

function kindOf({ values }: Pixels): new (length: number) => Voxels {
  return values instanceof Uint8Array || values instanceof Int8Array || values instanceof Int16Array
    ? Int16Array
    : Uint16Array;
}
