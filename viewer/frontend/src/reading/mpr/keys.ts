// The keys of the multi-planar view; those of the room rest while it has the focus.
import { t } from "../../shared/strings.ts";
import { nameOf } from "./pane.ts";
import type { MprView } from "./view.ts";

const TURN = Math.PI / 36; // five degrees

/** Does what a key says and keeps it from the room; keys that mean nothing here go on. */
export function keysOf(view: MprView, event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target instanceof HTMLElement && event.target.matches("select, input") && event.key !== "Escape") return;
  const act = actionOf(view, event);
  if (act === undefined) return;
  event.preventDefault();
  event.stopPropagation();
  act();
}

function actionOf(view: MprView, event: KeyboardEvent): (() => void) | undefined {
  const name = view.active;
  const { state } = view;
  const scroll = (steps: number) => () => {
    view.change(() => state.scroll(name, steps), event.repeat);
    view.say(t("{plane}: {mm} mm from the middle, {value}", { plane: nameOf(name, state.isTurned), mm: state.depthOf(name).toFixed(1), value: view.value }));
  };
  const { right, down } = state.planes[name];
  const move = (direction: readonly [number, number, number], sign: 1 | -1) => () => {
    view.change(() => state.move(direction, sign * state.stepOf(name)), event.repeat);
    view.say(view.value);
  };
  if (event.shiftKey) {
    switch (event.key) {
      case "ArrowLeft":
        return move(right, -1);
      case "ArrowRight":
        return move(right, 1);
      case "ArrowUp":
        return move(down, -1);
      case "ArrowDown":
        return move(down, 1);
    }
  }
  switch (event.key) {
    case "ArrowUp":
    case "ArrowLeft":
      return scroll(-1);
    case "ArrowDown":
    case "ArrowRight":
      return scroll(1);
    case "PageUp":
      return scroll(-10);
    case "PageDown":
      return scroll(10);
    case "Home":
      return scroll(-1e5);
    case "End":
      return scroll(1e5);
    case "r":
      return () => view.change(() => state.turn(name, TURN));
    case "R":
      return () => view.change(() => state.turn(name, -TURN));
    case "t":
      return () => view.change(() => state.thicken(1));
    case "T":
      return () => view.change(() => state.thicken(-1));
    case "x":
      return () => view.change(() => state.nextMode());
    case "w":
      return () => view.change(() => (view.drags = view.drags === "window" ? "cross" : "window"));
    case "v":
      return () => view.change(() => (view.isInverted = !view.isInverted));
    case "+":
    case "=":
      return () => view.change(() => (state.zoom = Math.min(20, state.zoom * 1.25)));
    case "-":
      return () => view.change(() => (state.zoom = Math.max(0.5, state.zoom / 1.25)));
    case "f":
      return () => view.change(() => state.reset());
    case "M":
    case "Escape":
      return () => view.close();
  }
  return /^[1-9]$/.test(event.key) ? () => view.takeWindow(event.key) : undefined;
}
