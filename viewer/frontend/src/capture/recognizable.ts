// Whether a face or a tattoo can be seen: asked where the check or the site gives cause, said by a person.
import { need } from "../shared/dom.ts";
import type { Advice } from "./judging.ts";

/** The check that finds faces; its advice is answered here and keeps no picture back by itself. */
export const FACE_CHECK = "recognizable";

/** Checks that only tell: neither a face nor a wrong clock is cured by another picture. */
const TELLS = new Set([FACE_CHECK, "clock"]);

/** Tells whether nothing of the advice asks for another picture. */
export function isFit(advice: readonly Advice[]): boolean {
  return advice.every((each) => each.verdict === "good" || TELLS.has(each.check));
}

/** The choice at one picture. Through a dermatoscope there is nothing to ask. */
export class Recognizable {
  private isWanted = false;
  private isFound = false;

  constructor(
    private readonly element: HTMLElement | null, // absent at dermoscopic pictures
    private readonly site: HTMLSelectElement,
    answered: () => void,
  ) {
    element?.addEventListener("change", answered);
  }

  /** yes, no, or nothing while nobody has said. */
  get said(): string {
    return this.element?.querySelector<HTMLInputElement>("input:checked")?.value ?? "";
  }

  /** Tells whether somebody can be recognised: as it was said, else as it was found. */
  get shows(): boolean {
    return this.said === "yes" || (this.isFound && this.said === "");
  }

  /** Tells whether an answer is waited for. */
  get lacks(): boolean {
    return this.isWanted && this.said === "";
  }

  /** Asks where the check found a face or the site is one. */
  consider(advice: readonly Advice[]): void {
    this.isFound = advice.some((each) => each.check === FACE_CHECK && each.verdict !== "good");
    this.want(this.isFound || this.site.selectedOptions[0]?.dataset["face"] === "yes");
  }

  /** Asks no more: the picture is kept, and the next one is another. */
  clear(): void {
    for (const input of this.element?.querySelectorAll("input") ?? []) input.checked = false;
    this.isFound = false;
    this.want(false);
  }

  private want(isWanted: boolean): void {
    if (this.element === null) return;
    this.isWanted = isWanted;
    this.element.dataset["wanted"] = isWanted ? "yes" : "no";
    this.element.hidden = !isWanted && this.element.dataset["always"] !== "yes";
  }
}

/** Finds the choice of a slot. */
export function choiceOf(slot: HTMLElement, form: HTMLFormElement, answered: () => void): Recognizable {
  const element = slot.querySelector<HTMLElement>("fieldset[data-recognizable]");
  return new Recognizable(element, need<HTMLSelectElement>("#site", form), answered);
}
