// Which scale holds between places of an image, and who vouches for it. Pure.
import type { Instance } from "./manifest.ts";

/** A place in the image: origin at the top-left corner of the top-left pixel, in pixels. */
export type Point = readonly [x: number, y: number];

export type Calibration = "patient" | "calibrated" | "detector" | "unstated" | "ultrasound" | "none";

export interface Scale {
  readonly unit: "mm" | "px";
  readonly x: number; // units a column
  readonly y: number; // units a row
  readonly calibration: Calibration;
  readonly aspect: number; // height of a pixel over its width: what angles need
}

type Scaled = Pick<Instance, "spacing" | "regions" | "aspect">;

/** Gives the scale that holds for all these places; pixels where none does. */
export function scaleOf(instance: Scaled, points: readonly Point[]): Scale {
  const region = instance.regions.find((each) => points.every((point) => inside(each, point)));
  if (region !== undefined) {
    return { unit: "mm", x: region[4], y: region[5], calibration: "ultrasound", aspect: region[5] / region[4] };
  }
  const [row, column, source] = instance.spacing;
  if (source === "none" || instance.regions.length > 0) {
    return { unit: "px", x: 1, y: 1, calibration: "none", aspect: instance.aspect > 0 ? instance.aspect : 1 };
  }
  return { unit: "mm", x: column, y: row, calibration: source, aspect: row / column };
}

function inside(region: readonly number[], [x, y]: Point): boolean {
  const [left = 0, top = 0, right = 0, bottom = 0] = region;
  return x >= left && x <= right + 1 && y >= top && y <= bottom + 1;
}
