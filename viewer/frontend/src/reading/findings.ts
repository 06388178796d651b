// The form of the findings: what is in it, saved as one writes; a conflict is shown and nothing is lost.
import { call, Problem, send } from "../shared/api.ts";
import { block, make, need } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { language, t } from "../shared/strings.ts";
import type { Anchor } from "./anchors_text.ts";
import { Diagnoses, type Diagnosis } from "./diagnoses.ts";
import { offerDictation } from "./dictation.ts";
import { forgetDraft, keepDraft, keptDraft } from "./drafts.ts";
import type { Measurement } from "./marks.ts";
import { showOffers } from "./offers.ts";
import type { Phrase } from "./phrase_words.ts";
import { Phrases } from "./phrases.ts";
import { TemplateForm } from "./template_form.ts";
import type { Answers, Template } from "./template_answers.ts";

export interface KeyImage {
  readonly instance_uid: string;
  readonly frame: number;
  readonly note?: string;
}

export interface Findings {
  findings: string;
  impression: string;
  advice: string;
  diagnoses: Diagnosis[];
  urgency: string;
  malignancy: string;
  assessable: string;
  reason: string;
  follow_up: string;
  follow_up_interval: string;
  safety_net: string;
  template: string;
  template_version: number;
  language: string;
  fields: Answers;
  described: string;
  measurements: Measurement[];
  key_images: KeyImage[];
  anchors: Anchor[];
  plain_words: string;
}

interface Notice {
  readonly code: string;
  readonly text: string;
  readonly is_contradiction: boolean;
}

interface Given {
  readonly template: Template | null;
  readonly phrases: Phrase[];
  readonly notices: readonly Notice[];
  readonly dictation: boolean;
  readonly specialty: string;
}

interface Saved {
  readonly draft_version: number;
  readonly described: string;
  readonly follow_up: string;
  readonly notices: readonly Notice[];
}

const TEXTS = ["findings", "impression", "advice", "follow_up", "safety_net", "plain_words"] as const;
const AFTER_MS = 1200;
const AGAIN_MS = 8000;

export class FindingsForm {
  measurements: Measurement[] = [];
  keyImages: KeyImage[] = [];
  anchors: Anchor[] = [];
  private readonly form = need<HTMLFormElement>("#findings");
  private readonly caseId = this.form.dataset["case"] ?? "";
  private readonly given = block<Given>("form");
  private readonly diagnoses: Diagnoses;
  readonly corrects = this.form.dataset["corrects"] !== undefined; // a signed answer: kept here until it is signed
  private readonly template: TemplateForm;
  private described = "";
  private version = Number(this.form.dataset["version"] ?? "0");
  private timer = 0;
  private saving: Promise<boolean> | null = null;
  private isDirty = false;
  readonly mayWrite = need<HTMLFieldSetElement>("fieldset", this.form).disabled === false;

  constructor() {
    const draft = block<Partial<Findings>>("draft");
    this.diagnoses = new Diagnoses(() => this.touched(), this.given.specialty);
    this.diagnoses.restore(draft.diagnoses ?? []);
    this.template = new TemplateForm(this.given.template, () => this.touched());
    if (draft.fields !== undefined && Object.keys(draft.fields).length > 0) void this.answer(draft);
    this.interval(draft.follow_up_interval ?? "");
    this.describe(draft.described ?? "");
    this.notice(this.given.notices);
    void this.offer();
    this.measurements = draft.measurements ?? [];
    this.keyImages = draft.key_images ?? [];
    this.anchors = draft.anchors ?? [];
    this.form.addEventListener("input", () => this.touched());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && this.isDirty) void this.save(true);
    });
    window.addEventListener("online", () => void this.flush());
    if (!this.mayWrite) return;
    new Phrases(this.given.phrases, this.form, () => this.touched());
    offerDictation(this.form, this.given.dictation);
    listen({
      F: () => need("#f-findings").focus(),
      I: () => need("#f-impression").focus(),
      T: () => this.template.focus(),
      G: () => this.template.normal(),
    });
  }

  /** Brings back what was written here and never reached the server; calls back when anything was. */
  async recover(restored: () => void): Promise<void> {
    const kept = this.mayWrite ? await keptDraft(this.caseId) : undefined;
    if (kept === undefined) return;
    const isBehind = kept.version !== this.version;
    this.fill(kept.body);
    restored();
    if (isBehind) await this.showConflict(t("While this was unsaved, the draft was changed elsewhere."));
    else this.touched();
  }

  /** Tells that something has changed: keep it here, save it soon. */
  touched(): void {
    if (!this.mayWrite) return;
    this.isDirty = true;
    this.say(t("Not saved yet"));
    void this.offer();
    void keepDraft({ caseId: this.caseId, body: this.body(), version: this.version, at: new Date().toISOString() });
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.flush(), AFTER_MS);
  }

  /** Saves what is not saved; tells whether the server has everything. */
  async flush(): Promise<boolean> {
    window.clearTimeout(this.timer);
    while (this.saving !== null) await this.saving;
    if (!this.isDirty) return true;
    this.saving = this.save(false);
    const isSaved = await this.saving;
    this.saving = null;
    return isSaved;
  }

  /** Puts words into the findings at the cursor. */
  insert(words: string): void {
    const area = need<HTMLTextAreaElement>("#f-findings");
    const at = area.selectionEnd;
    const gap = at > 0 && !/\s$/.test(area.value.slice(0, at)) ? " " : "";
    area.setRangeText(gap + words, at, at, "end");
    this.touched();
  }

  /** Everything that is written, as the server takes it. */
  body(): Findings {
    const said = new FormData(this.form);
    const value = (name: string): string => String(said.get(name) ?? "");
    return {
      findings: value("findings"),
      impression: value("impression"),
      advice: value("advice"),
      follow_up: value("follow_up"),
      safety_net: value("safety_net"),
      urgency: value("urgency") || "none",
      malignancy: value("malignancy"),
      assessable: value("assessable") || "yes",
      reason: value("reason"),
      follow_up_interval: value("follow_up_interval"),
      template: this.template.belongsTo.name,
      template_version: this.template.belongsTo.version,
      language: this.template.belongsTo.language,
      fields: this.template.answers,
      described: this.described,
      diagnoses: this.diagnoses.all(),
      measurements: this.measurements,
      key_images: this.keyImages,
      anchors: this.anchors,
      plain_words: value("plain_words"),
    };
  }

  /** Forgets what was kept in this browser: it is signed. */
  async forget(): Promise<void> {
    this.isDirty = false;
    await forgetDraft(this.caseId);
  }

  private async save(isLeaving: boolean): Promise<boolean> {
    const body = this.body();
    if (this.corrects) {
      this.say(t("Kept on this computer until you sign"));
      return true;
    }
    this.isDirty = false;
    this.say(t("Saving …"));
    try {
      const response = await send(`/api/cases/${this.caseId}/findings`, {
        method: "PUT",
        json: body,
        headers: { "If-Match": `"${this.version}"` },
        outlivesPage: isLeaving,
      });
      const answer = (await response.json()) as Saved;
      this.version = answer.draft_version;
      this.heard(answer);
      if (!this.isDirty) await forgetDraft(this.caseId);
      this.say(t("Saved {time}", { time: clock() }));
      return true;
    } catch (error) {
      this.isDirty = true;
      if (error instanceof Problem && error.code === "draft-moved-on") await this.showConflict(error.message);
      else if (error instanceof Problem) this.say(t("Not saved: {reason}", { reason: error.message }), true);
      else {
        this.say(t("No contact with the server. What you write is kept on this computer and saved later."), true);
        this.timer = window.setTimeout(() => void this.flush(), AGAIN_MS);
      }
      return false;
    }
  }

  private async showConflict(reason: string): Promise<void> {
    const box = need("#conflict");
    const theirs = await call<{ draft: Partial<Findings> | null; draft_version: number }>(`/api/cases/${this.caseId}`);
    const text = [
      theirs.draft?.described ?? "",
      ...TEXTS.map((name) => theirs.draft?.[name] ?? ""),
      (theirs.draft?.diagnoses ?? []).map((each) => each.text).join("; "),
    ]
      .filter((each) => each !== "")
      .join("\n\n");
    const keep = make("button", "button button-small", t("Keep what is written here"));
    const take = make("button", "button button-small", t("Take the other one"));
    keep.type = take.type = "button";
    const resolve = (): void => {
      this.version = theirs.draft_version;
      box.hidden = true;
      this.touched();
    };
    keep.addEventListener("click", resolve);
    take.addEventListener("click", () => {
      this.fill({ ...this.body(), ...theirs.draft });
      resolve();
    });
    box.replaceChildren(
      make("p", "", reason, " ", t("Nothing is lost: this is the other one.")),
      make("pre", "conflict-text", text || t("(empty)")),
      make("div", "row", keep, take),
    );
    box.hidden = false;
    this.say(t("Not saved: changed elsewhere"), true);
  }

  /** Shows findings in the form; what an older browser kept may lack what has come since. */
  private fill(body: Findings): void {
    for (const name of TEXTS) need<HTMLTextAreaElement>(`#f-${name}`).value = body[name] ?? "";
    need<HTMLSelectElement>("#f-assessable").value = body.assessable;
    need<HTMLInputElement>("#f-reason").value = body.reason ?? "";
    const chosen: Record<string, string> = { urgency: body.urgency, malignancy: body.malignancy ?? "" };
    for (const radio of this.form.querySelectorAll<HTMLInputElement>("input[type=radio]")) {
      radio.checked = radio.value === chosen[radio.name];
    }
    this.diagnoses.restore(body.diagnoses);
    this.interval(body.follow_up_interval ?? "");
    this.describe(body.described ?? "");
    void this.answer(body);
    this.measurements = body.measurements;
    this.keyImages = body.key_images;
    this.anchors = body.anchors ?? [];
  }

  /** Shows the answers of a draft in the form of its template. */
  private answer(draft: Partial<Findings>): Promise<void> {
    const { template = "", template_version: version = 0, fields = {}, language: speaks = language } = draft;
    return this.template.restore(template, version, fields, speaks);
  }

  private interval(chosen: string): void {
    const select = need<HTMLSelectElement>("#f-follow_up_interval");
    const isKnown = [...select.options].some((each) => each.value === chosen);
    if (!isKnown) select.append(new Option(chosen, chosen));
    select.value = chosen;
  }

  /** Shows what the answers say, as the referrer will read it. */
  private describe(text: string): void {
    this.described = text;
    need("#described").textContent = text;
    need("#described").hidden = text === "";
  }

  private notice(notices: readonly Notice[]): void {
    const list = need("#notices");
    list.hidden = notices.length === 0;
    list.replaceChildren(
      ...notices.map((each) => make("li", each.is_contradiction ? "notice-odd" : "", each.text)),
    );
  }

  /** Takes in what the server made of the draft: its sentences, and what to look at again. */
  private heard(saved: Saved): void {
    this.describe(saved.described);
    this.notice(saved.notices);
    const area = need<HTMLTextAreaElement>("#f-follow_up");
    if (area.value.trim() === "" && !this.isDirty) area.value = saved.follow_up;
  }

  /** Shows the texts that suit the template and the diagnoses, and which diagnoses come first. */
  private async offer(): Promise<void> {
    if (!this.mayWrite) return;
    const template = this.template.template;
    this.diagnoses.offered = template?.diagnoses ?? [];
    showOffers(template, await this.diagnoses.keys(), (interval) => {
      if (interval !== "") this.interval(interval);
      this.touched();
    });
  }

  private say(text: string, isTrouble = false): void {
    const line = need("#saved");
    line.textContent = text;
    line.classList.toggle("act", isTrouble);
  }
}

function clock(): string {
  const timeZone = need("#findings").dataset["timezone"] ?? "UTC";
  return new Date().toLocaleTimeString("nb", { hour: "2-digit", minute: "2-digit", timeZone });
}
