// Sentences that point to images: puts an anchor at the cursor, shows them as chips, hangs their views again.
import { block, make, say } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import { afterChange, mentioned, nextNumber, numberAt, withAnchor, withoutAnchor, type Anchor, type KeptPlace } from "./anchors_text.ts";
import type { FindingsForm } from "./findings.ts";
import { titleOf, type Frame, type Manifest } from "./manifest.ts";
import type { Measurement } from "./marks.ts";

/** What anchors ask of the images. */
export interface Hanging {
  /** The frame that is looked at. */
  present(): Frame | null;
  /** How it is shown now. */
  view(): Pick<Anchor, "window" | "is_inverted" | "place">;
  /** Shows a frame. */
  open(frame: Frame): void;
  /** Shows a frame as an anchor says. */
  hang(frame: Frame, anchor: Anchor): void;
  /** What is measured. */
  measurements(): readonly Measurement[];
}

type SignedAnchor = Anchor & { readonly version?: number };

/** Text fields in which an anchor may stand. */
const FIELDS = "#f-findings, #f-impression, #f-advice, #f-follow_up, #f-safety_net, #f-plain_words";

export class Anchors {
  private field: HTMLTextAreaElement | null = null;
  private known: readonly Measurement[];
  private readonly visited = new Set<HTMLTextAreaElement>(); // whose cursor is where somebody left it

  constructor(
    private readonly form: FindingsForm | null,
    private readonly manifest: Manifest,
    private readonly hanging: Hanging,
  ) {
    this.known = hanging.measurements();
    document.addEventListener("click", (event) => this.clicked(event));
    if (form === null) return;
    this.field = this.fields()[0] ?? null;
    for (const field of this.fields()) {
      field.addEventListener("focus", () => {
        this.field = field;
        this.visited.add(field);
      });
      field.addEventListener("input", () => this.list());
      field.addEventListener("keydown", (event) => this.typed(event, field));
      field.addEventListener("click", () => this.atCursor(field));
    }
    listen({ A: () => this.put() });
    this.list();
  }

  /** Takes over what the draft holds, once it was filled anew. */
  restore(): void {
    this.known = this.hanging.measurements();
    this.list();
  }

  /** Keeps up with the measurements: one was drawn, moved or taken out. */
  measured(): void {
    const now = this.hanging.measurements();
    if (this.form !== null) this.form.anchors = afterChange(this.form.anchors, this.known, now);
    this.known = now;
    this.list();
  }

  /** Puts an anchor to the present image, or to the mark in hand, at the cursor of the findings. */
  put(): void {
    const { form, field } = this;
    const frame = this.hanging.present();
    if (form?.mayWrite !== true || field === null) {
      say(t("Claim the case to write its answer."));
      return;
    }
    if (frame === null) {
      say(t("There is no image to point to yet."));
      return;
    }
    const texts = this.texts();
    const number = nextNumber(form.anchors, texts);
    const anchor: Anchor = {
      number,
      instance_uid: frame.instance.uid,
      frame: frame.frame,
      image: frame.index + 1,
      measurement: this.markInHand(frame),
      ...this.hanging.view(),
    };
    form.anchors = [...mentioned(form.anchors, texts), anchor];
    const at = this.visited.has(field) ? field.selectionEnd : field.value.length;
    const put = withAnchor(field.value, at, number);
    this.visited.add(field);
    field.value = put.text;
    field.setSelectionRange(put.at, put.at);
    form.touched();
    this.list();
    say(t("Put into the text: {words}", { words: this.nameOf(anchor) }));
  }

  /** Says what an anchor points to: `[1] CT head, image 11 · Length 1`. */
  nameOf(anchor: Anchor): string {
    const frame = this.frameOf(anchor);
    const place =
      frame === undefined
        ? t("Image")
        : frame.series.kind === "stack"
          ? `${titleOf(frame.series)}, ${t("image {n}", { n: frame.index + 1 })}`
          : titleOf(frame.series);
    const mark = anchor.measurement === null ? undefined : this.hanging.measurements()[anchor.measurement];
    return `[${anchor.number}] ${place}${mark === undefined ? "" : ` · ${mark.label || mark.kind}`}`;
  }

  /** Gives the anchors that the texts mention. */
  all(): Anchor[] {
    return this.form === null ? [] : mentioned(this.form.anchors, this.texts());
  }

  private typed(event: KeyboardEvent, field: HTMLTextAreaElement): void {
    if (!event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.code === "KeyA") this.put();
    else if (event.key !== "Enter" || !this.atCursor(field)) return;
    event.preventDefault();
  }

  /** Hangs the view of the anchor that the cursor is in; tells whether it is in one. */
  private atCursor(field: HTMLTextAreaElement): boolean {
    if (field.selectionStart !== field.selectionEnd) return false;
    const number = numberAt(field.value, field.selectionEnd);
    const anchor = this.form?.anchors.find((each) => each.number === number);
    if (anchor === undefined) return false;
    this.show(anchor, false);
    return true;
  }

  /** A link of a signed answer: the view is hung where the image is here; else its picture opens. */
  private clicked(event: MouseEvent): void {
    const link = event.target instanceof Element ? event.target.closest<HTMLElement>("a[data-anchor], a[data-shows]") : null;
    if (link?.dataset["shows"] !== undefined) {
      event.preventDefault();
      this.showObject(link.dataset["shows"]);
      return;
    }
    if (link === null || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const signed = block<{ anchors?: SignedAnchor[] }>("draft").anchors ?? [];
    const anchor = signed.find(
      (each) => String(each.number) === link.dataset["anchor"] && String(each.version) === link.dataset["version"],
    );
    if (anchor === undefined || this.frameOf(anchor) === undefined) return;
    event.preventDefault();
    this.show(anchor, false);
  }

  /** Shows the first frame of an object, in the window that it would have. */
  private showObject(uid: string): void {
    for (const series of this.manifest.series) {
      const frame = series.frames.find((each) => each.instance.uid === uid);
      if (frame !== undefined) return this.hanging.open(frame);
    }
    say(t("The image is not among those of this case any more."));
  }

  private show(anchor: Anchor, isFocused: boolean): void {
    const frame = this.frameOf(anchor);
    if (frame === undefined) {
      say(t("The image is not among those of this case any more."));
      return;
    }
    this.hanging.hang(frame, anchor);
    if (isFocused) this.focusMark(anchor);
  }

  /** Gives the mark of an anchor the focus, once it is drawn. */
  private focusMark(anchor: Anchor, tries = 20): void {
    const selector = `svg [data-mark="${anchor.measurement ?? ""}"]`;
    const handle = anchor.measurement === null ? null : document.querySelector<SVGElement>(selector);
    if (handle !== null) handle.focus({ preventScroll: true });
    else if (anchor.measurement !== null && tries > 0) window.setTimeout(() => this.focusMark(anchor, tries - 1), 50);
  }

  /** The mark that has the focus; else the newest on the frame, unless an anchor has it already. */
  private markInHand(frame: Frame): number | null {
    const all = this.hanging.measurements();
    const isHere = (each: Measurement | undefined): boolean =>
      each !== undefined && each.instance_uid === frame.instance.uid && each.frame === frame.frame;
    const active = document.activeElement;
    const held = active instanceof SVGElement ? Number(active.dataset["mark"] ?? "-1") : -1;
    if (isHere(all[held])) return held;
    const newest = all.length - 1;
    const isTaken = this.all().some((each) => each.measurement === newest);
    return isHere(all[newest]) && !isTaken ? newest : null;
  }

  private list(): void {
    const field = document.querySelector<HTMLElement>("#anchors-field");
    if (field === null || this.form === null) return;
    const anchors = this.all();
    field.hidden = anchors.length === 0;
    document.querySelector("#anchors")?.replaceChildren(...anchors.map((each) => this.chip(each)));
  }

  private chip(anchor: Anchor): HTMLElement {
    const button = make("button", "link", this.nameOf(anchor));
    button.type = "button";
    button.addEventListener("click", () => this.show(anchor, true));
    const away = make("button", "button button-small button-plain", "×");
    away.type = "button";
    away.setAttribute("aria-label", t("Remove {label}", { label: `[${anchor.number}]` }));
    away.addEventListener("click", () => this.remove(anchor.number));
    return make("li", "", button, ...(this.form?.mayWrite === true ? [away] : []));
  }

  private remove(number: number): void {
    if (this.form === null) return;
    for (const field of this.fields()) field.value = withoutAnchor(field.value, number);
    this.form.anchors = this.form.anchors.filter((each) => each.number !== number);
    this.form.touched();
    this.list();
  }

  private fields(): HTMLTextAreaElement[] {
    return [...document.querySelectorAll<HTMLTextAreaElement>(FIELDS)];
  }

  private texts(): string[] {
    return this.fields().map((field) => field.value);
  }

  private frameOf(anchor: Anchor): Frame | undefined {
    return this.manifest.series
      .flatMap((series) => series.frames)
      .find((each) => each.instance.uid === anchor.instance_uid && each.frame === anchor.frame);
  }
}

/** How a surface says where its image lies. */
interface PlaceOfSurface {
  readonly scale: number;
  readonly middle: readonly [number, number];
  readonly quarterTurns: 0 | 1 | 2 | 3;
  readonly isMirrored: boolean;
}

/** Gives a surface's place as it is kept. */
export function keptPlace(place: PlaceOfSurface): KeptPlace {
  const { scale, middle, quarterTurns, isMirrored } = place;
  return { scale, middle: [middle[0], middle[1]], quarter_turns: quarterTurns, is_mirrored: isMirrored };
}

/** Gives a kept place as a surface takes it. */
export function placeOf(kept: KeptPlace): PlaceOfSurface {
  const { scale, middle, quarter_turns, is_mirrored } = kept;
  return { scale, middle, quarterTurns: (quarter_turns % 4) as 0 | 1 | 2 | 3, isMirrored: is_mirrored };
}
