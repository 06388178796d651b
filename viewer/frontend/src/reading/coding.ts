// Undoes what the server did to make a frame small: gives the values back, bit by bit (viewer/pixel_coding.py).
import type { Samples } from "./pixels.ts";

export type SampleType = "uint8" | "int8" | "uint16" | "int16";

const KINDS = { uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array } as const;

/** Gives values that came as they are (little endian, as every browser is). */
export function plain(type: string, body: ArrayBuffer): Samples {
  return new (kindOf(type))(body);
}

/** Gives the values of a frame that came as differences from what its neighbours let expect. */
export function undone(type: string, body: ArrayBuffer, columns: number, rows: number, samples: 1 | 3): Samples {
  const kind = kindOf(type);
  const size = columns * rows;
  const width = kind.BYTES_PER_ELEMENT;
  const told = new Uint8Array(body);
  if (told.length !== size * width * samples) throw new Error("The image came short.");
  const values = new kind(size * samples);
  if (samples === 1) {
    undo(told, values, columns, rows);
    return values;
  }
  const planes = [0, 1, 2].map((at) => {
    const plane = new kind(size);
    undo(told.subarray(at * size * width, (at + 1) * size * width), plane, columns, rows);
    return plane;
  });
  const [green, red, blue] = planes as [Samples, Samples, Samples];
  for (let i = 0; i < size; i++) {
    const middle = green[i] as number;
    values[3 * i] = (red[i] as number) + middle; // which wraps, as it did on the way out
    values[3 * i + 1] = middle;
    values[3 * i + 2] = (blue[i] as number) + middle;
  }
  return values;
}

function undo(told: Uint8Array, out: Samples, columns: number, rows: number): void {
  if (out.BYTES_PER_ELEMENT === 1) undoBytes(told, out, columns, rows);
  else undoWords(told, out, columns, rows);
}

function undoWords(told: Uint8Array, out: Samples, columns: number, rows: number): void {
  const low = out.length; // where the low bytes begin
  let at = 0;
  for (let y = 0; y < rows; y++) {
    let left = y === 0 ? 0 : (out[at - columns] as number);
    let corner = left;
    for (let x = 0; x < columns; x++, at++) {
      const up = y === 0 ? left : (out[at - columns] as number);
      const folded = ((told[at] as number) << 8) | (told[low + at] as number);
      out[at] = expected(left, up, y === 0 ? left : corner) + ((folded >>> 1) ^ -(folded & 1));
      left = out[at] as number;
      corner = up;
    }
  }
}

function undoBytes(told: Uint8Array, out: Samples, columns: number, rows: number): void {
  let at = 0;
  for (let y = 0; y < rows; y++) {
    let left = y === 0 ? 0 : (out[at - columns] as number);
    let corner = left;
    for (let x = 0; x < columns; x++, at++) {
      const up = y === 0 ? left : (out[at - columns] as number);
      const folded = told[at] as number;
      out[at] = expected(left, up, y === 0 ? left : corner) + ((folded >>> 1) ^ -(folded & 1));
      left = out[at] as number;
      corner = up;
    }
  }
}

/** The median of left, up, and left + up - corner. */
function expected(left: number, up: number, corner: number): number {
  const least = left < up ? left : up;
  const most = left < up ? up : left;
  return Math.max(least, Math.min(most, left + up - corner));
}

function kindOf(type: string): (typeof KINDS)[SampleType] {
  const kind = KINDS[type as SampleType];
  if (kind === undefined) throw new Error(`The image came as ${type}, which is not shown here.`);
  return kind;
}
