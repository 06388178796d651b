// A mark that is being drawn: which places the pointer has given so far. Pure; draws and keeps nothing.
import { PLACES, type MarkKind } from "./kinds.ts";
import type { Point } from "./scale.ts";

export class Begun {
  places: Point[] = [];
  private fixed = 0; // so many of the places stay

  constructor(readonly kind: MarkKind) {}

  /** The pointer is put down: a drag gives two places, a click or the last leg of an angle one. */
  press(at: Point): void {
    this.places = [...this.places.slice(0, this.fixed), at];
    if (this.places.length < PLACES[this.kind]) this.places.push(at);
  }

  /** The pointer moves while it is down. */
  move(to: Point): void {
    this.places = [...this.places.slice(0, -1), to];
  }

  /** The pointer passes over: the next leg of an angle follows it; tells whether anything does. */
  hover(at: Point): boolean {
    if (PLACES[this.kind] !== 3 || this.fixed !== 2) return false;
    this.places = [...this.places.slice(0, 2), at];
    return true;
  }

  /** The pointer is lifted: the mark is whole, or needs more; a drag of less than a pixel counts for nothing. */
  lift(): "whole" | "more" | "nothing" {
    const [a, b] = this.places.slice(this.fixed);
    if (a !== undefined && b !== undefined && Math.hypot(b[0] - a[0], b[1] - a[1]) < 1) {
      this.places = this.places.slice(0, this.fixed);
      return this.fixed === 0 ? "nothing" : "more";
    }
    this.fixed = this.places.length;
    return this.isWhole ? "whole" : "more";
  }

  /** Tells whether all places are given, the last one maybe still on its way. */
  get isWhole(): boolean {
    return this.places.length === PLACES[this.kind];
  }
}
