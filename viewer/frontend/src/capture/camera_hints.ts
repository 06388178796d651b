// What the live picture of the camera says before the shutter: too dark, too bright, moving. Nothing else.

export interface Seen {
  readonly light: number; // mean of 0..255
  readonly motion: number; // mean difference from the picture before
}

export type Hint = "dark" | "bright" | "moving" | "";

const DARK = 50;
const BRIGHT = 232;
const MOVING = 14;

/** Gives what to say of the live picture; nothing when there is nothing to complain of. */
export function hintOf(seen: Seen): Hint {
  if (seen.light < DARK) return "dark";
  if (seen.light > BRIGHT) return "bright";
  return seen.motion > MOVING ? "moving" : "";
}

/** Measures a small grey copy (RGBA) against the one before. */
export function measure(pixels: Uint8ClampedArray, before: Uint8ClampedArray | null): Seen {
  let light = 0;
  let motion = 0;
  const count = pixels.length / 4;
  for (let i = 0; i < pixels.length; i += 4) {
    const grey = ((pixels[i] ?? 0) + 2 * (pixels[i + 1] ?? 0) + (pixels[i + 2] ?? 0)) / 4;
    light += grey;
    if (before === null) continue;
    motion += Math.abs(grey - ((before[i] ?? 0) + 2 * (before[i + 1] ?? 0) + (before[i + 2] ?? 0)) / 4);
  }
  return { light: light / count, motion: motion / count };
}
