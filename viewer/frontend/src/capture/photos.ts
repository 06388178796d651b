// One picture after the other: shown at once, judged at once, kept when it is good or when the GP says so.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import type { Told } from "./courier.ts";
import type { Draft } from "./draft.ts";
import { value } from "./form.ts";
import { freshId } from "./ids.ts";
import { judge, type Advice } from "./judging.ts";
import type { KeptPicture } from "./queue.ts";
import { choiceOf, FACE_CHECK, isFit, type Recognizable } from "./recognizable.ts";
import { smallOf } from "./small.ts";
import { isOfPicture, why } from "./why.ts";

/** What became of a picture that was offered: it goes on by itself, or somebody has to decide. */
export interface Verdict {
  readonly outcome: "good" | "doubtful" | "refused" | "unjudged";
  readonly reasons: readonly Advice[];
}

/** The kind of the place that takes a film. */
export const FILM = "clip";

/** The place of one picture (overview, close-up or dermoscopic). */
export class Slot {
  readonly kind: string;
  private file: File | null = null;
  private captureId = "";
  private address = "";
  private count = 0; // pictures of this kind that are kept
  isSending = false;
  private held: Promise<void> = Promise.resolve(); // the picture is on this phone
  private readonly onPhone = new Set<string>(); // kept, and not yet on the server
  private readonly lines = new Map<string, HTMLElement>(); // kept pictures, by capture id or instance
  private isFit = false; // nothing but the question of faces is in the way of keeping it
  private readonly seen: Recognizable;
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
      if (this.isFit) void this.keepNext();
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
    return this.keepNext();
  }

  /** Keeps the picture before the next one takes its place. */
  private keepNext(): Promise<void> {
    const kept = this.queue.then(() => this.keep());
    this.queue = kept;
    return kept;
  }

  /** Lets go of a picture that is not kept, for another one is taken. */
  letGo(): void {
    if (this.isSending || this.file === null) return;
    void this.draft.discard(this.captureId);
    this.file = null;
    this.captureId = "";
    this.advise([]);
    this.hidePicture();
    this.keepButton().hidden = true;
    this.mark("");
    this.changed();
  }

  /** Shows a picture that the server has already. */
  showKept(instanceUid: string, isRecognizable = false): void {
    this.count += 1;
    this.line(this.kind === FILM ? this.player(instanceUid) : this.preview(instanceUid, isRecognizable), instanceUid);
    this.markKept();
  }

  /** Shows a picture that waits on this phone since the page was last open. */
  showWaiting(picture: KeptPicture): void {
    if (picture.state === "kept" && picture.problem === "") {
      this.count += 1;
      this.onPhone.add(picture.id);
      this.line(this.small(picture.file), picture.id);
      this.markKept();
      return;
    }
    this.file = picture.file;
    this.captureId = picture.id;
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(picture.file);
    this.show(this.address);
    this.keepButton().hidden = false;
    this.keepButton().textContent = t("Keep anyway");
    this.advise(picture.problem === "" ? [] : [fault(picture.problem)]);
    this.mark(t("Not kept yet"));
  }

  /** Hears what became of the pictures of this place. */
  hear(told: Told): void {
    if (!("photo" in told) || !this.onPhone.has(told.photo)) return;
    const isFree = this.file === null; // no other picture is looked at here
    if (told.kind === "progress") {
      if (isFree) this.mark(t("Sending … {share} %", { share: Math.round(told.share * 100) }));
      return;
    }
    this.onPhone.delete(told.photo);
    const isTwice = told.kind === "photo" && this.lines.has(told.uid); // it was there, and its answer was lost
    if (told.kind === "refused" || isTwice) this.unline(told.photo);
    if (isFree) this.markKept();
    if (told.kind === "photo") return;
    void this.draft.discard(told.photo);
    if (isFree) {
      this.advise([fault(told.message)]);
      this.mark(this.unusable());
    } else say(told.message);
    this.changed();
  }

  private async take(file: File): Promise<void> {
    const before = this.file === null ? "" : this.captureId; // that was not kept: this one takes its place
    this.file = file;
    this.keptAnyway = this.isFit = false;
    const captureId = freshId();
    this.captureId = captureId;
    this.held = this.draft.hold(captureId, file, this.kind);
    if (before !== "") void this.draft.discard(before);
    URL.revokeObjectURL(this.address);
    this.address = URL.createObjectURL(file);
    this.show(this.address);
    this.advise([]);
    this.keepButton().hidden = true;
    this.mark(t("Judging …"));
    try {
      await this.held;
      const advice = await judge(file, this.kind);
      if (captureId !== this.captureId) return; // another picture was taken meanwhile
      this.advise(advice);
      this.seen.consider(advice);
      this.isFit = isFit(advice);
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
    this.mark(t("Sending …"));
    try {
      this.onPhone.add(captureId);
      await this.send(file, captureId);
      this.count += 1;
      this.file = null;
      this.moveToKept(file, captureId);
      this.seen.clear();
      this.markKept();
      this.changed();
    } catch (error) {
      this.onPhone.delete(captureId);
      this.keepButton().hidden = false;
      this.keepButton().textContent = t("Send again");
      this.mark(t("Not sent"));
      say(why(error, t("The picture could not be kept. Send it again.")));
    } finally {
      this.isSending = false;
    }
  }

  /** Has the picture that is on this phone sent, with what is said of it. */
  private async send(file: File, captureId: string): Promise<void> {
    await this.held.catch(() => (this.held = this.draft.hold(captureId, file, this.kind)));
    await this.draft.save();
    const body = new FormData();
    body.append("kind", this.kind);
    body.append("site_code", value(this.form, "site"));
    body.append("laterality", need("#sides", this.form).hidden ? "" : value(this.form, "laterality"));
    body.append("lesion", value(this.form, "lesion"));
    if (this.keptAnyway) body.append("kept_anyway", "true");
    body.append("recognizable", this.seen.said);
    body.append("device", value(this.form, `device-${this.kind}`));
    await this.draft.addPhoto(captureId, body);
  }

  private refused(error: unknown): void {
    if (isOfPicture(error)) {
      const reason = fault(error.message);
      this.file = null;
      void this.draft.discard(this.captureId);
      if (this.kind === FILM) this.hidePicture();
      this.advise([reason]);
      this.mark(this.unusable());
      this.tell({ outcome: "refused", reasons: [reason] });
      return;
    }
    this.tell({ outcome: "unjudged", reasons: [] });
    this.keepButton().hidden = false;
    this.keepButton().textContent = t("Keep anyway");
    this.mark(error instanceof Problem ? t("Not judged") : t("Not judged: no connection"));
  }

  private unusable(): string {
    return this.kind === FILM ? t("Not a film that can be used") : t("Not a picture that can be used");
  }

  private judged(advice: readonly Advice[]): void {
    const reasons = advice.filter((each) => each.verdict !== "good");
    if (this.seen.lacks && reasons.length === 0) reasons.push(UNSAID);
    this.tell({ outcome: this.isFit && !this.seen.lacks ? "good" : "doubtful", reasons });
  }

  private markKept(): void {
    const kept = this.count === 1 ? t("Kept") : t("{n} pictures kept", { n: this.count });
    const said = this.onPhone.size > 0 ? t("On this phone") : kept;
    this.mark(this.count === 0 ? "" : said);
    const first = this.kind === FILM ? t("Take a film") : t("Take a picture");
    const text = this.count === 0 ? first : t("Take another");
    for (const label of this.element.querySelectorAll<HTMLElement>("[data-take-text], [data-camera-text]")) {
      if (label.dataset["fixed"] !== "yes") label.textContent = text;
    }
  }

  /** Puts the picture that is kept now among the small ones; the large one is let go. */
  private moveToKept(file: File, captureId: string): void {
    const reasons = [...this.element.querySelectorAll('.advice li:not([data-verdict="good"])')].map((each) => each.textContent);
    this.line(this.small(file), captureId, reasons.join(" "));
    this.hidePicture();
    if (reasons.length > 0) this.advise([]);
  }

  private preview(instanceUid: string, isRecognizable: boolean): HTMLElement {
    const image = make("img");
    image.src = `/api/instances/${instanceUid}/frames/1/preview`;
    image.alt = t("{kind}, kept", { kind: this.title });
    if (isRecognizable) image.dataset["recognizable"] = "yes";
    return image;
  }

  private player(instanceUid: string): HTMLElement {
    const film = make("video");
    film.src = `/api/instances/${instanceUid}/video`;
    film.controls = film.muted = film.playsInline = true;
    film.preload = "metadata";
    film.setAttribute("aria-label", t("{kind}, kept", { kind: this.title }));
    return film;
  }

  private small(file: File): HTMLCanvasElement {
    const small = smallOf(file, this.kind === FILM);
    small.setAttribute("role", "img");
    if (this.seen.shows) small.dataset["recognizable"] = "yes";
    small.setAttribute("aria-label", t("{kind}, kept", { kind: this.title }));
    return small;
  }

  /** Adds a kept picture with the button that takes it out again. */
  private line(picture: HTMLElement, ref: string, reason = ""): void {
    const out = make("button", "button button-plain", t("Take it out"));
    out.type = "button";
    out.setAttribute("aria-label", t("Take this {kind} picture out", { kind: this.title.toLowerCase() }));
    const item = make("li", "", picture, out);
    this.lines.set(ref, item);
    if (reason !== "") picture.after(make("p", "quiet small", t("Kept anyway: {reason}", { reason })));
    out.addEventListener("click", () => void this.takeOut(out, ref));
    need(".slot-kept", this.element).append(item);
  }

  private unline(ref: string): void {
    this.lines.get(ref)?.remove();
    this.lines.delete(ref);
    this.count -= 1;
  }

  /** Takes a kept picture out: off this phone, or out of the case when the server has it. */
  private async takeOut(button: HTMLButtonElement, ref: string): Promise<void> {
    button.disabled = true;
    try {
      const wasHere = this.onPhone.delete(ref) && (await this.draft.discard(ref));
      if (!wasHere) await call(`/api/cases/${this.draft.caseId}/photos/${ref}/set-aside`, { method: "POST", json: {} });
    } catch (error) {
      button.disabled = false;
      say(why(error, t("No connection. Nothing is lost: try again.")));
      return;
    }
    this.unline(ref);
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

  private hidePicture(): void {
    need(".slot-picture", this.element).hidden = true;
    need(".slot-image", this.element).removeAttribute("src");
    URL.revokeObjectURL(this.address);
  }

  private advise(advice: readonly Advice[]): void {
    const worst = advice.filter((each) => each.verdict !== "good");
    const said = worst.length > 0 || advice.length === 0 ? worst : [GOOD];
    const list = need(".advice", this.element);
    list.replaceChildren(
      ...said.map((each) => {
        const good = this.kind === FILM ? t("A good film.") : t("A good picture.");
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

const SVG = "http://www.w3.org/2000/svg";
const UNSAID: Advice = { check: FACE_CHECK, verdict: "doubtful", message: t("Say whether a face or a tattoo is visible.") };
const GOOD: Advice = { check: "all", verdict: "good", message: "" };

function fault(message: string): Advice {
  return { check: "file", verdict: "poor", message };
}

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
