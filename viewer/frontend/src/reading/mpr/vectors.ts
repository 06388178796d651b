// Vectors and matrices of three, as plain arrays. Pure.
export type Vector = readonly [x: number, y: number, z: number];
/** Three columns. */
export type Matrix = readonly [Vector, Vector, Vector];

export const add = (a: Vector, b: Vector): Vector => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
export const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
export const times = (a: Vector, by: number): Vector => [a[0] * by, a[1] * by, a[2] * by];
export const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const length = (a: Vector): number => Math.hypot(...a);
export const unit = (a: Vector): Vector => times(a, 1 / (length(a) || 1));
export const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

/** Multiplies a matrix of three columns with a vector. */
export function applied([a, b, c]: Matrix, v: Vector): Vector {
  return add(add(times(a, v[0]), times(b, v[1])), times(c, v[2]));
}

/** The matrix that undoes another, or null where there is none. */
export function inverse([a, b, c]: Matrix): Matrix | null {
  const [bc, ca, ab] = [cross(b, c), cross(c, a), cross(a, b)];
  const volume = dot(a, bc);
  if (Math.abs(volume) < 1e-9) return null;
  const rows = [times(bc, 1 / volume), times(ca, 1 / volume), times(ab, 1 / volume)] as const;
  return [
    [rows[0][0], rows[1][0], rows[2][0]],
    [rows[0][1], rows[1][1], rows[2][1]],
    [rows[0][2], rows[1][2], rows[2][2]],
  ];
}

/** Turns a vector about an axis of length one, by the right hand. */
export function turned(v: Vector, axis: Vector, radians: number): Vector {
  const [cos, sin] = [Math.cos(radians), Math.sin(radians)];
  return add(add(times(v, cos), times(cross(axis, v), sin)), times(axis, dot(axis, v) * (1 - cos)));
}
