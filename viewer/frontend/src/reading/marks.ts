// Marks over one pane: drawn by mouse, finger or keys, kept in image pixels, shown wherever the image lies now.
import { t } from "../shared/strings.ts";
import { Begun } from "./begun.ts";
import { handleMoved, handlesOf, inMiddle, inOrder, isMark, isTooSmall, PLACES, shaped, type MarkKind } from "./kinds.ts";
import type { Frame } from "./manifest.ts";
import type { MarkList } from "./mark_list.ts";
import { markGroup, moveOf } from "./mark_group.ts";
import { besides, drawn, linesFor, words } from "./mark_shapes.ts";
import { linesOf, newLabel, titleText } from "./mark_words.ts";
import { writeOver } from "./mark_writing.ts";
import { figuresOf, isBehind, kept, type Measurement } from "./measuring.ts";
import type { Values } from "./region.ts";
import { scaleOf, type Point } from "./scale.ts";

export type { Measurement } from "./measuring.ts";

/** What marks need of the pane that they lie over. */
export interface Marked {
  readonly frame: Frame | null;
  readonly pixels: Values | null; // of the frame that is drawn
  readonly isPreview: boolean;
  placed(): Places | null;
}

/** Where places of the image are over the pane, in CSS pixels, and the other way. */
export interface Places {
  toSurface(point: Point): Point;
  toImage(point: Point): Point;
}

/** What follows the pointer until it is lifted, or until the mark is given up. */
export interface Drawing {
  readonly to: (point: Point) => void;
  readonly end: () => void;
  readonly cancel: () => void;
}

interface Pending {
  readonly begun: Begun;
  readonly frame: Frame;
}

const LIVE_PIXELS = 500_000; // regions larger than this are counted when the pointer is lifted

export class Marks {
  /** Called when a mark has been drawn with the pointer. */
  onDrawn: () => void = () => undefined;
  private pending: Pending | null = null;
  private forget: () => void;

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly marked: Marked,
    public list: MarkList,
  ) {
    this.forget = list.onRedraw(() => this.draw());
  }

  /** Shows other marks: those of an earlier study, or those of the case again. */
  use(list: MarkList): void {
    if (list === this.list) return;
    this.forget();
    this.pending = null;
    this.list = list;
    this.forget = list.onRedraw(() => this.draw());
    this.draw();
  }

  /** Draws no more: the pane is gone. */
  close(): void {
    this.forget();
  }

  /** Begins a mark, or goes on with one that needs more places. */
  press(kind: MarkKind, at: Point): Drawing | null {
    const frame = this.marked.frame;
    if (frame === null || this.marked.placed() === null) return null;
    if (this.pending?.begun.kind !== kind || this.pending.frame !== frame) this.pending = { begun: new Begun(kind), frame };
    const { pending } = this;
    pending.begun.press(at);
    this.draw();
    return {
      to: (point) => {
        if (this.pending !== pending) return;
        pending.begun.move(point);
        this.draw();
      },
      end: () => this.lifted(pending),
      cancel: () => this.cancel(),
    };
  }

  /** Shows the next leg of an angle while the pointer only passes over. */
  hover(at: Point): void {
    if (this.pending?.begun.hover(at) === true) this.draw();
  }

  /** Gives up a mark that is not whole yet; tells whether there was one. */
  cancel(): boolean {
    const was = this.pending !== null;
    this.pending = null;
    if (was) this.draw();
    return was;
  }

  /** Sets a mark across the middle of the image, for those who use the keyboard, and takes it in hand. */
  addInMiddle(kind: MarkKind): void {
    const frame = this.marked.frame;
    if (frame === null || this.marked.placed() === null) return;
    const { rows, columns } = frame.instance;
    const index = this.add(kind, frame, inMiddle(kind, rows, columns));
    this.focus(index, kind === "angle" || kind === "cobb" || kind === "length" ? handlesLast(kind) : 0);
    if (kind === "text") this.write(index);
    else this.settled(index);
  }

  /** Takes out the mark that was touched last, when it is on the screen. */
  removeChosen(): void {
    const { chosen } = this.list;
    const mark = this.list.all[chosen];
    if (mark === undefined || chosen < this.list.locked || !this.isHere(mark)) return;
    this.list.remove(chosen);
    this.list.onSaid(t("Removed: {what}", { what: titleText(mark) }));
  }

  /** Moves a handle by so many pixels, in the direction that the eye sees. */
  nudge(index: number, handle: number, dx: number, dy: number): void {
    const [mark, places] = [this.list.all[index], this.marked.placed()];
    const from = mark !== undefined && isMark(mark.kind) ? handlesOf(mark.kind, mark.points)[handle] : undefined;
    if (from === undefined || places === null) return;
    const at = places.toSurface(from);
    const to = places.toImage([at[0] + Math.sign(dx) * 100, at[1] + Math.sign(dy) * 100]);
    const [x, y] = [to[0] - from[0], to[1] - from[1]];
    const by = Math.max(Math.abs(dx), Math.abs(dy));
    const isAcross = Math.abs(x) >= Math.abs(y);
    this.put(index, handle, isAcross ? [from[0] + Math.sign(x) * by, from[1]] : [from[0], from[1] + Math.sign(y) * by]);
    this.settled(index);
  }

  /** Puts a handle somewhere else. */
  put(index: number, handle: number, to: Point): void {
    const [mark, frame] = [this.list.all[index], this.marked.frame];
    if (mark === undefined || frame === null || !isMark(mark.kind) || !this.isHere(mark)) return;
    const { aspect } = scaleOf(frame.instance, mark.points);
    const points = handleMoved(mark.kind, mark.points, handle, to, aspect);
    this.list.replace(index, this.measured(mark.kind, frame, points, mark.label, false));
  }

  /** Takes a handle with the pointer; one that leaves the mark too small to be meant springs back. */
  take(index: number, handle: number): Drawing {
    const before = this.list.all[index];
    let isMoved = false;
    const back = (): void => {
      if (before !== undefined && isMoved) this.list.replace(index, before);
    };
    return {
      to: (point) => {
        isMoved = true;
        this.put(index, handle, point);
      },
      end: () => {
        const mark = this.list.all[index];
        if (!isMoved || mark === undefined || !isMark(mark.kind)) this.list.chosen = index;
        else if (isTooSmall(mark.kind, mark.points)) back();
        else this.settled(index);
      },
      cancel: back,
    };
  }

  /** Tells that a mark is as it shall be. */
  settled(index: number): void {
    const [mark, frame] = [this.list.all[index], this.marked.frame];
    if (mark === undefined) return;
    if (frame !== null && isMark(mark.kind) && this.isHere(mark)) {
      const { points, isSwapped } = inOrder(mark.kind, mark.points, scaleOf(frame.instance, mark.points).aspect);
      const held = isSwapped ? this.held() : null;
      this.list.replace(index, this.measured(mark.kind, frame, points, mark.label, true));
      if (held !== null && held.mark === index) this.focus(index, (held.handle + 2) % 4);
    }
    const now = this.list.all[index];
    if (now !== undefined) this.list.onSaid(titleText(now));
    this.list.onChange();
  }

  /** Opens a line to name a measurement, or to write the words of a note or an arrow. */
  write(index: number): void {
    const [mark, over] = [this.list.all[index], this.svg.parentElement];
    const places = this.marked.placed();
    if (mark === undefined || over === null || places === null || index < this.list.locked || !isMark(mark.kind)) return;
    const [x, y] = besides(mark.kind, mark.points, (point) => places.toSurface(point));
    const isNew = mark.kind === "text" && mark.label === "";
    writeOver(over, [x + 6, y - 14], isNew ? t("Words of the note") : t("Name of {what}", { what: titleText(mark) }), mark.label, (text) => {
      if (text !== null && text !== "") {
        this.list.rename(index, text);
        const named = this.list.all[index];
        if (named !== undefined) this.list.onSaid(titleText(named));
      } else if (mark.kind === "text" && (isNew || text === "")) this.list.remove(index);
      else if (text === "") this.list.rename(index, newLabel(mark.kind as MarkKind, this.list.all));
    });
  }

  /** Draws the marks of the present frame where they lie now. */
  draw(): void {
    const { frame } = this.marked;
    const places = this.marked.placed();
    const held = this.held();
    if (this.pending !== null && this.pending.frame !== frame) this.pending = null;
    this.svg.replaceChildren();
    if (frame === null || places === null || this.list.isHidden) return;
    const place = (point: Point): Point => places.toSurface(point);
    this.list.all.forEach((mark, index) => {
      const onKey = index < this.list.locked ? null : (event: KeyboardEvent, at: number) => this.onKey(event, index, at);
      if (this.isHere(mark) && isMark(mark.kind)) this.svg.append(markGroup(mark, mark.kind, index, place, onKey));
    });
    if (this.pending !== null) this.svg.append(this.unfinished(this.pending, place));
    if (held !== null) this.focus(held.mark, held.handle);
    this.complete(frame);
  }

  private lifted(pending: Pending): void {
    if (this.pending !== pending) return;
    const { begun, frame } = pending;
    const what = begun.lift();
    if (what !== "more") this.pending = null;
    else this.list.onSaid(begun.kind === "angle" ? t("Now the other leg.") : t("Now the other line."));
    const { aspect } = scaleOf(frame.instance, begun.places);
    if (what !== "whole" || isTooSmall(begun.kind, shaped(begun.kind, begun.places, aspect))) {
      this.draw();
      return;
    }
    const index = this.add(begun.kind, frame, begun.places);
    if (begun.kind === "text") this.write(index);
    else this.settled(index);
    this.onDrawn();
  }

  private add(kind: MarkKind, frame: Frame, places: readonly Point[]): number {
    const points = shaped(kind, places, scaleOf(frame.instance, places).aspect);
    return this.list.add(this.measured(kind, frame, points, newLabel(kind, this.list.all), true));
  }

  private measured(kind: MarkKind, frame: Frame, given: readonly Point[], label: string, isWhole: boolean): Measurement {
    const points = kept(given);
    const isLive = isWhole || boxOf(points) <= LIVE_PIXELS;
    const figures = figuresOf(kind, points, frame.instance, isLive ? this.values(frame) : null);
    return { instance_uid: frame.instance.uid, frame: frame.frame, kind, points, label, ...figures };
  }

  /** The values of a frame once they are on the screen. */
  private values(frame: Frame): Values | null {
    return this.marked.isPreview || this.marked.frame !== frame ? null : this.marked.pixels;
  }

  /** Measures anew what was drawn before the values, or what they are scaled by, had come. */
  private complete(frame: Frame): void {
    if (this.marked.isPreview || this.marked.pixels === null) return;
    this.list.all.forEach((mark, index) => {
      if (index < this.list.locked || !this.isHere(mark) || !isMark(mark.kind) || !isBehind(mark, frame.instance)) return;
      const now = this.measured(mark.kind, frame, mark.points, mark.label, true);
      if (now.value === mark.value && now.unit === mark.unit && now.stats === undefined) return;
      this.list.replace(index, now);
      this.list.onChange();
    });
  }

  private unfinished({ begun, frame }: Pending, place: (point: Point) => Point): SVGGElement {
    const { kind, places } = begun;
    if (!begun.isWhole) return drawn(linesFor(kind === "cobb" ? "cobb" : "length", places, place));
    const points = shaped(kind, places, scaleOf(frame.instance, places).aspect);
    const group = drawn(linesFor(kind, points, place));
    const mark = this.measured(kind, frame, points, "", false);
    if (!isTooSmall(kind, points)) group.append(words(besides(kind, points, place), linesOf(mark)));
    return group;
  }

  private isHere(mark: Measurement): boolean {
    const { frame } = this.marked;
    return frame !== null && mark.instance_uid === frame.instance.uid && mark.frame === frame.frame;
  }

  private held(): { mark: number; handle: number } | null {
    const active = document.activeElement;
    if (!(active instanceof SVGElement) || !this.svg.contains(active)) return null;
    const { mark, end } = active.dataset;
    return mark === undefined || end === undefined ? null : { mark: Number(mark), handle: Number(end) };
  }

  private focus(index: number, handle: number): void {
    this.svg.querySelector<SVGElement>(`.mark-end[data-mark="${index}"][data-end="${handle}"]`)?.focus();
  }

  private onKey(event: KeyboardEvent, index: number, handle: number): void {
    const move = moveOf(event);
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (move !== null) this.nudge(index, handle, move[0], move[1]);
    else if (event.key === "Delete" || event.key === "Backspace") {
      this.list.chosen = index;
      this.removeChosen();
      this.svg.parentElement?.focus({ preventScroll: true });
    } else if (event.key === "Enter") this.write(index);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

function handlesLast(kind: MarkKind): number {
  return PLACES[kind] - 1;
}

function boxOf(points: readonly Point[]): number {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return (Math.max(...xs) - Math.min(...xs)) * (Math.max(...ys) - Math.min(...ys));
}
