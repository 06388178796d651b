// Draws one view of the body map into an SVG, and knows which part of it a point lies on. Chooses nothing.
import drawings from "./drawings.json";

/** A view, as the server names it. */
export interface View {
  readonly key: string;
  readonly drawing: string;
  readonly mirrored: boolean;
  readonly group: string;
  readonly twin: string;
  readonly short: string;
  readonly name: string;
}

/** A point of a view: its place in shares of the view's width and height. */
export interface Spot {
  readonly view: string;
  readonly x: number;
  readonly y: number;
}

interface DrawnPart {
  readonly code: string;
  readonly also: readonly string[];
  readonly twinAlso: readonly string[];
  readonly side: string;
  readonly opens: string;
  readonly d: string;
}

interface Drawing {
  readonly box: readonly number[];
  readonly side: string;
  readonly halved: boolean;
  readonly shapes: readonly string[];
  readonly edges: readonly string[];
  readonly lines: readonly string[];
  readonly parts: readonly DrawnPart[];
}

const DRAWINGS: Readonly<Record<string, Drawing>> = drawings;
const NAMESPACE = "http://www.w3.org/2000/svg";
const OTHER: Readonly<Record<string, string>> = { L: "R", R: "L" };
const GRID = 16; // points each way, when the middle of a part is looked for

/** Makes an SVG element with attributes. */
export function drawn<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string>>,
): SVGElementTagNameMap[K] {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, text] of Object.entries(attributes)) element.setAttribute(name, text);
  return element;
}

/** Which site codes a view has, with the patient's side of each; for finding the view of a site. */
export function sitesOf(view: View): readonly { code: string; also: readonly string[]; side: string }[] {
  const drawing = drawingOf(view);
  return drawing.parts.flatMap((part) => {
    const side = view.mirrored ? (OTHER[part.side] ?? "") : part.side;
    const own = { code: part.code, also: part.also, side };
    const isPair = drawing.halved && part.side !== "";
    return isPair ? [own, { code: part.code, also: part.twinAlso, side: OTHER[side] ?? "" }] : [own];
  });
}

function drawingOf(view: View): Drawing {
  const drawing = DRAWINGS[view.drawing];
  if (drawing === undefined) throw new Error(`There is no drawing ${view.drawing}.`);
  return drawing;
}

/** One part of the skin on the screen. */
export class Part {
  private found: DOMPoint | null = null;

  constructor(
    readonly element: SVGPathElement,
    readonly code: string,
    readonly also: readonly string[],
    readonly side: string,
    readonly opens: string,
    private readonly turnedAt: number | null, // the width of the view, where it is drawn mirrored
  ) {}

  /** Tells whether a point of the view lies on this part. */
  has(x: number, y: number): boolean {
    return this.element.isPointInFill({ x: this.turnedAt === null ? x : this.turnedAt - x, y });
  }

  /** Gives the point of this part that is farthest from its border. */
  get middle(): DOMPoint {
    this.found ??= this.lookForMiddle();
    return this.found;
  }

  private lookForMiddle(): DOMPoint {
    const { x, y, width, height } = this.element.getBBox();
    const left = this.turnedAt === null ? x : this.turnedAt - x - width;
    const at = (i: number, j: number): readonly [number, number] => [
      left + ((i + 0.5) * width) / GRID,
      y + ((j + 0.5) * height) / GRID,
    ];
    const cells = Array.from({ length: GRID * GRID }, (_, n) => at(n % GRID, Math.floor(n / GRID)));
    const inside = cells.filter(([cx, cy]) => this.has(cx, cy));
    const outside = cells.filter(([cx, cy]) => !this.has(cx, cy));
    const room = ([cx, cy]: readonly [number, number]): number =>
      Math.min(
        cx - left + width / GRID, left + width - cx + width / GRID, cy - y + height / GRID, y + height - cy + height / GRID,
        ...outside.map(([ox, oy]) => Math.hypot(ox - cx, oy - cy)),
      );
    let best = inside[0] ?? ([left + width / 2, y + height / 2] as const);
    for (const cell of inside) if (room(cell) > room(best)) best = cell;
    return new DOMPoint(best[0], best[1]);
  }
}

/** What is on the screen of one view. */
export interface Drawn {
  readonly width: number;
  readonly height: number;
  readonly half: string; // the patient's side that is on the left of the drawing, where both are seen
  readonly parts: readonly Part[];
}

/** Draws a view into a layer, whose earlier content goes. */
export function drawView(layer: SVGGElement, view: View, twinOf: (key: string) => string): Drawn {
  const drawing = drawingOf(view);
  const [width = 1, height = 1] = drawing.box;
  const mirror = `matrix(-1 0 0 1 ${width} 0)`;
  const parts: Part[] = [];
  const look = drawn("g", { "aria-hidden": "true", class: "bodymap-look" });
  const press = drawn("g", {});
  for (const turned of drawing.halved ? [false, true] : [view.mirrored]) {
    const place: Record<string, string> = turned ? { transform: mirror } : {};
    const behind = drawn("g", { ...place, "aria-hidden": "true", class: "bodymap-behind" });
    for (const d of drawing.shapes) behind.append(drawn("path", { d: `${d}Z`, class: "shape" }));
    press.prepend(behind);
    for (const [kind, outlines] of [["line", drawing.lines], ["edge", drawing.edges]] as const) {
      look.append(drawn("path", { ...place, d: outlines.join(""), class: kind }));
    }
    for (const part of drawing.parts) {
      if (drawing.halved && turned && part.side === "") continue; // over the middle: drawn whole
      const side = turned ? (OTHER[part.side] ?? "") : part.side;
      const element = drawn("path", { ...place, d: part.d, class: "part", "data-site": part.code, "data-side": side });
      press.append(element);
      const opens = part.opens !== "" && turned ? twinOf(part.opens) : part.opens;
      parts.push(new Part(element, part.code, turned && drawing.halved ? part.twinAlso : part.also, side, opens, turned ? width : null));
    }
  }
  layer.replaceChildren(press, look);
  return { width, height, half: drawing.halved ? drawing.side : "", parts };
}
