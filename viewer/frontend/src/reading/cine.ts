// Plays stacks, each pane by itself. Begins when somebody asks; where less motion is wished it plays through once.
import type { Pane } from "./pane.ts";

const DEFAULT_FPS = 10;
const FASTEST = 60;
const SLOWEST = 1;
const STEP = 1.25;

interface Playing {
  timer: number;
  left: number; // images until it stops
}

export class Cine {
  private readonly playing = new Map<Pane, Playing>();
  private readonly speeds = new Map<Pane, number>(); // chosen, in images a second

  constructor(private readonly changed: () => void) {
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") for (const pane of [...this.playing.keys()]) this.stop(pane);
    });
  }

  isPlaying(pane: Pane): boolean {
    return this.playing.has(pane);
  }

  /** How many images a second a pane plays: chosen, as the images say, or ten. */
  speed(pane: Pane): number {
    const own = pane.frame?.instance.frame_time_ms;
    return this.speeds.get(pane) ?? (own !== undefined && own > 0 ? Math.min(FASTEST, 1000 / own) : DEFAULT_FPS);
  }

  toggle(pane: Pane): void {
    if (this.isPlaying(pane)) this.stop(pane);
    else this.start(pane);
  }

  /** Plays faster (1) or slower (-1). */
  pace(pane: Pane, by: 1 | -1): void {
    this.speeds.set(pane, Math.min(FASTEST, Math.max(SLOWEST, this.speed(pane) * STEP ** by)));
    if (this.isPlaying(pane)) {
      this.stop(pane);
      this.start(pane);
    }
    this.changed();
  }

  stop(pane: Pane): void {
    const found = this.playing.get(pane);
    if (found === undefined) return;
    window.clearTimeout(found.timer);
    this.playing.delete(pane);
    this.changed();
  }

  private start(pane: Pane): void {
    const series = pane.frame?.series;
    if (series === undefined || series.frames.length < 2) return;
    const isOnce = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const state: Playing = { timer: 0, left: isOnce ? series.frames.length : Number.POSITIVE_INFINITY };
    const wait = (): void => {
      state.timer = window.setTimeout(next, Math.max(16, 1000 / this.speed(pane))); // each image has its own time
    };
    const next = (): void => {
      const now = pane.frame;
      if (now === null || now.series !== series || state.left-- <= 0) {
        this.stop(pane);
        return;
      }
      pane.go(series.frames[(now.index + 1) % series.frames.length]);
      wait();
    };
    this.playing.set(pane, state);
    wait();
    this.changed();
  }
}
