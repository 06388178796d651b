// Works out the grey of every stored value, and smaller copies of an image. Knows no canvas and no page.
//
// A value is rescaled, then windowed or looked up (PS3.3 C.11.2), then inverted. As stored values are whole numbers of
// at most 16 bits, all of that happens once for each value that the type can hold, and an image is one look-up a pixel.
import type { Samples } from "./pixels.ts";

export type Curve = "LINEAR" | "LINEAR_EXACT" | "SIGMOID";

/** A VOI table: the grey (0 to 255) of `first` and of the rescaled values after it; beyond its ends, its ends. */
export interface VoiTable {
  readonly first: number;
  readonly values: Uint8Array | readonly number[];
}

/** How rescaled values become greys: by a window, or by a table where there is one. */
export interface Voi {
  readonly center: number;
  readonly width: number;
  readonly isInverted: boolean;
  readonly curve?: Curve | undefined; // LINEAR unless said
  readonly table?: VoiTable | undefined;
}

/** Everything between a stored value and its grey. */
export interface Tone extends Voi {
  readonly slope: number;
  readonly intercept: number;
  readonly samples?: 1 | 3 | undefined; // colour is shown as it is, or inverted
}

/** A rectangle of an image in whole pixels; right and bottom are the first ones outside. */
export interface Area {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** An image of plain values, or a smaller copy of one. */
export interface Grid {
  readonly columns: number;
  readonly rows: number;
  readonly samples: 1 | 3;
  readonly values: Samples;
}

const OPAQUE = 0xff000000;
const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

/** Gives the grey of a rescaled value, 0 to 255, not rounded (PS3.3 C.11.2.1.2 and C.11.2.1.3). */
export function greyOf(value: number, voi: Voi): number {
  const grey = voi.table === undefined ? windowed(value, voi) : lookedUp(value, voi.table);
  return voi.isInverted ? 255 - grey : grey;
}

function windowed(value: number, { center, width, curve = "LINEAR" }: Voi): number {
  if (curve === "SIGMOID") return 255 / (1 + Math.exp((-4 * (value - center)) / width));
  // LINEAR is defined from a width of 1 on; narrower windows of fine scales are meant exactly
  const isExact = curve === "LINEAR_EXACT" || width < 1;
  const middle = isExact ? center : center - 0.5;
  const span = isExact ? width : width - 1;
  if (value <= middle - span / 2) return 0;
  if (value > middle + span / 2) return 255;
  return ((value - middle) / span + 0.5) * 255;
}

function lookedUp(value: number, { first, values }: VoiTable): number {
  const at = Math.round(value) - first;
  return values[Math.min(values.length - 1, Math.max(0, at))] ?? 0;
}

/** Gives the grey of every value that the type of `values` can hold, at the value's own bits. */
export function greysOf(values: Samples, tone: Tone): Uint8ClampedArray {
  const count = 2 ** (8 * values.BYTES_PER_ELEMENT);
  const isSigned = values instanceof Int8Array || values instanceof Int16Array;
  const greys = new Uint8ClampedArray(count); // which rounds
  const line = straight(tone);
  for (let bits = 0; bits < count; bits++) {
    const stored = isSigned && bits >= count / 2 ? bits - count : bits;
    const value = stored * tone.slope + tone.intercept;
    greys[bits] = line === null ? greyOf(value, tone) : value * line.rise + line.start;
  }
  return greys;
}

/** The one line that a window's greys lie on, but for what is beyond black and white; null when they lie on none. */
function straight({ center, width, curve = "LINEAR", table, isInverted }: Tone): { rise: number; start: number } | null {
  const isExact = curve === "LINEAR_EXACT" || width < 1;
  const span = isExact ? width : width - 1;
  if (table !== undefined || curve === "SIGMOID" || !(span > 0)) return null;
  const rise = 255 / span;
  const start = 127.5 - rise * (isExact ? center : center - 0.5);
  return isInverted ? { rise: -rise, start: 255 - start } : { rise, start };
}

/** Makes the tables of greys as opaque colours, and keeps the last one: most images in a row share it. */
export class Greys {
  private key = "";
  private table: VoiTable | undefined;
  private colours = new Uint32Array(0);

  /** Gives the colour of every value, in the byte order of canvas pixels. */
  of(values: Samples, tone: Tone): Uint32Array {
    const { slope, intercept, center, width, isInverted, curve = "", table } = tone;
    const key = [values.constructor.name, slope, intercept, center, width, isInverted, curve].join();
    if (key !== this.key || table !== this.table) {
      const greys = greysOf(values, tone);
      this.colours = new Uint32Array(greys.length);
      for (let i = 0; i < greys.length; i++) {
        const grey = greys[i] as number;
        this.colours[i] = colour(grey, grey, grey);
      }
      this.key = key;
      this.table = table;
    }
    return this.colours;
  }
}

/** Paints values as opaque pixels: red, green, blue, alpha. Floating values are windowed one by one. */
export function paint(values: Samples | Float32Array, tone: Tone, out: Uint8ClampedArray, greys = new Greys()): void {
  if (values instanceof Float32Array) {
    for (let i = 0; i < values.length; i++) {
      const grey = greyOf((values[i] as number) * tone.slope + tone.intercept, tone);
      out[4 * i] = out[4 * i + 1] = out[4 * i + 2] = grey;
      out[4 * i + 3] = 255;
    }
    return;
  }
  const samples = tone.samples ?? 1;
  const columns = values.length / samples;
  paintArea({ columns, rows: 1, samples, values }, { left: 0, top: 0, right: columns, bottom: 1 }, tone, out, greys);
}

/** Paints a part of an image as opaque pixels, its rows close together. */
export function paintArea(grid: Grid, area: Area, tone: Tone, out: Uint8ClampedArray, greys: Greys): void {
  const pixels = new Uint32Array(out.buffer, out.byteOffset, out.length / 4);
  if (grid.samples === 3) paintColours(grid, area, tone.isInverted ? 0xff : 0, pixels);
  else paintGreys(grid, area, greys.of(grid.values, tone), pixels);
}

function paintGreys({ values, columns }: Grid, area: Area, colours: Uint32Array, out: Uint32Array): void {
  const mask = colours.length - 1; // a negative value lies at its bits
  let to = 0;
  for (let y = area.top; y < area.bottom; y++) {
    const end = y * columns + area.right;
    for (let from = y * columns + area.left; from < end; from++) {
      out[to++] = colours[(values[from] as number) & mask] as number;
    }
  }
}

function paintColours({ values, columns }: Grid, area: Area, flip: number, out: Uint32Array): void {
  const down = 8 * (values.BYTES_PER_ELEMENT - 1); // 16 bits a colour lose their lower half
  let to = 0;
  for (let y = area.top; y < area.bottom; y++) {
    const end = 3 * (y * columns + area.right);
    for (let from = 3 * (y * columns + area.left); from < end; from += 3) {
      const [red, green, blue] = [values[from] as number, values[from + 1] as number, values[from + 2] as number];
      out[to++] = colour((red >> down) ^ flip, (green >> down) ^ flip, (blue >> down) ^ flip);
    }
  }
}

function colour(red: number, green: number, blue: number): number {
  if (IS_LITTLE_ENDIAN) return (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;
  return ((red << 24) | (green << 16) | (blue << 8) | 0xff) >>> 0;
}

/** Gives the image at half its size, each pixel the mean of those that it covers (fewer at an odd edge). */
export function halved(grid: Grid): Grid {
  const { columns, rows, samples, values } = grid;
  const [wide, high] = [Math.ceil(columns / 2), Math.ceil(rows / 2)];
  const made = new (values.constructor as new (length: number) => Samples)(wide * high * samples);
  const stride = columns * samples;
  let to = 0;
  for (let y = 0; y < high; y++) {
    const upper = 2 * y * stride;
    const lower = 2 * y + 1 < rows ? upper + stride : upper;
    for (let x = 0; x < wide; x++) {
      const left = 2 * x * samples;
      const right = 2 * x + 1 < columns ? left + samples : left;
      for (let s = 0; s < samples; s++) {
        const sum =
          (values[upper + left + s] as number) +
          (values[upper + right + s] as number) +
          (values[lower + left + s] as number) +
          (values[lower + right + s] as number);
        made[to++] = (sum + 2) >> 2;
      }
    }
  }
  return { columns: wide, rows: high, samples, values: made };
}
