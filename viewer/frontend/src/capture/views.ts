// Which pictures a kind of skin change is asked for: hides those that tell nothing, says how to take the others.
import { block } from "../shared/dom.ts";

interface View {
  readonly kind: string;
  readonly is_wanted: boolean;
  readonly how: string;
}

/** Shows the pictures of a category; a picture that is there already stays in sight. */
export function showViews(form: HTMLFormElement, category: string): void {
  const views = block<Record<string, readonly View[]>>("views")[category];
  if (views === undefined) return;
  for (const slot of form.querySelectorAll<HTMLElement>("[data-slot]")) {
    if (slot.dataset["slot"] === "clip") continue; // a film may be of anything
    const view = views.find((each) => each.kind === slot.dataset["slot"]);
    slot.hidden = view === undefined && slot.dataset["kept"] !== "yes";
    const how = slot.querySelector<HTMLElement>("[data-how]");
    if (how !== null && view !== undefined) how.textContent = view.how;
    const tag = slot.querySelector<HTMLElement>("[data-if-you-can]");
    if (tag !== null) tag.hidden = view?.is_wanted ?? false;
  }
}
