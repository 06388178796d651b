// What the values in a region of a frame come to. Pure; a pixel counts when its middle lies inside.
import type { Ellipse } from "./mark_geometry.ts";
import type { Point } from "./scale.ts";

export interface Values {
  readonly columns: number;
  readonly rows: number;
  readonly samples: 1 | 3;
  readonly values: ArrayLike<number>;
  readonly slope: number;
  readonly intercept: number;
  readonly padding?: readonly [low: number, high: number] | null; // stored values that are no part of the image
  readonly unit?: string; // of the values, where the frame itself says it
}

export interface Statistics {
  readonly mean: number;
  readonly sd: number; // of all the values, not an estimate from a sample
  readonly min: number;
  readonly max: number;
  readonly count: number;
}

type Span = readonly [from: number, to: number] | null;

/** Counts the values inside an ellipse; null when there are none. */
export function inEllipse(frame: Values, { middle, u, v }: Ellipse): Statistics | null {
  const turn = u[0] * v[1] - u[1] * v[0];
  if (turn === 0) return null;
  const reach = Math.hypot(u[1], v[1]);
  // along a row s and t change evenly with x: s² + t² <= 1 is a quadratic in x
  const [sx, tx] = [v[1] / turn, -u[1] / turn];
  const a = sx * sx + tx * tx;
  return gathered(frame, middle[1] - reach, middle[1] + reach, (y) => {
    const dy = y - middle[1];
    const [s, t] = [(-v[0] * dy) / turn, (u[0] * dy) / turn];
    const b = s * sx + t * tx;
    const under = b * b - a * (s * s + t * t - 1);
    if (under < 0) return null;
    const root = Math.sqrt(under);
    return [middle[0] + (-b - root) / a, middle[0] + (-b + root) / a];
  });
}

/** Counts the values between two corners; null when there are none. */
export function inRectangle(frame: Values, a: Point, b: Point): Statistics | null {
  const span: Span = [Math.min(a[0], b[0]), Math.max(a[0], b[0])];
  return gathered(frame, Math.min(a[1], b[1]), Math.max(a[1], b[1]), () => span);
}

/** The value of the pixel at a place; null outside, in colour, and where there is only padding. */
export function valueAt(frame: Values, [x, y]: Point): number | null {
  const [column, row] = [Math.floor(x), Math.floor(y)];
  if (frame.samples !== 1 || column < 0 || row < 0 || column >= frame.columns || row >= frame.rows) return null;
  const stored = frame.values[row * frame.columns + column];
  if (stored === undefined || isPadding(frame, stored)) return null;
  return stored * frame.slope + frame.intercept;
}

function gathered(frame: Values, top: number, bottom: number, spanOf: (y: number) => Span): Statistics | null {
  if (frame.samples !== 1) return null;
  const [low, high] = frame.padding ?? [1, 0]; // an empty range when there is none
  const firstRow = Math.max(0, Math.ceil(top - 0.5));
  const lastRow = Math.min(frame.rows - 1, Math.floor(bottom - 0.5));
  let [count, sum, min, max] = [0, 0, Infinity, -Infinity];
  let squares = 0;
  let about = 0; // values are counted from the first one, so that squares stay small
  for (let row = firstRow; row <= lastRow; row++) {
    const span = spanOf(row + 0.5);
    if (span === null) continue;
    const from = Math.max(0, Math.ceil(span[0] - 0.5));
    const to = Math.min(frame.columns - 1, Math.floor(span[1] - 0.5));
    for (let at = row * frame.columns + from; at <= row * frame.columns + to; at++) {
      const stored = frame.values[at] as number;
      if (stored >= low && stored <= high) continue;
      if (count === 0) about = stored;
      count++;
      const off = stored - about;
      sum += off;
      squares += off * off;
      if (stored < min) min = stored;
      if (stored > max) max = stored;
    }
  }
  if (count === 0) return null;
  const { slope, intercept } = frame;
  const ends = [min * slope + intercept, max * slope + intercept];
  return {
    mean: (about + sum / count) * slope + intercept,
    sd: Math.sqrt(Math.max(0, squares / count - (sum / count) ** 2)) * Math.abs(slope),
    min: Math.min(...ends),
    max: Math.max(...ends),
    count,
  };
}

function isPadding(frame: Values, stored: number): boolean {
  const [low, high] = frame.padding ?? [1, 0];
  return stored >= low && stored <= high;
}
