// Zooms and moves the body map: pinch, wheel, drag, keys and buttons. Knows no part of the body.

const MOST = 16;
const DRAG_PX = 8; // a finger that moves less has pressed

interface Place {
  readonly x: number;
  readonly y: number;
}

/** Keeps the `viewBox` of an SVG: a figure that fits its frame, made up to sixteen times as large. */
export class Zoom {
  private width = 1;
  private height = 1;
  private factor = 1;
  private centre: Place = { x: 0.5, y: 0.5 }; // in units of the figure
  private readonly fingers = new Map<number, Place>();
  private travelled = 0;

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly changed: () => void,
  ) {
    svg.addEventListener("wheel", (event) => this.roll(event), { passive: false });
    svg.addEventListener("pointerdown", (event) => this.down(event));
    svg.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"] as const) {
      svg.addEventListener(name, (event) => this.fingers.delete(event.pointerId));
    }
    // Two fingers are ours; one finger scrolls the page until the figure is enlarged.
    svg.addEventListener(
      "touchmove",
      (event) => {
        if (event.touches.length > 1) event.preventDefault();
      },
      { passive: false },
    );
    new ResizeObserver(() => this.apply()).observe(svg);
  }

  /** Shows a figure of this size whole. */
  fit(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.reset();
  }

  /** Shows the figure whole again. */
  reset(): void {
    this.factor = 1;
    this.centre = { x: this.width / 2, y: this.height / 2 };
    this.apply();
  }

  get isEnlarged(): boolean {
    return this.factor > 1.01;
  }

  get isLargest(): boolean {
    return this.factor >= MOST;
  }

  /** Tells whether the finger that was just lifted has moved the figure rather than pressed it. */
  get hasMoved(): boolean {
    return this.travelled > DRAG_PX;
  }

  /** How many pixels of the screen one unit of the figure takes. */
  get scale(): number {
    return this.fitting * this.factor;
  }

  /** Makes the figure larger or smaller about a point of it, by default the middle of what is seen. */
  by(times: number, about: Place = this.centre): void {
    const before = this.factor;
    this.factor = Math.min(MOST, Math.max(1, before * times));
    const share = before / this.factor;
    this.centre = {
      x: about.x + (this.centre.x - about.x) * share,
      y: about.y + (this.centre.y - about.y) * share,
    };
    this.apply();
  }

  /** Brings a point of the figure into sight. */
  show(at: Place): void {
    const { left, top, wide, high } = this.seen();
    const isSeen = at.x > left && at.x < left + wide && at.y > top && at.y < top + high;
    if (isSeen) return;
    this.centre = at;
    this.apply();
  }

  /** Gives the point of the figure that is at a place of the window. */
  at(clientX: number, clientY: number): Place {
    const frame = this.svg.getBoundingClientRect();
    const { left, top } = this.seen();
    return { x: left + (clientX - frame.left) / this.scale, y: top + (clientY - frame.top) / this.scale };
  }

  private get fitting(): number {
    const frame = this.svg.getBoundingClientRect();
    return Math.min(frame.width / this.width, frame.height / this.height) || 1;
  }

  private seen(): { left: number; top: number; wide: number; high: number } {
    const frame = this.svg.getBoundingClientRect();
    const wide = (frame.width || this.width) / this.scale;
    const high = (frame.height || this.height) / this.scale;
    return { left: this.centre.x - wide / 2, top: this.centre.y - high / 2, wide, high };
  }

  private apply(): void {
    const { wide, high } = this.seen();
    this.centre = { x: held(this.centre.x, wide, this.width), y: held(this.centre.y, high, this.height) };
    const { left, top } = this.seen();
    this.svg.setAttribute("viewBox", [left, top, wide, high].map((each) => each.toFixed(3)).join(" "));
    this.svg.dataset["enlarged"] = this.isEnlarged ? "yes" : "no";
    this.changed();
  }

  private roll(event: WheelEvent): void {
    const isOut = event.deltaY > 0;
    if (isOut ? !this.isEnlarged : this.isLargest) return; // then the page scrolls
    event.preventDefault();
    this.by(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 300), this.at(event.clientX, event.clientY));
  }

  private down(event: PointerEvent): void {
    if (this.fingers.size === 0) this.travelled = 0;
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  private move(event: PointerEvent): void {
    const was = this.fingers.get(event.pointerId);
    if (was === undefined) return;
    const now = { x: event.clientX, y: event.clientY };
    this.travelled += Math.hypot(now.x - was.x, now.y - was.y);
    if (this.hasMoved && !this.svg.hasPointerCapture(event.pointerId)) this.svg.setPointerCapture(event.pointerId);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other !== undefined) {
      this.travelled = Infinity; // two fingers never press
      const apart = (one: Place): number => Math.hypot(one.x - other.x, one.y - other.y) || 1;
      this.by(apart(now) / apart(was), this.at((was.x + other.x) / 2, (was.y + other.y) / 2));
    }
    if (this.isEnlarged && (other !== undefined || this.hasMoved)) {
      const share = other === undefined ? 1 : 0.5;
      this.centre = {
        x: this.centre.x - ((now.x - was.x) * share) / this.scale,
        y: this.centre.y - ((now.y - was.y) * share) / this.scale,
      };
      this.apply();
    }
    this.fingers.set(event.pointerId, now);
  }
}

/** Keeps what is seen within the figure, or the figure in the middle where all of it is seen. */
function held(centre: number, seen: number, whole: number): number {
  if (seen >= whole) return whole / 2;
  return Math.min(whole - seen / 2, Math.max(seen / 2, centre));
}
