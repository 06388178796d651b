// Marks over a photograph: the same marks as over any pane, placed by the viewer that zooms it.
import OpenSeadragon from "openseadragon";
import type { Frame } from "./manifest.ts";
import { Marks, type Drawing, type Places } from "./marks.ts";
import type { MarkList } from "./mark_list.ts";
import type { Point } from "./scale.ts";
import type { ToolChoice } from "./tool_choice.ts";

export interface Marking {
  readonly list: MarkList;
  readonly choice: ToolChoice;
}

/** Lays marks over a photograph that hangs in a figure. */
export function layMarks(figure: HTMLElement, viewer: OpenSeadragon.Viewer, frame: Frame, marking: Marking): Marks {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.classList.add("marks", "photo-marks");
  const over = document.createElement("div");
  over.className = "photo-over";
  over.append(svg);
  figure.append(over);
  const { choice } = marking;
  const marks = new Marks(svg, { frame, pixels: null, isPreview: false, placed: () => placesOf(viewer, frame) }, marking.list);
  marks.onDrawn = () => choice.done();
  for (const event of ["open", "update-viewport", "resize"] as const) viewer.addHandler(event, () => marks.draw());
  const show = (): void => void (over.dataset["marking"] = String(choice.mark !== null));
  choice.onChange(show);
  show();
  followPointer(over, marks, choice, () => placesOf(viewer, frame));
  over.addEventListener("wheel", (event) => zoomed(viewer, over, event), { passive: false });
  return marks;
}

/** Draws with the pointer while a mark is the tool, and moves handles whenever one is touched. */
function followPointer(over: HTMLElement, marks: Marks, choice: ToolChoice, places: () => Places | null): void {
  let drawing: Drawing | null = null;
  const at = (event: PointerEvent): Point => {
    const box = over.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  over.addEventListener("pointerdown", (event) => {
    const [here, begun] = [places(), choice.mark];
    if (here === null || event.button !== 0) return;
    const { mark, end } = (event.target as SVGElement).dataset;
    if (drawing !== null) {
      drawing.cancel();
      drawing = null;
      return;
    }
    if (mark !== undefined) drawing = marks.take(Number(mark), Number(end));
    else if (begun !== null) drawing = marks.press(begun, here.toImage(at(event)));
    if (drawing === null) return;
    over.setPointerCapture(event.pointerId);
    over.parentElement?.focus({ preventScroll: true });
    event.preventDefault();
  });
  over.addEventListener("pointermove", (event) => {
    const here = places();
    if (here === null) return;
    if (drawing !== null) drawing.to(here.toImage(at(event)));
    else if (choice.mark !== null) marks.hover(here.toImage(at(event)));
  });
  for (const lifted of ["pointerup", "pointercancel"] as const) {
    over.addEventListener(lifted, () => {
      drawing?.end();
      drawing = null;
    });
  }
  over.addEventListener("dblclick", (event) => {
    const words = document.elementFromPoint(event.clientX, event.clientY)?.closest<SVGElement>(".mark-text");
    if (words?.dataset["label"] !== undefined) marks.write(Number(words.dataset["label"]));
  });
}

/** The wheel zooms while a mark is the tool too. */
function zoomed(viewer: OpenSeadragon.Viewer, over: HTMLElement, event: WheelEvent): void {
  event.preventDefault();
  const box = over.getBoundingClientRect();
  const at = viewer.viewport.pointFromPixel(new OpenSeadragon.Point(event.clientX - box.left, event.clientY - box.top));
  viewer.viewport.zoomBy(Math.exp(-event.deltaY / 400), at);
  viewer.viewport.applyConstraints();
}

/** The viewer's places: its image may be smaller than the one that is kept. */
function placesOf(viewer: OpenSeadragon.Viewer, frame: Frame): Places | null {
  const item = viewer.world.getItemAt(0) as OpenSeadragon.TiledImage | undefined;
  if (item === undefined) return null;
  const { x: width, y: height } = item.getContentSize();
  const [across, down] = [width / (frame.instance.columns || width), height / (frame.instance.rows || height)];
  return {
    toSurface: ([x, y]) => {
      const at = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x * across, y * down));
      return [at.x, at.y];
    },
    toImage: ([left, top]) => {
      const at = item.viewerElementToImageCoordinates(new OpenSeadragon.Point(left, top));
      return [at.x / across, at.y / down];
    },
  };
}
