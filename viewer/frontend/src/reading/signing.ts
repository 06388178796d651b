// Signing: shows once what the referrer will see and what the reader was not shown, then signs.
import { call, Problem } from "../shared/api.ts";
import { block, make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Anchors } from "./anchors.ts";
import type { Diagnosis } from "./diagnoses.ts";
import { codesText } from "./diagnosis_search.ts";
import type { Findings, FindingsForm } from "./findings.ts";
import type { Manifest } from "./manifest.ts";
import { SignAgain } from "./sign_again.ts";
import { isCounted, shownText, type ShownRecord } from "./shown.ts";

export class Signing {
  private readonly dialog = need<HTMLDialogElement>("#sign-dialog");
  private readonly problem = need("#sign-problem");
  private readonly again = new SignAgain("#sign-again");
  private isSigning = false;

  constructor(
    private readonly form: FindingsForm,
    private readonly shown: ShownRecord,
    private readonly manifest: Manifest,
    private readonly anchors: Anchors,
  ) {
    need("#sign").addEventListener("click", () => void this.ask());
    need("#sign-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.sign();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !form.mayWrite) return;
      if (document.querySelector("dialog[open]:not(#sign-dialog)") !== null) return;
      event.preventDefault();
      if (this.dialog.open) void this.sign();
      else void this.ask();
    });
  }

  /** Saves, and shows what would be signed; without a conclusion says so and goes there. */
  private async ask(): Promise<void> {
    if (!(await this.form.flush())) return;
    const body = this.form.body();
    if (body.impression.trim() === "") {
      say(t("Write an impression before you sign."));
      need("#f-impression").focus();
      return;
    }
    this.problem.textContent = "";
    const why = this.why();
    if (why !== null && why.value.trim() === "") {
      say(t("Say what was wrong before you sign the correction."));
      why.focus();
      return;
    }
    need("#sign-sheet").replaceChildren(...sheet(body, this.anchors.all().map((each) => this.anchors.nameOf(each))));
    need("#sign-shown").replaceChildren(
      ...this.manifest.series.filter((series) => isCounted(series)).map((series) => {
        const { text, isWhole } = shownText(this.shown.of(series));
        return make("li", isWhole ? "" : "act", `${this.shown.of(series).title}: ${text}`);
      }),
    );
    this.dialog.showModal();
    need("#sign-now").focus();
  }

  /** The field that says why a signed answer is corrected; null where none is. */
  private why(): HTMLTextAreaElement | null {
    return document.querySelector<HTMLTextAreaElement>("#f-why_corrected");
  }

  private async sign(): Promise<void> {
    if (this.isSigning) return;
    this.isSigning = need<HTMLButtonElement>("#sign-now").disabled = true;
    try {
      const displayed = this.shown.record();
      const why = this.why();
      const address = `/api/cases/${this.manifest.case.id}`;
      if (why === null) await call(`${address}/sign`, { method: "POST", json: { displayed, ...this.again.given() } });
      else {
        const said = { ...block<object>("draft"), ...this.form.body(), why_corrected: why.value.trim(), displayed };
        await call(`${address}/correct`, { method: "POST", json: { ...said, ...this.again.given() } });
      }
      await this.form.forget();
      this.shown.forget();
      location.assign(location.pathname);
    } catch (error) {
      this.isSigning = need<HTMLButtonElement>("#sign-now").disabled = false;
      if (this.again.isAsked(error)) return;
      this.problem.textContent =
        error instanceof Problem ? error.message : t("No contact with the server. Nothing was signed; try again.");
    }
  }
}

/** The answer as the referrer reads it: conclusion first. */
function sheet(body: Findings, anchors: readonly string[]): Node[] {
  const parts: Node[] = [make("p", "sheet-impression", body.impression.trim())];
  if (body.diagnoses.length > 0) {
    parts.push(make("ol", "sheet-diagnoses", ...body.diagnoses.map((each) => diagnosis(each))));
  }
  if (body.malignancy !== "") parts.push(make("p", "", suspicion(body.malignancy)));
  const sections: [string, string][] = [
    [t("What to do"), body.advice],
    [t("Follow-up"), body.follow_up],
    [t("Come back if"), body.safety_net],
    [t("In plain words, for the patient"), body.plain_words],
    [t("Description"), body.described],
    [t("Findings"), body.findings],
    [t("Pictures"), anchors.join("\n")],
  ];
  for (const [title, text] of sections) {
    if (text.trim() !== "") parts.push(make("h3", "", title), make("p", "prose", text.trim()));
  }
  if (body.urgency !== "none") parts.unshift(make("p", "tag tag-act", urgency(body.urgency)));
  return parts;
}

function diagnosis(each: Diagnosis): HTMLElement {
  return make("li", "", each.text, " ", make("span", "quiet small", codesText(each.codes ?? [])));
}

function suspicion(value: string): string {
  const words: Record<string, string> = {
    none: t("No suspicion of malignancy"),
    low: t("Low suspicion of malignancy"),
    moderate: t("Moderate suspicion of malignancy"),
    high: t("High suspicion of malignancy"),
  };
  return words[value] ?? value;
}

function urgency(value: string): string {
  const words: Record<string, string> = {
    routine: t("Routine referral advised"),
    priority: t("Priority: act on this soon"),
    "cancer-pathway": t("Suspected cancer: refer to the cancer pathway now"),
  };
  return words[value] ?? value;
}
