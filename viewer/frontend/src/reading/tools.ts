// The tool bar and the keys: both do the same things by the same table.
import { need, say } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import { isMark, KINDS, type MarkKind } from "./kinds.ts";
import type { Marks } from "./marks.ts";
import type { Pane } from "./pane.ts";
import type { Tool, ToolChoice } from "./tool_choice.ts";
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

/** What the tools act on: the pane in hand and the marks over it, of all that there are. */
export interface Hands {
  readonly view: HTMLElement;
  readonly pane: Pane;
  readonly marks: Marks;
}

export interface Desk {
  readonly active: Hands;
  readonly slots: readonly Hands[];
}

/** The keys that take each kind of mark. */
export const MARK_KEYS: Readonly<Record<MarkKind, string>> = {
  length: "m",
  angle: "a",
  cobb: "b",
  bidirectional: "d",
  ellipse: "e",
  rectangle: "g",
  probe: "x",
  arrow: "y",
  text: "t",
};

export class Tools {
  private readonly preset = need<HTMLSelectElement>("#preset");
  private presetOf = "";

  private readonly opener = need<HTMLButtonElement>("#marks-open");
  private readonly more = need("#marks-more");

  constructor(
    private readonly desk: Desk,
    private readonly choice: ToolChoice,
    private readonly actions: Actions,
  ) {
    for (const button of this.buttons("tool")) {
      button.addEventListener("click", () => {
        this.take(button.dataset["tool"] as Tool);
        if (this.more.contains(button)) this.more.hidePopover();
      });
    }
    for (const button of this.buttons("do")) {
      button.addEventListener("click", () => this.does()[button.dataset["do"] ?? ""]?.());
    }
    this.preset.addEventListener("change", () => {
      this.choose(this.preset.value);
      this.desk.active.view.focus();
    });
    listen(this.keys());
    this.more.addEventListener("toggle", () => this.placeMore());
    choice.onChange(() => this.showTool());
    this.showTool();
  }

  private get pane(): Pane {
    return this.desk.active.pane;
  }

  private get marks(): Marks {
    return this.desk.active.marks;
  }

  /** Brings the bar up to date with what the stage holds. */
  stageChanged(): void {
    this.showTool();
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
    this.marks.cancel();
    this.choice.take(tool);
  }

  /** Presses the button of the tool that is taken; over photographs anything but a mark moves them. */
  private showTool(): void {
    const { tool } = this.choice;
    const isPhotos = need("#stage").dataset["kind"] === "photo";
    for (const { view } of this.desk.slots) view.dataset["tool"] = isMark(tool) ? "mark" : tool;
    for (const button of this.buttons("tool")) {
      const own = button.dataset["tool"];
      press(button, own === tool || (isPhotos && own === "pan" && !isMark(tool)));
    }
    press(this.button("do", "stay"), this.choice.stays);
    const chosen = this.buttons("tool").find((button) => this.more.contains(button) && button.dataset["tool"] === tool);
    need("span", this.opener).textContent = chosen?.dataset["name"] ?? t("Marks");
    this.opener.classList.toggle("tools-chosen", chosen !== undefined);
  }

  /** Puts the opened group beneath its button, or above it where there is no room. */
  private placeMore(): void {
    const { left, top, bottom } = this.opener.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.more;
    const { clientWidth, clientHeight } = document.documentElement; // a telephone's window may be said larger
    const under = bottom + 4 + height <= clientHeight ? bottom + 4 : Math.max(4, top - height - 4);
    this.more.style.left = `${Math.max(4, Math.min(left, clientWidth - width - 4))}px`;
    this.more.style.top = `${under}px`;
  }

  private does(): Record<string, () => void> {
    return {
      fit: this.actions.fit,
      rotate: () => this.pane.placed()?.turn(),
      flip: () => this.pane.placed()?.mirror(),
      invert: () => this.pane.invert(),
      cine: this.actions.play,
      key: this.actions.key,
      stay: () => this.choice.toggleStays(),
      marks: () => this.hideMarks(),
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
      ...Object.fromEntries(KINDS.map((kind) => [MARK_KEYS[kind], () => this.take(kind)])),
      Enter: () => {
        if (this.choice.mark !== null) this.marks.addInMiddle(this.choice.mark);
      },
      Delete: () => this.marks.removeChosen(),
      "0": () => this.hideMarks(),
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
      Escape: () => {
        if (this.more.matches(":popover-open")) this.more.hidePopover();
        else if (!this.marks.cancel()) this.actions.toImages();
      },
    };
    for (let digit = 1; digit <= 9; digit++) table[String(digit)] = () => this.choose(String(digit));
    return table;
  }

  private hideMarks(): void {
    const { list } = this.marks;
    list.toggleHidden();
    press(this.button("do", "marks"), list.isHidden);
    say(list.isHidden ? t("Marks are hidden.") : t("Marks are shown."));
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
