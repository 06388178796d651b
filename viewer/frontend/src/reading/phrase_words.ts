// Short forms of phrases in a text: found before the caret, suggested, made from a text. Pure.

export interface Phrase {
  readonly id: number;
  readonly short: string;
  readonly text: string;
}

export interface Begun {
  readonly at: number; // where its slash stands
  readonly letters: string;
}

/** Gives the short form that ends at the caret, as `/lung`, or null. */
export function begunAt(text: string, caret: number): Begun | null {
  const found = /(?:^|[\s(])\/([\p{L}\p{N}_-]{0,32})$/u.exec(text.slice(0, caret));
  if (found === null) return null;
  const letters = found[1] ?? "";
  return { at: caret - letters.length - 1, letters: letters.toLowerCase() };
}

/** Gives the phrase that letters mean: the one so called, else the only one that begins so. */
export function meant(phrases: readonly Phrase[], letters: string): Phrase | undefined {
  if (letters === "") return undefined;
  const same = phrases.find((each) => each.short === letters);
  const beginning = phrases.filter((each) => each.short.startsWith(letters));
  return same ?? (beginning.length === 1 ? beginning[0] : undefined);
}

/** Gives the phrases that have letters in their short form or their text. */
export function having(phrases: readonly Phrase[], letters: string): readonly Phrase[] {
  const wanted = letters.trim().toLowerCase();
  return phrases.filter((each) => each.short.includes(wanted) || each.text.toLowerCase().includes(wanted));
}

/** Makes a short form that is free, from the first word of a text. */
export function shortFor(text: string, taken: readonly string[]): string {
  const word = (/[\p{L}\p{N}]+/u.exec(text)?.[0] ?? "tekst").toLowerCase().slice(0, 12);
  let short = word;
  for (let n = 2; taken.includes(short); n++) short = `${word}${n}`;
  return short;
}
