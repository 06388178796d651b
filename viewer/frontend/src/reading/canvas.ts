// Draws lossless frames on a canvas, on the processor: greys by look-up, only what is seen, no more pixels than are seen.
//
// An image that is shown smaller than it is comes from a copy of its values at a half, a quarter ... (made when first
// wanted), so that what a redraw costs is bounded by the screen. The browser only stretches what was painted: an image
// lies from the corner of its first pixel to the corner of its last, and so does its picture.
import type { Point } from "./calibration.ts";
import { Greys, halved, paintArea, type Area, type Grid } from "./greys.ts";
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

  constructor(private readonly element: HTMLElement) {
    this.canvas.style.cssText = "display:block;width:100%;height:100%";
    element.replaceChildren(this.canvas);
    this.measure();
    new ResizeObserver(() => this.resize()).observe(element);
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
    const { slope, intercept, samples } = pixels;
    paintArea(grid, area, { ...view, slope, intercept, samples }, this.paper.data, this.greys);
    context.putImageData(this.paper, 0, 0);
  }

  /** Gives the canvas as many pixels as the screen has there. */
  private measure(): void {
    const { clientWidth: width, clientHeight: height } = this.element;
    const ratio = window.devicePixelRatio;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    this.size = [width, height];
    if (this.canvas.width !== wide) this.canvas.width = wide;
    if (this.canvas.height !== high) this.canvas.height = high;
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

/** Tells how often an image is to be halved before it is drawn: never below what the screen shows. */
function levelFor([a, b, c, d]: Matrix, { columns, rows }: Grid): number {
  const across = Math.max(Math.hypot(a, b), Math.hypot(c, d)); // pixels of the screen for one of the image
  const most = Math.floor(Math.log2(Math.max(1, Math.min(columns, rows))));
  return Math.min(most, Math.max(0, Math.floor(Math.log2(1 / across) + 1e-9)));
}

function levelOf(levels: Grid[], level: number): Grid {
  while (levels.length <= level) levels.push(halved(levels.at(-1) as Grid));
  return levels[level] as Grid;
}

/** Gives the part of a grid that is on the canvas, one pixel more all round for what lies between two; null when none is. */
function seen(matrix: Matrix, [width, height]: Size, grid: Grid, cell: number): Area | null {
  const corners = [[0, 0], [width, 0], [0, height], [width, height]] as const;
  const places = corners.map((corner) => back(matrix, corner));
  const [xs, ys] = [places.map(([x]) => x / cell), places.map(([, y]) => y / cell)];
  const left = Math.max(0, Math.floor(Math.min(...xs)) - 1);
  const top = Math.max(0, Math.floor(Math.min(...ys)) - 1);
  const right = Math.min(grid.columns, Math.ceil(Math.max(...xs)) + 1);
  const bottom = Math.min(grid.rows, Math.ceil(Math.max(...ys)) + 1);
  return left < right && top < bottom ? { left, top, right, bottom } : null;
}
