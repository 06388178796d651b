// One plane of the multi-planar view: its picture, the lines of the other two planes, the letters at its edges.
import { make } from "../../shared/dom.ts";
import { t } from "../../shared/strings.ts";
import type { Point } from "../calibration.ts";
import { paint, type Tone } from "../greys.ts";
import { edges, lineIn, PLANES, type Plane, type PlaneName } from "./planes.ts";
import { reslice, type Voxels } from "./reslice.ts";
import type { MprState } from "./state.ts";
import { add, dot, minus, times, type Vector } from "./vectors.ts";
import type { Volume } from "./volume.ts";

const SVG = "http://www.w3.org/2000/svg";
const COARSE = 2; // while something moves, so many pixels of the screen are one

export class MprPane {
  readonly element: HTMLElement;
  private readonly canvas = make("canvas", "mpr-picture");
  private readonly lines = document.createElementNS(SVG, "svg");
  private readonly letters = ["top", "right", "bottom", "left"].map((side) => make("span", `mpr-letter mpr-${side}`));
  private readonly caption = make("span", "mpr-caption");
  private values: Voxels | null = null;

  constructor(
    readonly name: PlaneName,
    private readonly state: MprState,
    private readonly volume: Volume,
  ) {
    this.lines.classList.add("mpr-lines");
    this.canvas.setAttribute("role", "img");
    this.element = make("div", "mpr-pane", this.canvas, this.lines, ...this.letters, this.caption);
    this.element.tabIndex = 0;
    this.element.dataset["plane"] = name;
    this.element.setAttribute("role", "group");
  }

  get plane(): Plane {
    return this.state.planes[this.name];
  }

  /** Millimetres of a CSS pixel. */
  get scale_mm(): number {
    return this.state.scaleIn(this.plane, this.element.clientWidth, this.element.clientHeight);
  }

  /** Which place in the patient is under a point of the pane. */
  placeAt([x, y]: Point): Vector {
    const scale = this.scale_mm;
    const across = (x - this.element.clientWidth / 2) * scale;
    const down = (y - this.element.clientHeight / 2) * scale;
    return add(this.state.middleOf(this.plane), add(times(this.plane.right, across), times(this.plane.down, down)));
  }

  /** Where a place in the patient is on the pane. */
  pointOf(place: Vector): Point {
    const from = minus(place, this.state.middleOf(this.plane));
    const scale = this.scale_mm;
    return [
      this.element.clientWidth / 2 + dot(from, this.plane.right) / scale,
      this.element.clientHeight / 2 + dot(from, this.plane.down) / scale,
    ];
  }

  /** Draws the plane as the state says; roughly while something moves. */
  draw(tone: Tone, isMoving: boolean): void {
    const { clientWidth, clientHeight } = this.element;
    if (clientWidth === 0 || clientHeight === 0) return;
    this.picture(tone, clientWidth, clientHeight, isMoving ? COARSE : 1 / window.devicePixelRatio);
    this.cross(clientWidth, clientHeight);
    edges(this.plane).forEach((text, at) => ((this.letters[at] as HTMLElement).textContent = text));
    const depth = t("{mm} mm from the middle", { mm: this.state.depthOf(this.name).toFixed(1) });
    this.caption.textContent = nameOf(this.name, this.state.isTurned);
    const said = `${nameOf(this.name, this.state.isTurned)}, ${depth}`;
    for (const each of [this.element, this.canvas]) each.setAttribute("aria-label", said);
  }

  private picture(tone: Tone, width: number, height: number, pixel: number): void {
    const { voxels, grid } = this.volume;
    if (voxels === null) return;
    const columns = Math.max(1, Math.round(width / pixel));
    const rows = Math.max(1, Math.round(height / pixel));
    if (this.canvas.width !== columns || this.canvas.height !== rows) {
      this.canvas.width = columns;
      this.canvas.height = rows;
      this.values = new (voxels.constructor as new (length: number) => Voxels)(columns * rows);
    }
    const context = this.canvas.getContext("2d");
    if (context === null || this.values === null) return;
    const { thickness_mm, mode } = this.state;
    const isRough = pixel === COARSE;
    const cut = { isRough, middle: this.state.middleOf(this.plane), plane: this.plane, columns, rows, thickness_mm, mode };
    const outside = (tone.isInverted !== tone.slope < 0 ? 1 : -1) * 32767;
    reslice(grid, voxels, { ...cut, step_mm: (this.scale_mm * width) / columns }, outside, this.values);
    const image = context.createImageData(columns, rows);
    paint(this.values, tone, image.data);
    context.putImageData(image, 0, 0);
  }

  private cross(width: number, height: number): void {
    const [x, y] = this.pointOf(this.state.cross);
    const far = width + height;
    this.lines.replaceChildren(
      ...PLANES.filter((other) => other !== this.name).flatMap((other) => {
        const [dx, dy] = lineIn(this.plane, this.state.planes[other]);
        const gap = 14;
        return [1, -1].map((way) => {
          const line = document.createElementNS(SVG, "line");
          line.classList.add("mpr-line", `mpr-line-${other}`);
          const ends = { x1: x + dx * gap * way, y1: y + dy * gap * way, x2: x + dx * far * way, y2: y + dy * far * way };
          for (const [key, value] of Object.entries(ends)) line.setAttribute(key, value.toFixed(1));
          return line;
        });
      }),
    );
  }
}

/** What a plane is called: turned ones are not what their names say any more. */
export function nameOf(name: PlaneName, isTurned: boolean): string {
  const words = { axial: t("Axial"), coronal: t("Coronal"), sagittal: t("Sagittal") };
  return isTurned ? t("{plane}, oblique", { plane: words[name] }) : words[name];
}
