// Reads from an answer's headers what the values of a frame mean beyond a window. Knows no page.
import type { Curve, VoiTable } from "./greys.ts";

/** What stored values mean in another unit. */
export interface Scale {
  readonly slope: number;
  readonly intercept: number;
  readonly unit: string;
}

export interface Meaning {
  readonly curve?: Curve;
  readonly table?: VoiTable & { readonly label: string };
  readonly padding?: readonly [low: number, high: number]; // stored values that are no part of the image
  readonly unit: string;
  readonly scales: readonly Scale[];
}

/** Reads the headers, of which `said` gives the text, empty for one that is not there. */
export function meaningOf(said: (name: string) => string): Meaning {
  const curve = said("Function");
  const [low, high] = said("Padding").split(",").map(Number);
  const table = tableOf(said("Table"));
  return {
    ...(curve === "LINEAR_EXACT" || curve === "SIGMOID" ? { curve } : {}),
    ...(table === null ? {} : { table }),
    ...(low !== undefined && high !== undefined ? { padding: [low, high] as const } : {}),
    unit: decodeURIComponent(said("Unit")),
    scales: said("Scales").split(";").filter(Boolean).map(scaleOf),
  };
}

function tableOf(text: string): (VoiTable & { label: string }) | null {
  const [first, label = "", runs] = text.split(";");
  if (runs === undefined || runs === "") return null;
  const values: number[] = [];
  for (const run of runs.split(",")) {
    const [grey = "0", times = "1"] = run.split("*");
    const [value, count] = [Number.parseInt(grey, 16), Number.parseInt(times, 16)];
    for (let at = 0; at < count; at++) values.push(value);
  }
  return { first: Number(first), label: decodeURIComponent(label), values: Uint8Array.from(values) };
}

function scaleOf(text: string): Scale {
  const [slope = "1", intercept = "0", unit = ""] = text.split(",");
  return { slope: Number(slope), intercept: Number(intercept), unit: decodeURIComponent(unit) };
}

/** Says a value with its unit, and what it is on other scales: `5234 Bq/ml, 3.21 SUVbw`. */
export function valueText(stored: number, slope: number, intercept: number, unit: string, scales: readonly Scale[]): string {
  const words = [withUnit(stored * slope + intercept, unit)];
  for (const scale of scales) words.push(withUnit(stored * scale.slope + scale.intercept, scale.unit));
  return words.join(", ");
}

function withUnit(value: number, unit: string): string {
  const size = Math.abs(value);
  const text = Number.isInteger(value) ? String(value) : size !== 0 && size < 0.01 ? value.toExponential(2) : value.toFixed(2);
  return `${text} ${unit}`.trimEnd();
}

/** Gives the least and the greatest value that is part of the image. */
export function rangeOf(values: ArrayLike<number>, padding: readonly [number, number] | undefined): [min: number, max: number] {
  let [min, max] = [Infinity, -Infinity];
  const [low, high] = padding ?? [1, 0];
  for (let at = 0; at < values.length; at++) {
    const value = values[at] as number;
    if (value >= low && value <= high) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min > max ? [values[0] ?? 0, values[0] ?? 0] : [min, max];
}
