// Lesions that the site has photographed of this patient before: one is chosen again, or a new one gets the next letter.
import { call } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t, tn } from "../shared/strings.ts";
import type { Draft } from "./draft.ts";
import { patientOf, value } from "./form.ts";
import { why } from "./why.ts";

interface Seen {
  readonly uid: string;
  readonly label: string;
  readonly site_code: string;
  readonly laterality: string;
  readonly map: { readonly view: string; readonly x: number; readonly y: number } | null;
  readonly last_seen: string | null;
  readonly visits: number;
  readonly pictures: readonly { sop_instance_uid: string; site: string; kind: string; date: string | null; case_id: string }[];
}

interface Register {
  readonly lesions: readonly Seen[];
  readonly next_label: string;
}

/** A lesion as a spot on the body map; the map listens for `lesions-known` and shows them. */
export interface KnownSpot {
  readonly label: string;
  readonly view: string;
  readonly x: number;
  readonly y: number;
  readonly onChoose: () => void;
}

export interface Circumstances {
  readonly mayChoose: boolean; // not when pictures alone are added to a case that was sent
  readonly hasPictures: () => boolean;
}

/** Ties the register to the form; the form's own fields stay the truth. */
export function tieLesions(form: HTMLFormElement, site: HTMLSelectElement, draft: Draft, facts: Circumstances): void {
  const label = need<HTMLInputElement>("#lesion", form);
  let register: Register = { lesions: [], next_label: "" };
  let given = ""; // the letter that was filled in by itself
  let asked = "";

  const chosen = (): Seen | undefined => register.lesions.find((each) => each.label === label.value.trim());

  const take = (seen: Seen | undefined): void => {
    label.value = seen?.label ?? register.next_label;
    given = seen === undefined ? label.value : "";
    if (seen !== undefined && seen.site_code !== "") {
      site.value = seen.site_code;
      for (const side of form.querySelectorAll<HTMLInputElement>('[name="laterality"]')) side.checked = side.value === seen.laterality;
      for (const name of ["input", "change"]) site.dispatchEvent(new Event(name, { bubbles: true }));
    }
    document.dispatchEvent(new CustomEvent("lesion-chosen", { detail: seen?.map ?? null }));
    changed();
  };

  const changed = (): void => {
    show();
    draft.touch();
    void setRight();
  };

  // Pictures that were kept under another name count for the one that is chosen now.
  const setRight = async (): Promise<void> => {
    const name = label.value.trim();
    if (!facts.mayChoose || name === "" || !facts.hasPictures()) return;
    try {
      if (await draft.relabel(name)) return; // the server has no picture of it yet
      await call(`/api/cases/${await draft.arrive()}/lesion`, { method: "PUT", json: { label: name } });
    } catch (error) {
      say(why(error, t("The lesion could not be changed. Try again.")));
    }
  };

  const show = (): void => {
    const now = chosen();
    for (const radio of form.querySelectorAll<HTMLInputElement>('[name="seen"]')) radio.checked = radio.value === (now?.uid ?? "");
    guide(form, now, draft.caseId);
  };

  const offer = (): void => {
    const field = need("#seen-before", form);
    field.hidden = register.lesions.length === 0 || !facts.mayChoose;
    const chips = register.lesions.map((each) => chip(each.uid, described(each, site), () => take(each)));
    need("#seen-chips", form).replaceChildren(...chips, chip("", t("A new one"), () => take(undefined)));
    const spots: KnownSpot[] = register.lesions.flatMap((each) =>
      each.map === null ? [] : [{ label: each.label, ...each.map, onChoose: () => take(each) }],
    );
    document.dispatchEvent(new CustomEvent("lesions-known", { detail: spots }));
  };

  const look = async (): Promise<void> => {
    const { id } = patientOf(form);
    if (id === "" || id === asked) return;
    asked = id;
    try {
      const found = await call<Register>("/api/lesions/lookup", { method: "POST", json: { patient: { id } } });
      if (id !== patientOf(form).id) return; // another number was written meanwhile
      // What this very draft shows was not seen before.
      const before = found.lesions.filter((each) => each.pictures.some((picture) => picture.case_id !== draft.caseId));
      register = { lesions: before, next_label: found.next_label };
      if (facts.mayChoose && (value(form, "lesion") === "" || label.value === given)) given = label.value = register.next_label;
      offer();
      show();
    } catch {
      asked = ""; // without a connection nothing is offered; asked again with the next change
    }
  };

  label.addEventListener("change", changed);
  need<HTMLInputElement>("#patient-id", form).addEventListener("change", () => void look());
  window.addEventListener("online", () => void look());
  void look();
}

function chip(uid: string, text: string, choose: () => void): HTMLElement {
  const radio = make("input");
  radio.type = "radio";
  radio.name = "seen";
  radio.value = uid;
  radio.addEventListener("change", choose);
  return make("label", "chip", radio, make("span", "", text));
}

function described(seen: Seen, site: HTMLSelectElement): string {
  const place = [...site.options].find((option) => option.value === seen.site_code)?.textContent?.trim() ?? "";
  const side = seen.laterality === "L" ? t("Left") : seen.laterality === "R" ? t("Right") : "";
  const where = [place, side].filter((part) => part !== "").join(" ").toLowerCase();
  const visits = tn("{n} visit", "{n} visits", seen.visits);
  return [seen.label, where, monthOf(seen.last_seen), visits].filter((part) => part !== "").join(", ");
}

function monthOf(day: string | null): string {
  if (day === null) return "";
  return new Date(`${day}T12:00`).toLocaleDateString(language === "nb" ? "nb-NO" : "en-GB", { month: "long", year: "numeric" });
}

/** Shows the last picture of each kind beside its slot, so that the new one is taken alike. */
function guide(form: HTMLFormElement, seen: Seen | undefined, caseId: string): void {
  for (const slot of form.querySelectorAll<HTMLElement>("[data-slot]")) {
    slot.querySelector(".slot-guide")?.remove();
    const before = seen?.pictures.filter((each) => each.kind === slot.dataset["slot"] && each.case_id !== caseId).at(-1);
    if (before === undefined) continue;
    const image = make("img");
    image.src = `/api/instances/${before.sop_instance_uid}/frames/1/preview?site=${encodeURIComponent(before.site)}`;
    image.alt = t("The picture from last time");
    const caption = make("figcaption", "small", t("As last time, {day}", { day: monthOf(before.date) }));
    need(".slot-text", slot).after(make("figure", "slot-guide", image, caption));
  }
}
