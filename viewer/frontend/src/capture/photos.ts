// One picture after the other: shown at once, judged at once, kept when it is good or when the GP says so.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import type { Draft } from "./draft.ts";
import { value } from "./form.ts";
import { judge, type Advice } from "./judging.ts";
import { choiceOf, FACE_CHECK, type Recognizable } from "./recognizable.ts";

/** The place of one picture (overview, close-up or dermoscopic). */
export class Slot {
  readonly kind: string;
  private file: File | null = null;
  private captureId = "";
  private address = "";
  private count = 0; // pictures of this kind that the server has
  isSending = false;
  private isFit = false; // nothing but the question of faces is in the way of keeping it
  private readonly seen: Recognizable;
  private isLost = false; // was to be kept, and the connection was gone

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
    this.seen = choiceOf(element, form, () => {
      if (this.isFit) void this.keep();
    });
    this.keepButton().addEventListener("click", () => void this.keep());
    window.addEventListener("online", () => {
      if (this.isLost) void this.keep();
    });
  }

  get waits(): boolean {
    return this.file !== null;
  }

  get kept(): boolean {
    return this.count > 0;
  }

  /** Shows a picture that the server has already. */
  showKept(instanceUid: string, isRecognizable = false): void {
    this.count += 1;
    this.show(`/api/instances/${instanceUid}/frames/1/preview`);
    if (isRecognizable) need(".slot-image", this.element).dataset["recognizable"] = "yes";
    this.markKept();
  }

  private async take(file: File): Promise<void> {
    this.file = file;
    this.isLost = false;
    this.isFit = false;
    const captureId = crypto.randomUUID();
    this.captureId = captureId;
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.show(this.address);
    this.advise([]);
    this.keepButton().hidden = true;
    this.mark(t("Judging …"));
    try {
      const advice = await judge(file, this.kind);
      if (captureId !== this.captureId) return; // another picture was taken meanwhile
      this.advise(advice);
      this.seen.consider(advice);
      this.isFit = advice.every((each) => each.verdict === "good" || each.check === FACE_CHECK);
      if (this.isFit && !this.seen.lacks) await this.keep();
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
    this.isFit = false;
    this.keepButton().hidden = true;
    this.isSending = true;
    this.isLost = false;
    this.mark(t("Sending …"));
    try {
      await this.send(file, captureId);
      this.count += 1;
      if (captureId === this.captureId) {
        this.file = null;
        this.seen.clear();
        this.markKept();
      }
      this.changed();
    } catch (error) {
      this.isLost = !(error instanceof Problem);
      this.keepButton().hidden = false;
      this.keepButton().textContent = t("Send again");
      this.mark(t("Not sent"));
      say(error instanceof Problem ? error.message : t("No connection. The picture is still here: send it again."));
    } finally {
      this.isSending = false;
    }
  }

  private async send(file: File, captureId: string): Promise<void> {
    await this.draft.save();
    const body = new FormData();
    body.append("photo", file, "photo");
    body.append("kind", this.kind);
    body.append("site_code", value(this.form, "site"));
    body.append("laterality", need("#sides", this.form).hidden ? "" : value(this.form, "laterality"));
    body.append("lesion", value(this.form, "lesion"));
    body.append("recognizable", this.seen.said);
    body.append("capture_id", captureId);
    await call(`/api/cases/${this.draft.caseId}/photos`, { method: "POST", form: body });
  }

  private refused(error: unknown): void {
    if (error instanceof Problem) {
      this.file = null;
      this.advise([{ check: "file", verdict: "poor", message: error.message }]);
      this.mark(t("Not a picture that can be used"));
      return;
    }
    this.keepButton().hidden = false;
    this.keepButton().textContent = t("Keep anyway");
    this.mark(t("Not judged: no connection"));
  }

  private markKept(): void {
    this.mark(this.count === 1 ? t("Kept") : t("{n} pictures kept", { n: this.count }));
    need("[data-take-text]", this.element).textContent = t("Take another");
  }

  private show(address: string): void {
    const image = need<HTMLImageElement>(".slot-image", this.element);
    image.src = address;
    delete image.dataset["recognizable"];
    image.alt = t("The picture that you took");
    need(".slot-picture", this.element).hidden = false;
  }

  private advise(advice: readonly Advice[]): void {
    const worst = advice.filter((each) => each.verdict !== "good");
    const said = worst.length > 0 || advice.length === 0 ? worst : [GOOD];
    const list = need(".advice", this.element);
    list.replaceChildren(
      ...said.map((each) => {
        const item = make("li", "", ...(each === GOOD ? [thumbsUp(), t("A good picture.")] : [text(each)]));
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

const SVG = "http://www.w3.org/2000/svg";
const GOOD: Advice = { check: "all", verdict: "good", message: "" };

function text(advice: Advice): string {
  return language === "nb" && advice.message_nb ? advice.message_nb : advice.message;
}

/** Draws a raised thumb, which says good without a word. */
function thumbsUp(): SVGElement {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [name, said] of Object.entries({ viewBox: "0 0 24 24", class: "thumb", "aria-hidden": "true" })) {
    drawing.setAttribute(name, said);
  }
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M2 10h4v11H2zM8 21V10l5-8c1.7 0 2.5 1.3 2.2 2.800L14.5 9H20c1.400 0 2.3 1.2 2 2.5l-1.800 7.600A2.5 2.5 0 0 1 17.800 21z");
  drawing.append(path);
  return drawing;
}
