// Times as people say them, in the page's language: the same words as viewer/i18n.py writes.
import { t, tn } from "./strings.ts";

/** Says how long a span of seconds is, in its largest one or two units. */
export function span(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  if (minutes < 1) return t("less than a minute");
  if (minutes < 60) return t("{n} min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 6 && minutes % 60 > 0) return t("{hours} h {minutes} min", { hours, minutes: minutes % 60 });
  if (hours < 48) return t("{n} h", { n: hours });
  return tn("{n} day", "{n} days", Math.floor(hours / 24));
}
