// The stage: up to four panes, of which one is in hand, and what hangs in which. How panes follow each other is in linked.ts.
import { need } from "../shared/dom.ts";
import { besides, MOST_PANES, panesOf, withSecond, type Layout } from "./layouts.ts";
import type { Frame, Series } from "./manifest.ts";
import { anotherPane, Slot, type SlotParts } from "./slot.ts";
import type { Sources } from "./sources.ts";
import type { Window } from "./windows.ts";

const MOVING = new Set(["scroll", "window", "zoom", "pan"]); // with other tools two quick clicks mean something else
const PHONE = "(max-width: 600px)";

/** What is put into a pane: a series, at an image, in a window. */
export interface Hanging {
  readonly series: Series;
  readonly image?: number | undefined;
  readonly window?: Window | null | undefined; // null: as it comes; nothing: as it was left
}

export class Stage {
  readonly slots: readonly Slot[];
  active: Slot;
  layout: Layout = "1x1";
  onChange: (slot: Slot) => void = () => undefined;
  onActive: () => void = () => undefined;
  onLayout: () => void = () => undefined;
  private before: Layout | null = null; // one pane was made large
  private readonly panes = need("#panes");
  private readonly stage = need("#stage");
  private readonly phone = window.matchMedia(PHONE);

  constructor(
    private readonly sources: Sources,
    parts: Omit<SlotParts, "isActive">,
  ) {
    const first = need("#pane");
    const roots = [first, ...[2, 3, 4].map((number) => anotherPane(first, number))];
    this.panes.append(...roots.slice(1));
    this.slots = roots.map((root) => new Slot(root, { ...parts, isActive: (slot) => slot === this.active }));
    this.active = this.slots[0] as Slot;
    for (const slot of this.slots) {
      slot.onChange = () => this.onChange(slot);
      slot.root.addEventListener("focusin", () => this.activate(slot));
      slot.root.addEventListener("pointerdown", () => this.activate(slot), { capture: true });
      slot.view.addEventListener("dblclick", (event) => {
        const isOnMark = document.elementFromPoint(event.clientX, event.clientY)?.closest(".mark, .mark-text") != null;
        if (!isOnMark && MOVING.has(slot.view.dataset["tool"] ?? "")) this.enlarge();
      });
    }
    this.phone.addEventListener("change", () => this.lay(this.layout));
    this.lay("1x1");
  }

  /** The panes of the present layout, row by row. */
  visible(): Slot[] {
    const count = this.phone.matches ? 1 : panesOf(this.layout);
    if (count >= MOST_PANES) return [...this.slots];
    const shown = this.slots.slice(0, count);
    return shown.includes(this.active) ? shown : [...shown.slice(0, count - 1), this.active];
  }

  /** Tells whether something hangs beside something else. */
  get isMany(): boolean {
    return this.visible().length > 1;
  }

  /** Takes a layout; panes that come with it and are empty get the next series. */
  setLayout(layout: Layout): void {
    this.lay(layout);
    const waiting = this.following();
    for (const slot of this.visible()) {
      if (slot.series !== null) continue;
      const next = waiting.shift();
      if (next === undefined) slot.clear();
      else void this.put(slot, { series: next });
    }
    this.onLayout();
  }

  /** Makes a pane the one that tools and keys act on. */
  activate(slot: Slot): void {
    if (slot === this.active) return;
    this.active = slot;
    this.mark();
    this.onActive();
  }

  /** Goes to the next pane, or back. */
  step(by: number): void {
    const shown = this.visible();
    const next = shown[(shown.indexOf(this.active) + by + shown.length) % shown.length];
    if (next === undefined) return;
    this.activate(next);
    next.focus();
  }

  /** Puts a series into a pane; photographs of one source hang in one pane together. */
  async put(slot: Slot, { series, image, window }: Hanging): Promise<void> {
    const source = this.sources.of(series);
    const isAlone =
      series.kind === "photo" &&
      this.visible().some((each) => each !== slot && each.series?.kind === "photo" && each.source === source);
    const opened = slot.open(series, source, image, isAlone);
    if (window !== undefined && series.kind === "stack") slot.pane.setWindow(window);
    this.mark();
    this.onActive();
    await opened;
    this.mark();
    this.onActive();
  }

  /** Puts something beside the pane in hand, with a layout that has room for it; gives the pane. */
  async putBeside(hanging: Hanging): Promise<Slot> {
    if (!this.isMany) this.lay(withSecond(this.layout));
    const shown = this.visible();
    const slot = shown[besides(shown.indexOf(this.active), shown.length)] ?? this.active;
    await this.put(slot, hanging);
    for (const each of shown) if (each.series === null) each.clear();
    this.onLayout();
    return slot;
  }

  /** Hangs a whole arrangement. */
  hang(layout: Layout, hangings: readonly (Hanging | undefined)[]): void {
    this.active = this.slots[0] as Slot;
    this.lay(layout);
    this.visible().forEach((slot, at) => {
      const hanging = hangings[at];
      if (hanging === undefined) slot.clear();
      else void this.put(slot, hanging);
    });
    this.onLayout();
  }

  /** Shows a frame where its series hangs, else in the pane in hand. */
  show(frame: Frame): void {
    const slot = this.visible().find((each) => each.series === frame.series) ?? this.active;
    this.activate(slot);
    void this.put(slot, { series: frame.series, image: frame.index });
    if (frame.series.kind === "stack") slot.pane.go(frame);
  }

  /** One pane large, or as it was before. */
  private enlarge(): void {
    if (this.layout !== "1x1") {
      this.before = this.layout;
      this.setLayout("1x1");
    } else if (this.before !== null) {
      this.setLayout(this.before);
      this.before = null;
    }
  }

  private lay(layout: Layout): void {
    this.layout = layout;
    const shown = this.visible();
    this.panes.dataset["layout"] = shown.length === 1 ? "1x1" : layout;
    for (const slot of this.slots) {
      slot.root.hidden = !shown.includes(slot);
      if (slot.root.hidden) slot.pane.rest();
    }
    if (!shown.includes(this.active)) this.active = shown[0] as Slot;
    this.mark();
  }

  private mark(): void {
    const isMany = this.isMany;
    for (const slot of this.slots) {
      slot.root.toggleAttribute("data-active", isMany && slot === this.active);
      slot.isOneOfMany = isMany;
      if (isMany && slot === this.active) slot.view.setAttribute("aria-current", "true");
      else slot.view.removeAttribute("aria-current");
    }
    this.stage.dataset["kind"] = this.active.root.dataset["kind"] ?? "paper";
    this.stage.toggleAttribute("data-film", this.active.root.hasAttribute("data-film"));
    this.stage.toggleAttribute("data-many", isMany);
  }

  /** The series that come after the one in hand and hang nowhere yet. */
  private following(): Series[] {
    const all = this.sources.own.series;
    const at = this.active.series === null ? -1 : all.indexOf(this.active.series);
    const hung = this.visible().map((slot) => slot.series);
    const isPhoto = hung.some((series) => series?.kind === "photo");
    return [...all.slice(at + 1), ...all.slice(0, Math.max(0, at))].filter(
      (series) => !hung.includes(series) && !(isPhoto && series.kind === "photo"),
    );
  }
}
