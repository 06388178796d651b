// The body map: pressing a part of the figure chooses the site and the side in the form, which stays the truth.
import "../styles/capture-bodymap.css";
import { need } from "../shared/dom.ts";

/** Ties the figures to the list of sites and to the sides; a change of either is shown on the figures. */
export function tieBodyMap(form: HTMLFormElement, site: HTMLSelectElement): void {
  const map = need("#bodymap", form);
  const parts = [...map.querySelectorAll<SVGElement>("[data-site]")];
  for (const part of parts) {
    part.addEventListener("click", () => {
      site.value = part.dataset["site"] ?? "";
      choose(form, part.dataset["side"] ?? "");
      for (const name of ["input", "change"]) site.dispatchEvent(new Event(name, { bubbles: true }));
    });
  }
  const show = (): void => {
    const side = form.querySelector<HTMLInputElement>('[name="laterality"]:checked')?.value ?? "";
    for (const part of parts) {
      const of = part.dataset["side"] ?? "";
      const isChosen = part.dataset["site"] === site.value && (of === "" || side === "" || of === side);
      part.dataset["chosen"] = isChosen ? "yes" : "no";
    }
  };
  form.addEventListener("change", show);
  show();
}

function choose(form: HTMLFormElement, side: string): void {
  for (const radio of form.querySelectorAll<HTMLInputElement>('[name="laterality"]')) {
    radio.checked = side !== "" && radio.value === side;
  }
}
