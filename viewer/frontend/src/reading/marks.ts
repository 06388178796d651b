// Lengths drawn over the image: kept in image pixels, moved by mouse, finger or arrow keys.
import { t } from "../shared/strings.ts";
import { lengthBetween, lengthText, type Length, type Point } from "./calibration.ts";
import type { Frame, Instance, Manifest } from "./manifest.ts";
import type { Pane } from "./pane.ts";

/** A measurement as it is kept in the draft of the findings. */
export interface Measurement {
  readonly instance_uid: string;
  readonly frame: number;
  readonly kind: string;
  readonly points: Point[];
  readonly value: number | null;
  readonly unit: string;
  readonly calibration: string;
  readonly label: string;
}

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 5;

export class Marks {
  all: Measurement[] = [];
  locked = 0; // so many of them are signed and stay as they are
  onChange: () => void = () => undefined;
  onSaid: (text: string) => void = () => undefined;
  private readonly instances = new Map<string, Instance>();

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly pane: Pane,
    manifest: Manifest,
  ) {
    for (const series of manifest.series) for (const each of series.instances) this.instances.set(each.uid, each);
  }

  /** Takes over what a draft holds. */
  restore(kept: readonly Measurement[]): void {
    this.all = [...kept];
    this.draw();
  }

  /** Begins a length in the present frame; gives what moves its end. */
  begin(from: Point): { to: (point: Point) => void; end: () => void } | null {
    const frame = this.pane.frame;
    if (frame === null || this.pane.placed() === null) return null;
    const index = this.all.length;
    const made = (to: Point): Measurement => measured(frame, from, to, t("Length {n}", { n: index + 1 }));
    this.all = [...this.all, made(from)];
    this.draw();
    return {
      to: (point) => {
        this.all = this.all.with(index, made(point));
        this.draw();
      },
      end: () => {
        const [a, b] = this.all[index]?.points ?? [];
        const isTooShort = a === undefined || b === undefined || Math.hypot(b[0] - a[0], b[1] - a[1]) < 1;
        if (isTooShort) this.remove(index);
        else this.settled(index);
      },
    };
  }

  /** Sets a length across the middle of the image, for those who use the keyboard, and takes its end in hand. */
  addInMiddle(): void {
    const frame = this.pane.frame;
    if (frame === null) return;
    const { rows, columns } = frame.instance;
    const line = this.begin([columns * 0.4, rows / 2]);
    line?.to([columns * 0.6, rows / 2]);
    line?.end();
    this.svg.querySelector<SVGElement>(`[data-mark="${this.all.length - 1}"][data-end="1"]`)?.focus();
  }

  /** Takes a measurement out. */
  remove(index: number): void {
    this.all = this.all.filter((_, at) => at !== index);
    this.draw();
    this.onChange();
  }

  /** Says the newest measurement as a sentence's part, or nothing when there is none. */
  last(): string {
    const newest = this.all.at(-1);
    return newest === undefined ? "" : this.text(newest);
  }

  /** Says a measurement: `42.1 mm`. */
  text(kept: Measurement): string {
    const instance = this.instances.get(kept.instance_uid);
    const [a, b] = kept.points;
    return instance === undefined || a === undefined || b === undefined
      ? `${kept.value ?? "?"} ${kept.unit}`
      : lengthText(lengthBetween(instance, a, b));
  }

  /** Moves an end by so many pixels. */
  nudge(index: number, end: 0 | 1, dx: number, dy: number): void {
    const point = this.all[index]?.points[end];
    if (point !== undefined) this.put(index, end, [point[0] + dx, point[1] + dy]);
    this.settled(index);
  }

  /** Puts an end somewhere else. */
  put(index: number, end: 0 | 1, to: Point): void {
    const [kept, frame] = [this.all[index], this.pane.frame];
    if (kept === undefined || frame === null) return;
    const [a, b] = kept.points.with(end, to);
    if (a === undefined || b === undefined) return;
    this.all = this.all.with(index, measured(frame, a, b, kept.label));
    this.draw();
  }

  /** Tells that a measurement is as it shall be. */
  settled(index: number): void {
    const kept = this.all[index];
    if (kept !== undefined) this.onSaid(`${kept.label}: ${this.text(kept)}`);
    this.onChange();
  }

  /** Draws the measurements of the present frame where they lie now. */
  draw(): void {
    const frame = this.pane.frame;
    const surface = this.pane.placed();
    const held = document.activeElement instanceof SVGElement ? { ...document.activeElement.dataset } : null;
    this.svg.replaceChildren();
    if (frame === null || surface === null) return;
    this.all.forEach((kept, index) => {
      if (kept.instance_uid !== frame.instance.uid || kept.frame !== frame.frame) return;
      const [a, b] = kept.points.map((point) => surface.toSurface(point));
      if (a !== undefined && b !== undefined) this.svg.append(this.drawn(kept, index, a, b));
    });
    if (held?.["mark"] !== undefined) {
      this.svg.querySelector<SVGElement>(`[data-mark="${held["mark"]}"][data-end="${held["end"]}"]`)?.focus();
    }
  }

  private drawn(kept: Measurement, index: number, a: Point, b: Point): SVGGElement {
    const group = make("g", { class: "mark" });
    const line = { x1: a[0], y1: a[1], x2: b[0], y2: b[1] };
    group.append(make("line", { class: "mark-halo", ...line }), make("line", { class: "mark-line", ...line }));
    const text = this.text(kept);
    [a, b].forEach(([x, y], end) => {
      const which = end === 0 ? t("start") : t("end");
      const handle = make("circle", {
        class: "mark-end",
        cx: x,
        cy: y,
        r: HANDLE,
        tabindex: 0,
        role: "button",
        "aria-label": t("{label}, {which}: {text}. Arrow keys move it, Delete removes it.", { label: kept.label, which, text }),
      });
      if (index < this.locked) {
        for (const name of ["tabindex", "role", "aria-label"]) handle.removeAttribute(name);
        handle.classList.add("mark-locked");
      } else {
        handle.dataset["mark"] = String(index);
        handle.dataset["end"] = String(end);
        handle.addEventListener("keydown", (event) => this.onKey(event, index, end as 0 | 1));
      }
      group.append(handle);
    });
    const right = a[0] > b[0] ? a : b;
    const label = make("text", { class: "mark-text", x: right[0] + 10, y: right[1] + 5 });
    label.textContent = text;
    group.append(label);
    return group;
  }

  private onKey(event: KeyboardEvent, index: number, end: 0 | 1): void {
    const by = event.shiftKey ? 10 : 1;
    const moves: Record<string, Point> = {
      ArrowLeft: [-by, 0],
      ArrowRight: [by, 0],
      ArrowUp: [0, -by],
      ArrowDown: [0, by],
    };
    const move = moves[event.key];
    if (move !== undefined) this.nudge(index, end, move[0], move[1]);
    else if (event.key === "Delete" || event.key === "Backspace") this.remove(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function measured(frame: Frame, from: Point, to: Point, label: string): Measurement {
  const length = lengthBetween(frame.instance, from, to);
  return {
    instance_uid: frame.instance.uid,
    frame: frame.frame,
    kind: "length",
    points: [rounded(from), rounded(to)],
    value: valueOf(length),
    unit: length.unit,
    calibration: length.calibration,
    label,
  };
}

function valueOf(length: Length): number {
  return length.unit === "mm" ? Math.round(length.value * 10) / 10 : Math.round(length.value);
}

function rounded([x, y]: Point): Point {
  return [Math.round(x * 1000) / 1000, Math.round(y * 1000) / 1000];
}

function make<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | number>>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}
