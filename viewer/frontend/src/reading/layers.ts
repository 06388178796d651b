// What lies over a pane: overlays, shutters, a presentation state, segments and contours; and which of it is seen.
import { need } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import type { Point } from "./calibration.ts";
import { LayerSheet, pathOf, type Label, type Laid, type Line } from "./layer_sheet.ts";
import type { Cover, LayerSource, NamedState, Regions } from "./layer_source.ts";
import type { Frame, Series } from "./manifest.ts";
import { paintBits, paintMask, type Affine, type SentMask } from "./masks.ts";
import type { Look, Pane } from "./pane.ts";
import type { Pixels } from "./pixels.ts";
import { areaFor, greysFor, isOn, outline, placeFor, type Area, type Bitmap, type Colour, type Graphic, type Shutters, type Words } from "./states.ts";
import { HOT_IRON, Toning } from "./toning.ts";

const OVERLAY: Colour = [255, 214, 120];
const DRAWN: Colour = [242, 212, 121];

export class Layers {
  areOverlaysSeen = true;
  areRegionsSeen = true;
  opacity = 0.45;
  /** Called when what is seen has changed. */
  onChange: () => void = () => undefined;
  private readonly hidden = new Set<string>(); // parts that are not seen
  private readonly heard = new WeakSet<LayerSource>();
  private readonly sheet: LayerSheet;
  private readonly toning: Toning;
  private readonly chosen = new Map<Series, NamedState>();
  private readonly coloured = new Map<Series, boolean>(); //, where the reader has chosen
  private frame: Frame | null = null; // that the sheet is for
  private cover: Cover | null = null;
  private area: Area | null | undefined; // that the surface was last placed by
  private asked = 0;

  constructor(
    private readonly view: HTMLElement,
    before: Element | null,
    private readonly pane: Pane,
    private readonly sourceNow: () => LayerSource, // of what hangs in the pane
  ) {
    this.sheet = new LayerSheet(view, before);
    this.toning = new Toning(need(".surface", view));
    pane.lookOf = (frame, pixels) => this.look(frame, pixels);
    pane.onChange(() => this.refresh());
    new ResizeObserver(() => {
      this.area = undefined; // a state's area fills the view, whatever its size
      if (this.frame !== null && this.frame === pane.frame) this.placeByState(this.frame);
    }).observe(view);
  }

  private get source(): LayerSource {
    const source = this.sourceNow();
    if (!this.heard.has(source)) {
      this.heard.add(source);
      source.onCome(() => this.refresh(true));
    }
    return source;
  }

  /** The states that are for the series on the screen. */
  get states(): readonly NamedState[] {
    const series = this.pane.frame?.series;
    if (series === undefined) return [];
    return this.source.states.filter(({ state }) => series.instances.some((each) => state.images[each.uid] !== undefined));
  }

  /** The segmentations and structure sets that lie on the series on the screen. */
  get regions(): readonly Regions[] {
    const series = this.pane.frame?.series;
    if (series === undefined) return [];
    return this.source.regions.filter(({ masks, contours }) =>
      series.instances.some((each) => masks.has(each.uid) || contours.has(each.uid)),
    );
  }

  get hasOverlays(): boolean {
    const state = this.state?.state;
    const drawn = (state?.overlays.length ?? 0) + (state?.graphics.length ?? 0) + (state?.texts.length ?? 0);
    return drawn > 0 || this.pane.frame?.series.instances.some((each) => each.is_covered) === true;
  }

  /** The state in force for the series on the screen; null: as sent. */
  get state(): NamedState | null {
    const frame = this.pane.frame;
    return (frame && this.chosen.get(frame.series)) ?? null;
  }

  /** Tells whether the values on the screen may be shown as colours: uptakes, counts, maps. */
  get mayBeColoured(): boolean {
    const frame = this.pane.frame;
    return frame !== null && (frame.instance.is_map === true || /^(PT|NM)$/.test(frame.series.modality)) && frame.instance.samples === 1;
  }

  get isColoured(): boolean {
    const frame = this.pane.frame;
    return frame !== null && (this.coloured.get(frame.series) ?? frame.instance.is_map === true);
  }

  toggleColours(): void {
    const frame = this.pane.frame;
    if (frame === null) return;
    this.coloured.set(frame.series, !this.isColoured);
    this.tone();
  }

  /** Takes a state for the series, or what was sent. */
  choose(state: NamedState | null): void {
    const frame = this.pane.frame;
    if (frame === null) return;
    if (state === null) this.chosen.delete(frame.series);
    else this.chosen.set(frame.series, state);
    this.pane.setWindow(null);
    this.area = undefined;
    if (state === null) this.pane.placed()?.fit();
    this.tone();
    this.pane.relook();
    this.refresh(true);
  }

  /** Goes on to the next state, and after the last to what was sent. */
  next(): void {
    const { states } = this;
    const at = states.findIndex((each) => each === this.state);
    this.choose(states[at + 1] ?? null);
  }

  toggleOverlays(): void {
    this.areOverlaysSeen = !this.areOverlaysSeen;
    this.refresh(true);
  }

  toggleRegions(): void {
    this.areRegionsSeen = !this.areRegionsSeen;
    this.refresh(true);
  }

  isPartSeen(regions: Regions, part: number): boolean {
    return !this.hidden.has(`${regions.object.uid}/${part}`);
  }

  togglePart(regions: Regions, part: number): void {
    const name = `${regions.object.uid}/${part}`;
    if (!this.hidden.delete(name)) this.hidden.add(name);
    this.refresh(true);
  }

  setOpacity(opacity: number): void {
    this.opacity = opacity;
    this.refresh(true);
  }

  /** Says in words what is seen over the images, as far as it is not as usual. */
  said(): string[] {
    const words: string[] = [];
    const { state } = this;
    if (state !== null) {
      words.push(t("State: {name}", { name: nameOf(state) }));
      for (const each of state.state.lacking) words.push(each === "blending" ? t("its blending is not drawn here") : t("its table cannot be read"));
    }
    if (this.hasOverlays && !this.areOverlaysSeen) words.push(t("overlays hidden"));
    const parts = this.regions.flatMap((regions) => regions.parts.filter((part) => this.isPartSeen(regions, part.number)));
    if (this.regions.length > 0) {
      if (!this.areRegionsSeen) words.push(t("segments hidden"));
      else if (parts.length > 3) words.push(tn("{n} segment", "{n} segments", parts.length));
      else words.push(parts.map((part) => part.label).join(", "));
    }
    return words.filter((each) => each !== "");
  }

  private look(frame: Frame, pixels: Pixels): Look | null {
    const state = this.chosen.get(frame.series)?.state;
    if (state === undefined || !isOn(state.images, frame.instance.uid, frame.frame)) return null;
    const greys = greysFor(state, frame.instance.uid, frame.frame, pixels);
    const isInverse = state.is_inverse ?? (state.greys === "" ? null : false);
    return { greys, isInverted: state.kind === "color" ? false : isInverse };
  }

  /** Brings the sheet up to date with the pane; anew when what is to be seen has changed. */
  private refresh(isAnew = false): void {
    const { frame } = this.pane;
    const surface = this.pane.placed();
    const isDrawn = frame !== null && surface !== null && !this.pane.isPreview;
    this.sheet.isHidden = !isDrawn;
    if (!isDrawn) return;
    void this.source.begin();
    if (frame !== this.frame || isAnew) {
      const isOther = frame.series !== this.frame?.series;
      this.frame = frame;
      if (isOther) {
        this.area = undefined;
        this.tone();
      }
      void this.fill(frame);
      this.placeByState(frame);
      if (isOther || isAnew) {
        need(".layers-said", this.view).textContent = this.said().join(" · ");
        this.onChange();
      }
    }
    this.sheet.place((point) => surface.toSurface(point));
    this.drawLines(frame);
  }

  private tone(): void {
    this.toning.use(this.state?.state ?? null, this.mayBeColoured && this.isColoured ? HOT_IRON : "");
  }

  /** Lies the image as the state's area says, once for each area: the reader may move it on. */
  private placeByState(frame: Frame): void {
    const { state, pane } = this;
    const surface = pane.placed();
    if (state === null || surface === null || !isOn(state.state.images, frame.instance.uid, frame.frame)) return;
    const area = areaFor(state.state, frame.instance.uid, frame.frame);
    if (this.area !== undefined && isSame(this.area, area)) return;
    this.area = area;
    surface.setPlace(placeFor(state.state, area, frame.instance, [this.view.clientWidth, this.view.clientHeight]));
  }

  private async fill(frame: Frame): Promise<void> {
    const asked = ++this.asked;
    this.cover = null;
    this.sheet.lay([]);
    const [cover, masks] = await Promise.all([this.source.cover(frame), this.maskPictures(frame)]);
    if (asked !== this.asked) return;
    this.cover = cover;
    this.sheet.lay([...this.bitmapPictures(frame), ...masks]);
    const surface = this.pane.placed();
    if (surface === null || this.pane.frame !== frame) return;
    this.sheet.place((point) => surface.toSurface(point));
    this.drawLines(frame);
  }

  private bitmapPictures(frame: Frame): Laid[] {
    const state = this.stateOn(frame);
    const shutters = [this.cover?.shutters, state?.shutters].filter((each) => each !== undefined);
    const own = this.cover?.overlays ?? [];
    const all = [...own, ...(state?.overlays ?? [])];
    const pictures: Laid[] = [];
    for (const each of all) {
      const covering = shutters.find(({ shapes }) => shapes.some(({ shape, group }) => shape === "bitmap" && group === each.group));
      const isActive = state === null || !own.includes(each) || state.active[String(each.group)] !== undefined;
      if (covering !== undefined) pictures.push(laidBitmap(each, covering.colour));
      else if (this.areOverlaysSeen && isActive) pictures.push(laidBitmap(each, this.colourOf(each.layer) ?? OVERLAY));
    }
    return pictures;
  }

  private async maskPictures(frame: Frame): Promise<Laid[]> {
    if (!this.areRegionsSeen) return [];
    const pictures: Laid[] = [];
    for (const regions of this.regions) {
      const { whole } = regions;
      const isSeen = (part: number): boolean => this.isPartSeen(regions, part);
      const here = (regions.masks.get(frame.instance.uid) ?? []).filter(
        ({ image_frame: on, segment }) => (on === 0 || on === frame.frame) && (segment === 0 || isSeen(segment)),
      );
      if (whole === null || here.length === 0) continue;
      const masks = await this.source.masksOf(regions, here.map((each) => each.frame));
      const [grid] = masks;
      if (grid === undefined) continue;
      const { rows, columns } = grid;
      for (const alike of grouped(here)) {
        const lies: Affine = alike[0]?.lies ?? [frame.instance.columns / columns, 0, 0, frame.instance.rows / rows, 0, 0];
        const paint = (out: Uint8ClampedArray): void => {
          for (const sent of alike) {
            const mask = masks.find((each) => each.frame === sent.frame);
            if (mask !== undefined) paintMask(mask, sent, whole, isSeen, out);
          }
        };
        pictures.push({ columns, rows, lies, opacity: this.opacity, paint });
      }
    }
    return pictures;
  }

  private drawLines(frame: Frame): void {
    const surface = this.pane.placed();
    if (surface === null) return;
    const to = (point: Point): Point => surface.toSurface(point);
    const state = this.stateOn(frame);
    const covers = [this.cover?.shutters, state?.shutters].flatMap((each) => (each ? coversOf(each, frame, to) : []));
    const lines: Line[] = [];
    const labels: Label[] = [];
    if (state !== null && this.areOverlaysSeen) {
      const seen = shownBox(areaFor(state, frame.instance.uid, frame.frame), frame, to);
      const isHere = (each: { on: Graphic["on"] }): boolean => isOn(each.on, frame.instance.uid, frame.frame);
      const put = (point: Point, units: string): Point => (units === "DISPLAY" ? within(seen, point) : to(point));
      for (const each of state.graphics.filter(isHere)) lines.push(this.lineOf(each, put));
      for (const each of state.texts.filter(isHere)) labels.push(...this.labelsOf(each, put, lines));
    }
    if (this.areRegionsSeen) lines.push(...this.contourLines(frame, to));
    this.sheet.draw(covers, lines, labels);
  }

  private lineOf(graphic: Graphic, put: (point: Point, units: string) => Point): Line {
    const isClosed = graphic.kind === "CIRCLE" || graphic.kind === "ELLIPSE";
    return {
      points: outline(graphic).map((point) => put(point, graphic.units)),
      isClosed,
      isFilled: graphic.is_filled,
      colour: graphic.colour ?? this.colourOf(graphic.layer) ?? DRAWN,
    };
  }

  private labelsOf(words: Words, put: (point: Point, units: string) => Point, lines: Line[]): Label[] {
    const colour = words.colour ?? this.colourOf(words.layer) ?? DRAWN;
    const anchor = words.anchor === null ? null : put(words.anchor, words.anchor_units);
    if (words.box === null) return anchor === null ? [] : [{ at: [anchor[0] + 6, anchor[1] - 6], align: "start", text: words.text, colour }];
    const [one, other] = words.box.map((point) => put(point, words.box_units)) as [Point, Point];
    const [left, right] = [Math.min(one[0], other[0]), Math.max(one[0], other[0])];
    const [top, bottom] = [Math.min(one[1], other[1]), Math.max(one[1], other[1])];
    if (anchor !== null && words.has_line) {
      const near: Point = [Math.min(right, Math.max(left, anchor[0])), Math.min(bottom, Math.max(top, anchor[1]))];
      lines.push({ points: [near, anchor], isClosed: false, isFilled: false, colour });
    }
    const aligned = { LEFT: ["start", left], CENTER: ["middle", (left + right) / 2], RIGHT: ["end", right] } as const;
    const [align, x] = aligned[words.align] ?? aligned.LEFT;
    return [{ at: [x, top + 13], align, text: words.text, colour }];
  }

  private contourLines(frame: Frame, to: (point: Point) => Point): Line[] {
    return this.regions.flatMap((regions) =>
      (regions.contours.get(frame.instance.uid) ?? [])
        .filter((each) => each.image_frame === frame.frame && this.isPartSeen(regions, each.structure))
        .map((each) => ({
          points: each.points.map(to),
          isClosed: each.is_closed,
          isFilled: false,
          colour: regions.parts.find(({ number }) => number === each.structure)?.colour ?? DRAWN,
        })),
    );
  }

  private stateOn(frame: Frame): NamedState["state"] | null {
    const state = this.chosen.get(frame.series)?.state;
    return state !== undefined && isOn(state.images, frame.instance.uid, frame.frame) ? state : null;
  }

  private colourOf(layer: string): Colour | null {
    return this.state?.state.layers.find(({ name }) => name === layer)?.colour ?? null;
  }
}

/** What a state is called: its description, its label, and by whom. */
export function nameOf({ state }: NamedState): string {
  const name = state.description || state.label || t("without a name");
  return state.creator === "" ? name : `${name} (${state.creator})`;
}

function laidBitmap(bitmap: Bitmap, colour: Colour): Laid {
  const { columns, rows, left, top, bits } = bitmap;
  return { columns, rows, lies: [1, 0, 0, 1, left, top], opacity: 1, paint: (out) => paintBits(bits, colour, 255, out) };
}

/** The parts of the image that shutters cover, as paths: the image without what a shutter leaves open. */
function coversOf(shutters: Shutters, frame: Frame, to: (point: Point) => Point): { path: string; colour: Colour }[] {
  const { columns, rows } = frame.instance;
  const whole = pathOf(([[0, 0], [columns, 0], [columns, rows], [0, rows]] as Point[]).map(to), true);
  return shutters.shapes
    .filter(({ shape }) => shape !== "bitmap")
    .map((each) => {
      const [a, b] = each.points as [Point, Point];
      let points: readonly Point[] = each.points;
      if (each.shape === "rectangle") points = [a, [b[0], a[1]], b, [a[0], b[1]]];
      if (each.shape === "circle") points = outline({ kind: "CIRCLE", points: [a, [a[0] + each.radius, a[1]]] });
      return { path: whole + pathOf(points.map((point) => inside(point, columns, rows)).map(to), true), colour: shutters.colour };
    });
}

function inside([x, y]: Point, columns: number, rows: number): Point {
  return [Math.min(columns, Math.max(0, x)), Math.min(rows, Math.max(0, y))];
}

interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Where the part of the image that a state shows lies on the surface. */
function shownBox(area: Area | null, frame: Frame, to: (point: Point) => Point): Box {
  const { left, top, right, bottom } = area ?? { left: 0, top: 0, right: frame.instance.columns, bottom: frame.instance.rows };
  const [one, other] = [to([left, top]), to([right, bottom])];
  return {
    left: Math.min(one[0], other[0]),
    top: Math.min(one[1], other[1]),
    width: Math.abs(other[0] - one[0]),
    height: Math.abs(other[1] - one[1]),
  };
}

function within({ left, top, width, height }: Box, [u, v]: Point): Point {
  return [left + u * width, top + v * height];
}

/** Masks that lie alike, which one picture can show. */
function grouped(masks: readonly SentMask[]): SentMask[][] {
  const found = new Map<string, SentMask[]>();
  for (const mask of masks) {
    const lies = String(mask.lies);
    const alike = found.get(lies);
    if (alike === undefined) found.set(lies, [mask]);
    else alike.push(mask);
  }
  return [...found.values()];
}

function isSame(one: Area | null, other: Area | null): boolean {
  if (one === null || other === null) return one === other;
  return (["left", "top", "right", "bottom", "mode"] as const).every((name) => one[name] === other[name]);
}
