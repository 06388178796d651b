// The lists beside the images: measurements and key images, in the draft and on the page.
import { block, make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Findings, FindingsForm } from "./findings.ts";
import { titleOf, type Frame, type Manifest, type Series } from "./manifest.ts";
import type { Marks } from "./marks.ts";
import type { Pane } from "./pane.ts";

export class Measured {
  constructor(
    private readonly marks: Marks,
    private readonly form: FindingsForm | null,
    private readonly pane: Pick<Pane, "frame" | "go">,
    private readonly manifest: Manifest,
    private readonly open: (series: Series) => void,
  ) {
    marks.onSaid = (text) => (need("#live").textContent = text);
    marks.onChange = () => {
      if (form !== null) {
        form.measurements = marks.all;
        form.touched();
      }
      this.list();
    };
  }

  /** Shows what the draft holds. */
  restore(): void {
    const signed = this.form === null ? (block<Partial<Findings>>("draft").measurements ?? []) : [];
    this.marks.locked = signed.length;
    this.marks.restore(this.form?.measurements ?? signed);
    this.list();
  }

  /** Puts the newest measurement into the findings, at the cursor. */
  insertLast(): void {
    const words = this.marks.last();
    if (words === "" || this.form?.mayWrite !== true) {
      say(words === "" ? t("Nothing has been measured yet.") : t("Claim the case to write its answer."));
      return;
    }
    this.form.insert(words);
    say(t("Put into the findings: {words}", { words }));
  }

  /** Marks a frame as a key image, or takes the mark away. */
  toggleKey(frame: Frame | null): void {
    if (frame === null || this.form?.mayWrite !== true) {
      say(t("Claim the case to write its answer."));
      return;
    }
    const isLike = isOf(frame);
    const { keyImages } = this.form;
    this.form.keyImages = keyImages.some(isLike)
      ? keyImages.filter((each) => !isLike(each))
      : [...keyImages, { instance_uid: frame.instance.uid, frame: frame.frame }];
    this.form.touched();
    this.list();
  }

  /** Tells whether a frame is a key image. */
  isKey(frame: Frame | null): boolean {
    return frame !== null && (this.form?.keyImages.some(isOf(frame)) ?? false);
  }

  private list(): void {
    const field = document.querySelector<HTMLElement>("#measurements");
    if (field === null || this.form === null) return;
    field.hidden = this.marks.all.length === 0;
    need("#measured").replaceChildren(...this.marks.all.map((_, index) => this.row(index)));
    need("#key-images").hidden = this.form.keyImages.length === 0;
    need("#key-list").replaceChildren(
      ...this.form.keyImages.map((key) => make("li", "", this.goTo(key.instance_uid, key.frame, this.nameOf(key)))),
    );
    if (this.pane.frame !== null) {
      need(`#tools [data-do="key"]`).setAttribute("aria-pressed", String(this.isKey(this.pane.frame)));
    }
  }

  private row(index: number): HTMLElement {
    const kept = this.marks.all[index];
    if (kept === undefined) return make("li");
    const away = make("button", "button button-small button-plain", "×");
    away.type = "button";
    away.setAttribute("aria-label", t("Remove {label}", { label: kept.label }));
    away.addEventListener("click", () => this.marks.remove(index));
    return make("li", "", this.goTo(kept.instance_uid, kept.frame, `${kept.label}: ${this.marks.text(kept)}`), away);
  }

  private goTo(uid: string, frame: number, words: string): HTMLButtonElement {
    const button = make("button", "link", words);
    button.type = "button";
    button.addEventListener("click", () => {
      const found = this.frameOf(uid, frame);
      if (found === undefined) return;
      this.open(found.series);
      if (found.series.kind === "stack") this.pane.go(found);
    });
    return button;
  }

  private nameOf(key: { instance_uid: string; frame: number }): string {
    const found = this.frameOf(key.instance_uid, key.frame);
    return found === undefined ? t("Image") : `${titleOf(found.series)}, ${t("image {n}", { n: found.index + 1 })}`;
  }

  private frameOf(uid: string, frame: number): Frame | undefined {
    return this.manifest.series
      .flatMap((series) => series.frames)
      .find((each) => each.instance.uid === uid && each.frame === frame);
  }
}

function isOf(frame: Frame): (key: { instance_uid: string; frame: number }) => boolean {
  return (key) => key.instance_uid === frame.instance.uid && key.frame === frame.frame;
}
