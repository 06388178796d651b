// The form of the findings: what is in it, saved as one writes; a conflict is shown and nothing is lost.
import { call, Problem, send } from "../shared/api.ts";
import { block, make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Anchor } from "./anchors_text.ts";
import { Diagnoses, type Diagnosis } from "./diagnoses.ts";
import { forgetDraft, keepDraft, keptDraft } from "./drafts.ts";
import type { Measurement } from "./marks.ts";

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
  assessable: string;
  follow_up: string;
  safety_net: string;
  measurements: Measurement[];
  key_images: KeyImage[];
  anchors: Anchor[];
  plain_words: string;
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
  private readonly diagnoses: Diagnoses;
  readonly corrects = this.form.dataset["corrects"] !== undefined; // a signed answer: kept here until it is signed
  private version = Number(this.form.dataset["version"] ?? "0");
  private timer = 0;
  private saving: Promise<boolean> | null = null;
  private isDirty = false;
  readonly mayWrite = need<HTMLFieldSetElement>("fieldset", this.form).disabled === false;

  constructor() {
    const draft = block<Partial<Findings>>("draft");
    this.diagnoses = new Diagnoses(() => this.touched());
    this.diagnoses.restore(draft.diagnoses ?? []);
    this.measurements = draft.measurements ?? [];
    this.keyImages = draft.key_images ?? [];
    this.anchors = draft.anchors ?? [];
    this.form.addEventListener("input", () => this.touched());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden" && this.isDirty) void this.save(true);
    });
    window.addEventListener("online", () => void this.flush());
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
      assessable: value("assessable") || "yes",
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
        ...(isLeaving ? { keepalive: true } : {}),
      });
      const answer = (await response.json()) as { draft_version: number };
      this.version = answer.draft_version;
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
    const text = TEXTS.map((name) => theirs.draft?.[name] ?? "").filter((each) => each !== "").join("\n\n");
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

  private fill(body: Findings): void {
    for (const name of TEXTS) need<HTMLTextAreaElement>(`#f-${name}`).value = body[name] ?? "";
    need<HTMLSelectElement>("#f-assessable").value = body.assessable;
    for (const radio of this.form.querySelectorAll<HTMLInputElement>("input[name=urgency]")) {
      radio.checked = radio.value === body.urgency;
    }
    this.diagnoses.restore(body.diagnoses);
    this.measurements = body.measurements;
    this.keyImages = body.key_images;
    this.anchors = body.anchors ?? [];
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
