// A surface that tells when somebody, and not the size of the window, has moved what it shows. Draws nothing itself.
import type { Point } from "./calibration.ts";
import type { Frame } from "./manifest.ts";
import type { Pixels } from "./pixels.ts";
import type { Place, Surface, View } from "./surface.ts";

export type Moved = "fitted" | "moved";

export class ToldSurface implements Surface {
  onMoved: () => void = () => undefined;

  constructor(
    private readonly inner: Surface,
    private readonly told: (how: Moved) => void,
  ) {
    inner.onMoved = () => this.onMoved();
  }

  show(frame: Frame, pixels: Pixels, view: View): Promise<void> {
    return this.inner.show(frame, pixels, view);
  }
  setView(view: View): void {
    this.inner.setView(view);
  }
  toSurface(point: Point): Point {
    return this.inner.toSurface(point);
  }
  toImage(point: Point): Point {
    return this.inner.toImage(point);
  }
  getPlace(): Place {
    return this.inner.getPlace();
  }
  /** Puts the image somewhere, as another pane has it: that is told to nobody. */
  setPlace(place: Place): void {
    this.inner.setPlace(place);
  }
  resize(): void {
    this.inner.resize();
  }
  /** Fits without telling, as another pane was fitted. */
  fitQuietly(): void {
    this.inner.fit();
  }
  zoomBy(factor: number, at: Point): void {
    this.inner.zoomBy(factor, at);
    this.told("moved");
  }
  panBy(dx: number, dy: number): void {
    this.inner.panBy(dx, dy);
    this.told("moved");
  }
  fit(): void {
    this.inner.fit();
    this.told("fitted");
  }
  turn(): void {
    this.inner.turn();
    this.told("moved");
  }
  mirror(): void {
    this.inner.mirror();
    this.told("moved");
  }
}
