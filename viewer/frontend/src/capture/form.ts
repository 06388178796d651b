// Reads the form into what the API takes, and puts a draft back into the form.
import type { SavedDraft } from "./draft.ts";

export interface PatientBody {
  readonly id: string;
  readonly name: { readonly family: string; readonly given: string };
  readonly birth_date: string | null;
  readonly sex: string;
}

/** Gives the value of a field: the text, or the chosen one of a group of radio buttons. */
export function value(form: HTMLFormElement, name: string): string {
  const found = form.elements.namedItem(name);
  if (found instanceof RadioNodeList) return found.value;
  if (found instanceof HTMLInputElement && (found.type === "radio" || found.type === "checkbox")) {
    return found.checked ? found.value : "";
  }
  return found !== null && "value" in found ? String(found.value).trim() : "";
}

/** Gives the label of what is chosen in a select. */
export function chosenLabel(select: HTMLSelectElement): string {
  return select.value === "" ? "" : (select.selectedOptions[0]?.textContent?.trim() ?? "");
}

export function patientOf(form: HTMLFormElement): PatientBody {
  return {
    id: value(form, "patient.id").replace(/\s/g, ""),
    name: { family: value(form, "patient.family"), given: value(form, "patient.given") },
    birth_date: value(form, "patient.birth_date") || null,
    sex: value(form, "patient.sex"),
  };
}

/** Gives everything but the patient: question, priority, clinical answers, consents, and where it is. */
export function answers(form: HTMLFormElement): Record<string, unknown> {
  const clinical: Record<string, unknown> = {};
  for (const block of form.querySelectorAll<HTMLElement>("[data-question]")) {
    const key = block.dataset["question"] ?? "";
    const given = answer(form, block, `clinical.${key}`);
    if (given !== "" && !block.hidden) clinical[key] = given;
  }
  for (const name of ["site", "laterality", "lesion", "visit"]) {
    if (value(form, name) !== "") clinical[name] = value(form, name);
  }
  const point = value(form, "map");
  if (point !== "") clinical["map"] = JSON.parse(point) as unknown;
  const consent: Record<string, boolean | string> = {};
  for (const box of form.querySelectorAll<HTMLInputElement>('input[name^="consent."]')) {
    if (box.type === "checkbox") consent[box.name.slice("consent.".length)] = box.checked;
  }
  for (const row of form.querySelectorAll<HTMLElement>("[data-consent]")) {
    const how = `${row.dataset["consent"] ?? ""}_how`;
    consent[how] = value(form, `consent.${how}`);
  }
  consent["who"] = value(form, "consent.who");
  return { question: value(form, "question"), priority: value(form, "priority") || "routine", clinical, consent };
}

function answer(form: HTMLFormElement, block: HTMLElement, name: string): unknown {
  switch (block.dataset["kind"]) {
    case "choices": {
      const chosen = [...block.querySelectorAll<HTMLInputElement>("input:checked")].map((box) => box.value);
      return chosen.length > 0 ? chosen : "";
    }
    case "duration": {
      const many = value(form, `${name}.value`);
      return many === "" ? "" : { value: many, unit: value(form, `${name}.unit`) || "weeks" };
    }
    default:
      return value(form, name);
  }
}

/** Puts a draft into the form. */
export function restore(form: HTMLFormElement, draft: SavedDraft): void {
  for (const [name, text] of Object.entries(draft.patient)) put(form, `patient.${name}`, text);
  put(form, "question", draft.question);
  put(form, "priority", draft.priority);
  for (const [key, given] of Object.entries(draft.clinical)) {
    if (["site", "laterality", "lesion", "visit"].includes(key)) put(form, key, given);
    else if (key === "map") put(form, key, JSON.stringify(given));
    else if (isDuration(given)) {
      put(form, `clinical.${key}.value`, given.value);
      put(form, `clinical.${key}.unit`, given.unit);
    } else put(form, `clinical.${key}`, given);
  }
  for (const [key, given] of Object.entries(draft.consent)) put(form, `consent.${key}`, given);
}

function isDuration(given: unknown): given is { value: unknown; unit: unknown } {
  return typeof given === "object" && given !== null && "value" in given && "unit" in given;
}

function put(form: HTMLFormElement, name: string, given: unknown): void {
  const wanted = (Array.isArray(given) ? given : [given]).map(String);
  for (const field of form.querySelectorAll<HTMLInputElement>(`[name="${CSS.escape(name)}"]`)) {
    if (field.type === "checkbox" && typeof given === "boolean") field.checked = given;
    else if (field.type === "radio" || field.type === "checkbox") field.checked = wanted.includes(field.value);
    else field.value = wanted[0] ?? "";
  }
}
