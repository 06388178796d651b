// Which copy of an image is drawn, and which part of it: never more pixels than the screen shows. Paints nothing.
import { halved, type Area, type Grid } from "./greys.ts";
import { back, type Matrix, type Size } from "./lie.ts";

/** Tells how often an image is to be halved before it is drawn: never below what the screen shows. */
export function levelFor([a, b, c, d]: Matrix, { columns, rows }: Grid): number {
  const across = Math.max(Math.hypot(a, b), Math.hypot(c, d)); // pixels of the screen for one of the image
  const most = Math.floor(Math.log2(Math.max(1, Math.min(columns, rows))));
  return Math.min(most, Math.max(0, Math.floor(Math.log2(1 / across) + 1e-9)));
}

/** Gives an image at half its size so many times; what is made is kept in `levels`. */
export function levelOf(levels: Grid[], level: number): Grid {
  while (levels.length <= level) levels.push(halved(levels.at(-1) as Grid));
  return levels[level] as Grid;
}

/** Gives the part of a grid that is on the canvas, one pixel more all round for what lies between two; null when none is. */
export function seen(matrix: Matrix, [width, height]: Size, grid: Grid, cell: number): Area | null {
  const corners = [[0, 0], [width, 0], [0, height], [width, height]] as const;
  const places = corners.map((corner) => back(matrix, corner));
  const [xs, ys] = [places.map(([x]) => x / cell), places.map(([, y]) => y / cell)];
  const left = Math.max(0, Math.floor(Math.min(...xs)) - 1);
  const top = Math.max(0, Math.floor(Math.min(...ys)) - 1);
  const right = Math.min(grid.columns, Math.ceil(Math.max(...xs)) + 1);
  const bottom = Math.min(grid.rows, Math.ceil(Math.max(...ys)) + 1);
  return left < right && top < bottom ? { left, top, right, bottom } : null;
}
