// Which of several pictures goes where: a decision over names only, so that it can be told without a page.

export interface Place {
  readonly kind: string;
  readonly isFree: boolean;
}

/** Gives a kind for each of `count` pictures in their order, or "" where a person has to say. */
export function assign(count: number, places: readonly Place[], from = ""): string[] {
  if (count === 1 && from !== "") return [from];
  const start = Math.max(0, places.findIndex((place) => place.kind === from));
  const free = places.slice(start).filter((place) => place.isFree);
  return Array.from({ length: count }, (_, i) => free[i]?.kind ?? "");
}
