// The bar under the images and its keys: layouts, steps, linking, what lies beside or over the image.
import { need } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import type { Cine } from "./cine.ts";
import type { Earlier } from "./earlier.ts";
import type { Hangings } from "./hangings.ts";
import { layoutOfKey, type Layout } from "./layouts.ts";
import type { Lens } from "./lens.ts";
import type { Linked } from "./linked.ts";
import type { Over } from "./over.ts";
import type { Stage } from "./stage.ts";
import { DRAGGED, type Strip } from "./strip.ts";

export interface HangParts {
  readonly stage: Stage;
  readonly linked: Linked;
  readonly lens: Lens;
  readonly over: Over;
  readonly earlier: Earlier;
  readonly hangings: Hangings;
  readonly strip: Strip;
  readonly cine: Cine;
}

export class HangBar {
  private readonly bar = need("#hang");
  private readonly said = need("#hang-said");
  private readonly blend = need<HTMLInputElement>("#blend");

  constructor(private readonly parts: HangParts) {
    for (const button of this.bar.querySelectorAll<HTMLButtonElement>("[data-layout]")) {
      button.addEventListener("click", () => this.lay(button.dataset["layout"] as Layout));
    }
    const does: Record<string, () => void> = {
      link: () => this.link(),
      prior: () => this.prior(),
      over: () => parts.over.flick(),
      lens: () => this.magnify(),
    };
    for (const [name, act] of Object.entries(does)) this.button(name)?.addEventListener("click", act);
    this.blend.addEventListener("input", () => parts.over.blend(Number(this.blend.value) / 100));
    listen({
      l: () => this.link(),
      u: () => this.prior(),
      j: () => this.magnify(),
      X: () => parts.over.flick(),
      N: () => parts.hangings.step(1),
      B: () => parts.hangings.step(-1),
      "<": () => parts.cine.pace(parts.stage.active.pane, -1),
      ">": () => parts.cine.pace(parts.stage.active.pane, 1),
    });
    document.addEventListener("keydown", (event) => this.digit(event));
    for (const slot of parts.stage.slots) this.takeDropped(slot);
  }

  /** Says how the images hang now. */
  refresh(): void {
    const { stage, linked, lens, over, hangings, cine } = this.parts;
    const layout = stage.isMany ? stage.layout : "1x1";
    for (const button of this.bar.querySelectorAll<HTMLButtonElement>("[data-layout]")) {
      press(button, button.dataset["layout"] === layout);
    }
    const words = [over.said() || linked.said()];
    const stack = stage.active.series?.kind === "stack" ? stage.active.pane : null;
    if (stack !== null && cine.isPlaying(stack)) words.unshift(t("{n} images a second", { n: Math.round(cine.speed(stack)) }));
    put(this.said, words.filter((word) => word !== "").join(" · "));
    this.show("link", stage.visible().filter((slot) => slot.series?.kind === "stack").length > 1, linked.isOn);
    this.show("over", over.isOn || over.other() !== undefined, over.isOn);
    this.show("lens", stack !== null, lens.isOn);
    need(".blend", this.bar).hidden = !over.isOn;
    this.blend.value = String(Math.round(over.share * 100));
    hangings.write();
  }

  private lay(layout: Layout): void {
    this.parts.over.end();
    this.parts.stage.setLayout(layout);
    this.parts.hangings.arranged();
  }

  private link(): void {
    this.parts.linked.toggle();
  }

  private prior(): void {
    void this.parts.earlier.beside();
  }

  private magnify(): void {
    this.parts.lens.toggle();
    this.refresh();
  }

  /** Shift with a digit: the place of the key counts, for Shift makes other signs of digits everywhere. */
  private digit(event: KeyboardEvent): void {
    const layout = event.shiftKey ? layoutOfKey(event.code) : null;
    if (layout === null || event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    const { target } = event;
    const isTyping = target instanceof HTMLElement && target.matches("input, textarea, select, [contenteditable]");
    if (isTyping || document.querySelector("dialog[open]") !== null) return;
    event.preventDefault();
    this.lay(layout);
  }

  private takeDropped(slot: Stage["active"]): void {
    const { root } = slot;
    root.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes(DRAGGED) !== true) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = "copy";
      root.dataset["drop"] = "";
    });
    root.addEventListener("dragleave", () => delete root.dataset["drop"]);
    root.addEventListener("drop", (event) => {
      delete root.dataset["drop"];
      const series = this.parts.strip.dragged(event);
      if (series === undefined) return;
      event.preventDefault();
      this.parts.stage.activate(slot);
      void this.parts.stage.put(slot, { series });
      this.parts.linked.begin();
      this.parts.hangings.arranged();
    });
  }

  private show(name: string, isShown: boolean, isPressed: boolean): void {
    const button = this.button(name);
    if (button === null) return;
    button.hidden = !isShown;
    press(button, isPressed);
  }

  private button(name: string): HTMLButtonElement | null {
    return this.bar.querySelector<HTMLButtonElement>(`[data-hang="${name}"]`);
  }
}

function press(button: HTMLButtonElement, isPressed: boolean): void {
  button.setAttribute("aria-pressed", String(isPressed));
}

function put(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}
