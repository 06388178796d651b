// The three planes of a multi-planar view: which way each looks, and how they turn about each other. Pure.
//
// Patient axes point to the left, to the back and to the head (PS3.3 C.7.6.2.1.1).
import { cross, dot, times, turned, unit, type Vector } from "./vectors.ts";

export type PlaneName = "axial" | "coronal" | "sagittal";
export const PLANES: readonly PlaneName[] = ["axial", "coronal", "sagittal"];

/** A plane of the screen: to the right, downwards, and away from the one who looks. */
export interface Plane {
  readonly right: Vector;
  readonly down: Vector;
  readonly away: Vector;
}

export type Planes = Readonly<Record<PlaneName, Plane>>;

/** The planes as radiologists hang them: seen from the feet, from the front, from the left. */
export const STANDARD: Planes = {
  axial: { right: [1, 0, 0], down: [0, 1, 0], away: [0, 0, 1] },
  coronal: { right: [1, 0, 0], down: [0, 0, -1], away: [0, 1, 0] },
  sagittal: { right: [0, 1, 0], down: [0, 0, -1], away: [-1, 0, 0] },
};

/** Turns the other two planes about the normal of one, clockwise on its screen. */
export function turnedAbout(planes: Planes, name: PlaneName, radians: number): Planes {
  const axis = unit(planes[name].away);
  const by = (v: Vector): Vector => turned(v, axis, radians);
  const others = PLANES.filter((each) => each !== name).map((each) => {
    const away = unit(by(planes[each].away));
    const right = unit(cross(by(planes[each].down), away)); // at right angles for good, however often it is turned
    return [each, { right, down: cross(away, right), away }] as const;
  });
  return { ...planes, ...Object.fromEntries(others) } as Planes;
}

/** The direction in which another plane cuts this one, on its screen: right and down, of length one. */
export function lineIn(plane: Plane, other: Plane): readonly [number, number] {
  const [x, y] = [dot(other.away, plane.right), dot(other.away, plane.down)];
  const whole = Math.hypot(x, y) || 1;
  return [-y / whole, x / whole];
}

/** The letters of a direction in the patient, the chief one first: `L`, `PH`. */
export function letters(direction: Vector): string {
  const pairs = [["L", "R"], ["P", "A"], ["H", "F"]] as const;
  return direction
    .map((share, at) => ({ share: Math.abs(share), letter: pairs[at]?.[share > 0 ? 0 : 1] ?? "" }))
    .filter(({ share }) => share > 0.26)
    .sort((a, b) => b.share - a.share)
    .map(({ letter }) => letter)
    .join("");
}

/** The letters at the top, right, bottom and left of a plane. */
export function edges(plane: Plane): readonly [string, string, string, string] {
  return [letters(times(plane.down, -1)), letters(plane.right), letters(plane.down), letters(times(plane.right, -1))];
}
