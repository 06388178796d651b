// Measures a mark: its value in the unit that the image's scale allows, and what the values inside come to. Pure.
import { angleAt, cobbAngle, ellipseArea, ellipseOf, lengthOf, rectangleArea } from "./mark_geometry.ts";
import type { MarkKind } from "./kinds.ts";
import type { Instance } from "./manifest.ts";
import { inEllipse, inRectangle, valueAt, type Values } from "./region.ts";
import { scaleOf, type Calibration, type Point, type Scale } from "./scale.ts";

/** A measurement as it is kept in the draft of the findings. */
export interface Measurement {
  readonly instance_uid: string;
  readonly frame: number;
  readonly kind: string;
  readonly points: readonly Point[];
  readonly value: number | null;
  readonly unit: string;
  readonly calibration: string;
  readonly label: string;
  readonly stats?: Stats;
}

/** Further figures: of the values inside, or the short axis. */
export interface Stats {
  readonly mean?: number;
  readonly sd?: number;
  readonly min?: number;
  readonly max?: number;
  readonly count?: number;
  readonly short?: number;
  readonly unit?: string;
}

export interface Figures {
  readonly value: number | null;
  readonly unit: string;
  readonly calibration: Calibration | "";
  readonly stats?: Stats;
}

type Measured = Pick<Instance, "spacing" | "regions" | "aspect" | "unit">;
type Four = readonly [Point, Point, Point, Point];

/** Measures a mark of all its points; without values, what needs none. */
export function figuresOf(
  kind: MarkKind,
  points: readonly Point[],
  instance: Measured,
  values: Values | null,
): Figures {
  const scale = scaleOf(instance, points);
  const unit = values?.unit || instance.unit;
  const [a, b, c, d] = points as Four;
  switch (kind) {
    case "length":
      return inScale(scale, lengthOf(a, b, scale));
    case "bidirectional": {
      const lengths = [lengthOf(a, b, scale), lengthOf(c, d, scale)].map((each) => roundedLength(each, scale));
      const [long = 0, short = 0] = lengths.sort((p, q) => q - p);
      return { ...inScale(scale, long), stats: { short } };
    }
    case "angle":
      return { value: tenth(angleAt(b, a, c, scale.aspect)), unit: "°", calibration: "" };
    case "cobb":
      return { value: tenth(cobbAngle([a, b, c, d], scale.aspect)), unit: "°", calibration: "" };
    case "ellipse": {
      const ellipse = ellipseOf([a, b, c, d]);
      const found = values === null ? null : inEllipse(values, ellipse);
      return { ...inSquare(scale, ellipseArea(ellipse, scale)), ...statsOf(found, unit) };
    }
    case "rectangle": {
      const found = values === null ? null : inRectangle(values, a, b);
      return { ...inSquare(scale, rectangleArea(a, b, scale)), ...statsOf(found, unit) };
    }
    case "probe": {
      const value = values === null ? null : valueAt(values, a);
      return { value: value === null ? null : good(value, Math.abs(value)), unit, calibration: "" };
    }
    case "arrow":
    case "text":
      return { value: null, unit: "", calibration: "" };
  }
}

/** Tells whether a mark was drawn before its scale was known, or before the values had come that it counts. */
export function isBehind(mark: Measurement, instance: Measured): boolean {
  if (mark.calibration === "none" && scaleOf(instance, mark.points).unit === "mm") return true;
  if (mark.kind === "probe") return mark.value === null;
  return (mark.kind === "ellipse" || mark.kind === "rectangle") && mark.stats === undefined;
}

/** Rounds a place to a thousandth of a pixel, as it is kept. */
export function kept(points: readonly Point[]): Point[] {
  return points.map(([x, y]) => [Math.round(x * 1000) / 1000, Math.round(y * 1000) / 1000]);
}

function inScale(scale: Scale, value: number): Figures {
  return { value: roundedLength(value, scale), unit: scale.unit, calibration: scale.calibration };
}

function inSquare(scale: Scale, area: number): Figures {
  const isMm = scale.unit === "mm";
  return { value: isMm ? tenth(area) : Math.round(area), unit: isMm ? "mm²" : "px²", calibration: scale.calibration };
}

function statsOf(found: ReturnType<typeof inEllipse>, unit: string): { stats?: Stats } {
  if (found === null) return {};
  const { count, ...figures } = found;
  const largest = Math.max(Math.abs(found.min), Math.abs(found.max));
  const [mean, sd, min, max] = [figures.mean, figures.sd, figures.min, figures.max].map((each) => good(each, largest));
  return { stats: { mean, sd, min, max, count, ...(unit === "" ? {} : { unit }) } as Stats };
}

function roundedLength(value: number, scale: Scale): number {
  return scale.unit === "mm" ? tenth(value) : Math.round(value);
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10;
}

/** A tenth where values are large, four places of the largest where they are small; never out of order. */
function good(value: number, largest: number): number {
  if (largest >= 10 || largest === 0) return tenth(value);
  const step = 10 ** (Math.floor(Math.log10(largest)) - 3);
  return Number((Math.round(value / step) * step).toPrecision(6));
}
