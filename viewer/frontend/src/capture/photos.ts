// One picture after the other: shown at once, judged at once, kept when it is good or when the GP says so.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import type { Draft } from "./draft.ts";
import { value } from "./form.ts";
import { judge, type Advice } from "./judging.ts";
import { choiceOf, FACE_CHECK, type Recognizable } from "./recognizable.ts";

/** What became of a picture that was offered: it goes on by itself, or somebody has to decide. */
export interface Verdict {
  readonly outcome: "good" | "doubtful" | "refused" | "unjudged";
  readonly reasons: readonly Advice[];
}

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
  private keptAnyway = false; // what is wrong was said, and it was kept
  private tell: (verdict: Verdict) => void = () => undefined;
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    readonly element: HTMLElement,
    private readonly form: HTMLFormElement,
    private readonly draft: Draft,
    private readonly changed: () => void,
    private readonly chosen: (files: readonly File[], slot: Slot) => void,
  ) {
    this.kind = element.dataset["slot"] ?? "";
    for (const input of element.querySelectorAll<HTMLInputElement>('input[type="file"]')) {
      input.addEventListener("change", () => {
        const files = [...(input.files ?? [])];
        input.value = "";
        this.chosen(files, this);
      });
    }
    this.keepButton().addEventListener("click", () => void this.keepAnyway());
    this.seen = choiceOf(element, form, () => {
      if (this.isFit) void this.keep();
    });
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

  get title(): string {
    return need("[data-title]", this.element).textContent ?? "";
  }

  get isOptional(): boolean {
    return this.element.dataset["optional"] !== undefined;
  }

  /** Takes a picture in once the one before it is through; says how it was judged. */
  offer(file: File): Promise<Verdict> {
    const judged = new Promise<Verdict>((resolve) => {
      this.queue = this.queue.then(() => {
        this.tell = resolve;
        return this.take(file);
      });
    });
    return judged;
  }

  /** Keeps a picture although something is wrong with it; that it was said goes with it. */
  keepAnyway(): Promise<void> {
    this.keptAnyway = this.element.querySelector('.advice li:not([data-verdict="good"])') !== null;
    return this.keep();
  }

  /** Lets go of a picture that is not kept, for another one is taken. */
  letGo(): void {
    if (this.isSending || this.file === null) return;
    this.file = null;
    this.captureId = "";
    URL.revokeObjectURL(this.address);
    this.advise([]);
    need(".slot-picture", this.element).hidden = true;
    this.keepButton().hidden = true;
    this.mark("");
    this.changed();
  }

  /** Shows a picture that the server has already. */
  showKept(instanceUid: string, isRecognizable = false): void {
    this.count += 1;
    const image = make("img");
    image.src = `/api/instances/${instanceUid}/frames/1/preview`;
    image.alt = t("{kind}, kept", { kind: this.title });
    if (isRecognizable) image.dataset["recognizable"] = "yes";
    this.line(image, instanceUid);
    this.markKept();
  }

  private async take(file: File): Promise<void> {
    this.file = file;
    this.isLost = this.keptAnyway = this.isFit = false;
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
      this.judged(advice);
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
        this.moveToKept(captureId);
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
    if (this.keptAnyway) body.append("kept_anyway", "true");
    body.append("recognizable", this.seen.said);
    body.append("capture_id", captureId);
    body.append("device", value(this.form, `device-${this.kind}`));
    await call(`/api/cases/${this.draft.caseId}/photos`, { method: "POST", form: body });
  }

  private refused(error: unknown): void {
    if (error instanceof Problem) {
      const reason: Advice = { check: "file", verdict: "poor", message: error.message };
      this.file = null;
      if (this.kind === "clip") need(".slot-picture", this.element).hidden = true;
      this.advise([reason]);
      this.mark(this.kind === "clip" ? t("Not a film that can be used") : t("Not a picture that can be used"));
      this.tell({ outcome: "refused", reasons: [reason] });
      return;
    }
    this.tell({ outcome: "unjudged", reasons: [] });
    this.keepButton().hidden = false;
    this.keepButton().textContent = t("Keep anyway");
    this.mark(t("Not judged: no connection"));
  }

  private judged(advice: readonly Advice[]): void {
    const reasons = advice.filter((each) => each.verdict !== "good");
    if (this.seen.lacks && reasons.length === 0) reasons.push(UNSAID);
    this.tell({ outcome: reasons.length === 0 ? "good" : "doubtful", reasons });
  }

  private markKept(): void {
    const said = this.count === 1 ? t("Kept") : t("{n} pictures kept", { n: this.count });
    this.mark(this.count === 0 ? "" : said);
    const first = this.kind === "clip" ? t("Take a film") : t("Take a picture");
    const text = this.count === 0 ? first : t("Take another");
    for (const label of this.element.querySelectorAll<HTMLElement>("[data-take-text], [data-camera-text]")) {
      if (label.dataset["fixed"] !== "yes") label.textContent = text;
    }
  }

  /** Puts the picture that is kept now among the small ones; the large one is let go. */
  private moveToKept(captureId: string): void {
    const reasons = [...this.element.querySelectorAll('.advice li:not([data-verdict="good"])')].map((each) => each.textContent);
    const image = need<HTMLImageElement | HTMLVideoElement>(".slot-image", this.element);
    const small = make("canvas");
    small.setAttribute("role", "img");
    small.setAttribute("aria-label", t("{kind}, kept", { kind: this.title }));
    shrink(image, small);
    need(".slot-picture", this.element).hidden = true;
    URL.revokeObjectURL(this.address);
    this.line(small, captureId, reasons.join(" "));
    if (reasons.length > 0) this.advise([]);
  }

  /** Adds a kept picture with the button that takes it out again. */
  private line(picture: HTMLElement, ref: string, reason = ""): void {
    const out = make("button", "button button-plain", t("Take it out"));
    out.type = "button";
    out.setAttribute("aria-label", t("Take this {kind} picture out", { kind: this.title.toLowerCase() }));
    const item = make("li", "", picture, out);
    if (reason !== "") picture.after(make("p", "quiet small", t("Kept anyway: {reason}", { reason })));
    out.addEventListener("click", () => void this.takeOut(item, out, ref));
    need(".slot-kept", this.element).append(item);
  }

  private async takeOut(item: HTMLElement, button: HTMLButtonElement, ref: string): Promise<void> {
    button.disabled = true;
    try {
      await call(`/api/cases/${this.draft.caseId}/photos/${ref}/set-aside`, { method: "POST", json: {} });
    } catch (error) {
      button.disabled = false;
      say(error instanceof Problem ? error.message : t("No connection. Nothing is lost: try again."));
      return;
    }
    item.remove();
    this.count -= 1;
    this.advise([]);
    this.markKept();
    say(t("Taken out. The specialist does not see it."));
    this.changed();
  }

  private show(address: string): void {
    const image = need<HTMLImageElement | HTMLVideoElement>(".slot-image", this.element);
    image.src = address;
    delete image.dataset["recognizable"];
    if (image instanceof HTMLImageElement) image.alt = t("The picture that you took");
    need(".slot-picture", this.element).hidden = false;
  }

  private advise(advice: readonly Advice[]): void {
    const worst = advice.filter((each) => each.verdict !== "good");
    const said = worst.length > 0 || advice.length === 0 ? worst : [GOOD];
    const list = need(".advice", this.element);
    list.replaceChildren(
      ...said.map((each) => {
        const good = this.kind === "clip" ? t("A good film.") : t("A good picture.");
        const item = make("li", each === GOOD ? "advice-good" : "", ...(each === GOOD ? [thumbsUp(), good] : [adviceText(each)]));
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

const SMALL_PX = 240; // long side of a kept picture on the page

function shrink(image: HTMLImageElement | HTMLVideoElement, into: HTMLCanvasElement): void {
  const [width, height] =
    image instanceof HTMLVideoElement ? [image.videoWidth, image.videoHeight] : [image.naturalWidth, image.naturalHeight];
  const scale = SMALL_PX / Math.max(width, height, 1);
  into.width = Math.max(1, Math.round(width * scale)); // 1: what the browser cannot show
  into.height = Math.max(1, Math.round(height * scale));
  if (width > 0) into.getContext("2d")?.drawImage(image, 0, 0, into.width, into.height);
}

const SVG = "http://www.w3.org/2000/svg";
const UNSAID: Advice = { check: FACE_CHECK, verdict: "doubtful", message: t("Say whether a face or a tattoo is visible.") };
const GOOD: Advice = { check: "all", verdict: "good", message: "" };

/** Gives an advice in the page's language. */
export function adviceText(advice: Advice): string {
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
