// The fourth field of the multi-planar view: how thick the slab is, what is shown, how much has come.
import { make } from "../../shared/dom.ts";
import { t } from "../../shared/strings.ts";
import { windowText } from "../windows.ts";
import type { SlabMode } from "./reslice.ts";
import { MODES, THICKNESSES_MM } from "./state.ts";
import type { MprView } from "./view.ts";

export class Bar {
  readonly element = make("div", "mpr-bar");
  private readonly facts = make("p", "mpr-facts");
  private readonly trouble = make("p", "act");
  private readonly thickness = make("select", "input");
  private readonly mode = make("select", "input");
  private readonly drags = make("select", "input");

  constructor(private readonly view: MprView) {
    this.thickness.append(
      ...THICKNESSES_MM.map((mm) => new Option(mm === 0 ? t("none: one plane") : t("{mm} mm", { mm }), String(mm))),
    );
    this.mode.append(...MODES.map((mode) => new Option(modeName(mode), mode)));
    this.drags.append(
      new Option(t("moves the cross"), "cross"),
      new Option(t("changes the window"), "window"),
      new Option(t("turns the other planes"), "turn"),
    );
    this.thickness.addEventListener("change", () => view.change(() => (view.state.thickness_mm = Number(this.thickness.value))));
    this.mode.addEventListener("change", () => view.change(() => (view.state.mode = this.mode.value as SlabMode)));
    this.drags.addEventListener("change", () => view.change(() => (view.drags = this.drags.value as MprView["drags"])));
    this.element.append(
      make("h2", "", t("Planes through the series")),
      this.facts,
      this.trouble,
      labelled(t("Slab"), "t", this.thickness),
      labelled(t("Of a slab is shown"), "x", this.mode),
      labelled(t("Dragging"), "w", this.drags),
      make(
        "div",
        "row",
        button(t("Whole and straight"), "f", () => view.change(() => view.state.reset())),
        button(t("Back to the images"), "M", () => view.close()),
      ),
      make("p", "quiet small", t("Arrows scroll, with Shift they move the cross; r turns the other planes, t makes the slab thicker.")),
    );
  }

  /** Brings the field up to date. */
  refresh(): void {
    const { state } = this.view;
    this.thickness.value = String(state.thickness_mm);
    this.mode.value = state.mode;
    this.mode.disabled = state.thickness_mm === 0;
    this.drags.value = this.view.drags;
    const { arrived, count, coarseness, steps_mm } = this.view.progress;
    const [least, greatest] = steps_mm.map((mm) => Math.round(mm * 100) / 100);
    const apart = least === greatest ? `${least}` : `${least}–${greatest}`;
    const lines = [
      arrived < count
        ? t("{arrived} of {count} slices are here; the rest is black.", { arrived, count })
        : t("Worked out from {count} slices, {mm} mm apart.", { count, mm: apart }),
      coarseness > 1 ? t("Every {n} pixels are one, to keep within the memory that is set.", { n: coarseness }) : "",
      `${windowText(this.view.window)}  ${this.view.value}`,
    ];
    this.facts.replaceChildren(...lines.filter((line) => line !== "").map((line) => make("span", "", line)));
  }

  /** Says what went wrong. */
  fail(text: string): void {
    this.trouble.textContent = text;
  }
}

function labelled(words: string, key: string, control: HTMLElement): HTMLElement {
  const label = make("label", "mpr-label", make("span", "", words, " "), control);
  const kbd = make("kbd", "", key);
  kbd.setAttribute("aria-hidden", "true");
  label.firstElementChild?.append(kbd);
  return label;
}

function button(words: string, key: string, act: () => void): HTMLButtonElement {
  const kbd = make("kbd", "", key);
  kbd.setAttribute("aria-hidden", "true");
  const made = make("button", "button button-small", words, " ", kbd);
  made.type = "button";
  made.setAttribute("aria-keyshortcuts", key.length === 1 && key === key.toUpperCase() ? `Shift+${key}` : key);
  made.addEventListener("click", act);
  return made;
}

function modeName(mode: SlabMode): string {
  switch (mode) {
    case "mean":
      return t("the mean");
    case "max":
      return t("the brightest (MIP)");
    case "min":
      return t("the darkest (MinIP)");
  }
}
