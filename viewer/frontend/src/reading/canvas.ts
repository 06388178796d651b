// Draws lossless frames on a canvas, on the processor: greys by look-up, only what is seen, no more pixels than are seen.
//
// An image that is shown smaller than it is comes from a copy of its values at a half, a quarter ... (made when first
// wanted), so that what a redraw costs is bounded by the screen. The browser only stretches what was painted: an image
// lies from the corner of its first pixel to the corner of its last, and so does its picture.
import type { Point } from "./calibration.ts";
import { Greys, paintArea, type Area, type Grid } from "./greys.ts";
import { levelFor, levelOf, seen } from "./levels.ts";
import { back, fitted, matrixOf, panned, through, turned, zoomed, type Matrix, type Size } from "./lie.ts";
import type { Frame } from "./manifest.ts";
import type { Pixels } from "./pixels.ts";
import type { Place, Surface, View } from "./surface.ts";

const NOWHERE: Place = { scale: 1, middle: [0, 0], quarterTurns: 0, isMirrored: false };

/** Puts a canvas into an element and gives what draws on it. */
export function canvasSurface(element: HTMLElement): Surface {
  return new CanvasSurface(element);
}

interface Drawn {
  readonly frame: Frame;
  readonly pixels: Pixels;
  readonly levels: Grid[]; // whole, a half, a quarter ...
  readonly shape: { readonly columns: number; readonly rows: number; readonly aspect: number };
}

class CanvasSurface implements Surface {
  onMoved: () => void = () => undefined;
  private readonly canvas = document.createElement("canvas");
  private readonly picture = document.createElement("canvas"); // what is painted, before it is stretched
  private readonly greys = new Greys();
  private paper: ImageData | null = null;
  private drawn: Drawn | null = null;
  private view: View | null = null;
  private place = NOWHERE;
  private isFitted = true; // and stays so when the surface grows or shrinks
  private asked = 0;
  private size: Size = [0, 0]; // in CSS pixels
  private exact: Size | null = null; // in pixels of the screen, as last told
  private ratio = 1; // of the screen's pixels to those

  constructor(private readonly element: HTMLElement) {
    this.canvas.style.cssText = "display:block;width:100%;height:100%";
    element.replaceChildren(this.canvas);
    this.measure();
    const observer = new ResizeObserver(([seen]) => {
      const box = seen?.devicePixelContentBoxSize?.[0]; // which not every browser tells
      this.exact = box === undefined ? null : [box.inlineSize, box.blockSize];
      this.resize();
    });
    try {
      observer.observe(element, { box: "device-pixel-content-box" }); // a screen with other pixels counts as well
    } catch {
      observer.observe(element);
    }
  }

  show(frame: Frame, pixels: Pixels, view: View): Promise<void> {
    const isNew = !this.isLike(frame, pixels);
    if (this.drawn?.pixels !== pixels || isNew) {
      const { columns, rows } = pixels;
      this.drawn = { frame, pixels, levels: [pixels], shape: { columns, rows, aspect: frame.instance.aspect } };
    }
    this.view = view;
    if (isNew) {
      this.measure();
      this.fitAs(NOWHERE);
    }
    this.draw();
    if (isNew) this.onMoved();
    return Promise.resolve();
  }

  setView(view: View): void {
    this.view = view;
    this.drawSoon();
  }

  toSurface(point: Point): Point {
    return through(this.matrix(), point);
  }

  toImage(point: Point): Point {
    return back(this.matrix(), point);
  }

  getPlace(): Place {
    return this.place;
  }

  setPlace(place: Place): void {
    if (!(place.scale > 0)) return;
    this.isFitted = false;
    this.place = { ...place };
    this.moved();
  }

  zoomBy(factor: number, at: Point): void {
    if (this.drawn !== null) this.setPlace(zoomed(this.place, factor, at, this.drawn.shape, this.size));
  }

  panBy(dx: number, dy: number): void {
    if (this.drawn !== null) this.setPlace(panned(this.place, dx, dy, this.drawn.shape.aspect));
  }

  fit(): void {
    this.fitAs(NOWHERE);
    this.moved();
  }

  turn(): void {
    this.replace(turned(this.place));
  }

  mirror(): void {
    this.replace({ ...this.place, isMirrored: !this.place.isMirrored });
  }

  resize(): void {
    const { width, height } = this.canvas;
    const [wide, high] = this.size;
    this.measure();
    const isSame = wide === this.size[0] && high === this.size[1];
    if (isSame && width === this.canvas.width && height === this.canvas.height) return;
    if (this.isFitted) this.fitAs(this.place);
    this.draw(); // at once: a canvas of another size is empty
    this.onMoved();
  }

  /** Turns or mirrors; an image that was seen whole stays so. */
  private replace(place: Place): void {
    this.place = place;
    if (this.isFitted) this.fitAs(place);
    this.moved();
  }

  private fitAs(as: Place): void {
    if (this.drawn === null) return;
    this.isFitted = true;
    this.place = fitted(this.drawn.shape, this.size, as);
  }

  private moved(): void {
    this.drawSoon();
    this.onMoved();
  }

  /** Draws before the screen is next refreshed, however much is asked for until then. */
  private drawSoon(): void {
    if (this.asked === 0) this.asked = window.requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    window.cancelAnimationFrame(this.asked);
    this.asked = 0;
    if (window.devicePixelRatio !== this.ratio) this.measure();
    const context = this.canvas.getContext("2d", { alpha: false });
    const { drawn, view, canvas } = this;
    if (context === null || canvas.width === 0 || canvas.height === 0) return;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (drawn === null || view === null || this.place.scale === 0) return;
    const matrix = this.deviceMatrix(drawn.shape.aspect);
    const level = levelFor(matrix, drawn.levels[0] as Grid);
    const grid = levelOf(drawn.levels, level);
    const cell = 2 ** level; // pixels of the image that one of the grid covers
    const area = seen(matrix, [canvas.width, canvas.height], grid, cell);
    if (area === null) return;
    this.paintPicture(grid, area, drawn.pixels, view);
    const right = Math.min(area.right * cell, drawn.shape.columns);
    const bottom = Math.min(area.bottom * cell, drawn.shape.rows);
    const [left, top] = [area.left * cell, area.top * cell];
    const [wide, high] = [right - left, bottom - top];
    context.imageSmoothingEnabled = true;
    context.setTransform(...matrix);
    context.drawImage(this.picture, 0, 0, wide / cell, high / cell, left, top, wide, high);
  }

  private paintPicture(grid: Grid, area: Area, pixels: Pixels, view: View): void {
    const [wide, high] = [area.right - area.left, area.bottom - area.top];
    if (this.picture.width !== wide || this.picture.height !== high) {
      this.picture.width = wide;
      this.picture.height = high;
    }
    const context = this.picture.getContext("2d", { alpha: false });
    if (context === null) return;
    if (this.paper?.width !== wide || this.paper.height !== high) this.paper = new ImageData(wide, high);
    const { slope, intercept, samples, meaning } = pixels;
    paintArea(grid, area, { ...view, slope, intercept, samples, padding: meaning.padding }, this.paper.data, this.greys);
    context.putImageData(this.paper, 0, 0);
  }

  /** Gives the canvas as many pixels as the screen has there. */
  private measure(): void {
    const { width, height } = this.element.getBoundingClientRect();
    this.ratio = window.devicePixelRatio;
    this.size = [width, height];
    const [wide, high] = [this.onScreen(width, 0), this.onScreen(height, 1)];
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
  }

  private onScreen(length: number, side: 0 | 1): number {
    const told = this.exact?.[side];
    const about = length * this.ratio;
    return told !== undefined && Math.abs(told - about) < 2 ? told : Math.round(about);
  }

  private matrix(): Matrix {
    return matrixOf(this.place, this.drawn?.shape.aspect ?? 1, this.size);
  }

  /** The matrix to the canvas' own pixels, of which there may be a fraction more or less than the screen's ratio says. */
  private deviceMatrix(aspect: number): Matrix {
    const [width, height] = this.size;
    const [a, b, c, d, e, f] = matrixOf(this.place, aspect, this.size);
    const [x, y] = [this.canvas.width / width, this.canvas.height / height];
    return [a * x, b * y, c * x, d * y, e * x, f * y];
  }

  /** A frame of another size, shape or series is fitted anew. */
  private isLike(frame: Frame, pixels: Pixels): boolean {
    const old = this.drawn;
    return (
      old !== null &&
      this.place.scale > 0 &&
      old.frame.series === frame.series &&
      old.shape.aspect === frame.instance.aspect &&
      old.shape.rows === pixels.rows &&
      old.shape.columns === pixels.columns
    );
  }
}
