// Works out what a presentation state makes of a frame: greys, place, what is drawn (PS3.3 C.10, C.11). Knows no page.
import type { Point } from "./calibration.ts";
import type { Voi, VoiTable } from "./greys.ts";
import type { Place } from "./surface.ts";

/** UIDs of images with the numbers of their frames; no numbers are all frames, no images all images. */
export type Images = Readonly<Record<string, readonly number[]>>;
export type Colour = readonly [red: number, green: number, blue: number];

export interface Bitmap {
  readonly group: number;
  readonly label: string;
  readonly kind: string;
  readonly rows: number;
  readonly columns: number;
  readonly left: number;
  readonly top: number;
  readonly bits: string;
  readonly layer: string;
}

export interface Shutter {
  readonly shape: "rectangle" | "circle" | "polygon" | "bitmap";
  readonly points: readonly Point[];
  readonly radius: number;
  readonly group: number;
}

export interface Shutters {
  readonly shapes: readonly Shutter[];
  readonly colour: Colour;
}

export interface Graphic {
  readonly on: Images;
  readonly layer: string;
  readonly kind: "POINT" | "POLYLINE" | "INTERPOLATED" | "CIRCLE" | "ELLIPSE";
  readonly units: "PIXEL" | "DISPLAY";
  readonly points: readonly Point[];
  readonly is_filled: boolean;
  readonly colour: Colour | null;
}

export interface Words {
  readonly on: Images;
  readonly layer: string;
  readonly text: string;
  readonly box: readonly [Point, Point] | null;
  readonly box_units: "PIXEL" | "DISPLAY";
  readonly align: "LEFT" | "CENTER" | "RIGHT";
  readonly anchor: Point | null;
  readonly anchor_units: "PIXEL" | "DISPLAY";
  readonly has_line: boolean;
  readonly colour: Colour | null;
}

interface StateVoi {
  readonly on: Images;
  readonly center: number;
  readonly width: number;
  readonly function: string;
  readonly table: string;
  readonly first: number;
  readonly label: string;
  readonly of_stored: boolean;
}

export interface Area {
  readonly on: Images;
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
  readonly mode: string;
  readonly column_mm: number;
  readonly magnified: number;
}

export interface State {
  readonly kind: "grayscale" | "color" | "pseudo-color" | "blending" | "other";
  readonly label: string;
  readonly description: string;
  readonly creator: string;
  readonly created: string;
  readonly images: Images;
  readonly rescale: readonly [slope: number, intercept: number] | null;
  readonly vois: readonly StateVoi[];
  readonly is_inverse: boolean | null;
  readonly greys: string;
  readonly palette: string;
  readonly areas: readonly Area[];
  readonly quarter_turns: 0 | 1 | 2 | 3;
  readonly is_mirrored: boolean;
  readonly shutters: Shutters;
  readonly layers: readonly { readonly name: string; readonly order: number; readonly colour: Colour | null }[];
  readonly graphics: readonly Graphic[];
  readonly texts: readonly Words[];
  readonly overlays: readonly Bitmap[];
  readonly active: Readonly<Record<string, string>>;
  readonly lacking: readonly string[];
}

const CSS_PX_MM = 25.4 / 96;

/** Tells whether something that names images is for this frame. */
export function isOn(images: Images, uid: string, frame: number): boolean {
  const frames = images[uid];
  if (frames === undefined) return Object.keys(images).length === 0;
  return frames.length === 0 || frames.includes(frame);
}

/** Gives the greys that a state wants for a frame, in the values that the image's own rescale makes; null: as sent. */
export function greysFor(
  state: State,
  uid: string,
  frame: number,
  own: { readonly slope: number; readonly intercept: number },
): Omit<Voi, "isInverted"> | null {
  const voi = state.vois.find((each) => isOn(each.on, uid, frame));
  if (voi === undefined) return null;
  const [slope, intercept] = voi.of_stored ? [1, 0] : (state.rescale ?? [own.slope, own.intercept]);
  const ratio = own.slope / slope; // steps of the image's values for one of the state's
  const moved = (value: number): number => (value - intercept) * ratio + own.intercept;
  if (voi.table !== "") {
    const table = stretched({ first: voi.first, values: bytesOf(voi.table) }, ratio, moved);
    return { center: table.first + table.values.length / 2, width: table.values.length, table };
  }
  const curve = voi.function === "SIGMOID" || voi.function === "LINEAR_EXACT" ? voi.function : "LINEAR";
  return { center: moved(voi.center), width: voi.width * Math.abs(ratio), curve };
}

/** Gives a table for values that lie at other steps. */
function stretched(table: VoiTable, ratio: number, moved: (value: number) => number): VoiTable {
  const first = moved(table.first);
  if (ratio === 1 && Number.isInteger(first)) return { first, values: table.values };
  const last = moved(table.first + table.values.length - 1);
  const [low, high] = [Math.floor(Math.min(first, last)), Math.ceil(Math.max(first, last))];
  const values = new Uint8Array(Math.min(high - low + 1, 1 << 17));
  for (let at = 0; at < values.length; at++) {
    const from = Math.ceil((low + at - first) / ratio - 0.5); // halves go down: the page rounds values up
    values[at] = table.values[Math.min(table.values.length - 1, Math.max(0, from))] ?? 0;
  }
  return { first: low, values };
}

/** Gives the part of an image that a state wants to be seen, or null. */
export function areaFor(state: State, uid: string, frame: number): Area | null {
  return state.areas.find((each) => isOn(each.on, uid, frame)) ?? null;
}

/** Gives where an image lies on a surface so that the state's area is seen as it says. */
export function placeFor(
  state: State,
  area: Area | null,
  image: { readonly columns: number; readonly rows: number; readonly aspect: number },
  [width, height]: readonly [number, number],
): Place {
  const { left, top, right, bottom } = area ?? { left: 0, top: 0, right: image.columns, bottom: image.rows };
  const [across, down] = [right - left, (bottom - top) * image.aspect];
  const isLying = state.quarter_turns % 2 === 1;
  const fitted = Math.min(width / (isLying ? down : across), height / (isLying ? across : down));
  let scale = fitted;
  if (area?.mode === "TRUE SIZE" && area.column_mm > 0) scale = area.column_mm / CSS_PX_MM;
  if (area?.mode === "MAGNIFY" && area.magnified > 0) scale = area.magnified / window_ratio();
  return {
    scale: scale > 0 && Number.isFinite(scale) ? scale : 1,
    middle: [(left + right) / 2, (top + bottom) / 2],
    quarterTurns: state.quarter_turns,
    isMirrored: state.is_mirrored,
  };
}

/** Pixels of the screen for one of CSS, where there is a screen. */
function window_ratio(): number {
  return (globalThis as { devicePixelRatio?: number }).devicePixelRatio ?? 1;
}

/** Gives the corner points of a graphic as a line that can be drawn; closed ones end where they begin. */
export function outline(graphic: Pick<Graphic, "kind" | "points">): Point[] {
  const [a, b, c, d] = graphic.points;
  if (graphic.kind === "CIRCLE" && a !== undefined && b !== undefined) {
    const radius = Math.hypot(b[0] - a[0], b[1] - a[1]);
    return around(a, [radius, 0], [0, radius]);
  }
  if (graphic.kind === "ELLIPSE" && a !== undefined && b !== undefined && c !== undefined && d !== undefined) {
    const middle: Point = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
    return around(middle, [(b[0] - a[0]) / 2, (b[1] - a[1]) / 2], [(d[0] - c[0]) / 2, (d[1] - c[1]) / 2]);
  }
  if (graphic.kind === "INTERPOLATED") return smooth(graphic.points);
  return [...graphic.points];
}

const ROUND = 72; // corners of what is drawn round
const BETWEEN = 8; // points between two of a smooth line

function around(middle: Point, one: Point, other: Point): Point[] {
  return Array.from({ length: ROUND + 1 }, (_, at) => {
    const [cos, sin] = [Math.cos((2 * Math.PI * at) / ROUND), Math.sin((2 * Math.PI * at) / ROUND)];
    return [middle[0] + one[0] * cos + other[0] * sin, middle[1] + one[1] * cos + other[1] * sin];
  });
}

/** A line through points, round at each (Catmull and Rom's), closed when the last is the first. */
function smooth(points: readonly Point[]): Point[] {
  const count = points.length;
  if (count < 3) return [...points];
  const [first, last] = [points[0] as Point, points[count - 1] as Point];
  const isClosed = first[0] === last[0] && first[1] === last[1];
  const at = (index: number): Point => {
    if (index < 0) return isClosed ? (points[count - 2] as Point) : first;
    return index >= count ? (isClosed ? (points[1] as Point) : last) : (points[index] as Point);
  };
  const made: Point[] = [];
  for (let from = 0; from < count - 1; from++) {
    const [p, q, r, s] = [at(from - 1), at(from), at(from + 1), at(from + 2)];
    for (let step = 0; step < BETWEEN; step++) {
      const t = step / BETWEEN;
      const bend = (a: number, b: number, c: number, d: number): number =>
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)));
      made.push([bend(p[0], q[0], r[0], s[0]), bend(p[1], q[1], r[1], s[1])]);
    }
  }
  return [...made, last];
}

/** Gives the bytes of a text in base 64. */
export function bytesOf(text: string): Uint8Array {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let at = 0; at < binary.length; at++) bytes[at] = binary.charCodeAt(at);
  return bytes;
}
