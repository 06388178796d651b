// How an image lies on a surface: from places of the image to places of the surface and back. Draws nothing.
import type { Point } from "./calibration.ts";
import type { Place } from "./surface.ts";

/** The shape of an image: its size in pixels, and the height of a pixel over its width. */
export interface Shape {
  readonly columns: number;
  readonly rows: number;
  readonly aspect: number;
}

export type Size = readonly [width: number, height: number];

/** a, b, c, d, e, f as canvas and SVG count them: x' = a x + c y + e, y' = b x + d y + f. */
export type Matrix = readonly [number, number, number, number, number, number];

const LEAST = 1 / 8; // of the fitted size
const MOST = 64; // CSS pixels a column

/** Gives the matrix from places of the image to places of a surface of some size. */
export function matrixOf(place: Place, aspect: number, [width, height]: Size): Matrix {
  const { scale, middle, quarterTurns, isMirrored } = place;
  const [cos, sin] = QUARTERS[quarterTurns];
  const side = isMirrored ? -1 : 1;
  const [a, b] = [side * cos * scale, sin * scale];
  const [c, d] = [-side * sin * scale * aspect, cos * scale * aspect];
  return [a, b, c, d, width / 2 - a * middle[0] - c * middle[1], height / 2 - b * middle[0] - d * middle[1]];
}

const QUARTERS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
] as const;

/** Gives where a place goes. */
export function through([a, b, c, d, e, f]: Matrix, [x, y]: Point): Point {
  return [a * x + c * y + e, b * x + d * y + f];
}

/** Gives where a place comes from. */
export function back([a, b, c, d, e, f]: Matrix, [u, v]: Point): Point {
  const over = a * d - b * c;
  return [(d * (u - e) - c * (v - f)) / over, (a * (v - f) - b * (u - e)) / over];
}

/** Gives the place in which the whole image is seen, as large as may be; turned and mirrored as before. */
export function fitted(shape: Shape, size: Size, as: Pick<Place, "quarterTurns" | "isMirrored"> = UPRIGHT): Place {
  return {
    scale: fittingScale(shape, size, as.quarterTurns),
    middle: [shape.columns / 2, shape.rows / 2],
    quarterTurns: as.quarterTurns,
    isMirrored: as.isMirrored,
  };
}

const UPRIGHT = { quarterTurns: 0, isMirrored: false } as const;

/** Gives the place after zooming about a place of the surface, which stays where it is. */
export function zoomed(place: Place, factor: number, at: Point, shape: Shape, size: Size): Place {
  const least = fittingScale(shape, size, place.quarterTurns) * LEAST;
  const scale = Math.min(Math.max(MOST, least), Math.max(least, place.scale * factor));
  const held = back(matrixOf(place, shape.aspect, size), at);
  const now = back(matrixOf({ ...place, scale }, shape.aspect, size), at);
  const [x, y] = place.middle;
  return { ...place, scale, middle: [x + held[0] - now[0], y + held[1] - now[1]] };
}

/** Gives the place after moving the image over the surface. */
export function panned(place: Place, dx: number, dy: number, aspect: number): Place {
  const size = [0, 0] as const;
  const middle = back(matrixOf(place, aspect, size), [-dx, -dy]);
  return { ...place, middle };
}

/** Gives the place a quarter further clockwise, as it is seen. */
export function turned(place: Place): Place {
  const by = place.isMirrored ? 3 : 1;
  return { ...place, quarterTurns: ((place.quarterTurns + by) % 4) as Place["quarterTurns"] };
}

function fittingScale({ columns, rows, aspect }: Shape, [width, height]: Size, quarterTurns: number): number {
  const [wide, high] = quarterTurns % 2 === 0 ? [width, height] : [height, width];
  return Math.min(wide / columns, high / (rows * aspect));
}
