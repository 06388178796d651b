// Paints bitmaps and segments as colours: bits to pixels, several segments over each other. Knows no page.
import type { Colour } from "./states.ts";
import { bytesOf } from "./states.ts";

/** How a grid lies on an image, in pixels from the first corner: x' = a x + c y + e, y' = b x + d y + f. */
export type Affine = readonly [a: number, b: number, c: number, d: number, e: number, f: number];

export interface Mask {
  readonly frame: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number; // bits a pixel: 1, 8 or 16
  readonly bits: string;
}

export interface SentMask {
  readonly frame: number;
  readonly segment: number; // 0: all of a label map
  readonly uid: string;
  readonly image_frame: number; // 0: all
  readonly lies: Affine | null; // null: stretched over the image
}

export interface Segment {
  readonly number: number;
  readonly label: string;
  readonly kind: string;
  readonly algorithm: string;
  readonly colour: Colour;
}

export interface Segmentation {
  readonly label: string;
  readonly kind: "BINARY" | "FRACTIONAL" | "LABELMAP";
  readonly most: number;
  readonly segments: readonly Segment[];
  readonly masks: readonly SentMask[];
}

/** Sets the pixels of a bitmap's bits to a colour; `out` is red, green, blue, alpha. */
export function paintBits(bits: string, colour: Colour, alpha: number, out: Uint8ClampedArray): void {
  const bytes = bytesOf(bits);
  for (let at = 0; 4 * at < out.length; at++) {
    if (((bytes[at >> 3] ?? 0) >> (at & 7)) & 1) setPixel(out, at, colour, alpha);
  }
}

/** Paints one mask: of one segment in its colour, of a label map in those of the segments that are seen. */
export function paintMask(
  mask: Mask,
  sent: SentMask,
  whole: Segmentation,
  isSeen: (segment: number) => boolean,
  out: Uint8ClampedArray,
): void {
  const colours = new Map(whole.segments.map((each) => [each.number, each.colour]));
  if (whole.kind === "LABELMAP") {
    const labels = valuesOf(mask);
    for (let at = 0; 4 * at < out.length; at++) {
      const label = labels(at);
      const colour = label === 0 || !isSeen(label) ? undefined : colours.get(label);
      if (colour !== undefined) setPixel(out, at, colour, 255);
    }
    return;
  }
  const colour = colours.get(sent.segment);
  if (colour === undefined || !isSeen(sent.segment)) return;
  if (mask.depth === 1) {
    paintBits(mask.bits, colour, 255, out);
    return;
  }
  const values = valuesOf(mask);
  for (let at = 0; 4 * at < out.length; at++) {
    const part = Math.min(1, values(at) / whole.most);
    if (part > 0) setPixel(out, at, colour, Math.round(255 * part));
  }
}

function valuesOf({ bits, depth }: Mask): (at: number) => number {
  const bytes = bytesOf(bits);
  if (depth === 1) return (at) => ((bytes[at >> 3] ?? 0) >> (at & 7)) & 1;
  if (depth === 8) return (at) => bytes[at] ?? 0;
  return (at) => (bytes[2 * at] ?? 0) | ((bytes[2 * at + 1] ?? 0) << 8);
}

function setPixel(out: Uint8ClampedArray, at: number, [red, green, blue]: Colour, alpha: number): void {
  if ((out[4 * at + 3] as number) > alpha) return;
  out[4 * at] = red;
  out[4 * at + 1] = green;
  out[4 * at + 2] = blue;
  out[4 * at + 3] = alpha;
}
