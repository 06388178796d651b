// Windows: which one a frame opens in, the presets of the number keys, and how they are said.
import { t } from "../shared/strings.ts";
import type { Frame, Series } from "./manifest.ts";
import { rangeOf } from "./meaning.ts";
import type { Pixels } from "./pixels.ts";

export interface Window {
  readonly center: number;
  readonly width: number;
}

export interface Preset extends Window {
  readonly key: string;
  readonly label: string;
}

const MOST_SENT = 5; // of the windows that an image brings

/** The windows of the number keys: a modality's own, or broader and narrower than as sent. */
export function presetsOf(series: Series, asSent: Window | null): Preset[] {
  const fixed = series.presets.map(([center, width, label], at) => ({
    key: String(at + 1),
    label: named(label),
    center,
    width,
  }));
  const more = (series.instances[0]?.windows ?? []).slice(1, MOST_SENT).map(([center, width, label], at) => ({
    label: label === "" ? t("Window {n} as sent", { n: at + 2 }) : label,
    center,
    width,
  }));
  if (fixed.length > 0) return [...fixed, ...more.map((each, at) => ({ ...each, key: `+${at + 2}` }))];
  if (asSent === null) return [];
  const { center, width } = asSent;
  const made = [
    { label: t("Half as wide"), center, width: Math.max(1, width / 2) },
    { label: t("Twice as wide"), center, width: width * 2 },
    { label: t("Brighter"), center: center - width / 4, width },
    { label: t("Darker"), center: center + width / 4, width },
  ];
  return [...more, ...made].map((each, at) => ({ ...each, key: String(at + 1) }));
}

/** The window that a frame comes with, or null when its values have to be looked at first. */
export function windowAsSent(frame: Frame, pixels: Pixels | null): Window | null {
  const sent = frame.instance.windows[0] ?? pixels?.window ?? frame.series.window;
  return sent == null ? null : { center: sent[0], width: sent[1] };
}

/** The window from the least to the greatest value of a frame. */
export function wholeRange(pixels: Pixels): Window {
  const [a, b] = rangeOf(pixels.values, pixels.padding ?? undefined).map((value) => value * pixels.slope + pixels.intercept);
  const [low, high] = [Math.min(a ?? 0, b ?? 1), Math.max(a ?? 0, b ?? 1)];
  return { center: (low + high + 1) / 2, width: high - low + 1 };
}

/** Says a window as radiologists write it: centre and width. */
export function windowText({ center, width }: Window): string {
  const short = (value: number): string => (Math.abs(value) < 10 && value % 1 !== 0 ? value.toFixed(2) : value.toFixed(0));
  return `C ${short(center)}  W ${short(width)}`;
}

function named(label: string): string {
  const known: Record<string, string> = {
    Brain: t("Brain"),
    Subdural: t("Subdural"),
    Stroke: t("Stroke"),
    Bone: t("Bone"),
    Lung: t("Lung"),
    "Soft tissue": t("Soft tissue"),
    Liver: t("Liver"),
    Angiography: t("Angiography"),
  };
  return known[label] ?? label;
}
