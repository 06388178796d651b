// What draws lossless frames, whatever library does it. Places are in image pixels from the top-left corner.
import type { Point } from "./calibration.ts";
import type { Frame } from "./manifest.ts";
import type { Pixels } from "./pixels.ts";

export interface View {
  readonly center: number;
  readonly width: number;
  readonly isInverted: boolean;
}

export interface Surface {
  readonly backend: "cpu" | "gpu";
  /** Draws a frame; the promise is kept when it is on the screen. */
  show(frame: Frame, pixels: Pixels, view: View): Promise<void>;
  /** Draws the present frame in another window. */
  setView(view: View): void;
  /** Where a place of the image is on the surface, in CSS pixels, and the other way. */
  toSurface(point: Point): Point;
  toImage(point: Point): Point;
  zoomBy(factor: number, at: Point): void;
  panBy(dx: number, dy: number): void;
  fit(): void;
  turn(): void;
  mirror(): void;
  resize(): void;
  /** Called whenever places on the surface have moved. */
  onMoved: () => void;
}
