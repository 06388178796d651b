// Which part of the body a key leads to: an arrow to the closest one in its direction, Page Up and Down through all.
import type { Part } from "./bodymap_figure.ts";

const ARROWS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};
const ASIDE = 2; // a step aside counts as much as this many ahead
const SIDEWAYS = 1000; // what lies more aside than ahead is the last choice

/** Gives the part that a key leads to from another, or undefined when it leads nowhere. */
export function stepFrom(parts: readonly Part[], from: Part, key: string): Part | undefined {
  if (key === "Home") return parts[0];
  if (key === "End") return parts.at(-1);
  const index = parts.indexOf(from);
  if (key === "PageDown") return parts[(index + 1) % parts.length];
  if (key === "PageUp") return parts.at(index - 1);
  const arrow = ARROWS[key];
  if (arrow === undefined) return undefined;
  const [along, across] = arrow;
  const start = from.middle;
  let best: Part | undefined;
  let least = Infinity;
  for (const part of parts) {
    const [dx, dy] = [part.middle.x - start.x, part.middle.y - start.y];
    const ahead = dx * along + dy * across;
    const aside = Math.abs(dx * across) + Math.abs(dy * along);
    const cost = ahead + aside * ASIDE + (aside > ahead ? SIDEWAYS : 0);
    if (part === from || ahead <= 0.5 || cost >= least) continue;
    [best, least] = [part, cost];
  }
  return best ?? from; // at the edge it stays where it is
}
