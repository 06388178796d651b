// What a step lacks before the next one makes sense. Says it; stops nobody by itself.
import { need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { value } from "./form.ts";
import type { Slot } from "./photos.ts";
import type { Step } from "./steps.ts";

export type Lack = readonly [string, HTMLElement];

/** Gives what a step lacks, as a sentence and the field to go to. */
export function lacking(step: Step, form: HTMLFormElement, slots: readonly Slot[]): Lack | null {
  const field = (id: string): HTMLElement => need(`#${id}`);
  if (step === "who") {
    if (value(form, "patient.id") === "") return [t("Write a number for the patient."), field("patient-id")];
    if (value(form, "patient.family") === "") return [t("Write the family name."), field("family")];
  }
  if (step === "where") {
    if (value(form, "site") === "") return [t("Choose where on the body it is."), field("site")];
    if (!need("#sides").hidden && value(form, "laterality") === "") {
      return [t("Choose left or right."), need<HTMLElement>('[name="laterality"]')];
    }
  }
  if (step === "pictures") {
    if (slots.some((slot) => slot.isSending)) return [t("A picture is on its way. Wait a moment."), need("#next-pictures")];
    if (slots.some((slot) => slot.waits)) return [t("A picture is not kept yet. Keep it, or take it again."), waiting(slots)];
    if (!slots.some((slot) => slot.kept && slot.kind !== "clip")) return [t("Take at least one picture."), need<HTMLElement>("[data-take]")];
  }
  if (step === "question" && value(form, "question") === "") return [t("Write what you want to know."), field("text")];
  if (step === "send" && !need<HTMLInputElement>('[name="consent.care"]').checked) {
    return [t("Ask the patient, and tick the assessment by a specialist."), need<HTMLElement>('[name="consent.care"]')];
  }
  return null;
}

/** The place to look at when a picture is not kept; its button is not there while it is judged. */
function waiting(slots: readonly Slot[]): HTMLElement {
  const keep = document.querySelector<HTMLElement>("[data-keep]:not([hidden])");
  return keep ?? slots.find((slot) => slot.waits)?.element ?? need("#next-pictures");
}
