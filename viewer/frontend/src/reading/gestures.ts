// What the mouse, the pen and fingers do over the image: drag by tool, wheel, pinch. Keys are elsewhere.
import type { Point } from "./calibration.ts";
import { isMark, type MarkKind } from "./kinds.ts";
import type { Marks } from "./marks.ts";
import type { Pane } from "./pane.ts";
import type { ToolChoice } from "./tool_choice.ts";

interface Drag {
  move: (dx: number, dy: number, at: Point) => void;
  end: () => void;
  cancel?: () => void; // when a second finger comes: what was begun was not meant
}

const NOTCH = 50; // a wheel that turns in notches moves this far at least
const GLIDE = 30; // a touch pad moves one image for this far

export class Gestures {
  private readonly down = new Map<number, Point>();
  private drag: Drag | null = null;
  private glided = 0;

  constructor(
    private readonly view: HTMLElement,
    private readonly pane: Pane,
    private readonly marks: Marks,
    private readonly choice: ToolChoice,
  ) {
    marks.onDrawn = () => choice.done();
    view.addEventListener("pointerdown", (event) => this.begin(event));
    view.addEventListener("pointermove", (event) => this.move(event));
    view.addEventListener("pointerup", (event) => this.end(event));
    view.addEventListener("pointercancel", (event) => this.end(event));
    view.addEventListener("dblclick", (event) => this.nameMark(event));
    view.addEventListener("contextmenu", (event) => event.preventDefault());
    view.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  private begin(event: PointerEvent): void {
    const at = this.placeOf(event);
    this.down.set(event.pointerId, at);
    this.view.setPointerCapture(event.pointerId);
    if (this.down.size > 1) {
      if (this.drag?.cancel !== undefined) this.drag.cancel();
      else this.drag?.end();
      this.drag = null;
      return;
    }
    const { mark, end } = event.target instanceof SVGElement ? event.target.dataset : {};
    this.drag = mark !== undefined ? this.moveEnd(Number(mark), Number(end)) : this.dragBy(event, at);
    if (mark === undefined) this.view.focus({ preventScroll: true });
    event.preventDefault();
  }

  private move(event: PointerEvent): void {
    const before = this.down.get(event.pointerId);
    const at = this.placeOf(event);
    if (before === undefined) {
      const places = this.pane.placed();
      if (this.choice.mark !== null && places !== null) this.marks.hover(places.toImage(at));
      return;
    }
    if (this.down.size === 2) this.pinch(event.pointerId, before, at);
    else this.drag?.move(at[0] - before[0], at[1] - before[1], at);
    this.down.set(event.pointerId, at);
  }

  private end(event: PointerEvent): void {
    if (!this.down.delete(event.pointerId)) return;
    this.drag?.end();
    this.drag = null;
  }

  private dragBy(event: PointerEvent, at: Point): Drag | null {
    if (event.button === 2) return this.zooming(at);
    if (event.button === 1) return this.panning();
    const { tool } = this.choice;
    if (isMark(tool)) return this.drawing(tool, at);
    switch (tool) {
      case "scroll":
        return this.scrolling();
      case "window":
        return this.windowing();
      case "zoom":
        return this.zooming(at);
      case "pan":
        return this.panning();
    }
  }

  private scrolling(): Drag {
    const images = this.pane.frame?.series.frames.length ?? 1;
    const step = Math.min(24, Math.max(3, this.view.clientHeight / images));
    let left = 0;
    return {
      move: (_dx, dy) => {
        left += dy / step;
        const whole = Math.trunc(left);
        left -= whole;
        if (whole !== 0) this.pane.scroll(whole);
      },
      end: () => undefined,
    };
  }

  private windowing(): Drag {
    const begun = this.pane.window;
    const pace = Math.max(0.002, (begun?.width ?? 400) / 300);
    return {
      move: (dx, dy) => {
        const window = this.pane.window;
        if (window === null || this.pane.pixels?.samples === 3) return;
        this.pane.setWindow({ center: window.center + dy * pace, width: Math.max(pace, window.width + dx * pace) });
      },
      end: () => undefined,
    };
  }

  private zooming(at: Point): Drag {
    return {
      move: (_dx, dy) => this.pane.placed()?.zoomBy(Math.exp(-dy / 150), at),
      end: () => undefined,
    };
  }

  private panning(): Drag {
    return { move: (dx, dy) => this.pane.placed()?.panBy(dx, dy), end: () => undefined };
  }

  private drawing(kind: MarkKind, at: Point): Drag | null {
    const surface = this.pane.placed();
    const mark = surface === null ? null : this.marks.press(kind, surface.toImage(at));
    if (surface === null || mark === null) return null;
    return { move: (_dx, _dy, to) => mark.to(surface.toImage(to)), end: mark.end, cancel: mark.cancel };
  }

  private moveEnd(index: number, end: number): Drag | null {
    const surface = this.pane.placed();
    if (surface === null) return null;
    const held = this.marks.take(index, end);
    return { move: (_dx, _dy, to) => held.to(surface.toImage(to)), end: held.end, cancel: held.cancel };
  }

  /** A double click on the words of a mark changes them; the pointer is captured, so look beneath it. */
  private nameMark(event: MouseEvent): void {
    const words = document.elementFromPoint(event.clientX, event.clientY)?.closest<SVGElement>(".mark-text");
    const index = words?.dataset["label"];
    if (index !== undefined) this.marks.write(Number(index));
  }

  private pinch(id: number, before: Point, at: Point): void {
    const other = [...this.down].find(([each]) => each !== id)?.[1];
    if (other === undefined) return;
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    const is = Math.hypot(at[0] - other[0], at[1] - other[1]);
    const middle: Point = [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2];
    if (was > 0 && is > 0) this.pane.placed()?.zoomBy(is / was, middle);
    this.pane.placed()?.panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const by = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 40 : event.deltaY;
    if (event.ctrlKey) {
      this.pane.placed()?.zoomBy(Math.exp(-by / 300), this.placeOf(event));
      return;
    }
    if (Math.abs(by) >= NOTCH) {
      this.glided = 0;
      this.pane.scroll(Math.sign(by) * Math.max(1, Math.round(Math.abs(by) / 120)));
      return;
    }
    this.glided += by;
    const whole = Math.trunc(this.glided / GLIDE);
    this.glided -= whole * GLIDE;
    if (whole !== 0) this.pane.scroll(whole);
  }

  private placeOf(event: MouseEvent): Point {
    const box = this.view.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}
