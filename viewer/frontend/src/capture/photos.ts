// One picture after the other: shown at once, judged at once, kept when it is good or when the GP says so.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import type { Told } from "./courier.ts";
import type { Draft } from "./draft.ts";
import { value } from "./form.ts";
import { freshId } from "./ids.ts";

interface Advice {
  readonly check: string;
  readonly verdict: "good" | "doubtful" | "poor";
  readonly message: string;
  readonly message_nb?: string;
}

/** The place of one picture (overview, close-up or dermoscopic). */
export class Slot {
  readonly kind: string;
  private file: File | null = null;
  private captureId = "";
  private address = "";
  private count = 0; // pictures of this kind that the server has
  isSending = false;
  private readonly onPhone = new Set<string>(); // kept, and not yet on the server

  constructor(
    private readonly element: HTMLElement,
    private readonly form: HTMLFormElement,
    private readonly draft: Draft,
    private readonly changed: () => void,
  ) {
    this.kind = element.dataset["slot"] ?? "";
    for (const input of element.querySelectorAll<HTMLInputElement>('input[type="file"]')) {
      input.addEventListener("change", () => {
        const file = input.files?.[0];
        input.value = "";
        if (file) void this.take(file);
      });
    }
    this.keepButton().addEventListener("click", () => void this.keep());
  }

  get waits(): boolean {
    return this.file !== null;
  }

  get kept(): boolean {
    return this.count > 0;
  }

  /** Shows a picture that the server has already. */
  showKept(instanceUid: string): void {
    this.count += 1;
    this.show(`/api/instances/${instanceUid}/frames/1/preview`);
    this.markKept();
  }

  private async take(file: File): Promise<void> {
    const isReplaced = this.file !== null && !this.isSending;
    this.file = file;
    const captureId = freshId();
    const before = this.captureId;
    this.captureId = captureId;
    const held = this.draft.hold(captureId, file, this.kind);
    if (isReplaced) void this.draft.discard(before);
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.show(this.address);
    this.advise([]);
    this.keepButton().hidden = true;
    this.mark(t("Judging …"));
    try {
      await held;
      const body = new FormData();
      body.append("photo", file, "photo");
      body.append("kind", this.kind);
      const { advice } = await call<{ advice: Advice[] }>("/api/photos/assess", { method: "POST", form: body });
      if (captureId !== this.captureId) return; // another picture was taken meanwhile
      this.advise(advice);
      if (advice.every((each) => each.verdict === "good")) await this.keep();
      else {
        this.keepButton().hidden = false;
        this.keepButton().textContent = t("Keep anyway");
        this.mark("");
      }
    } catch (error) {
      if (captureId === this.captureId) this.refused(error);
    }
  }

  private async keep(): Promise<void> {
    const { file, captureId } = this;
    if (file === null || this.isSending) return;
    this.keepButton().hidden = true;
    this.isSending = true;
    this.mark(t("Sending …"));
    try {
      await this.send(captureId);
      this.count += 1;
      this.onPhone.add(captureId);
      if (captureId === this.captureId) {
        this.file = null;
        this.markKept();
      }
      this.changed();
    } catch (error) {
      this.keepButton().hidden = false;
      this.keepButton().textContent = t("Send again");
      this.mark(t("Not sent"));
      say(error instanceof Problem ? error.message : t("The picture could not be kept. Send it again."));
    } finally {
      this.isSending = false;
    }
  }

  private async send(captureId: string): Promise<void> {
    await this.draft.save();
    const body = new FormData();
    body.append("kind", this.kind);
    body.append("site_code", value(this.form, "site"));
    body.append("laterality", need("#sides", this.form).hidden ? "" : value(this.form, "laterality"));
    body.append("lesion", value(this.form, "lesion"));
    await this.draft.addPhoto(captureId, body);
  }

  /** Shows a picture that waits on this phone since the page was last open. */
  showWaiting(picture: { id: string; file: File; state: "taken" | "kept"; problem: string }): void {
    this.captureId = picture.id;
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(picture.file);
    this.show(this.address);
    if (picture.state === "taken" || picture.problem !== "") {
      this.file = picture.file;
      this.keepButton().hidden = false;
      this.keepButton().textContent = t("Keep anyway");
      this.advise(picture.problem === "" ? [] : [{ check: "file", verdict: "poor", message: picture.problem }]);
      this.mark(t("Not kept yet"));
      return;
    }
    this.count += 1;
    this.onPhone.add(picture.id);
    this.markKept();
  }

  /** Hears what became of the pictures of this place. */
  hear(told: Told): void {
    if (!("photo" in told) || !this.onPhone.has(told.photo)) return;
    if (told.kind === "progress") {
      this.mark(t("Sending … {share} %", { share: Math.round(told.share * 100) }));
      return;
    }
    this.onPhone.delete(told.photo);
    if (told.kind === "refused") {
      this.count -= 1;
      this.advise([{ check: "file", verdict: "poor", message: told.message }]);
      this.mark(t("Not a picture that can be used"));
      void this.draft.discard(told.photo);
    } else {
      if (told.photo === this.captureId && this.file === null) this.showFromServer(told.uid);
      if (this.file === null) this.markKept();
    }
  }

  private showFromServer(instanceUid: string): void {
    const address = this.address;
    this.address = "";
    const image = need<HTMLImageElement>(".slot-image", this.element);
    image.addEventListener("load", () => URL.revokeObjectURL(address), { once: true });
    image.addEventListener("error", () => URL.revokeObjectURL(address), { once: true });
    this.show(`/api/instances/${instanceUid}/frames/1/preview`);
  }

  private refused(error: unknown): void {
    if (error instanceof Problem && error.status !== 401) {
      this.file = null;
      void this.draft.discard(this.captureId);
      this.advise([{ check: "file", verdict: "poor", message: error.message }]);
      this.mark(t("Not a picture that can be used"));
      return;
    }
    this.keepButton().hidden = false;
    this.keepButton().textContent = t("Keep anyway");
    this.mark(t("Not judged: no connection"));
  }

  private markKept(): void {
    if (this.onPhone.size > 0) this.mark(t("On this phone"));
    else this.mark(this.count === 1 ? t("Kept") : t("{n} pictures kept", { n: this.count }));
    need("[data-take-text]", this.element).textContent = t("Take another");
  }

  private show(address: string): void {
    const image = need<HTMLImageElement>(".slot-image", this.element);
    image.src = address;
    image.alt = t("The picture that you took");
    need(".slot-picture", this.element).hidden = false;
  }

  private advise(advice: readonly Advice[]): void {
    const worst = advice.filter((each) => each.verdict !== "good");
    const said = worst.length > 0 || advice.length === 0 ? worst : [GOOD];
    const list = need(".advice", this.element);
    list.replaceChildren(
      ...said.map((each) => {
        const item = make("li", "", each === GOOD ? t("A good picture.") : text(each));
        item.dataset["verdict"] = each.verdict;
        return item;
      }),
    );
  }

  private mark(text: string): void {
    need(".slot-state", this.element).textContent = text;
    this.element.dataset["kept"] = this.kept && !this.waits ? "yes" : "no";
  }

  private keepButton(): HTMLButtonElement {
    return need<HTMLButtonElement>("[data-keep]", this.element);
  }
}

const GOOD: Advice = { check: "all", verdict: "good", message: "" };

function text(advice: Advice): string {
  return language === "nb" && advice.message_nb ? advice.message_nb : advice.message;
}
