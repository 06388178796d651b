// Decides how one pane follows another: to which image, in which window, at which place. Pure.
import type { Point } from "./calibration.ts";
import { along, isOneSpace, isParallel, lieOf, toImage, toPatient, type Lie, type Vector } from "./geometry.ts";
import type { Frame, Series } from "./manifest.ts";
import type { Place } from "./surface.ts";
import type { Window } from "./windows.ts";

/** What two panes go together by; for position, how much further the other one is, in mm along its normal. */
export type Link = { readonly by: "position"; readonly offset: number } | { readonly by: "index"; readonly offset: number };

/** What links a pane with another, as both are now; null when nothing does. */
export function linkBetween(from: Frame, to: Frame): Link | null {
  const [a, b] = [lieOf(from), lieOf(to)];
  if (a !== null && b !== null) {
    if (!isParallel(a, b)) return null;
    return { by: "position", offset: isOneSpace(a, b) ? 0 : along(b.normal, b) - along(b.normal, a) };
  }
  const count = from.series.frames.length;
  if (count < 2 || count !== to.series.frames.length) return null;
  return { by: "index", offset: to.index - from.index };
}

/** The image that a pane with a series shows beside a frame of another; null when it stays. */
export function follow(link: Link, from: Frame, series: Series): Frame | null {
  if (link.by === "index") {
    const last = series.frames.length - 1;
    return series.frames[Math.min(last, Math.max(0, from.index + link.offset))] ?? null;
  }
  const places = placesOf(series);
  const lie = lieOf(from);
  if (places === null || lie === null) return null;
  const wanted = along(places.normal, lie) + link.offset;
  let best: Frame | null = null;
  let nearest = Number.POSITIVE_INFINITY;
  places.at.forEach((place, index) => {
    const away = Math.abs(place - wanted);
    if (away < nearest) [best, nearest] = [series.frames[index] ?? null, away];
  });
  return best;
}

/** Tells whether a pane takes over a window from another: the same kind of values, and the same window until then. */
export function followsWindow(from: Series, to: Series, before: Window | null, theirs: Window | null): boolean {
  if (from.modality !== to.modality || before === null || theirs === null) return false;
  return Math.abs(before.center - theirs.center) < 0.5 && Math.abs(before.width - theirs.width) < 0.5;
}

/** The place that shows in another frame what a place shows in this one: the same size and the same middle. */
export function placeOnto(place: Place, from: Frame, to: Frame): Place {
  const [a, b] = [lieOf(from), lieOf(to)];
  return { ...place, scale: place.scale * pixelRatio(from, to), middle: middleOnto(place.middle, from, to, a, b) };
}

/** Tells whether two series have the same geometry, so that the one can lie over the other. */
export function liesOver(a: Frame, b: Frame): boolean {
  const [one, other] = [a.instance, b.instance];
  const isAlike = one.rows === other.rows && one.columns === other.columns && Math.abs(one.aspect - other.aspect) < 1e-3;
  const [lie, onto] = [lieOf(a), lieOf(b)];
  if (lie !== null && onto !== null && isOneSpace(lie, onto)) return isParallel(lie, onto);
  return isAlike && linkBetween(a, b) !== null;
}

/** Which of some series is most like another one: of its modality and plane, with the most of its words. */
export function mostAlike(series: readonly Series[], to: Series): Series | undefined {
  const words = wordsOf(to);
  const score = (each: Series): number =>
    (each.kind === to.kind ? 64 : 0) +
    (each.is_scout === to.is_scout ? 32 : 0) +
    (each.modality === to.modality ? 16 : 0) +
    (each.plane !== "" && each.plane === to.plane ? 8 : 0) +
    Math.min(6, [...wordsOf(each)].filter((word) => words.has(word)).length * 2) +
    each.frames.length / 1e6;
  return series.reduce<Series | undefined>((best, each) => (best === undefined || score(each) > score(best) ? each : best), undefined);
}

const known = new WeakMap<Series, { normal: Vector; at: number[] } | null>();

/** Where the frames of a series lie along the normal of its first; null when one of them does not say. */
function placesOf(series: Series): { normal: Vector; at: number[] } | null {
  const found = known.get(series);
  if (found !== undefined) return found;
  const lies = series.frames.map(lieOf);
  const first = lies[0];
  const made =
    first == null || lies.includes(null)
      ? null
      : { normal: first.normal, at: lies.map((lie) => along(first.normal, lie as Lie)) };
  known.set(series, made);
  return made;
}

function pixelRatio(from: Frame, to: Frame): number {
  const [, a, source] = from.instance.spacing;
  const [, b, other] = to.instance.spacing;
  if (source === "none" || other === "none" || !(a > 0) || !(b > 0)) return from.instance.columns / to.instance.columns;
  return b / a;
}

function middleOnto(middle: Point, from: Frame, to: Frame, a: Lie | null, b: Lie | null): Point {
  if (a !== null && b !== null && isOneSpace(a, b) && isParallel(a, b)) return toImage(b, toPatient(a, middle));
  const { columns, rows } = from.instance;
  return [(middle[0] / columns) * to.instance.columns, (middle[1] / rows) * to.instance.rows];
}

function wordsOf(series: Series): Set<string> {
  return new Set(series.description.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2));
}
