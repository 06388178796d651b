// Lets panes follow each other: scrolling by place in the patient, windows, zoom and pan; lines where planes cross.
import { t } from "../shared/strings.ts";
import { crossing, lieOf } from "./geometry.ts";
import { follow, followsWindow, linkBetween, placeOnto, type Link } from "./linking.ts";
import type { Frame } from "./manifest.ts";
import type { Slot } from "./slot.ts";
import type { Stage } from "./stage.ts";
import type { Moved } from "./told_surface.ts";
import type { Window } from "./windows.ts";

const SVG = "http://www.w3.org/2000/svg";

export class Linked {
  isOn = true;
  private links = new Map<Slot, Map<Slot, Link | null>>();
  private readonly last = new Map<Slot, Frame | null>();
  private isFollowing = false;

  constructor(private readonly stage: Stage) {
    for (const slot of stage.slots) {
      slot.onMoved = (how) => this.moved(slot, how);
      slot.pane.onWindow = (before) => this.windowed(slot, before);
    }
  }

  /** Links the panes, or leaves each by itself; linking begins from where both are, or in one space at one place. */
  toggle(): void {
    this.isOn = !this.isOn;
    this.links.clear();
    this.lead(this.stage.active);
    this.stage.onActive();
  }

  /** Begins anew from where the panes are now: other series hang there. */
  begin(): void {
    this.links.clear();
    this.last.clear();
    for (const slot of this.stage.visible()) this.last.set(slot, slot.pane.frame);
    this.lead(this.stage.active);
  }

  /** Takes note of what a pane shows now; the others follow when it was scrolled. */
  changed(slot: Slot): void {
    const before = this.last.get(slot) ?? null;
    const now = slot.series?.kind === "stack" ? slot.pane.frame : null;
    this.last.set(slot, now);
    if (now !== null && before !== null && now !== before) {
      if (now.series === before.series) this.lead(slot);
      else this.links.clear();
    }
  }

  /** In words, how the other panes go with the one in hand. */
  said(): string {
    const others = this.others(this.stage.active).filter((slot) => slot.series?.kind === "stack");
    if (others.length === 0 || this.stage.active.series?.kind !== "stack") return "";
    if (!this.isOn) return t("Each image by itself");
    const links = others.map((slot) => this.linkOf(this.stage.active, slot)).filter((link) => link !== null);
    if (links.length === 0) return t("Not linked: the planes differ");
    const [link] = links as [Link];
    if (link.by === "index") return link.offset === 0 ? t("Linked by number") : t("Linked by number, {n} apart", { n: link.offset });
    if (Math.abs(link.offset) < 0.05) return t("Linked by position");
    return t("Linked as they lay");
  }

  /** Draws in each pane where the image in hand crosses it. */
  drawLines(): void {
    const { active } = this.stage;
    const of = active.series?.kind === "stack" && active.pane.frame !== null ? lieOf(active.pane.frame) : null;
    for (const slot of this.stage.visible()) {
      const frame = slot === active || slot.series?.kind !== "stack" ? null : slot.pane.frame;
      const within = frame === null ? null : lieOf(frame);
      const met = of === null || within === null ? null : crossing(of, within);
      const surface = slot.pane.placed();
      if (met === null || surface === null) slot.lines.replaceChildren();
      else {
        const [[x1, y1], [x2, y2]] = [surface.toSurface(met[0]), surface.toSurface(met[1])];
        slot.lines.replaceChildren(...["line-halo", "line-cross"].map((name) => line(name, { x1, y1, x2, y2 })));
      }
    }
  }

  private lead(slot: Slot): void {
    const frame = slot.pane.frame;
    if (!this.isOn || this.isFollowing || frame === null || slot.series?.kind !== "stack") return;
    this.following(() => {
      for (const other of this.others(slot)) {
        const link = this.linkOf(slot, other);
        if (link === null || other.series === null) continue;
        const found = follow(link, frame, other.series);
        if (found !== null) other.pane.go(found);
      }
    });
  }

  private moved(slot: Slot, how: Moved): void {
    const frame = slot.pane.frame;
    if (!this.isOn || this.isFollowing || frame === null) return;
    const place = slot.surface.getPlace();
    this.following(() => {
      for (const other of this.others(slot)) {
        const theirs = other.pane.frame;
        if (theirs === null || other.series?.kind !== "stack" || this.linkOf(slot, other) === null) continue;
        if (other.pane.placed() === null) continue;
        if (how === "fitted") other.surface.fitQuietly();
        else other.surface.setPlace(placeOnto(place, frame, theirs));
      }
    });
  }

  private windowed(slot: Slot, before: Window | null): void {
    const { series } = slot;
    if (!this.isOn || this.isFollowing || series === null) return;
    const chosen = slot.pane.chosenWindow;
    this.following(() => {
      for (const other of this.others(slot)) {
        if (other.series?.kind !== "stack") continue;
        if (followsWindow(series, other.series, before, other.pane.window)) other.pane.setWindow(chosen);
      }
    });
  }

  private following(act: () => void): void {
    this.isFollowing = true;
    try {
      act();
    } finally {
      this.isFollowing = false;
    }
  }

  private others(slot: Slot): Slot[] {
    return this.stage.visible().filter((each) => each !== slot);
  }

  private linkOf(from: Slot, to: Slot): Link | null {
    const known = this.links.get(from) ?? new Map<Slot, Link | null>();
    this.links.set(from, known);
    let link = known.get(to);
    if (link === undefined) {
      const [a, b] = [from.pane.frame, to.pane.frame];
      const isStacks = from.series?.kind === "stack" && to.series?.kind === "stack";
      link = isStacks && a !== null && b !== null ? linkBetween(a, b) : null;
      known.set(to, link);
    }
    return link;
  }
}

function line(name: string, ends: Readonly<Record<string, number>>): SVGLineElement {
  const element = document.createElementNS(SVG, "line");
  element.setAttribute("class", name);
  for (const [key, value] of Object.entries(ends)) element.setAttribute(key, String(value));
  return element;
}
