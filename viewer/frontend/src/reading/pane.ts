// The image pane: which frame of which series is on the screen, in which window; preview first, then lossless.
import { Problem } from "../shared/api.ts";
import { t } from "../shared/strings.ts";
import type { Frame, Series } from "./manifest.ts";
import type { Pixels, PixelStore } from "./pixels.ts";
import type { PreviewPane } from "./preview.ts";
import type { ShownRecord } from "./shown.ts";
import type { Curve, Surface, View } from "./surface.ts";
import { wholeRange, windowAsSent, type Window } from "./windows.ts";

export class Pane {
  surface: Surface | null = null;
  frame: Frame | null = null;
  pixels: Pixels | null = null; // of the frame that is drawn
  problem = "";
  private drawn: Frame | null = null;
  private isDrawing = false;
  private readonly windows = new Map<string, Window>(); // chosen by the reader, by series
  private readonly ranges = new Map<string, Window>(); // of series that come without a window
  private readonly inverted = new Set<string>();
  private readonly places = new Map<string, number>(); // where each series was left
  private readonly listeners: (() => void)[] = [];

  constructor(
    private readonly previews: PreviewPane,
    private readonly store: PixelStore,
    private readonly shown: ShownRecord,
  ) {
    store.onArrived(() => this.changed());
  }

  /** Calls back whenever what is on the screen, or how, has changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Opens a series where it was left, or in its middle. */
  open(series: Series): void {
    if (this.frame?.series === series) return;
    if (this.frame !== null) this.places.set(this.frame.series.key, this.frame.index);
    this.store.forget(this);
    const at = this.places.get(series.key) ?? Math.floor((series.frames.length - 1) / 2);
    this.go(series.frames[at]);
  }

  /** Goes so many images on or back, not past the ends. */
  scroll(step: number): void {
    if (this.frame === null) return;
    const { frames } = this.frame.series;
    this.go(frames[Math.min(frames.length - 1, Math.max(0, this.frame.index + step))]);
  }

  /** Shows one frame. */
  go(frame: Frame | undefined): void {
    if (frame === undefined || frame === this.frame) return;
    this.frame = frame;
    this.problem = "";
    if (this.surface === null || !this.store.has(frame)) void this.showPreview(frame);
    if (this.surface !== null) void this.fetchAndDraw(frame);
    this.changed();
  }

  /** Takes a surface into use once the viewer code has come. */
  use(surface: Surface): void {
    this.surface = surface;
    surface.onMoved = () => {
      if (this.frame !== null && this.previews.isShown) this.previews.place(this.frame, this.placed());
      this.changed();
    };
    if (this.frame !== null) void this.fetchAndDraw(this.frame);
  }

  /** The window in force: chosen, as sent, or the whole range; null until values have come. */
  get window(): Window | null {
    const frame = this.frame;
    if (frame === null) return null;
    const chosen = this.windows.get(frame.series.key);
    return chosen ?? windowAsSent(frame, this.pixelsOf(frame)) ?? this.ranges.get(frame.series.key) ?? null;
  }

  /** Chooses a window for the series; null goes back to the one that came with the images. */
  setWindow(window: Window | null): void {
    if (this.frame === null) return;
    if (window === null) this.windows.delete(this.frame.series.key);
    else this.windows.set(this.frame.series.key, { center: window.center, width: Math.max(1e-3, window.width) });
    this.redraw();
  }

  get isInverted(): boolean {
    return this.frame !== null && this.inverted.has(this.frame.series.key);
  }

  /** Swaps black and white in the series. */
  invert(): void {
    if (this.frame === null) return;
    const { key } = this.frame.series;
    if (!this.inverted.delete(key)) this.inverted.add(key);
    this.redraw();
  }

  /** Tells whether the frame on the screen is its preview. */
  get isPreview(): boolean {
    return this.drawn !== this.frame;
  }

  /** The surface, when what it has drawn lies as the present frame would. */
  placed(): Surface | null {
    return this.drawn !== null && this.drawn.series === this.frame?.series ? this.surface : null;
  }

  /** Fits the drawing to the place that it has now. */
  resize(): void {
    if (this.drawn !== null) this.surface?.resize();
  }

  /** Has the rest of the series fetched from here outwards. */
  prefetch(): void {
    const frame = this.frame;
    const connection = (navigator as { connection?: { saveData?: boolean } }).connection;
    if (frame === null || this.surface === null || connection?.saveData === true) return;
    this.store.plan(this, frame.series, frame.index);
  }

  /** How much of the series is here without loss. */
  get arrived(): number {
    return this.frame?.series.frames.filter((each) => this.store.has(each)).length ?? 0;
  }

  private async showPreview(frame: Frame): Promise<void> {
    const isShown = await this.previews.show(frame, this.placed());
    if (isShown && this.frame === frame && this.isPreview) this.shown.note(frame, "preview");
    if (this.drawn === this.frame) this.previews.hide();
    this.previews.fetchAround(frame.series.frames, frame.index);
    this.changed();
  }

  private async fetchAndDraw(frame: Frame): Promise<void> {
    try {
      const pixels = await this.store.get(frame, true);
      if (this.frame === frame) await this.draw(frame, pixels);
    } catch (error) {
      if (this.frame !== frame || (error instanceof DOMException && error.name === "AbortError")) return;
      this.problem = error instanceof Problem ? error.message : t("The image could not be loaded.");
      this.changed();
    }
  }

  /** Draws one frame at a time; when another was asked for meanwhile, that one is next. */
  private async draw(frame: Frame, pixels: Pixels): Promise<void> {
    if (this.surface === null || this.isDrawing) return;
    this.isDrawing = true;
    learnScale(frame, pixels);
    try {
      if (!windowAsSent(frame, pixels) && !this.ranges.has(frame.series.key)) {
        this.ranges.set(frame.series.key, wholeRange(pixels));
      }
      this.pixels = pixels;
      await this.surface.show(frame, pixels, this.viewOf(frame, pixels));
      this.drawn = frame;
    } finally {
      this.isDrawing = false;
    }
    const now = this.frame;
    if (now !== null && now !== frame) {
      if (this.store.has(now)) await this.draw(now, await this.store.get(now, true));
      return;
    }
    this.previews.hide();
    this.shown.note(frame, "lossless");
    this.changed();
    this.prefetch();
  }

  private viewOf(frame: Frame, pixels: Pixels): View {
    const { key } = frame.series;
    const window =
      this.windows.get(key) ?? windowAsSent(frame, pixels) ?? this.ranges.get(key) ?? wholeRange(pixels);
    const isInverted = this.inverted.has(key) !== frame.instance.is_inverted;
    return { ...window, isInverted, curve: frame.instance.function as Curve };
  }

  private pixelsOf(frame: Frame): Pixels | null {
    return this.drawn === frame ? this.pixels : null;
  }

  private redraw(): void {
    if (this.surface !== null && this.drawn !== null && this.pixels !== null) {
      this.surface.setView(this.viewOf(this.drawn, this.pixels));
    }
    this.changed();
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Takes over what only the frame itself could say of its scale (functional groups are not in the index). */
function learnScale(frame: Frame, pixels: Pixels): void {
  if (pixels.spacing === null || frame.instance.spacing[2] !== "none") return;
  frame.instance.spacing = pixels.spacing;
  frame.instance.aspect = pixels.spacing[0] / pixels.spacing[1];
}
