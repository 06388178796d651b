// Documents and other pictures beside those of the lesion: sent as soon as they are chosen, listed with their titles.
// They need a connection: until there is one they wait in the open page, not on the phone.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Draft } from "./draft.ts";
import { freshId } from "./ids.ts";

const RETRY_MS = 5000;

interface Attached {
  readonly sop_instance_uid: string;
  readonly title: string;
  readonly kind: string;
}

interface Waiting {
  readonly file: File;
  readonly title: string;
  readonly id: string; // the same again is the same object
}

/** The fold in which documents and other pictures are added to the case. */
export class Attachments {
  private waiting: readonly Waiting[] = [];
  private isSending = false;
  private count = 0;

  constructor(
    private readonly element: HTMLElement,
    private readonly draft: Draft,
  ) {
    const input = need<HTMLInputElement>("[data-attach]", element);
    input.addEventListener("change", () => {
      const title = need<HTMLInputElement>("#attachment-title", element);
      const chosen = [...(input.files ?? [])].map((file) => ({ file, title: title.value.trim(), id: freshId() }));
      input.value = title.value = "";
      this.waiting = [...this.waiting, ...chosen];
      void this.send();
    });
    window.addEventListener("online", () => void this.send());
  }

  /** Lists an attachment that the server has already. */
  showKept(attached: Attached): void {
    this.count += 1;
    const isDocument = attached.kind === "document";
    const link = make("a", "", attached.title || (isDocument ? t("Document") : t("Picture")));
    link.href = `/api/instances/${attached.sop_instance_uid}/${isDocument ? "document" : "frames/1/preview"}`;
    link.target = "_blank";
    link.rel = "noopener";
    const kind = make("span", "tag", isDocument ? "PDF" : t("Picture"));
    need("[data-attached]", this.element).append(make("li", "", kind, link));
    need("[data-attached-count]", this.element).textContent = String(this.count);
  }

  /** Sends what waits, one after the other; without a connection it waits on. */
  private async send(): Promise<void> {
    if (this.isSending || this.waiting.length === 0) return;
    this.isSending = true;
    try {
      this.tell(t("Sending …"));
      const caseId = await this.draft.arrive();
      for (let next = this.waiting[0]; next !== undefined; next = this.waiting[0]) {
        this.tell(t("Sending …"));
        const body = new FormData();
        body.append("file", next.file, "file");
        body.append("title", next.title);
        body.append("attachment_id", next.id);
        const kept = await call<Attached>(`/api/cases/${caseId}/attachments`, { method: "POST", form: body });
        this.waiting = this.waiting.slice(1);
        this.showKept(kept);
        this.tell(t("Kept"));
      }
    } catch (error) {
      const isSignedOut = error instanceof Problem && error.status === 401;
      if (error instanceof Problem && !isSignedOut) this.waiting = this.waiting.slice(1);
      const later = t("It needs a connection, and is sent when there is one. Leave this page open.");
      const said = isSignedOut ? t("Sign in again in another tab. The file waits in this page.") : error instanceof Problem ? error.message : later;
      this.tell(said);
      say(said);
    } finally {
      this.isSending = false;
    }
    if (this.waiting.length > 0) window.setTimeout(() => void this.send(), RETRY_MS);
  }

  private tell(text: string): void {
    need("[data-attach-state]", this.element).textContent = text;
  }
}
