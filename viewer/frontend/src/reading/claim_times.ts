// When a claim is renewed and when its end is told; which case comes next. No document, no texts.

export const RENEW_EVERY_MS = 120_000;
const WARNED_FOR_MS = 30 * 60_000;

/** Gives the minutes that a claim lasts, once that is to be told; null before, and without an end. */
export function lastsIn(until: string | null, now: number): number | null {
  if (until === null) return null;
  const left = Date.parse(until) - now;
  return left > WARNED_FOR_MS ? null : Math.max(0, Math.ceil(left / 60_000));
}

/** Gives the address that tells the case after this one, within what the list was narrowed to. */
export function nextAddress(caseId: string, list: string | null): string {
  const query = new URLSearchParams({ after: caseId });
  try {
    const wanted: unknown = JSON.parse(list ?? "{}");
    if (typeof wanted === "object" && wanted !== null) {
      for (const [name, value] of Object.entries(wanted)) if (typeof value === "string") query.set(name, value);
    }
  } catch {
    // what cannot be read narrows nothing
  }
  return `/api/worklist/next?${query.toString()}`;
}
