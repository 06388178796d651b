// Where a frame lies in the patient, and where one plane crosses another (PS3.3 C.7.6.2.1.1). Pure.
//
// Places of an image count from the top-left corner of its top-left pixel; Image Position is that pixel's middle.
import type { Point } from "./calibration.ts";
import type { Frame } from "./manifest.ts";

export type Vector = readonly [number, number, number];

/** How a frame lies in the patient, in millimetres. */
export interface Lie {
  readonly origin: Vector; // the middle of the first pixel
  readonly across: Vector; // the direction in which columns rise
  readonly down: Vector;
  readonly normal: Vector;
  readonly columnMm: number;
  readonly rowMm: number;
  readonly columns: number;
  readonly rows: number;
  readonly reference: string; // frame of reference, or empty
}

const PARALLEL = Math.cos((5 * Math.PI) / 180); // planes less than this apart are scrolled together
const CROSSING = Math.cos((20 * Math.PI) / 180); // and lines are drawn between planes more than this apart

/** How a frame lies, or null when it does not say so in full. */
export function lieOf(frame: Frame): Lie | null {
  const { position, orientation, spacing, rows, columns } = frame.instance;
  if (position?.length !== 3 || orientation?.length !== 6 || spacing[2] === "none") return null;
  const [ax = 0, ay = 0, az = 0, dx = 0, dy = 0, dz = 0] = orientation;
  const [across, down]: [Vector, Vector] = [[ax, ay, az], [dx, dy, dz]];
  return {
    origin: position as unknown as Vector,
    across,
    down,
    normal: cross(across, down),
    columnMm: spacing[1],
    rowMm: spacing[0],
    columns,
    rows,
    reference: frame.series.frame_of_reference ?? "",
  };
}

/** Tells whether two planes are so nearly parallel that they can be scrolled together. */
export function isParallel(a: Lie, b: Lie): boolean {
  return Math.abs(dot(a.normal, b.normal)) >= PARALLEL;
}

/** Tells whether places of the one mean the same places in the other. */
export function isOneSpace(a: Lie, b: Lie): boolean {
  return a.reference !== "" && a.reference === b.reference;
}

/** How far along a normal the middle of a frame is, in mm. */
export function along(normal: Vector, lie: Lie): number {
  return dot(normal, toPatient(lie, [lie.columns / 2, lie.rows / 2]));
}

/** The place in the patient of a place in the image. */
export function toPatient(lie: Lie, [x, y]: Point): Vector {
  const [u, v] = [(x - 0.5) * lie.columnMm, (y - 0.5) * lie.rowMm];
  return [0, 1, 2].map((i) => at(lie.origin, i) + at(lie.across, i) * u + at(lie.down, i) * v) as unknown as Vector;
}

/** The place in the image that is nearest to a place in the patient. */
export function toImage(lie: Lie, place: Vector): Point {
  const off = minus(place, lie.origin);
  return [dot(off, lie.across) / lie.columnMm + 0.5, dot(off, lie.down) / lie.rowMm + 0.5];
}

/** Where a frame crosses the plane of another one: two places in the other's image, or null. */
export function crossing(of: Lie, within: Lie): readonly [Point, Point] | null {
  if (!isOneSpace(of, within) || Math.abs(dot(of.normal, within.normal)) > CROSSING) return null;
  const corners = ([[0, 0], [of.columns, 0], [of.columns, of.rows], [0, of.rows]] as const).map((corner) => toPatient(of, corner));
  const heights = corners.map((corner) => dot(within.normal, minus(corner, within.origin)));
  const met: Vector[] = [];
  for (let i = 0; i < 4; i++) {
    const [a, b] = [corners[i] as Vector, corners[(i + 1) % 4] as Vector];
    const [high, low] = [heights[i] as number, heights[(i + 1) % 4] as number];
    if (high === low || high * low > 0) continue;
    const share = high / (high - low);
    met.push([0, 1, 2].map((k) => at(a, k) + (at(b, k) - at(a, k)) * share) as unknown as Vector);
  }
  const [first, ...rest] = met;
  if (first === undefined) return null;
  const last = rest.reduce((best, each) => (far(first, each) > far(first, best) ? each : best), first);
  return far(first, last) < 1e-6 ? null : [toImage(within, first), toImage(within, last)];
}

export function dot(a: Vector, b: Vector): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function cross(a: Vector, b: Vector): Vector {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function minus(a: Vector, b: Vector): Vector {
  return [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
}

function far(a: Vector, b: Vector): number {
  return Math.hypot(...minus(a, b));
}

function at(vector: Vector, axis: number): number {
  return vector[axis] as number;
}
