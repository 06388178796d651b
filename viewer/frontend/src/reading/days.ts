// Says a day as people write it, in the page's language.
import { language } from "../shared/strings.ts";

/** `20261123` or `2026-11-23` as `23 Nov 2026`; nothing for anything else. */
export function dayOf(date: string): string {
  const [, year, month, day] = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(date) ?? [];
  if (year === undefined) return "";
  return new Date(`${year}-${month}-${day}T12:00:00Z`).toLocaleDateString(language === "nb" ? "nb-NO" : "en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
}
