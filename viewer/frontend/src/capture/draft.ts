// The draft: kept on this phone while the page is filled in, and from there on the server once there is a patient.
import { Problem } from "../shared/api.ts";
import { need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { answers, patientOf } from "./form.ts";
import { freshId } from "./ids.ts";
import { queueOfPage } from "./queue.ts";
import { clock } from "./waiting.ts";

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
const PATIENCE_MS = 10_000; // then the wish is left to the courier

/** Keeps one referral; every change is saved a moment after it was made. */
export class Draft {
  private timer = 0;
  private running: Promise<void> = Promise.resolve();
  private changed = false;
  private isKept = false;
  private isKeeping = false;
  private isUnsent = false; // the server does not have what the form says
  private readonly queue = queueOfPage();
  key = freshId(); // by which this phone, and the server, know the draft again

  constructor(
    private readonly form: HTMLFormElement,
    public caseId: string,
    private readonly isSent: boolean,
  ) {
    form.addEventListener("input", () => this.touch());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden && this.changed) void this.save().catch(() => undefined);
    });
    void this.follow();
  }

  /** Notes a change; it is saved when the typing pauses. */
  touch(): void {
    if (this.isSent) return;
    this.changed = true;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.save().catch(() => undefined), WAIT_MS);
  }

  /** Saves now, on this phone; the server has it once `caseId` is known. Throws when it could not be kept. */
  save(): Promise<void> {
    window.clearTimeout(this.timer);
    this.running = this.running.catch(() => undefined).then(() => this.keep());
    return this.running;
  }

  /** Keeps what the form says on this phone; the courier takes it to the server from there. */
  private async keep(): Promise<void> {
    const patient = patientOf(this.form);
    if (this.isSent || patient.id === "" || (this.isKept && !this.changed)) return;
    this.changed = false;
    this.isUnsent = this.isKeeping = true;
    try {
      const queue = await this.queue;
      await queue.keepForm(this.key, this.caseId, { patient, ...answers(this.form) });
      this.isKept = true;
    } catch (error) {
      this.changed = true;
      this.tell(t("Not saved"));
      throw error;
    } finally {
      this.isKeeping = false;
    }
  }

  /** Goes on with a draft that waits on this phone. */
  adopt(row: { readonly key: string; readonly caseId: string }): void {
    this.key = row.key;
    this.caseId = row.caseId;
    this.isKept = true;
    if (row.caseId !== "") history.replaceState(history.state, "", `/capture/${row.caseId}`);
  }

  /** Keeps a picture as it was taken, before anything else is done with it. */
  async hold(captureId: string, file: File, kind: string): Promise<void> {
    await (await this.queue).hold(this.key, this.caseId, captureId, file, kind);
  }

  /** Has a picture that was held sent with what the form says of it. */
  async addPhoto(captureId: string, said: FormData): Promise<void> {
    const fields = [...said].filter(([name, text]) => typeof text === "string" && name !== "capture_id");
    await (await this.queue).send(captureId, this.key, this.caseId, Object.fromEntries(fields) as Record<string, string>);
  }

  /** Forgets a picture; tells whether it was on this phone. */
  async discard(captureId: string): Promise<boolean> {
    return (await this.queue).discard(captureId);
  }

  /** Gives the pictures on this phone another lesion's name, before they go; tells whether nothing went under the old one. */
  async relabel(lesion: string): Promise<boolean> {
    const queue = await this.queue;
    await queue.amend(this.key, { lesion });
    if (this.caseId === "") return true;
    await queue.isHere(this.caseId); // one may be on its way under the old name
    return false;
  }

  /** Saves, waits until the server has it, and gives the case's number; throws when there is no connection. */
  async arrive(): Promise<string> {
    await this.save();
    const queue = await this.queue;
    await new Promise<void>((resolve, reject) => {
      const look = async (): Promise<void> => {
        if (this.caseId !== "" && (await queue.hasArrived(this.key))) resolve();
      };
      const give = (): void => reject(new Error("no connection"));
      window.setTimeout(give, PATIENCE_MS);
      queue.listen((told) => {
        if (told.kind === "saved" && told.draft === this.key) void look();
        if (told.kind === "problem" && told.draft === this.key) reject(new Problem(422, told.message));
      });
      void look();
      void queue.round().then(async () => {
        await look();
        give();
      });
    });
    return this.caseId;
  }

  /** Submits the case, now or, without a connection, as soon as there is one; tells which it was. */
  async submit(): Promise<"sent" | "waits"> {
    const queue = await this.queue;
    await queue.wishSubmit(this.key, this.caseId);
    const told = new Promise<"sent">((resolve, reject) => {
      queue.listen((news) => {
        if (!("draft" in news) || news.draft !== this.key) return;
        if (news.kind === "submitted") resolve("sent");
        if (news.kind === "problem" || news.kind === "refused") reject(new Problem(422, news.message));
      });
    });
    const waits = queue.round().then((ended) => (ended === "waiting" || ended === "signed-out" ? ("waits" as const) : told));
    const patience = new Promise<"waits">((resolve) => window.setTimeout(() => resolve("waits"), PATIENCE_MS));
    const outcome = await Promise.race([told, waits, patience]);
    told.catch(() => undefined); // said on the page by then
    if (outcome === "sent") await queue.forgetNews(this.key);
    return outcome;
  }

  /** Calls back when the case was submitted after all. */
  async whenSubmitted(act: () => void): Promise<void> {
    const queue = await this.queue;
    queue.listen((news) => {
      if (news.kind === "submitted" && news.draft === this.key) void queue.forgetNews(this.key).then(act);
    });
  }

  private async follow(): Promise<void> {
    const queue = await this.queue;
    queue.first(async () => {
      if (this.changed) await this.save();
    });
    queue.listen((told) => {
      if (!("draft" in told) || told.draft !== this.key) return;
      if (told.kind === "saved" || told.kind === "submitted") this.took(told.caseId);
      if (told.kind === "problem") {
        if (!this.isSent) this.tell(t("Not saved"));
        say(told.message);
      }
    });
    queue.whenEnded((ended) => {
      if (!this.isUnsent || this.isSent || this.changed || this.isKeeping) return;
      if (ended === "waiting") this.tell(t("No connection. Kept on this phone {time}.", { time: clock(Date.now()) }));
      if (ended === "signed-out") this.tell(t("Kept on this phone {time}. Sign in again to send it.", { time: clock(Date.now()) }));
    });
  }

  private took(caseId: string): void {
    this.isUnsent = this.changed || this.isKeeping;
    if (this.caseId === "") {
      this.caseId = caseId;
      history.replaceState(history.state, "", `/capture/${caseId}`);
    }
    if (!this.isSent && !this.isUnsent) this.tell(t("Saved {time}", { time: clock(Date.now()) }));
  }

  private tell(text: string): void {
    need("#saved").textContent = text;
  }
}
