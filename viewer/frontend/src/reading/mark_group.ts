// One mark on the screen: its lines, its words, and handles that can be reached by pointer and keys.
import { t } from "../shared/strings.ts";
import { handlesOf, type MarkKind } from "./kinds.ts";
import { besides, drawn, handle as handleAt, linesFor, words } from "./mark_shapes.ts";
import { handleName, kindName, linesOf, valueText } from "./mark_words.ts";
import type { Measurement } from "./measuring.ts";
import type { Point } from "./scale.ts";

type OnKey = (event: KeyboardEvent, handle: number) => void;

/** Draws a mark; without `onKey` it is signed and stays as it is. */
export function markGroup(
  mark: Measurement,
  kind: MarkKind,
  index: number,
  place: (point: Point) => Point,
  onKey: OnKey | null,
): SVGGElement {
  const group = drawn(linesFor(kind, mark.points, place));
  const text = words(besides(kind, mark.points, place), linesOf(mark));
  text.dataset["label"] = String(index);
  group.append(text); // beneath the handles, which must be hit first
  handlesOf(kind, mark.points).forEach((point, at) => {
    const handle = handleAt(place(point));
    if (onKey === null) handle.classList.add("mark-locked");
    else bringToLife(handle, mark, kind, index, at, onKey);
    group.append(handle);
  });
  return group;
}

/** How far an arrow key moves a handle, as the eye sees it; null for any other key. */
export function moveOf(event: KeyboardEvent): Point | null {
  const by = event.shiftKey ? 10 : 1;
  const moves: Record<string, Point> = {
    ArrowLeft: [-by, 0],
    ArrowRight: [by, 0],
    ArrowUp: [0, -by],
    ArrowDown: [0, by],
  };
  return moves[event.key] ?? null;
}

function bringToLife(handle: SVGGElement, mark: Measurement, kind: MarkKind, index: number, at: number, onKey: OnKey): void {
  const named = { label: mark.label || kindName(kind), which: handleName(kind, at), text: valueText(mark) };
  handle.setAttribute("tabindex", "0");
  handle.setAttribute("role", "button");
  handle.setAttribute("aria-label", t("{label}, {which}: {text}. Arrow keys move it, Delete removes it, Enter names it.", named));
  for (const each of [handle, ...handle.querySelectorAll<SVGElement>("circle")]) {
    each.dataset["mark"] = String(index);
    each.dataset["end"] = String(at);
  }
  handle.addEventListener("keydown", (event) => onKey(event, at));
}
