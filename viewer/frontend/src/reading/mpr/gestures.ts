// What the mouse, the pen and fingers do over a plane: the cross, the wheel, zoom, turning, two fingers.
import type { Point } from "../calibration.ts";
import type { MprPane } from "./pane.ts";
import { add, times } from "./vectors.ts";
import type { MprView } from "./view.ts";

const NOTCH = 50;

/** Listens over a pane. */
export function drive(pane: MprPane, view: MprView): void {
  const { element } = pane;
  const down = new Map<number, Point>();
  const placeOf = (event: MouseEvent): Point => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  let button = 0;

  element.addEventListener("contextmenu", (event) => event.preventDefault());
  element.addEventListener("pointerdown", (event) => {
    const at = placeOf(event);
    down.set(event.pointerId, at);
    button = event.button;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    if (down.size === 1 && button === 0 && kind(event) === "cross") view.change(() => view.state.moveTo(pane.placeAt(at)), true);
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (before === undefined) return;
    const at = placeOf(event);
    if (down.size === 2) pinch(event.pointerId, before, at);
    else view.change(() => dragged(event, before, at), true);
    down.set(event.pointerId, at);
  });
  const end = (event: PointerEvent): void => {
    if (down.delete(event.pointerId)) view.change(() => undefined);
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
  element.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const by = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? event.deltaY * 40 : event.deltaY;
      if (event.ctrlKey) view.change(() => zoomBy(Math.exp(-by / 300)), true);
      else view.change(() => view.state.scroll(pane.name, Math.abs(by) >= NOTCH ? Math.sign(by) : by / NOTCH), true);
    },
    { passive: false },
  );

  function kind(event: PointerEvent): "cross" | "window" | "turn" | "zoom" | "pan" {
    if (button === 2) return "zoom";
    if (button === 1) return "pan";
    return event.shiftKey ? "turn" : view.drags;
  }

  function dragged(event: PointerEvent, before: Point, at: Point): void {
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    switch (kind(event)) {
      case "cross":
        return view.state.moveTo(pane.placeAt(at));
      case "zoom":
        return zoomBy(Math.exp(-dy / 150));
      case "pan":
        return panBy(dx, dy);
      case "window": {
        const pace = Math.max(0.002, view.window.width / 300);
        view.window = { center: view.window.center + dy * pace, width: Math.max(pace, view.window.width + dx * pace) };
        return;
      }
      case "turn": {
        const [x, y] = pane.pointOf(view.state.cross);
        const angle = (point: Point): number => Math.atan2(point[1] - y, point[0] - x);
        return view.state.turn(pane.name, angle(at) - angle(before));
      }
    }
  }

  function zoomBy(factor: number): void {
    view.state.zoom = Math.min(20, Math.max(0.5, view.state.zoom * factor));
  }

  function panBy(dx: number, dy: number): void {
    const { right, down: downwards } = pane.plane;
    const scale = pane.scale_mm;
    view.state.anchor = add(view.state.anchor, add(times(right, -dx * scale), times(downwards, -dy * scale)));
  }

  function pinch(id: number, before: Point, at: Point): void {
    const other = [...down].find(([each]) => each !== id)?.[1];
    if (other === undefined) return;
    const was = Math.hypot(before[0] - other[0], before[1] - other[1]);
    const is = Math.hypot(at[0] - other[0], at[1] - other[1]);
    view.change(() => {
      if (was > 0 && is > 0) zoomBy(is / was);
      panBy((at[0] - before[0]) / 2, (at[1] - before[1]) / 2);
    }, true);
  }
}
