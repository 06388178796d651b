// The capture page: five steps, one thing each; this phone and then the server keep the draft, so that nothing is lost.
import "../styles/capture.css";
import "../styles/capture-waiting.css";
import { call, whenSignedOut } from "../shared/api.ts";
import { block, make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import { tieBodyMap, type KnownDot, type Spot } from "../capture/bodymap.ts";
import { Camera } from "../capture/camera.ts";
import { hasCamera, takesFullStills } from "../capture/camera_track.ts";
import { tieConsents } from "../capture/consents.ts";
import { Draft, type SavedDraft } from "../capture/draft.ts";
import { Drop } from "../capture/drop.ts";
import { chosenLabel, restore, value } from "../capture/form.ts";
import { Attachments } from "../capture/attachments.ts";
import { readIdentity } from "../capture/identity.ts";
import { rememberDevices } from "../capture/devices.ts";
import { startOffline } from "../capture/offline.ts";
import { lacking as lackingOf, type Lack } from "../capture/lacking.ts";
import { tieLesions } from "../capture/lesions.ts";
import { FILM, Slot } from "../capture/photos.ts";
import { tieSiteSearch } from "../capture/sitesearch.ts";
import { STEPS, Steps, type Step } from "../capture/steps.ts";
import { goToAnother, hasReadyOthers, markTakenOver, nameButtons, sendOthers, tieDrafts } from "../capture/visit.ts";
import { showViews } from "../capture/views.ts";
import { why } from "../capture/why.ts";

const form = need<HTMLFormElement>("#capture");
const saved = block<SavedDraft | null>("draft");
const onlyPictures = form.dataset["mode"] === "pictures";
const draft = new Draft(form, saved?.case_id ?? "", onlyPictures);
const site = need<HTMLSelectElement>("#site");
const slots = [...form.querySelectorAll<HTMLElement>("[data-slot]")].map(
  (element) => new Slot(element, form, draft, nextPicture, (files, slot) => drop.take(files, slot.kind)),
);
const attachments = new Attachments(need("#attachments"), draft);
const shownSlots = (): readonly Slot[] => slots.filter((slot) => !slot.element.hidden);
const pictureSlots = (): readonly Slot[] => shownSlots().filter((slot) => slot.kind !== FILM);
const steps = new Steps(form, shown);
const drop = new Drop(shownSlots, () => lacking("who") === null && lacking("where") === null);
const camera = new Camera(pictureSlots, (last) => {
  nextPicture();
  const next = shownSlots().some((slot) => slot.kept || slot.waits) ? need("#next-pictures, [data-panel='pictures'] .capture-foot a") : last?.element.querySelector<HTMLElement>("[data-camera]");
  next?.focus();
});
const isTouch = window.matchMedia("(pointer: coarse)").matches;

function lacking(step: Step): Lack | null {
  return lackingOf(step, form, slots);
}

function shown(step: Step): void {
  if (step === "pictures") {
    drop.place();
    nextPicture();
  }
  if (step === "send") summarise();
  const drafts = document.querySelector<HTMLElement>("#drafts");
  if (drafts !== null) drafts.hidden = step !== "who";
}

async function next(from: Step): Promise<void> {
  const lack = lacking(from);
  if (lack !== null) {
    say(lack[0]);
    lack[1].focus();
    return;
  }
  draft.touch();
  steps.move(from, 1);
  await draft.save().catch(() => undefined);
}

/** Makes the next thing to do the biggest one: the next picture, or the way on. */
function nextPicture(): void {
  const first = pictureSlots().find((slot) => !slot.kept && !slot.waits);
  const isEnough = pictureSlots().every((slot) => slot.isOptional || slot.kept || slot.waits);
  for (const slot of slots.filter((each) => each.kind !== FILM)) {
    const isNext = slot === first && !isEnough;
    slot.element.dataset["next"] = isNext ? "yes" : "no";
    for (const [name, isBest] of bestWays()) {
      const button = need(name, slot.element);
      button.classList.toggle("button-primary", isNext && isBest);
      button.classList.toggle("button-large", isNext && isBest);
    }
  }
  document.querySelector("#next-pictures")?.classList.toggle("button-primary", isEnough);
}

/** The three ways to a picture, and which of them is offered first on this machine. */
function bestWays(): readonly (readonly [string, boolean])[] {
  const inPage = isTouch && takesFullStills();
  return [
    [".slot-camera", inPage],
    [".slot-take", isTouch && !inPage],
    [".slot-choose", !isTouch],
  ];
}

function tieCamera(): void {
  for (const slot of slots) {
    if (slot.kind === FILM) continue; // a film is taken with the phone's own camera
    const button = need<HTMLButtonElement>("[data-camera]", slot.element);
    button.hidden = !hasCamera();
    button.addEventListener("click", () => void camera.open(slot));
    const own = need(".slot-take", slot.element);
    own.hidden = !isTouch; // a desk has no camera of its own to open
    const inPage = isTouch && takesFullStills();
    const [second, name] = inPage ? ["[data-take-text]", t("The phone's camera")] : ["[data-camera-text]", t("Camera with guide")];
    need(second, slot.element).textContent = name;
    need(second, slot.element).dataset["fixed"] = "yes";
    need("#for-mouse").hidden = isTouch;
    slot.element.dataset["best"] = inPage ? "camera" : isTouch ? "take" : "choose";
  }
}

function summarise(): void {
  const side = need("#sides").hidden ? "" : form.querySelector('[name="laterality"]:checked + span')?.textContent?.toLowerCase();
  const about = form.querySelector('[name="clinical.category"]:checked + span')?.textContent ?? "";
  const rows: (readonly [string, string])[] = [
    [t("Patient"), `${value(form, "patient.family")}, ${value(form, "patient.given")}`.replace(/, $/, "")],
    [t("What"), about],
    [t("Where"), [chosenLabel(site), side, value(form, "lesion")].filter(Boolean).join(", ")],
    [t("Pictures"), shownSlots().filter((slot) => slot.kept).map((slot) => slot.title).join(", ")],
    [t("Question"), value(form, "question")],
    [t("How soon"), form.querySelector('[name="priority"]:checked + span')?.textContent?.trim() ?? ""],
  ];
  const told = rows.filter(([, said]) => said !== "");
  need("#summary").replaceChildren(...told.flatMap(([name, said]) => [make("dt", "", name), make("dd", "", said)]));
}

async function submit(): Promise<void> {
  const button = need<HTMLButtonElement>("#submit");
  const complaint = need("#lacking");
  const step = STEPS.find((each) => lacking(each) !== null);
  complaint.hidden = step === undefined;
  if (step !== undefined) {
    complaint.textContent = lacking(step)?.[0] ?? "";
    return;
  }
  button.disabled = true;
  try {
    draft.touch();
    await draft.save();
    if ((await draft.submit()) === "sent") await sent();
    else waits();
  } catch (error) {
    complaint.hidden = false;
    complaint.textContent = why(error, t("It could not be kept. Send it again."));
  } finally {
    button.disabled = false;
  }
}

let sendsAll = false;

/** Says that the case is submitted as soon as there is a connection, and by whom: the phone. */
function waits(): void {
  need("#h-sent").textContent = t("It waits on this phone");
  need("#sent-number").textContent = draft.caseId || t("comes when it is sent");
  need("#sent-when").textContent = t("It is sent by itself when there is a connection. You may close the page; open it again to see that it went.");
  need("#sent-not").hidden = !sendsAll || !hasReadyOthers;
  need("#sent-not").textContent = t("The other lesions of the visit go with it while this page is open; otherwise they stay drafts.");
  steps.show("sent");
  void draft.whenSubmitted(() => void sent());
}

async function sent(): Promise<void> {
  need("#h-sent").textContent = t("Sent");
  need("#sent-number").textContent = draft.caseId;
  need("#sent-when").textContent = "";
  need("#sent-not").hidden = true;
  steps.show("sent");
  if (sendsAll) await sendOthers();
  const asked = call<{ due_at?: string | null }>(`/api/cases/${draft.caseId}`);
  const { due_at } = await asked.catch(() => ({ due_at: null })); // it is sent all the same
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
  const category = value(form, "clinical.category") || "mole"; // what most referrals are of
  for (const question of form.querySelectorAll<HTMLElement>("[data-question]")) {
    const fits = (question.dataset["categories"] ?? "").split(" ");
    question.hidden = !fits.includes(category);
  }
  showViews(form, category);
}

function fillFromNumber(): void {
  const found = readIdentity(value(form, "patient.id"));
  need("#id-hint").textContent = found === null ? "" : t("Date of birth and sex are filled in from the number.");
  if (found === null) return;
  need<HTMLInputElement>("#birth").value = found.birthDate;
  need<HTMLInputElement>(`[name="patient.sex"][value="${found.sex}"]`).checked = true;
}

/** Keeps this lesion as a draft of the visit and begins another one; nothing has been sent. */
async function further(): Promise<void> {
  if (slots.some((slot) => slot.isSending || slot.waits)) {
    say(lacking("pictures")?.[0] ?? "");
    return;
  }
  draft.touch();
  try {
    goToAnother(await draft.arrive());
  } catch (error) {
    say(why(error, t("Another lesion is begun from what the server has, which needs a connection. Nothing is lost: try again.")));
  }
}

function addPhrase(phrase: string): void {
  const text = need<HTMLTextAreaElement>("#text");
  if (text.value.includes(phrase)) return;
  text.value = `${text.value.trim()} ${phrase}`.trim();
  text.dispatchEvent(new Event("input", { bubbles: true }));
}

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement) || event.target.type === "file") return;
  event.preventDefault();
  event.target.closest("[data-panel]")?.querySelector<HTMLButtonElement>("[data-next]")?.click();
});
form.addEventListener("change", categories);
site.addEventListener("change", sides);
need("#patient-id").addEventListener("input", fillFromNumber);
for (const panel of form.querySelectorAll<HTMLElement>("[data-panel]")) {
  const step = panel.dataset["panel"] as Step;
  panel.querySelector("[data-next]")?.addEventListener("click", () => void next(step));
  panel.querySelector("[data-back]")?.addEventListener("click", () => steps.move(step, -1));
}
for (const [id, all] of [["#submit", true], ["#submit-one", false]] as const) {
  need(id).addEventListener("click", () => {
    sendsAll = all;
    void submit();
  });
}
for (const button of form.querySelectorAll<HTMLElement>("[data-phrase]")) {
  button.addEventListener("click", () => addPhrase(button.dataset["phrase"] ?? ""));
}
need("#further").addEventListener("click", () => void further());
need("#another").addEventListener("click", () => {
  if (draft.caseId === "") say(t("Another lesion of this patient can be begun when this one has been sent."));
  else goToAnother(draft.caseId);
});
need("#copy").addEventListener("click", () => {
  const others = [...document.querySelectorAll("#sent-others strong")].map((each) => each.textContent);
  void navigator.clipboard.writeText([draft.caseId, ...others].join(", ")).then(() => say(t("Copied")));
});

const followsOn = saved !== null && saved.case_id === "";
if (saved !== null) {
  restore(form, saved);
  for (const photo of saved.photos) slots.find((slot) => slot.kind === photo.kind)?.showKept(photo.sop_instance_uid, photo.is_recognizable);
  for (const each of saved.attachments ?? []) attachments.showKept(each);
  if (followsOn) markTakenOver(form, saved);
  else if (!onlyPictures) need("#saved").textContent = t("Your draft is here again");
}
const bodyMap = tieBodyMap(form, site);
document.addEventListener("lesions-known", (event) => bodyMap.showKnown((event as CustomEvent<KnownDot[]>).detail));
document.addEventListener("lesion-chosen", (event) => bodyMap.place((event as CustomEvent<Spot | null>).detail));
tieSiteSearch(form, site);
tieCamera();
tieConsents(form);
tieDrafts();
nameButtons();
rememberDevices(form);
tieLesions(form, site, draft, { mayChoose: !onlyPictures, hasPictures: () => slots.some((slot) => slot.kept) });
sides();
categories();
nextPicture();
const open = saved === null ? "who" : (STEPS.find((step) => lacking(step) !== null) ?? "send");
const start: Step = onlyPictures ? (site.value === "" ? "where" : "pictures") : followsOn ? "where" : open;
steps.begin(start, saved !== null);

/** Goes on with a draft that waits on this phone. */
function resume(kept: SavedDraft): void {
  restore(form, kept);
  // Sides, questions, consents, the figure and the lesions seen before follow.
  for (const field of [site, need("#patient-id")]) field.dispatchEvent(new Event("change", { bubbles: true }));
  const spot = kept.clinical["map"] as Spot | undefined;
  if (spot !== undefined) bodyMap.place(spot);
  nextPicture();
  steps.begin(onlyPictures ? "pictures" : (STEPS.find((step) => lacking(step) !== null) ?? "send"), true);
}

whenSignedOut(() => say(t("Sign in again. What you wrote and took is kept on this phone.")));
void startOffline({ draft, slots, resume });
