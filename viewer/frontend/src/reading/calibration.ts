// Lengths: in millimetres where somebody vouches for the size of a pixel, in pixels elsewhere.
import { t } from "../shared/strings.ts";
import type { Instance } from "./manifest.ts";

/** A place in the image: origin at the top-left corner of the top-left pixel, in pixels. */
export type Point = readonly [x: number, y: number];

export interface Length {
  readonly value: number;
  readonly unit: "mm" | "px";
  readonly calibration: "patient" | "calibrated" | "detector" | "unstated" | "ultrasound" | "none";
}

/** Measures between two places of an image. */
export function lengthBetween(instance: Instance, a: Point, b: Point): Length {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const region = instance.regions.find((each) => inside(each, a) && inside(each, b));
  if (region !== undefined) {
    return { value: Math.hypot(dx * region[4], dy * region[5]), unit: "mm", calibration: "ultrasound" };
  }
  const [row, column, source] = instance.spacing;
  if (source === "none" || instance.regions.length > 0) {
    return { value: Math.hypot(dx, dy), unit: "px", calibration: "none" };
  }
  return { value: Math.hypot(dx * column, dy * row), unit: "mm", calibration: source };
}

/** Says a length as people read it: `42.1 mm`, `≈ 42.1 mm at the detector`, `130 px`. */
export function lengthText(length: Length): string {
  if (length.unit === "px") return `${Math.round(length.value)} px`;
  const mm = `${length.value.toFixed(1)} mm`;
  if (length.calibration === "detector") return t("≈ {mm} at the detector", { mm });
  if (length.calibration === "unstated") return t("≈ {mm}, scale not stated", { mm });
  return mm;
}

/** Says in the corner what lengths in this image rest on. */
export function scaleText(instance: Instance): string {
  if (instance.regions.length > 0) return t("lengths in mm within the ultrasound scale");
  switch (instance.spacing[2]) {
    case "patient":
      return t("lengths in mm");
    case "calibrated":
      return t("lengths in mm, calibrated");
    case "detector":
      return t("lengths in mm at the detector only");
    case "unstated":
      return t("lengths in mm, scale not stated");
    case "none":
      return t("no scale: lengths in px");
  }
}

function inside(region: readonly number[], [x, y]: Point): boolean {
  const [left = 0, top = 0, right = 0, bottom = 0] = region;
  return x >= left && x <= right + 1 && y >= top && y <= bottom + 1;
}
