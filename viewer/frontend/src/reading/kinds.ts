// The kinds of marks: how many places each is drawn by, what becomes of them, how a handle changes it. Pure.
import { along, crossing, ellipseOf, lengthOf, midway, moved, placeAlong } from "./mark_geometry.ts";
import type { Point } from "./scale.ts";

export const KINDS = [
  "length",
  "angle",
  "cobb",
  "bidirectional",
  "ellipse",
  "rectangle",
  "probe",
  "arrow",
  "text",
] as const;
export type MarkKind = (typeof KINDS)[number];

/** How many places the pointer gives: one is a click, two a drag, more a drag and what follows it. */
export const PLACES: Readonly<Record<MarkKind, 1 | 2 | 3 | 4>> = {
  length: 2,
  angle: 3,
  cobb: 4,
  bidirectional: 2,
  ellipse: 2,
  rectangle: 2,
  probe: 1,
  arrow: 2,
  text: 1,
};

/** How many points a mark of each kind is kept by. */
export const POINTS: Readonly<Record<MarkKind, number>> = { ...PLACES, bidirectional: 4, ellipse: 4 };

const SHARE = 0.6; // how long the short axis is at first, of the long one

/** Tells whether a word names a kind of mark. */
export function isMark(word: string): word is MarkKind {
  return (KINDS as readonly string[]).includes(word);
}

/** Makes the points of a mark from the places that were given, all of them. */
export function shaped(kind: MarkKind, places: readonly Point[], aspect: number): Point[] {
  const [a, b] = places;
  if (a === undefined || b === undefined) return [...places];
  switch (kind) {
    case "bidirectional":
      return [a, b, ...crossing(a, b, midway(a, b), SHARE, aspect)];
    case "ellipse": {
      const [x, y] = midway(a, b);
      const axes: [Point, Point, Point, Point] = [[a[0], y], [b[0], y], [x, a[1]], [x, b[1]]];
      return axes;
    }
    default:
      return [...places];
  }
}

/** The places at which a mark is set across the middle of an image by the keyboard. */
export function inMiddle(kind: MarkKind, rows: number, columns: number): Point[] {
  const at = (x: number, y: number): Point => [columns * x, rows * y];
  switch (kind) {
    case "length":
    case "bidirectional":
      return [at(0.4, 0.5), at(0.6, 0.5)];
    case "arrow":
      return [at(0.5, 0.5), at(0.6, 0.4)];
    case "angle":
      return [at(0.6, 0.5), at(0.4, 0.5), at(0.55, 0.35)];
    case "cobb":
      return [at(0.4, 0.4), at(0.6, 0.38), at(0.4, 0.6), at(0.6, 0.64)];
    case "ellipse":
    case "rectangle":
      return [at(0.45, 0.45), at(0.55, 0.55)];
    case "probe":
    case "text":
      return [at(0.5, 0.5)];
  }
}

/** Where the handles of a mark are: its points first, then those that follow from them. */
export function handlesOf(kind: MarkKind, points: readonly Point[]): Point[] {
  const [a, b, c, d] = points;
  if (kind === "rectangle" && a !== undefined && b !== undefined) {
    return [a, b, [b[0], a[1]], [a[0], b[1]], midway(a, b)];
  }
  if (kind === "ellipse" && a !== undefined && b !== undefined && c !== undefined && d !== undefined) {
    return [a, b, c, d, ellipseOf([a, b, c, d]).middle];
  }
  return [...points];
}

/** Gives the points of a mark after one of its handles was put somewhere else. */
export function handleMoved(
  kind: MarkKind,
  points: readonly Point[],
  handle: number,
  to: Point,
  aspect: number,
): Point[] {
  const from = handlesOf(kind, points)[handle];
  if (from === undefined) return [...points];
  const isMiddle = handle === 4;
  if (isMiddle) return points.map((point) => moved(point, to[0] - from[0], to[1] - from[1]));
  const [a, b, c, d] = points;
  if (kind === "rectangle" && a !== undefined && b !== undefined && handle > 1) {
    return handle === 2 ? [[a[0], to[1]], [to[0], b[1]]] : [[to[0], a[1]], [b[0], to[1]]];
  }
  if (a === undefined || b === undefined || c === undefined || d === undefined) return [...points.with(handle, to)];
  if (kind === "ellipse") return ellipseMoved([a, b, c, d], handle, to, aspect);
  if (kind === "bidirectional") return axesMoved([a, b, c, d], handle, to, aspect);
  return [...points.with(handle, to)];
}

/** Puts the longer axis first; tells whether the two changed places. */
export function inOrder(kind: MarkKind, points: readonly Point[], aspect: number): { points: Point[]; isSwapped: boolean } {
  const [a, b, c, d] = points;
  const flat = { unit: "px", x: 1, y: aspect, calibration: "none", aspect } as const;
  if (kind !== "bidirectional" || a === undefined || b === undefined || c === undefined || d === undefined) {
    return { points: [...points], isSwapped: false };
  }
  const isSwapped = lengthOf(c, d, flat) > lengthOf(a, b, flat);
  return { points: isSwapped ? [c, d, a, b] : [a, b, c, d], isSwapped };
}

/** Tells whether a mark has come out too small to be meant. */
export function isTooSmall(kind: MarkKind, points: readonly Point[]): boolean {
  const [a, b, c, d] = points;
  const near = (p: Point | undefined, q: Point | undefined): boolean =>
    p === undefined || q === undefined || Math.hypot(q[0] - p[0], q[1] - p[1]) < 1;
  switch (PLACES[kind]) {
    case 1:
      return a === undefined;
    case 2:
      if (kind === "ellipse" || kind === "bidirectional") return near(a, b) || near(c, d);
      if (kind === "rectangle") return near(a, b) || a?.[0] === b?.[0] || a?.[1] === b?.[1];
      return near(a, b);
    case 3:
      return near(a, b) || near(b, c);
    case 4:
      return near(a, b) || near(c, d);
  }
}

type Axes = readonly [Point, Point, Point, Point];

/** One end of an axis moves, the other stays; the other axis keeps its length and stands square on it. */
function ellipseMoved(axes: Axes, handle: number, to: Point, aspect: number): Point[] {
  const isFirst = handle < 2;
  const pair: readonly [Point, Point] = isFirst ? [axes[0], axes[1]] : [axes[2], axes[3]];
  const other: readonly [Point, Point] = isFirst ? [axes[2], axes[3]] : [axes[0], axes[1]];
  const [a, b] = handle % 2 === 0 ? [to, pair[1]] : [pair[0], to];
  const flat = { unit: "px", x: 1, y: aspect, calibration: "none", aspect } as const;
  const long = lengthOf(a, b, flat);
  if (long < 1e-9) return [...axes];
  const square = crossing(a, b, midway(a, b), lengthOf(...other, flat) / long, aspect);
  const across = keepsDirection(square, other, aspect) ? square : ([square[1], square[0]] as const);
  return isFirst ? [a, b, ...across] : [...across, a, b];
}

/** The long axis moves as it likes and takes the short one along; the short one stays square on it. */
function axesMoved(axes: Axes, handle: number, to: Point, aspect: number): Point[] {
  const [a, b, c, d] = axes;
  const flat = { unit: "px", x: 1, y: aspect, calibration: "none", aspect } as const;
  if (handle < 2) {
    const [p, q] = handle === 0 ? [to, b] : [a, to];
    const [before, after] = [lengthOf(a, b, flat), lengthOf(p, q, flat)];
    if (before < 1e-9 || after < 1e-9) return [p, q, c, d];
    const through = placeAlong(p, q, along(a, b, c, aspect));
    // how far each end of the short axis is off the long one, to which side
    const side = (end: Point): number =>
      (((b[0] - a[0]) * (end[1] - a[1]) - (b[1] - a[1]) * (end[0] - a[0])) * aspect) / before;
    const normal: Point = [(-(q[1] - p[1]) * aspect) / after, (q[0] - p[0]) / after / aspect];
    const off = (by: number): Point => [through[0] + normal[0] * by, through[1] + normal[1] * by];
    return [p, q, off(side(c)), off(side(d))];
  }
  const other = handle === 2 ? d : c;
  const by = along(a, b, to, aspect) - along(a, b, other, aspect);
  const kept = moved(other, by * (b[0] - a[0]), by * (b[1] - a[1]));
  return handle === 2 ? [a, b, to, kept] : [a, b, kept, to];
}

function keepsDirection([a, b]: readonly [Point, Point], [c, d]: readonly [Point, Point], aspect: number): boolean {
  return (b[0] - a[0]) * (d[0] - c[0]) + (b[1] - a[1]) * (d[1] - c[1]) * aspect * aspect >= 0;
}
