// The draft on the server: made once there is a patient, then kept up to date while the page is filled in.
import { call, Problem } from "../shared/api.ts";
import { need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import { answers, patientOf } from "./form.ts";

export interface SavedDraft {
  readonly case_id: string;
  readonly patient: Readonly<Record<string, string>>;
  readonly question: string;
  readonly priority: string;
  readonly clinical: Readonly<Record<string, unknown>>;
  readonly consent: Readonly<Record<string, unknown>>;
  readonly attachments?: readonly { readonly title: string; readonly kind: string; readonly sop_instance_uid: string }[];
  readonly photos: readonly { readonly sop_instance_uid: string; readonly kind: string; readonly is_recognizable?: boolean }[];
}

const WAIT_MS = 700;

/** Keeps one referral on the server; every change is saved a moment after it was made. */
export class Draft {
  private timer = 0;
  private running: Promise<void> = Promise.resolve();
  private changed = false;

  constructor(
    private readonly form: HTMLFormElement,
    public caseId: string,
    private readonly isSent: boolean,
  ) {
    form.addEventListener("input", () => this.touch());
    window.addEventListener("online", () => this.touch());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.changed) void this.save().catch(() => undefined);
    });
  }

  /** Notes a change; it is saved when the typing pauses. */
  touch(): void {
    if (this.isSent) return;
    this.changed = true;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save().catch(() => undefined), WAIT_MS);
  }

  /** Saves now; makes the referral on the server the first time. Throws when it could not be kept. */
  save(): Promise<void> {
    window.clearTimeout(this.timer);
    this.running = this.running.catch(() => undefined).then(() => this.keep());
    return this.running;
  }

  private async keep(): Promise<void> {
    const patient = patientOf(this.form);
    if (this.isSent || patient.id === "" || (this.caseId !== "" && !this.changed)) return;
    const body = { patient, ...answers(this.form) };
    this.changed = false;
    try {
      if (this.caseId === "") {
        const made = await call<{ case_id: string }>("/api/referrals", {
          method: "POST",
          json: { specialty: "dermatology", ...body },
          outlivesPage: true,
        });
        this.caseId = made.case_id;
        history.replaceState(history.state, "", `/capture/${made.case_id}`);
      } else {
        await call(`/api/cases/${this.caseId}/referral`, { method: "PUT", json: body, outlivesPage: true });
      }
      this.tell(t("Saved {time}", { time: clock() }));
    } catch (error) {
      this.changed = true;
      const problem = error instanceof Problem;
      this.tell(problem ? t("Not saved") : t("Not saved: no connection. It is tried again."));
      if (problem) say(error.message);
      else this.retryLater();
      throw error;
    }
  }

  private retryLater(): void {
    this.timer = window.setTimeout(() => void this.save().catch(() => undefined), 5000);
  }

  private tell(text: string): void {
    need("#saved").textContent = text;
  }
}

function clock(): string {
  return new Date().toLocaleTimeString(language === "nb" ? "nb-NO" : "en-GB", { hour: "2-digit", minute: "2-digit" });
}
