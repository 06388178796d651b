// What marks say: on the image, in the list, in the findings, and to those who listen. Measures nothing.
import { language, t } from "../shared/strings.ts";
import { isMark, type MarkKind } from "./kinds.ts";
import type { Measurement } from "./measuring.ts";

/** What a kind of mark is called. */
export function kindName(kind: MarkKind): string {
  switch (kind) {
    case "length":
      return t("Length");
    case "angle":
      return t("Angle");
    case "cobb":
      return t("Cobb angle");
    case "bidirectional":
      return t("Long and short axis");
    case "ellipse":
      return t("Ellipse");
    case "rectangle":
      return t("Rectangle");
    case "probe":
      return t("Value");
    case "arrow":
      return t("Arrow");
    case "text":
      return t("Note");
  }
}

/** The name that a new mark gets: its kind and the next number of that kind. */
export function newLabel(kind: MarkKind, all: readonly Measurement[]): string {
  if (kind === "text" || kind === "arrow") return "";
  const numbers = all.map((each) => numberIn(each.label, kind)).filter((each) => each !== null);
  return `${kindName(kind)} ${Math.max(0, ...numbers) + 1}`;
}

/** Tells whether somebody has named a mark. */
export function isNamed(mark: Measurement): boolean {
  return mark.label !== "" && !(isMark(mark.kind) && numberIn(mark.label, mark.kind) !== null);
}

/** The figures of a mark in one line: `42.1 mm`, `42.1 × 17.3 mm`, `mean 43.2 HU, SD 5.1 …`. */
export function valueText(mark: Measurement): string {
  const { kind, stats = {}, value } = mark;
  if (kind === "arrow" || kind === "text") return mark.label;
  if (stats.mean === undefined) return sizeText(mark);
  const parts = [
    `${t("mean")} ${said(stats.mean)} ${stats.unit ?? ""}`.trimEnd(),
    `${t("SD")} ${said(stats.sd)}`,
    `${t("min")} ${said(stats.min)}`,
    `${t("max")} ${said(stats.max)}`,
  ];
  return `${parts.join(", ")}${value === null ? "" : `; ${sizeText(mark)}`}`;
}

/** The lines that stand beside a mark on the image. */
export function linesOf(mark: Measurement): string[] {
  const { stats = {} } = mark;
  const name = isNamed(mark) && mark.kind !== "arrow" && mark.kind !== "text" ? [mark.label] : [];
  if (stats.mean === undefined) return [...name, valueText(mark)].filter((line) => line !== "");
  return [
    ...name,
    `${t("mean")} ${said(stats.mean)} ${stats.unit ?? ""}`.trimEnd(),
    `${t("SD")} ${said(stats.sd)}   ${said(stats.min)} … ${said(stats.max)}`,
    sizeText(mark),
  ];
}

/** A mark as a part of a sentence: `length 42.1 mm`, `nodule, right upper lobe: length 42.1 mm`. */
export function sentenceOf(mark: Measurement): string {
  if (!isMark(mark.kind)) return valueText(mark);
  if (mark.kind === "text") return mark.label;
  if (mark.kind === "arrow") return mark.label || lower(kindName("arrow"));
  const figure = `${lower(kindName(mark.kind))} ${valueText(mark)}`;
  return isNamed(mark) ? `${mark.label}: ${figure}` : figure;
}

/** A mark in the list and to those who listen: `Length 1: 42.1 mm`. */
export function titleText(mark: Measurement): string {
  const kind = isMark(mark.kind) ? kindName(mark.kind) : mark.kind;
  if (mark.kind === "arrow" || mark.kind === "text") return mark.label === "" ? kind : `${kind}: ${mark.label}`;
  return `${mark.label || kind}: ${valueText(mark)}`;
}

/** What a handle is, for those who listen. */
export function handleName(kind: MarkKind, handle: number): string {
  if (handle === 4) return t("middle");
  switch (kind) {
    case "length":
    case "arrow":
      return handle === 0 ? (kind === "arrow" ? t("tip") : t("start")) : t("end");
    case "angle":
      return handle === 1 ? t("vertex") : t("end {n}", { n: handle === 0 ? 1 : 2 });
    case "cobb":
      return t("line {n}, end {end}", { n: handle < 2 ? 1 : 2, end: (handle % 2) + 1 });
    case "bidirectional":
      return handle < 2 ? t("long axis, end {n}", { n: handle + 1 }) : t("short axis, end {n}", { n: handle - 1 });
    case "ellipse":
      return t("axis {n}, end {end}", { n: handle < 2 ? 1 : 2, end: (handle % 2) + 1 });
    case "rectangle":
      return t("corner {n}", { n: handle + 1 });
    case "probe":
    case "text":
      return t("place");
  }
}

function sizeText(mark: Measurement): string {
  const { value, unit, calibration, kind, stats = {} } = mark;
  if (value === null) return kind === "probe" ? t("no value yet") : "";
  if (unit === "°") return `${said(value, 1)}°`;
  const places = unit === "mm" || unit === "mm²" ? 1 : undefined;
  const figures = kind === "bidirectional" && stats.short !== undefined ? [value, stats.short] : [value];
  const mm = `${figures.map((each) => said(each, places)).join(" × ")} ${unit}`.trimEnd();
  if (places === undefined) return mm;
  if (calibration === "detector") return t("≈ {mm} at the detector", { mm });
  if (calibration === "unstated") return t("≈ {mm}, scale not stated", { mm });
  return mm;
}

function said(value: number | undefined, places?: number): string {
  if (value === undefined) return "?";
  const text = places === undefined ? String(value) : value.toFixed(places);
  return language === "nb" ? text.replace(".", ",") : text;
}

function numberIn(label: string, kind: MarkKind): number | null {
  const name = `${kindName(kind)} `;
  const rest = label.startsWith(name) ? label.slice(name.length) : "";
  return /^\d+$/.test(rest) ? Number(rest) : null;
}

function lower(words: string): string {
  return words.startsWith("Cobb") ? words : words.charAt(0).toLowerCase() + words.slice(1);
}
