// The tool bar and the keys: both do the same things by the same table.
import { need } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import type { Gestures, Tool } from "./gestures.ts";
import type { Marks } from "./marks.ts";
import type { Pane } from "./pane.ts";
import { presetsOf, windowAsSent } from "./windows.ts";

export interface Actions {
  readonly step: (by: number) => void; // series
  readonly scroll: (by: number) => void;
  readonly fit: () => void;
  readonly zoom: (factor: number) => void;
  readonly key: () => void;
  readonly insert: () => void;
  readonly toImages: () => void;
  readonly isKey: () => boolean;
  readonly play: () => void;
  readonly isPlaying: () => boolean;
}

/** What the tools act on: the pane in hand, of all that there are. */
export interface Hands {
  readonly view: HTMLElement;
  readonly pane: Pane;
  readonly gestures: Gestures;
  readonly marks: Marks;
}

export interface Desk {
  readonly active: Hands;
  readonly slots: readonly Hands[];
}

export class Tools {
  private readonly preset = need<HTMLSelectElement>("#preset");
  private presetOf = "";

  constructor(
    private readonly desk: Desk,
    private readonly actions: Actions,
  ) {
    for (const button of this.buttons("tool")) {
      button.addEventListener("click", () => this.take(button.dataset["tool"] as Tool));
    }
    for (const button of this.buttons("do")) {
      button.addEventListener("click", () => this.does()[button.dataset["do"] ?? ""]?.());
    }
    this.preset.addEventListener("change", () => {
      this.choose(this.preset.value);
      this.desk.active.view.focus();
    });
    listen(this.keys());
    this.take(this.gestures.tool);
  }

  private get pane(): Pane {
    return this.desk.active.pane;
  }

  private get gestures(): Gestures {
    return this.desk.active.gestures;
  }

  private get marks(): Marks {
    return this.desk.active.marks;
  }

  /** Brings the bar up to date with the image. */
  refresh(): void {
    press(this.button("do", "invert"), this.pane.isInverted);
    press(this.button("do", "key"), this.actions.isKey());
    press(this.button("do", "cine"), this.actions.isPlaying());
    const series = this.pane.frame?.series;
    const asSent = this.pane.frame === null ? null : windowAsSent(this.pane.frame, this.pane.pixels);
    const mark = `${series?.key ?? ""}/${asSent === null ? "" : "sent"}`;
    if (series === undefined || mark === this.presetOf) return;
    this.presetOf = mark;
    this.preset.replaceChildren(
      new Option(t("Window …"), ""),
      ...presetsOf(series, asSent).map((each) => new Option(`${each.key}  ${each.label}`, each.key)),
      new Option(`9  ${t("As sent")}`, "9"),
    );
  }

  private take(tool: Tool): void {
    for (const each of this.desk.slots) {
      each.gestures.tool = tool;
      each.view.dataset["tool"] = tool;
    }
    for (const button of this.buttons("tool")) press(button, button.dataset["tool"] === tool);
  }

  private does(): Record<string, () => void> {
    return {
      fit: this.actions.fit,
      rotate: () => this.pane.placed()?.turn(),
      flip: () => this.pane.placed()?.mirror(),
      invert: () => this.pane.invert(),
      cine: this.actions.play,
      key: this.actions.key,
    };
  }

  private choose(key: string): void {
    const frame = this.pane.frame;
    if (frame === null || key === "") return;
    if (key === "9") this.pane.setWindow(null);
    const preset = presetsOf(frame.series, windowAsSent(frame, this.pane.pixels)).find((each) => each.key === key);
    if (preset !== undefined) this.pane.setWindow(preset);
    this.preset.value = preset !== undefined || key === "9" ? key : "";
  }

  private keys(): Record<string, (event: KeyboardEvent) => void> {
    const does = this.does();
    const { scroll, step, zoom } = this.actions;
    const table: Record<string, (event: KeyboardEvent) => void> = {
      ArrowUp: () => scroll(-1),
      ArrowLeft: () => scroll(-1),
      ArrowDown: () => scroll(1),
      ArrowRight: () => scroll(1),
      PageUp: () => scroll(-10),
      PageDown: () => scroll(10),
      Home: () => scroll(-1e6),
      End: () => scroll(1e6),
      ",": () => step(-1),
      ".": () => step(1),
      s: () => this.take("scroll"),
      w: () => this.take("window"),
      z: () => this.take("zoom"),
      p: () => this.take("pan"),
      m: () => this.take("length"),
      Enter: () => {
        if (this.gestures.tool === "length") this.marks.addInMiddle();
      },
      f: this.actions.fit,
      "+": () => zoom(1.25),
      "=": () => zoom(1.25),
      "-": () => zoom(0.8),
      r: () => does["rotate"]?.(),
      h: () => does["flip"]?.(),
      v: () => does["invert"]?.(),
      " ": this.actions.play,
      k: this.actions.key,
      i: this.actions.insert,
      q: () => document.querySelector<HTMLButtonElement>("#ask")?.click(),
      c: () => document.querySelector<HTMLButtonElement>("#claim")?.click(),
      n: () => document.querySelector<HTMLAnchorElement>("#next-case")?.click(),
      o: () => document.querySelector<HTMLAnchorElement>("#over-time")?.click(),
      "[": () => fold("strip"),
      "]": () => fold("findings"),
      Escape: this.actions.toImages,
    };
    for (let digit = 1; digit <= 9; digit++) table[String(digit)] = () => this.choose(String(digit));
    return table;
  }

  private button(kind: "tool" | "do", name: string): HTMLButtonElement {
    return need<HTMLButtonElement>(`#tools [data-${kind}="${name}"]`);
  }

  private buttons(kind: "tool" | "do"): HTMLButtonElement[] {
    return [...document.querySelectorAll<HTMLButtonElement>(`#tools [data-${kind}]`)];
  }
}

function press(button: HTMLButtonElement, isPressed: boolean): void {
  button.setAttribute("aria-pressed", String(isPressed));
}

function fold(panel: "strip" | "findings"): void {
  document.body.classList.toggle(`folded-${panel}`);
  window.dispatchEvent(new Event("resize"));
}
