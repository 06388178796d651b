// Draws marks as SVG over an image: halo and line, handles that a finger can hit, words beside them.
import { ellipseOf, outline } from "./mark_geometry.ts";
import type { MarkKind } from "./kinds.ts";
import type { Point } from "./scale.ts";

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 5;
const GRIP = window.matchMedia("(pointer: coarse)").matches ? 22 : 10;
const LINE_HEIGHT = 18;
const HEAD = 12; // of an arrow, in CSS pixels

type Place = (point: Point) => Point;

/** The lines of a mark as paths over the image. */
export function linesFor(kind: MarkKind, points: readonly Point[], place: Place): string[] {
  const [a, b, c, d] = points;
  if (kind === "ellipse" && a !== undefined && b !== undefined && c !== undefined && d !== undefined) {
    return [`${pathOf(outline(ellipseOf([a, b, c, d])).map(place))}Z`];
  }
  if (kind === "rectangle" && a !== undefined && b !== undefined) {
    return [`${pathOf([a, [b[0], a[1]] as Point, b, [a[0], b[1]] as Point].map(place))}Z`];
  }
  const at = points.map(place);
  if (kind === "cobb" || kind === "bidirectional") {
    return [at.slice(0, 2), at.slice(2, 4)].filter((line) => line.length === 2).map(pathOf);
  }
  if (kind === "arrow") return at.length === 2 ? [pathOf(at), headOf(at as [Point, Point])] : [];
  if (kind === "probe") return at.slice(0, 1).map(crossOf);
  return kind === "text" || at.length < 2 ? [] : [pathOf(at)];
}

/** A group with halo and line of each path. */
export function drawn(paths: readonly string[]): SVGGElement {
  const group = shape("g", { class: "mark" });
  for (const name of ["mark-halo", "mark-line"]) {
    for (const d of paths) group.append(shape("path", { class: name, d }));
  }
  return group;
}

/** A handle: what is seen is small, what can be hit is not. */
export function handle([cx, cy]: Point): SVGGElement {
  const grip = shape("g", { class: "mark-end" });
  grip.append(shape("circle", { class: "mark-grip", cx, cy, r: GRIP }), shape("circle", { class: "mark-dot", cx, cy, r: HANDLE }));
  return grip;
}

/** Words beside a mark, a line under another. */
export function words([x, y]: Point, lines: readonly string[]): SVGTextElement {
  const text = shape("text", { class: "mark-text", x: x + 10, y: y + 5 });
  lines.forEach((line, at) => {
    const span = shape("tspan", { x: x + 10, dy: at === 0 ? 0 : LINE_HEIGHT });
    span.textContent = line;
    text.append(span);
  });
  return text;
}

/** Where the words of a mark stand: right of the point that lies furthest right. */
export function besides(kind: MarkKind, points: readonly Point[], place: Place): Point {
  const at = kind === "arrow" ? points.slice(1).map(place) : points.map(place);
  return at.reduce((right, each) => (each[0] > right[0] ? each : right), at[0] ?? ([0, 0] as Point));
}

function pathOf(points: readonly Point[]): string {
  return points.map(([x, y], at) => `${at === 0 ? "M" : "L"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");
}

function headOf([tip, tail]: readonly [Point, Point]): string {
  const turn = Math.atan2(tail[1] - tip[1], tail[0] - tip[0]);
  const side = (by: number): Point => [tip[0] + HEAD * Math.cos(turn + by), tip[1] + HEAD * Math.sin(turn + by)];
  return pathOf([side(0.45), tip, side(-0.45)]);
}

function crossOf([x, y]: Point): string {
  return `M${x - 9} ${y}H${x - 3}M${x + 3} ${y}H${x + 9}M${x} ${y - 9}V${y - 3}M${x} ${y + 3}V${y + 9}`;
}

function shape<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
