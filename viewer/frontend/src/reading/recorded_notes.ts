// What a recorder has said of its curves: words that nobody has confirmed, measurements, marked points.
import { make } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";

export interface Note {
  readonly name: string;
  readonly value: string;
  readonly unit: string;
  readonly at_ms: number | null;
}

/** Makes what is shown of the notes of a recording; nothing where there are none. */
export function notesOf(notes: readonly Note[]): HTMLElement[] {
  const words = notes.filter((note) => note.name === "" && note.value !== "");
  const measured = notes.filter((note) => note.name !== "" && note.value !== "");
  const points = notes.filter((note) => note.value === "" && note.at_ms !== null);
  const made: HTMLElement[] = [];
  if (words.length > 0) {
    made.push(make("h3", "", t("What the recorder says; nobody has confirmed it")), ...words.map((note) => make("p", "prose", note.value)));
  }
  if (measured.length > 0) {
    const list = measured.flatMap((note) => [make("dt", "", note.name), make("dd", "figures", `${note.value} ${note.unit}`.trim())]);
    made.push(make("h3", "", t("Measured by the recorder")), make("dl", "report-values", ...list));
  }
  if (points.length > 0) {
    const list = points.map((note) => make("li", "figures", `${note.name} ${Math.round(note.at_ms ?? 0)} ms`));
    made.push(make("details", "fold", make("summary", "", tn("{n} marked point", "{n} marked points", points.length)), make("ol", "trace-points", ...list)));
  }
  return made.length === 0 ? [] : [make("section", "trace-notes", ...made)];
}
