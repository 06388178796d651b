// The transform between two photographs as CSS: an image of its own size, moved by a matrix.

/** A 3 x 3 matrix, rows first, from full pixels of one photograph to full pixels of another. */
export type Matrix = readonly number[];

/** Gives the CSS matrix for an image that is shown at `scale` CSS pixels for each full pixel of the other. */
export function cssMatrix(matrix: Matrix, scale: number): string {
  const at = (i: number): number => matrix[i] ?? 0;
  const columns = [
    at(0), at(3), 0, at(6) / scale,
    at(1), at(4), 0, at(7) / scale,
    0, 0, 1, 0,
    at(2) * scale, at(5) * scale, 0, at(8),
  ];
  return `matrix3d(${columns.map((value) => Number(value.toPrecision(9))).join(",")})`;
}

export const AS_IT_IS: Matrix = [1, 0, 0, 0, 1, 0, 0, 0, 1];
