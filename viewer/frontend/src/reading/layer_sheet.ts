// Lays bitmaps and drawings over a pane: canvases that follow the image, lines and words as SVG. Decides nothing.
import type { Point } from "./calibration.ts";
import type { Affine } from "./masks.ts";
import type { Colour } from "./states.ts";

const SVG = "http://www.w3.org/2000/svg";

/** A picture that lies on the image. */
export interface Laid {
  readonly columns: number;
  readonly rows: number;
  readonly lies: Affine;
  readonly opacity: number;
  readonly paint: (out: Uint8ClampedArray) => void;
}

export interface Line {
  readonly points: readonly Point[]; // on the surface
  readonly isClosed: boolean;
  readonly isFilled: boolean;
  readonly colour: Colour;
}

export interface Label {
  readonly at: Point; // on the surface, of its first line's base
  readonly align: "start" | "middle" | "end";
  readonly text: string;
  readonly colour: Colour;
}

/** Everything that lies over one pane. */
export class LayerSheet {
  private readonly root = document.createElement("div");
  private readonly svg = document.createElementNS(SVG, "svg");
  private pictures: { readonly canvas: HTMLCanvasElement; readonly laid: Laid }[] = [];

  constructor(view: HTMLElement, before: Element | null) {
    this.root.className = "layers";
    this.root.setAttribute("aria-hidden", "true");
    this.root.append(this.svg);
    view.insertBefore(this.root, before);
  }

  set isHidden(isHidden: boolean) {
    this.root.hidden = isHidden;
  }

  /** Paints the pictures of a frame, the lowest first. */
  lay(all: readonly Laid[]): void {
    for (const { canvas } of this.pictures) canvas.remove();
    this.pictures = all.map((laid) => {
      const canvas = document.createElement("canvas");
      [canvas.width, canvas.height] = [laid.columns, laid.rows];
      canvas.style.opacity = String(laid.opacity);
      const context = canvas.getContext("2d");
      const image = new ImageData(laid.columns, laid.rows);
      laid.paint(image.data);
      context?.putImageData(image, 0, 0);
      this.root.insertBefore(canvas, this.svg);
      return { canvas, laid };
    });
  }

  /** Moves the pictures to where the image is now. */
  place(toSurface: (point: Point) => Point): void {
    for (const { canvas, laid } of this.pictures) {
      const [a, b, c, d, e, f] = laid.lies;
      const [x, y] = toSurface([e, f]);
      const [rx, ry] = toSurface([a + e, b + f]);
      const [dx, dy] = toSurface([c + e, d + f]);
      canvas.style.transform = `matrix(${[rx - x, ry - y, dx - x, dy - y, x, y].join(",")})`;
    }
  }

  /** Draws covers, lines and words anew, in that order. */
  draw(covers: readonly { readonly path: string; readonly colour: Colour }[], lines: readonly Line[], labels: readonly Label[]): void {
    const drawn: SVGElement[] = covers.map(({ path, colour }) =>
      element("path", { d: path, fill: css(colour), "fill-rule": "evenodd", stroke: css(colour), class: "layer-cover" }),
    );
    for (const line of lines) drawn.push(...lineOf(line));
    for (const label of labels) drawn.push(labelOf(label));
    this.svg.replaceChildren(...drawn);
  }
}

/** Writes points as a path. */
export function pathOf(points: readonly Point[], isClosed: boolean): string {
  const words = points.map(([x, y], at) => `${at === 0 ? "M" : "L"}${x.toFixed(2)} ${y.toFixed(2)}`);
  return words.join("") + (isClosed ? "Z" : "");
}

function lineOf({ points, isClosed, isFilled, colour }: Line): SVGElement[] {
  const path = points.length === 1 ? cross(points[0] as Point) : pathOf(points, isClosed);
  const fill = isFilled ? css(colour) : "none";
  return [
    element("path", { d: path, class: "layer-halo" }),
    element("path", { d: path, class: "layer-line", stroke: css(colour), fill, "fill-opacity": 0.35 }),
  ];
}

function cross([x, y]: Point): string {
  return `M${x - 5} ${y}H${x + 5}M${x} ${y - 5}V${y + 5}`;
}

function labelOf({ at: [x, y], align, text, colour }: Label): SVGElement {
  const made = element("text", { x, y, "text-anchor": align, fill: css(colour), class: "layer-text" });
  text.split("\n").forEach((line, at) => {
    const span = element("tspan", { x, dy: at === 0 ? 0 : "1.25em" });
    span.textContent = line;
    made.append(span);
  });
  return made;
}

function element(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(SVG, name) as SVGElement;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}

function css([red, green, blue]: Colour): string {
  return `rgb(${red} ${green} ${blue})`;
}
