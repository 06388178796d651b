// Calipers on a sheet of curves: two points set by mouse or keys; what lies between them is told, not drawn into the record.
import { spanOf, type Look, type Point, type Sheet, type Span } from "./traces.ts";

interface Place {
  readonly look: Look;
  readonly pxPerMm: number;
  readonly sheet: Sheet;
  readonly isVoltage: (at: Point) => boolean;
}

const NS = "http://www.w3.org/2000/svg";
const STEP_MM = 0.5;
const LONG_STEP_MM = 5;
const LEAST_DRAG_MM = 0.5;

export class Calipers {
  readonly element = document.createElementNS(NS, "svg");
  private ends: [Point, Point] | null = null;
  private held: 0 | 1 = 1;

  constructor(
    private readonly tell: (span: Span | null) => void,
    private readonly where: () => Place,
  ) {
    this.element.setAttribute("class", "trace-calipers");
    this.element.setAttribute("aria-hidden", "true");
    this.element.addEventListener("pointerdown", (event) => this.drag(event));
  }

  get isActive(): boolean {
    return this.ends !== null;
  }

  /** Sets calipers into the middle, or takes them away. */
  toggle(): void {
    if (this.ends !== null) this.ends = null;
    else {
      const { sheet, look } = this.where();
      const lane = sheet.lanes[Math.floor(sheet.lanes.length / 3)] ?? sheet.lanes[0];
      if (lane === undefined) return;
      const x_mm = lane.x_mm + 10;
      this.ends = [{ x_mm, y_mm: lane.y_mm }, { x_mm: x_mm + look.speed, y_mm: lane.y_mm }];
      this.held = 1;
    }
    this.changed();
  }

  /** Moves the end that is held, a little or (with Shift) further. */
  move(along: number, down: number, isFar: boolean): void {
    if (this.ends === null) return;
    const step = isFar ? LONG_STEP_MM : STEP_MM;
    const { sheet } = this.where();
    const end = this.ends[this.held];
    this.ends[this.held] = {
      x_mm: Math.min(sheet.width_mm, Math.max(0, end.x_mm + along * step)),
      y_mm: Math.min(sheet.height_mm, Math.max(0, end.y_mm + down * step)),
    };
    this.changed();
  }

  /** Takes hold of the other end. */
  swap(): void {
    this.held = this.held === 0 ? 1 : 0;
    this.changed();
  }

  /** Draws the calipers where they are, at the present size of the sheet. */
  place(): void {
    const { sheet, pxPerMm } = this.where();
    this.element.setAttribute("viewBox", `0 0 ${sheet.width_mm} ${sheet.height_mm}`);
    this.element.setAttribute("width", String(sheet.width_mm * pxPerMm));
    this.element.setAttribute("height", String(sheet.height_mm * pxPerMm));
    this.changed();
  }

  private drag(down: PointerEvent): void {
    if (down.button !== 0 || (down.pointerType === "touch" && !this.isActive)) return; // a finger scrolls
    const from = this.at(down);
    this.element.setPointerCapture(down.pointerId);
    const move = (event: PointerEvent): void => {
      const to = this.at(event);
      if (Math.hypot(to.x_mm - from.x_mm, to.y_mm - from.y_mm) < LEAST_DRAG_MM) return;
      this.ends = [from, to];
      this.held = 1;
      this.changed();
    };
    const up = (): void => this.element.removeEventListener("pointermove", move);
    this.element.addEventListener("pointermove", move);
    this.element.addEventListener("pointerup", up, { once: true });
    this.element.addEventListener("pointercancel", up, { once: true });
  }

  private at(event: PointerEvent): Point {
    const box = this.element.getBoundingClientRect();
    const { pxPerMm } = this.where();
    return { x_mm: (event.clientX - box.left) / pxPerMm, y_mm: (event.clientY - box.top) / pxPerMm };
  }

  private changed(): void {
    const { look, isVoltage } = this.where();
    this.element.replaceChildren();
    this.element.classList.toggle("active", this.isActive);
    if (this.ends === null) {
      this.tell(null);
      return;
    }
    const [a, b] = this.ends;
    for (const [n, end] of this.ends.entries()) {
      this.line([end.x_mm, 0], [end.x_mm, 1e4], n === this.held);
      this.line([0, end.y_mm], [1e4, end.y_mm], n === this.held);
    }
    this.line([a.x_mm, a.y_mm], [b.x_mm, b.y_mm], true);
    this.tell(spanOf(a, b, look, isVoltage(a)));
  }

  private line(from: [number, number], to: [number, number], isHeld: boolean): void {
    const line = document.createElementNS(NS, "line");
    for (const [name, value] of [["x1", from[0]], ["y1", from[1]], ["x2", to[0]], ["y2", to[1]]] as const) {
      line.setAttribute(name, String(value));
    }
    if (isHeld) line.setAttribute("class", "held");
    this.element.append(line);
  }
}
