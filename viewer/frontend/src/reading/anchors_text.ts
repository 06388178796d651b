// Anchors in a text, such as [1]: where one is put, which the cursor is on, what stays when a mark goes. Pure.

/** How an image lies on its surface, as it is kept. */
export interface KeptPlace {
  readonly scale: number;
  readonly middle: readonly [number, number];
  readonly quarter_turns: number;
  readonly is_mirrored: boolean;
}

/** A view that a number in a text stands for, as it is kept with the findings. */
export interface Anchor {
  readonly number: number;
  readonly instance_uid: string;
  readonly frame: number;
  readonly image?: number | null; // which of its series, as the reader saw it
  readonly measurement: number | null; // which of the measurements it is about
  readonly window: readonly [center: number, width: number] | null;
  readonly is_inverted: boolean;
  readonly place: KeptPlace | null;
}

/** Gives a text with an anchor put in at the cursor, and where the cursor is then. */
export function withAnchor(text: string, at: number, number: number): { text: string; at: number } {
  const before = text.slice(0, at);
  const words = `${before === "" || /\s$/.test(before) ? "" : " "}[${number}]`;
  const after = text.slice(at);
  return { text: before + words + (/^[\p{L}\d]/u.test(after) ? " " : "") + after, at: at + words.length };
}

/** Gives a text without an anchor, nor the space that stood before it. */
export function withoutAnchor(text: string, number: number): string {
  return text.replaceAll(new RegExp(` ?\\[${number}\\]`, "g"), "");
}

/** Gives the number of the anchor that a cursor is in or at, or null. */
export function numberAt(text: string, at: number): number | null {
  for (const found of text.matchAll(/\[(\d{1,3})\]/g)) {
    if (at > found.index && at < found.index + found[0].length) return Number(found[1]);
  }
  return null;
}

/** Gives the anchors that some text mentions, by their numbers. */
export function mentioned<Kept extends { readonly number: number }>(
  anchors: readonly Kept[],
  texts: readonly string[],
): Kept[] {
  const said = new Set(texts.flatMap((text) => [...text.matchAll(/\[(\d{1,3})\]/g)].map((found) => Number(found[1]))));
  return anchors.filter((each) => said.has(each.number)).sort((a, b) => a.number - b.number);
}

/** Gives the number for a new anchor: the next, also past numbers in brackets that are none. */
export function nextNumber(anchors: readonly Anchor[], texts: readonly string[]): number {
  let next = Math.max(0, ...mentioned(anchors, texts).map((each) => each.number)) + 1;
  while (texts.some((text) => text.includes(`[${next}]`))) next++;
  return next;
}

/** Gives the anchors after measurements were taken out: each keeps its own; one whose mark is gone keeps its image. */
export function afterChange<Kept>(anchors: readonly Anchor[], before: readonly Kept[], after: readonly Kept[]): Anchor[] {
  if (after.length >= before.length) return [...anchors];
  return anchors.map((anchor) => {
    const kept = anchor.measurement === null ? undefined : before[anchor.measurement];
    const at = kept === undefined ? -1 : after.indexOf(kept);
    return { ...anchor, measurement: at < 0 ? null : at };
  });
}
