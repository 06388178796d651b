// Lengths, angles, axes and areas of marks in image pixels, whatever the shape of a pixel. Pure.
import type { Point, Scale } from "./scale.ts";

/** The distance between two places in the unit of the scale. */
export function lengthOf(a: Point, b: Point, { x, y }: Scale): number {
  return Math.hypot((b[0] - a[0]) * x, (b[1] - a[1]) * y);
}

/** The angle at a vertex between two ends, 0 to 180 degrees. */
export function angleAt(vertex: Point, a: Point, b: Point, aspect: number): number {
  return between(stretched(vertex, a, aspect), stretched(vertex, b, aspect));
}

/** The angle of Cobb between two lines, 0 to 90 degrees: they have no direction. */
export function cobbAngle([a, b, c, d]: readonly [Point, Point, Point, Point], aspect: number): number {
  const angle = between(stretched(a, b, aspect), stretched(c, d, aspect));
  return Math.min(angle, 180 - angle);
}

/** The axis through a place that stands square on a line, so many times as long as the line. */
export function crossing(a: Point, b: Point, through: Point, share: number, aspect: number): [Point, Point] {
  const [dx, dy] = [b[0] - a[0], (b[1] - a[1]) * aspect];
  const half: Point = [(-dy * share) / 2, (dx * share) / 2 / aspect];
  return [
    [through[0] - half[0], through[1] - half[1]],
    [through[0] + half[0], through[1] + half[1]],
  ];
}

/** How far along a line the foot of a place lies: 0 at its start, 1 at its end. */
export function along(a: Point, b: Point, from: Point, aspect: number): number {
  const [dx, dy] = [b[0] - a[0], (b[1] - a[1]) * aspect];
  const long = dx * dx + dy * dy;
  return long === 0 ? 0 : ((from[0] - a[0]) * dx + (from[1] - a[1]) * aspect * dy) / long;
}

/** The place so far along a line. */
export function placeAlong(a: Point, b: Point, share: number): Point {
  return [a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])];
}

export interface Ellipse {
  readonly middle: Point;
  readonly u: Point; // from the middle to an end of one axis
  readonly v: Point; // and of the other
}

/** An ellipse from the ends of its axes. */
export function ellipseOf([a, b, c, d]: readonly [Point, Point, Point, Point]): Ellipse {
  return {
    middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2],
    u: [(b[0] - a[0]) / 2, (b[1] - a[1]) / 2],
    v: [(d[0] - c[0]) / 2, (d[1] - c[1]) / 2],
  };
}

/** The area of an ellipse, in the square of the scale's unit. */
export function ellipseArea({ u, v }: Ellipse, { x, y }: Scale): number {
  return Math.PI * Math.abs(u[0] * v[1] - u[1] * v[0]) * x * y;
}

/** The area between two opposite corners. */
export function rectangleArea(a: Point, b: Point, { x, y }: Scale): number {
  return Math.abs((b[0] - a[0]) * (b[1] - a[1])) * x * y;
}

/** Places along an ellipse, for drawing it under any turn. */
export function outline({ middle, u, v }: Ellipse, count = 72): Point[] {
  return Array.from({ length: count }, (_, at): Point => {
    const [cos, sin] = [Math.cos((at * 2 * Math.PI) / count), Math.sin((at * 2 * Math.PI) / count)];
    return [middle[0] + cos * u[0] + sin * v[0], middle[1] + cos * u[1] + sin * v[1]];
  });
}

/** A place, moved. */
export function moved(point: Point, dx: number, dy: number): Point {
  return [point[0] + dx, point[1] + dy];
}

/** The place in the middle of two. */
export function midway(a: Point, b: Point): Point {
  return [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
}

function stretched(from: Point, to: Point, aspect: number): Point {
  return [to[0] - from[0], (to[1] - from[1]) * aspect];
}

function between(p: Point, q: Point): number {
  const turn = Math.atan2(p[0] * q[1] - p[1] * q[0], p[0] * q[0] + p[1] * q[1]);
  return (Math.abs(turn) * 180) / Math.PI;
}
