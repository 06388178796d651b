// What draws lossless frames, whatever does it. Places are in image pixels from the top-left corner.
import type { Point } from "./calibration.ts";
import type { Voi } from "./greys.ts";
import type { Frame } from "./manifest.ts";
import type { Pixels } from "./pixels.ts";

export type { Curve, VoiTable } from "./greys.ts";

/** In which greys a frame is drawn: a window with its curve, or a table; colour heeds the inversion only. */
export type View = Voi;

/** How the image lies on the surface; turned clockwise first, then mirrored left and right (as PS3.3 C.10.6 has it). */
export interface Place {
  readonly scale: number; // CSS pixels a column
  readonly middle: Point; // the place of the image in the middle of the surface
  readonly quarterTurns: 0 | 1 | 2 | 3;
  readonly isMirrored: boolean;
}

export interface Surface {
  /** Draws a frame; the promise is kept when it is drawn. One of another series or shape is fitted first. */
  show(frame: Frame, pixels: Pixels, view: View): Promise<void>;
  /** Draws the present frame in other greys. */
  setView(view: View): void;
  /** Where a place of the image is on the surface, in CSS pixels, and the other way. */
  toSurface(point: Point): Point;
  toImage(point: Point): Point;
  getPlace(): Place;
  setPlace(place: Place): void;
  zoomBy(factor: number, at: Point): void;
  panBy(dx: number, dy: number): void;
  /** Shows the whole image, neither turned nor mirrored. */
  fit(): void;
  turn(): void;
  mirror(): void;
  resize(): void;
  /** Called whenever places on the surface have moved. */
  onMoved: () => void;
}
