// Where the cross of a multi-planar view stands, how the planes are turned, how thick the slab is. Pure.
import { finest, middleOf, placeAt, reach, voxelAt, type Grid } from "./grid.ts";
import { STANDARD, turnedAbout, type Plane, type PlaneName, type Planes } from "./planes.ts";
import type { SlabMode } from "./reslice.ts";
import { add, dot, minus, times, type Vector } from "./vectors.ts";

export const THICKNESSES_MM: readonly number[] = [0, 2, 5, 10, 20, 40, 80];
export const MODES: readonly SlabMode[] = ["mean", "max", "min"];

export class MprState {
  planes: Planes = STANDARD;
  cross: Vector; // in the patient
  anchor: Vector; // what lies in the middle of the panes
  zoom = 1;
  thickness_mm = 0;
  mode: SlabMode = "mean";

  constructor(readonly grid: Grid) {
    this.cross = middleOf(grid);
    this.anchor = this.cross;
  }

  /** Back to the middle, untilted, whole in view. */
  reset(): void {
    this.planes = STANDARD;
    this.cross = this.anchor = middleOf(this.grid);
    this.zoom = 1;
  }

  /** Puts the cross somewhere, kept within the volume. */
  moveTo(place: Vector): void {
    const at = voxelAt(this.grid, place).map((each, axis) => Math.min((this.grid.size[axis] as number) - 1, Math.max(0, each)));
    this.cross = placeAt(this.grid, at as unknown as Vector);
  }

  /** Moves the cross along a direction, in mm. */
  move(direction: Vector, by_mm: number): void {
    this.moveTo(add(this.cross, times(direction, by_mm)));
  }

  /** Scrolls a plane by so many steps: of the slices where it lies along one, else of the finest voxel. */
  scroll(name: PlaneName, steps: number): void {
    this.move(this.planes[name].away, steps * this.stepOf(name));
  }

  /** How far one step of a plane's scrolling goes, in mm. */
  stepOf(name: PlaneName): number {
    const { away } = this.planes[name];
    const along = this.grid.axes.map((axis) => ({ mm: Math.hypot(...axis), share: Math.abs(dot(axis, away)) / Math.hypot(...axis) }));
    return along.find(({ share }) => share > 0.995)?.mm ?? finest(this.grid);
  }

  /** Turns the other two planes about the cross. */
  turn(name: PlaneName, radians: number): void {
    this.planes = turnedAbout(this.planes, name, radians);
  }

  get isTurned(): boolean {
    return this.planes !== STANDARD;
  }

  /** Takes the next thicker or thinner slab. */
  thicken(by: 1 | -1): void {
    const at = THICKNESSES_MM.indexOf(this.thickness_mm) + by;
    this.thickness_mm = THICKNESSES_MM[Math.min(THICKNESSES_MM.length - 1, Math.max(0, at))] ?? 0;
  }

  /** Takes the next way of joining what a slab passes. */
  nextMode(): void {
    this.mode = MODES[(MODES.indexOf(this.mode) + 1) % MODES.length] ?? "mean";
  }

  /** Which place in the patient is in the middle of a plane's pane: the plane goes through the cross. */
  middleOf(plane: Plane): Vector {
    return add(this.anchor, times(plane.away, dot(minus(this.cross, this.anchor), plane.away)));
  }

  /** Millimetres of a pixel of the screen, so that the volume fits a pane of this size. */
  scaleIn(plane: Plane, width: number, height: number): number {
    const across = (2 * reach(this.grid, plane.right)) / Math.max(1, width);
    const down = (2 * reach(this.grid, plane.down)) / Math.max(1, height);
    return Math.max(across, down, 1e-3) / this.zoom;
  }

  /** How far along its normal a plane is, in mm from the middle of the volume. */
  depthOf(name: PlaneName): number {
    return dot(minus(this.cross, middleOf(this.grid)), this.planes[name].away);
  }
}
