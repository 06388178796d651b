// The body map: pressing a part of a figure chooses the site, the side and the point in the form, which stays the truth.
import "../styles/capture-bodymap.css";
import { block, make, need } from "../shared/dom.ts";
import { BodyDots, type KnownDot } from "./bodymap_dots.ts";
import { type Drawn, drawn, drawView, type Part, sitesOf, type Spot, type View } from "./bodymap_figure.ts";
import { stepFrom } from "./bodymap_keys.ts";
import { Zoom } from "./bodymap_zoom.ts";

export type { KnownDot } from "./bodymap_dots.ts";
export type { Spot } from "./bodymap_figure.ts";

const OUT: Readonly<Record<string, string>> = { eye: "head-front", ear: "head-front" }; // from other closer views: the body
const NEAR_PX = 22; // a thumb that misses a part by less has meant it
const TWICE_MS = 350;
const NEVER = { at: -Infinity, x: 0, y: 0, opened: false };

/** Ties the figures to the list of sites and to the sides; a change of either is shown on the figures. */
export function tieBodyMap(form: HTMLFormElement, site: HTMLSelectElement): BodyMap {
  return new BodyMap(form, site);
}

/** The figures, and what is chosen on them. */
export class BodyMap {
  private readonly root = need("#bodymap");
  private readonly svg = this.root.querySelector<SVGSVGElement>("svg") as SVGSVGElement;
  private readonly views = block<readonly View[]>("bodymap-views");
  private readonly field: HTMLInputElement;
  private readonly layer = drawn("g", {});
  private readonly zoom: Zoom;
  private readonly dots: BodyDots;
  private readonly names: ReadonlyMap<string, string>;
  private view: View;
  private seen: Drawn = { width: 1, height: 1, half: "", parts: [] };
  private trail: readonly string[] = [];
  private isOurs = false; // the change that is told to the form now comes from the figure
  private last = NEVER; // press, of which a second one may follow

  constructor(
    private readonly form: HTMLFormElement,
    private readonly site: HTMLSelectElement,
  ) {
    this.field = need<HTMLInputElement>('[name="map"]', this.root);
    this.names = new Map([...site.options].map((option) => [option.value, option.textContent?.trim() ?? ""]));
    this.svg.append(this.layer);
    this.zoom = new Zoom(this.svg, () => {
      this.dots.place(this.zoom.scale);
      this.root.querySelector<HTMLButtonElement>('[data-zoom="out"]')!.disabled = !this.zoom.isEnlarged;
      this.root.querySelector<HTMLButtonElement>('[data-zoom="in"]')!.disabled = this.zoom.isLargest;
    });
    this.dots = new BodyDots(this.svg, () => this.view.key);
    this.view = this.views[0] as View;
    this.svg.addEventListener("click", (event) => this.press(event));
    this.root.addEventListener("keydown", (event) => this.key(event));
    this.root.addEventListener("known-lesions", (event) => this.showKnown((event as CustomEvent<KnownDot[]>).detail));
    for (const button of this.root.querySelectorAll<HTMLElement>("[data-zoom]")) {
      button.addEventListener("click", () => this.zoom.by(button.dataset["zoom"] === "in" ? 2 : 0.5));
    }
    need("[data-out]", this.root).addEventListener("click", () => this.goOut());
    form.addEventListener("change", (event) => this.formChanged(event));
    const spot = this.spot;
    if (spot !== null) this.open(spot.view);
    else if (!this.reveal()) this.open(this.view.key);
  }

  /** Shows earlier lesions of the same patient as dots with their labels; choosing one calls its `onChoose`. */
  showKnown(dots: readonly KnownDot[]): void {
    this.dots.known = dots;
    this.open(this.view.key, { keepZoom: true });
  }

  /** Sets the point, as when an earlier lesion is taken up again; null takes it away. Site and side are the form's. */
  place(spot: Spot | null): void {
    this.field.value = spot === null ? "" : JSON.stringify(spot);
    if (spot !== null) this.open(spot.view);
    this.mark();
    this.field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  private get spot(): Spot | null {
    const spot = this.field.value === "" ? null : (JSON.parse(this.field.value) as Spot);
    return spot !== null && this.views.some((view) => view.key === spot.view) ? spot : null;
  }

  private get side(): string {
    return this.form.querySelector<HTMLInputElement>('[name="laterality"]:checked')?.value ?? "";
  }

  private open(key: string, { keepZoom = false } = {}): void {
    this.view = this.views.find((view) => view.key === key) ?? this.view;
    this.last = NEVER;
    this.seen = drawView(this.layer, this.view, (one) => this.views.find((view) => view.key === one)?.twin ?? one);
    this.svg.setAttribute("aria-label", this.view.name);
    this.svg.dataset["view"] = this.view.key;
    for (const part of this.seen.parts) {
      part.element.setAttribute("role", "button");
      part.element.setAttribute("aria-label", this.spoken(part));
      part.element.setAttribute("tabindex", "-1");
      part.element.addEventListener("focus", () => {
        this.stand(part);
        if (part.element.matches(":focus-visible")) this.zoom.show(part.middle);
      });
      if (part.opens !== "") part.element.dataset["opens"] = part.opens;
    }
    this.dots.draw(this.seen, this.spot);
    if (!keepZoom) this.zoom.fit(this.seen.width, this.seen.height);
    this.dots.place(this.zoom.scale);
    this.tabs();
    this.closer();
    this.mark();
  }

  /** Goes to the view around this one; tells whether there was one. */
  private goOut(): boolean {
    if (this.view.group === "body") return false;
    const from = this.view;
    const back = this.trail.at(-1) ?? OUT[from.group] ?? "front";
    this.trail = this.trail.slice(0, -1);
    this.open(back);
    const openers = this.seen.parts.filter((part) => this.views.find((view) => view.key === part.opens)?.group === from.group);
    const opener = openers.find((part) => from.key.endsWith(`-${part.side}`)) ?? openers[0];
    if (this.root.contains(document.activeElement) || document.activeElement === document.body) {
      (opener ?? this.seen.parts[0])?.element.focus();
    }
    return true;
  }

  private goIn(key: string, byKey: boolean): void {
    const isMan = this.form.querySelector('[name="patient.sex"][value="M"]:checked') !== null;
    this.trail = [...this.trail, this.view.key];
    this.open(key === "genital-f" && isMan ? "genital-m" : key);
    if (byKey) (this.chosen()[0] ?? this.seen.parts[0])?.element.focus();
  }

  private tabs(): void {
    const group = this.views.filter((view) => view.group === this.view.group);
    const buttons = group.map((view) => {
      const button = make("button", "bodymap-tab", view.short);
      button.type = "button";
      button.dataset["view"] = view.key;
      button.setAttribute("aria-pressed", String(view.key === this.view.key));
      if (this.dots.known.some((dot) => dot.view === view.key)) button.dataset["known"] = "yes";
      button.addEventListener("click", () => {
        this.open(view.key);
        need(`.bodymap-tab[data-view="${view.key}"]`, this.root).focus();
      });
      return button;
    });
    need(".bodymap-tabs", this.root).replaceChildren(...buttons);
    need("[data-out]", this.root).hidden = this.view.group === "body";
    need("[data-out-to]", this.root).textContent = this.root.dataset[(this.trail.at(-1) ?? OUT[this.view.group] ?? "").startsWith("head") ? "toHead" : "toBody"] ?? "";
    for (const [place, side] of [["left", this.seen.half], ["right", this.seen.half === "R" ? "L" : "R"]] as const) {
      const corner = need(`[data-corner="${place}"]`, this.root);
      corner.textContent = this.seen.half === "" ? "" : this.sideName(side);
    }
  }

  /** Offers what can be shown closer as buttons too: a hand is small on the whole figure. */
  private closer(): void {
    const found = this.seen.parts.filter((part) => part.opens !== "");
    const openers = [...new Set(found.map((part) => part.code))].flatMap((code) => found.filter((part) => part.code === code));
    const buttons = openers.map((part) => {
      const button = make("button", "chip-button", this.placeName(part.code, part.side));
      button.type = "button";
      button.addEventListener("click", () => this.goIn(part.opens, true));
      return button;
    });
    need(".bodymap-closer", this.root).hidden = buttons.length === 0;
    need(".bodymap-closer .chips", this.root).replaceChildren(...buttons);
  }

  private press(event: MouseEvent): void {
    const target = event.target as Element;
    if (this.dots.chooses(target)) return;
    const isPressed = event.detail > 0; // else a key or a screen reader
    if (!isPressed) {
      const part = this.seen.parts.find((each) => each.element === target);
      if (part !== undefined) this.choose(part, part.middle, true);
      return;
    }
    if (this.zoom.hasMoved) return;
    const { x, y } = this.zoom.at(event.clientX, event.clientY);
    const before = this.last;
    const isTwice = event.timeStamp - before.at < TWICE_MS && Math.hypot(event.clientX - before.x, event.clientY - before.y) < NEAR_PX * 1.5;
    this.last = NEVER;
    if (isTwice) {
      if (before.opened) return; // the second press of two on a hand is not one on its palm
      if (this.zoom.isLargest) this.zoom.reset();
      else this.zoom.by(2.5, { x, y });
      return;
    }
    const part = this.near(x, y);
    if (part !== undefined) this.choose(part, part.has(x, y) ? { x, y } : part.middle, false);
    this.last = { at: event.timeStamp, x: event.clientX, y: event.clientY, opened: (part?.opens ?? "") !== "" };
  }

  /** Gives the part at a point, or the closest one that a thumb can have meant. */
  private near(x: number, y: number): Part | undefined {
    for (let px = 0; px <= NEAR_PX; px += NEAR_PX / 5) {
      const away = px / this.zoom.scale;
      for (let turn = 0; turn < (px === 0 ? 1 : 16); turn += 1) {
        const angle = (turn * Math.PI) / 8;
        const [dx, dy] = [x + Math.cos(angle) * away, y + Math.sin(angle) * away];
        const part = this.seen.parts.find((each) => each.has(dx, dy));
        if (part !== undefined) return part;
      }
    }
    return undefined;
  }

  private choose(part: Part, at: { x: number; y: number }, byKey: boolean): void {
    if (part.opens !== "") {
      this.goIn(part.opens, byKey);
      return;
    }
    const share = (value: number, whole: number): number => Math.round(Math.min(1, Math.max(0, value / whole)) * 1e4) / 1e4;
    this.field.value = JSON.stringify({ view: this.view.key, x: share(at.x, this.seen.width), y: share(at.y, this.seen.height) });
    this.stand(part);
    this.tell(part.code, part.side);
  }

  /** Writes site and side into the form. */
  private tell(code: string, side: string): void {
    const isPaired = [...this.site.options].some((option) => option.value === code && option.dataset["paired"] === "yes");
    this.site.value = code;
    for (const radio of this.form.querySelectorAll<HTMLInputElement>('[name="laterality"]')) {
      radio.checked = isPaired && side !== "" && radio.value === side;
    }
    this.isOurs = true;
    for (const name of ["input", "change"]) this.site.dispatchEvent(new Event(name, { bubbles: true }));
    this.isOurs = false;
  }

  private formChanged(event: Event): void {
    const name = (event.target as HTMLInputElement).name;
    if (name !== "site" && name !== "laterality") return;
    if (!this.isOurs && this.spot !== null && this.chosen().length === 0) this.field.value = "";
    if (!this.isOurs && this.field.value === "") this.reveal();
    this.mark();
  }

  /** Turns to a view of the chosen site, if this one has it not; tells whether there is one. */
  private reveal(): boolean {
    const code = this.site.value;
    const fits = (view: View, also: boolean): boolean =>
      sitesOf(view).some(
        (part) => (part.code === code || (also && part.also.includes(code))) && (this.side === "" || part.side === "" || part.side === this.side),
      );
    if (code === "") return false;
    const order = [this.view, ...this.views];
    const found = order.find((view) => fits(view, false)) ?? order.find((view) => fits(view, true));
    if (found === undefined) return false;
    if (found !== this.view || this.seen.parts.length === 0) this.open(found.key);
    return true;
  }

  /** Gives the parts that show what is chosen: the one under the point, or all of the site. */
  private chosen(): readonly Part[] {
    const [code, side, spot] = [this.site.value, this.side, this.spot];
    const fits = (part: Part): boolean => part.opens === "" && (side === "" || part.side === "" || part.side === side);
    if (code === "") return [];
    if (spot === null) return this.seen.parts.filter((part) => part.code === code && fits(part));
    if (spot.view !== this.view.key) {
      return this.isOurs ? [] : this.seen.parts.filter((part) => part.code === code && fits(part));
    }
    const [x, y] = [spot.x * this.seen.width, spot.y * this.seen.height];
    return this.seen.parts.filter((part) => (part.code === code || part.also.includes(code)) && fits(part) && part.has(x, y));
  }

  private mark(): void {
    const chosen = this.chosen();
    for (const part of this.seen.parts) {
      const isChosen = chosen.includes(part);
      part.element.dataset["chosen"] = isChosen ? "yes" : "no";
      if (part.opens === "") part.element.setAttribute("aria-pressed", String(isChosen));
    }
    this.dots.draw(this.seen, this.spot);
    this.dots.place(this.zoom.scale);
    const isPaired = this.site.selectedOptions[0]?.dataset["paired"] === "yes";
    const said = this.site.value === "" ? "" : this.placeName(this.site.value, isPaired ? this.side : "");
    const now = need(".bodymap-now", this.root);
    const text = said === "" ? (this.root.dataset["nothing"] ?? "") : said;
    if (now.textContent !== text) now.textContent = text;
    now.dataset["is"] = said === "" ? "nothing" : "chosen";
    if (!this.seen.parts.some((part) => part.element.getAttribute("tabindex") === "0")) {
      const first = chosen[0] ?? this.seen.parts[0];
      if (first !== undefined) this.stand(first);
    }
    this.others(chosen[0]);
  }

  /** Offers the other sites of the same place: the whole arm, a quarter of the breast. */
  private others(part: Part | undefined): void {
    const codes = part === undefined || this.spot === null ? [] : [part.code, ...part.also].filter((code) => code !== this.site.value);
    const buttons = codes.map((code) => {
      const button = make("button", "chip-button", this.names.get(code) ?? code);
      button.type = "button";
      button.addEventListener("click", () => this.tell(code, part?.side || this.side));
      return button;
    });
    need(".bodymap-also", this.root).hidden = buttons.length === 0;
    need(".bodymap-also .chips", this.root).replaceChildren(...buttons);
  }

  private key(event: KeyboardEvent): void {
    const part = this.seen.parts.find((each) => each.element === event.target);
    if (event.key === "Escape") {
      if (this.zoom.isEnlarged) this.zoom.reset();
      else if (!this.goOut()) return;
    } else if (event.target instanceof SVGElement && (event.key === "+" || event.key === "-")) {
      this.zoom.by(event.key === "+" ? 2 : 0.5, part?.middle);
    } else if (event.target instanceof SVGElement && (event.key === "Enter" || event.key === " ")) {
      if (part !== undefined) this.choose(part, part.middle, true);
      else this.dots.chooses(event.target);
    } else {
      const next = part === undefined ? undefined : stepFrom(this.seen.parts, part, event.key);
      if (next === undefined) return;
      next.element.focus();
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** Makes a part the one that Tab comes to. */
  private stand(part: Part): void {
    for (const each of this.seen.parts) each.element.setAttribute("tabindex", each === part ? "0" : "-1");
  }

  private spoken(part: Part): string {
    const own = this.placeName(part.code, part.side);
    if (part.opens !== "") return (this.root.dataset["opens"] ?? "{place}").replace("{place}", own);
    const alike = this.seen.parts.filter((each) => each.code === part.code && each.side === part.side);
    const closer = this.names.get(part.also[0] ?? "");
    return alike.length > 1 && closer !== undefined ? `${own} (${closer})` : own;
  }

  private placeName(code: string, side: string): string {
    const isPaired = this.site.querySelector<HTMLOptionElement>(`option[value="${CSS.escape(code)}"]`)?.dataset["paired"] === "yes";
    const name = this.names.get(code) ?? code;
    return isPaired && side !== "" ? `${name}, ${this.sideName(side).toLowerCase()}` : name;
  }

  private sideName(side: string): string {
    return this.root.dataset[side === "L" ? "sideLeft" : "sideRight"] ?? side;
  }
}
