// The capture page: five steps, one thing each; the server keeps the draft, so that nothing is lost.
import "../styles/capture.css";
import { call, Problem } from "../shared/api.ts";
import { block, make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import { tieBodyMap } from "../capture/bodymap.ts";
import { Draft, type SavedDraft } from "../capture/draft.ts";
import { chosenLabel, restore, value } from "../capture/form.ts";
import { readIdentity } from "../capture/identity.ts";
import { tieLesions } from "../capture/lesions.ts";
import { Slot } from "../capture/photos.ts";

const STEPS = ["who", "where", "pictures", "question", "send"] as const;
type Step = (typeof STEPS)[number] | "sent";
const isStep = (name: unknown): name is (typeof STEPS)[number] => STEPS.some((step) => step === name);

const form = need<HTMLFormElement>("#capture");
const saved = block<SavedDraft | null>("draft");
const onlyPictures = form.dataset["mode"] === "pictures";
const draft = new Draft(form, saved?.case_id ?? "", onlyPictures);
const slots = [...form.querySelectorAll<HTMLElement>("[data-slot]")].map(
  (element) => new Slot(element, form, draft, () => undefined),
);
const site = need<HTMLSelectElement>("#site");
let reached = 0;

function show(step: Step, focus = true): void {
  for (const panel of form.querySelectorAll<HTMLElement>("[data-panel]")) panel.hidden = panel.dataset["panel"] !== step;
  const at = STEPS.indexOf(step as (typeof STEPS)[number]);
  reached = Math.max(reached, at);
  for (const [i, name] of STEPS.entries()) {
    const button = document.querySelector<HTMLButtonElement>(`[data-step="${name}"]`);
    if (button === null) continue; // pictures alone have no steps
    button.disabled = step === "sent" || i > reached;
    button.dataset["done"] = step === "sent" || i < at ? "yes" : "no";
    if (i === at) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  if (step === "send") summarise();
  if (!focus) return;
  window.scrollTo(0, 0);
  need(`#h-${step}`).focus({ preventScroll: true });
}

/** Goes to a step that the person asked for; the browser's Back then leads to the one before. */
function go(step: Step): void {
  history.pushState({ step }, "");
  show(step);
}

/** What a step lacks before the next one makes sense, as a sentence and the field to go to. */
function lacking(step: Step): readonly [string, HTMLElement] | null {
  const field = (id: string): HTMLElement => need(`#${id}`);
  if (step === "who") {
    if (value(form, "patient.id") === "") return [t("Write a number for the patient."), field("patient-id")];
    if (value(form, "patient.family") === "") return [t("Write the family name."), field("family")];
  }
  if (step === "where") {
    if (site.value === "") return [t("Choose where on the body it is."), site];
    if (!need("#sides").hidden && value(form, "laterality") === "") {
      return [t("Choose left or right."), need<HTMLElement>('[name="laterality"]')];
    }
  }
  if (step === "pictures") {
    if (slots.some((slot) => slot.isSending)) return [t("A picture is on its way. Wait a moment."), need("#next-pictures")];
    if (slots.some((slot) => slot.waits)) return [t("A picture is not kept yet. Keep it, or take it again."), need("[data-keep]:not([hidden])")];
    if (!slots.some((slot) => slot.kept)) return [t("Take at least one picture."), need<HTMLElement>("[data-take]")];
  }
  if (step === "question" && value(form, "question") === "") return [t("Write what you want to know."), field("text")];
  if (step === "send" && !need<HTMLInputElement>('[name="consent.care"]').checked) {
    return [t("Ask the patient, and tick the assessment by a specialist."), need<HTMLElement>('[name="consent.care"]')];
  }
  return null;
}

async function next(from: Step): Promise<void> {
  const lack = lacking(from);
  if (lack !== null) {
    say(lack[0]);
    lack[1].focus();
    return;
  }
  draft.touch();
  const following = STEPS[STEPS.indexOf(from as (typeof STEPS)[number]) + 1];
  if (following !== undefined) go(following);
  await draft.save().catch(() => undefined);
}

function summarise(): void {
  const side = need("#sides").hidden ? "" : form.querySelector('[name="laterality"]:checked + span')?.textContent?.toLowerCase();
  const rows: (readonly [string, string])[] = [
    [t("Patient"), `${value(form, "patient.family")}, ${value(form, "patient.given")}`.replace(/, $/, "")],
    [t("Where"), [chosenLabel(site), side].filter(Boolean).join(", ")],
    [t("Pictures"), String(slots.filter((slot) => slot.kept).length)],
    [t("Question"), value(form, "question")],
    [t("How soon"), form.querySelector('[name="priority"]:checked + span')?.textContent?.trim() ?? ""],
  ];
  need("#summary").replaceChildren(...rows.flatMap(([name, said]) => [make("dt", "", name), make("dd", "", said)]));
}

async function submit(): Promise<void> {
  const button = need<HTMLButtonElement>("#submit");
  const complaint = need("#lacking");
  const step = (["who", "where", "pictures", "question", "send"] as const).find((each) => lacking(each) !== null);
  complaint.hidden = step === undefined;
  if (step !== undefined) {
    complaint.textContent = lacking(step)?.[0] ?? "";
    return;
  }
  button.disabled = true;
  try {
    draft.touch();
    await draft.save();
    await call(`/api/cases/${draft.caseId}/submit`, { method: "POST", json: {} });
    await sent();
  } catch (error) {
    complaint.hidden = false;
    complaint.textContent = error instanceof Problem ? error.message : t("No connection. Nothing is lost: send it again.");
  } finally {
    button.disabled = false;
  }
}

async function sent(): Promise<void> {
  need("#sent-number").textContent = draft.caseId;
  show("sent");
  const { due_at } = await call<{ due_at?: string | null }>(`/api/cases/${draft.caseId}`);
  if (!due_at) return;
  const when = new Date(due_at).toLocaleDateString(language === "nb" ? "nb-NO" : "en-GB", {
    weekday: "long",
    day: "numeric",
    month: "long",
  });
  need("#sent-when").textContent = t("Answer expected by {day}.", { day: when });
}

function sides(): void {
  need("#sides").hidden = site.selectedOptions[0]?.dataset["paired"] !== "yes";
}

function categories(): void {
  const category = value(form, "clinical.category");
  for (const question of form.querySelectorAll<HTMLElement>("[data-question]")) {
    const fits = (question.dataset["categories"] ?? "").split(" ");
    question.hidden = category !== "" && !fits.includes(category);
  }
}

function fillFromNumber(): void {
  const found = readIdentity(value(form, "patient.id"));
  need("#id-hint").textContent = found === null ? "" : t("Date of birth and sex are filled in from the number.");
  if (found === null) return;
  need<HTMLInputElement>("#birth").value = found.birthDate;
  need<HTMLInputElement>(`[name="patient.sex"][value="${found.sex}"]`).checked = true;
}

/** Begins a further referral with the same patient; the rest is empty again. */
function another(): void {
  const patient = new Map(
    [...new FormData(form)].filter(([name]) => name.startsWith("patient.")).map(([name, text]) => [name, String(text)]),
  );
  sessionStorage.setItem("capture-patient", JSON.stringify([...patient]));
  location.assign("/capture");
}

function takeOverPatient(): boolean {
  const kept = sessionStorage.getItem("capture-patient");
  sessionStorage.removeItem("capture-patient");
  if (kept === null || saved !== null) return false;
  const patient = Object.fromEntries(
    (JSON.parse(kept) as [string, string][]).map(([name, text]) => [name.slice("patient.".length), text]),
  );
  restore(form, { case_id: "", patient, question: "", priority: "routine", clinical: {}, consent: {}, photos: [] });
  return true;
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement) || event.target.type === "file") return;
  event.preventDefault();
  event.target.closest("[data-panel]")?.querySelector<HTMLButtonElement>("[data-next]")?.click();
});
window.addEventListener("popstate", (event) => {
  const wanted = (event.state as { step?: unknown } | null)?.step;
  if (!need('[data-panel="sent"]').hidden) location.reload(); // opens as the case that it is now
  else if (isStep(wanted)) show(wanted);
});
form.addEventListener("change", categories);
site.addEventListener("change", sides);
need("#patient-id").addEventListener("input", fillFromNumber);
for (const panel of form.querySelectorAll<HTMLElement>("[data-panel]")) {
  const step = panel.dataset["panel"] as Step;
  panel.querySelector("[data-next]")?.addEventListener("click", () => void next(step));
  panel.querySelector("[data-back]")?.addEventListener("click", () => {
    go(STEPS[STEPS.indexOf(step as (typeof STEPS)[number]) - 1] ?? "who");
  });
}
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-step]")) {
  button.addEventListener("click", () => go(button.dataset["step"] as Step));
}
need("#submit").addEventListener("click", () => void submit());
need("#another").addEventListener("click", another);
need("#copy").addEventListener("click", () => {
  void navigator.clipboard.writeText(draft.caseId).then(() => say(t("Copied")));
});

if (saved !== null) {
  restore(form, saved);
  for (const photo of saved.photos) slots.find((slot) => slot.kind === photo.kind)?.showKept(photo.sop_instance_uid);
  if (!onlyPictures) need("#saved").textContent = t("Your draft is here again");
}
const followsOn = takeOverPatient();
tieBodyMap(form, site);
tieLesions(form, site, draft, { mayChoose: !onlyPictures, hasPictures: () => slots.some((slot) => slot.kept) });
sides();
categories();
reached = saved === null ? 0 : STEPS.length - 1;
const start: Step = onlyPictures ? (site.value === "" ? "where" : "pictures") : saved === null ? (followsOn ? "where" : "who") : (STEPS.find((step) => lacking(step) !== null) ?? "send");
history.replaceState({ step: start }, "");
show(start, false);
if (followsOn) draft.touch(); // kept at once, so that a reload still knows the patient
