// The lists beside the images: measurements and key images, in the draft and on the page.
import { block, make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Findings, FindingsForm, KeyImage } from "./findings.ts";
import { titleOf, type Frame, type Manifest, type Series } from "./manifest.ts";
import type { MarkList } from "./mark_list.ts";
import { sentenceOf, titleText } from "./mark_words.ts";
import type { Pane } from "./pane.ts";

export class Measured {
  constructor(
    private readonly list: MarkList,
    private readonly form: FindingsForm | null,
    private readonly pane: Pick<Pane, "frame" | "go">,
    private readonly manifest: Manifest,
    private readonly open: (series: Series) => void,
  ) {
    list.onSaid = (text) => (need("#live").textContent = text);
    list.onChange = () => {
      if (form !== null) {
        form.measurements = list.all.filter((mark) => mark.kind !== "text" || mark.label !== "");
        form.touched();
      }
      this.write();
    };
  }

  /** Shows what the draft holds. */
  restore(): void {
    const signed = this.form === null ? (block<Partial<Findings>>("draft").measurements ?? []) : [];
    this.list.locked = signed.length;
    this.list.restore(this.form?.measurements ?? signed);
    this.write();
  }

  /** Puts the measurement that was touched last into the findings, at the cursor. */
  insertLast(): void {
    const { last } = this.list;
    const words = last === null ? "" : sentenceOf(last);
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
    this.keep(
      keyImages.some(isLike)
        ? keyImages.filter((each) => !isLike(each))
        : [...keyImages, { instance_uid: frame.instance.uid, frame: frame.frame }],
    );
  }

  /** Tells whether a frame is a key image. */
  isKey(frame: Frame | null): boolean {
    return frame !== null && (this.form?.keyImages.some(isOf(frame)) ?? false);
  }

  private keep(keyImages: KeyImage[]): void {
    if (this.form === null) return;
    this.form.keyImages = keyImages;
    this.form.touched();
    this.write();
  }

  private write(): void {
    const field = document.querySelector<HTMLElement>("#measurements");
    if (field === null || this.form === null) return;
    field.hidden = this.list.all.length === 0;
    need("#measured").replaceChildren(...this.list.all.map((_, index) => this.row(index)));
    need("#key-images").hidden = this.form.keyImages.length === 0;
    need("#key-list").replaceChildren(...this.form.keyImages.map((key) => this.keyRow(key)));
    const { frame } = this.pane;
    if (frame !== null) need(`#tools [data-do="key"]`).setAttribute("aria-pressed", String(this.isKey(frame)));
  }

  private row(index: number): HTMLElement {
    const mark = this.list.all[index];
    if (mark === undefined) return make("li");
    const title = titleText(mark);
    const go = this.goTo(mark.instance_uid, mark.frame, title, () => (this.list.chosen = index));
    const name = small(t("Name"), t("Name {what}", { what: title }), () =>
      writeInstead(go, t("Name of {what}", { what: title }), mark.label, (text) => {
        if (text !== "") this.list.rename(index, text);
        this.write();
      }),
    );
    return make("li", "", go, name, small("×", t("Remove {label}", { label: title }), () => this.list.remove(index)));
  }

  private keyRow(key: KeyImage): HTMLElement {
    const name = this.nameOf(key);
    const note = key.note ?? "";
    const go = this.goTo(key.instance_uid, key.frame, note === "" ? name : `${name}: ${note}`);
    const without = (): KeyImage[] => (this.form?.keyImages ?? []).filter((each) => each !== key);
    const noted = (text: string): void => {
      const { note: _old, ...image } = key;
      const now = text === "" ? image : { ...image, note: text };
      this.keep((this.form?.keyImages ?? []).map((each) => (each === key ? now : each)));
    };
    return make(
      "li",
      "",
      go,
      small(t("Note"), t("Note on {image}", { image: name }), () =>
        writeInstead(go, t("Note on {image}", { image: name }), note, noted),
      ),
      small("×", t("{image}: no key image any more", { image: name }), () => this.keep(without())),
    );
  }

  private goTo(uid: string, frame: number, words: string, chosen: () => void = () => undefined): HTMLButtonElement {
    const button = make("button", "link", words);
    button.type = "button";
    button.addEventListener("click", () => {
      const found = this.frameOf(uid, frame);
      if (found === undefined) return;
      chosen();
      this.open(found.series);
      if (found.series.kind === "stack") this.pane.go(found);
    });
    return button;
  }

  private nameOf(key: KeyImage): string {
    const found = this.frameOf(key.instance_uid, key.frame);
    return found === undefined ? t("Image") : `${titleOf(found.series)}, ${t("image {n}", { n: found.index + 1 })}`;
  }

  private frameOf(uid: string, frame: number): Frame | undefined {
    return this.manifest.series
      .flatMap((series) => series.frames)
      .find((each) => each.instance.uid === uid && each.frame === frame);
  }
}

function isOf(frame: Frame): (key: KeyImage) => boolean {
  return (key) => key.instance_uid === frame.instance.uid && key.frame === frame.frame;
}

function small(words: string, label: string, does: () => void): HTMLButtonElement {
  const button = make("button", "button button-small button-plain", words);
  button.type = "button";
  button.setAttribute("aria-label", label);
  button.addEventListener("click", does);
  return button;
}

/** Lets a line be typed in the place of a button; Escape gives it up, Enter or leaving it takes it. */
function writeInstead(button: HTMLButtonElement, label: string, text: string, done: (text: string) => void): void {
  const line = make("input", "input input-row");
  line.maxLength = 200;
  line.value = text;
  line.setAttribute("aria-label", label);
  let isDone = false;
  const end = (given: string): void => {
    if (isDone) return;
    isDone = true;
    line.replaceWith(button);
    done(given);
  };
  line.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== "Escape") return;
    event.preventDefault();
    event.stopPropagation();
    end(event.key === "Enter" ? line.value.trim() : text);
  });
  line.addEventListener("input", (event) => event.stopPropagation());
  line.addEventListener("blur", () => end(line.value.trim()));
  button.replaceWith(line);
  line.focus();
  line.select();
}
