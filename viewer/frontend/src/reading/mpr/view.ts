// The multi-planar view: three planes through one cross, turned and thickened together. Fetched when it is asked for.
//
// What is seen here is worked out from the slices; marks and measurements stay with the slices themselves.
import "../../styles/mpr.css";
import { make, say } from "../../shared/dom.ts";
import { t } from "../../shared/strings.ts";
import type { Frame, Series } from "../manifest.ts";
import type { Tone } from "../greys.ts";
import type { Window } from "../windows.ts";
import { Bar } from "./bar.ts";
import { drive } from "./gestures.ts";
import { keysOf } from "./keys.ts";
import { MprPane } from "./pane.ts";
import { PLANES, type PlaneName } from "./planes.ts";
import { MprState } from "./state.ts";
import { volumeOf, type Fetch } from "./volume.ts";
import { sliceAt, voxelAt } from "./grid.ts";

export interface Opened {
  readonly series: Series;
  readonly fetch: Fetch;
  readonly limitBytes: number;
  readonly window: Window | null;
  readonly isInverted: boolean;
  readonly windowOf: (key: string) => Window | null; // of a number key
  readonly onClosed: (nearest: Frame | undefined) => void;
}

const REST_MS = 160; // after so long without a move everything is drawn finely

export class MprView {
  readonly element = make("section", "mpr");
  readonly state: MprState;
  window: Window;
  isInverted: boolean;
  drags: "cross" | "window" | "turn" = "cross";
  private readonly panes: readonly MprPane[];
  private readonly bar: Bar;
  private readonly live = make("p", "visually-hidden");
  private readonly leaving = new AbortController();
  private readonly sizes = new ResizeObserver(() => this.draw());
  private timer = 0;
  private frame = 0;
  private isMoving = false;

  constructor(
    private readonly volume: Exclude<ReturnType<typeof volumeOf>, string>,
    private readonly opened: Opened,
  ) {
    this.state = new MprState(volume.grid);
    this.window = opened.window ?? { center: 40, width: 400 };
    this.isInverted = opened.isInverted;
    this.panes = PLANES.map((name) => new MprPane(name, this.state, volume));
    this.bar = new Bar(this);
    this.live.setAttribute("aria-live", "polite");
    this.element.setAttribute("aria-label", t("Planes through the series"));
    const grid = make("div", "mpr-panes", ...this.panes.map((pane) => pane.element), this.bar.element);
    this.element.append(grid, this.live);
    for (const pane of this.panes) {
      drive(pane, this);
      this.sizes.observe(pane.element);
    }
    this.element.addEventListener("keydown", (event) => keysOf(this, event));
  }

  /** Fetches the slices and shows what is there as they come. */
  begin(): void {
    this.bar.refresh();
    this.panes[0]?.element.focus();
    const shown = (): void => {
      this.bar.refresh();
      this.draw();
    };
    this.volume.load(this.opened.fetch, shown, this.leaving.signal).then(
      () => this.say(t("All {n} slices are here.", { n: this.volume.frames.length })),
      () => {
        if (!this.leaving.signal.aborted) this.bar.fail(t("Some slices could not be loaded. What is missing is black."));
      },
    );
  }

  /** Leaves for the stack again, at the slice that is nearest to the cross. */
  close(): void {
    this.leaving.abort();
    this.sizes.disconnect();
    this.element.remove();
    const k = Math.round(sliceAt(this.state.grid, voxelAt(this.state.grid, this.state.cross)[2]));
    this.opened.onClosed(this.volume.frames[k]);
  }

  get progress(): { arrived: number; count: number; coarseness: number; steps_mm: readonly [number, number] } {
    const { arrived, frames, coarseness, grid } = this.volume;
    return { arrived, count: frames.length, coarseness, steps_mm: grid.steps_mm };
  }

  /** The value under the cross, in the unit of the images. */
  get value(): string {
    const { voxels, grid } = this.volume;
    if (voxels === null) return "";
    const [x, y, steps] = voxelAt(grid, this.state.cross);
    const [i, j, k] = [Math.round(x), Math.round(y), Math.round(sliceAt(grid, steps))];
    const stored = voxels[(k * grid.size[1] + j) * grid.size[0] + i];
    const unit = this.volume.frames[0]?.instance.unit ?? "";
    return stored === undefined ? "" : `${Math.round(this.volume.valueOf(stored) * 100) / 100} ${unit}`.trimEnd();
  }

  /** Changes something and draws it: roughly at once, finely when it rests. */
  change(act: () => void, isMoving = false): void {
    act();
    this.isMoving = isMoving;
    window.clearTimeout(this.timer);
    if (isMoving) this.timer = window.setTimeout(() => this.change(() => undefined), REST_MS);
    this.bar.refresh();
    this.draw();
  }

  /** Takes the window of a number key. */
  takeWindow(key: string): void {
    const window = this.opened.windowOf(key);
    if (window !== null) this.change(() => (this.window = window));
  }

  /** Says something to those who listen. */
  say(text: string): void {
    this.live.textContent = text;
  }

  /** The pane that has the focus, or the first. */
  get active(): PlaneName {
    return this.panes.find((pane) => pane.element.contains(document.activeElement))?.name ?? "axial";
  }

  private draw(): void {
    if (this.frame !== 0) return;
    this.frame = window.requestAnimationFrame(() => {
      this.frame = 0;
      const { slope, intercept } = this.volume;
      const tone: Tone = { ...this.window, isInverted: this.isInverted, slope, intercept };
      for (const pane of this.panes) pane.draw(tone, this.isMoving);
    });
  }
}

/** Opens the view over a stage, or says why the series makes no volume. */
export function openMpr(stage: HTMLElement, opened: Opened): MprView | null {
  const volume = volumeOf(opened.series, opened.limitBytes);
  if (typeof volume === "string") {
    say(whyNot(volume));
    return null;
  }
  const view = new MprView(volume, opened);
  stage.append(view.element);
  view.begin();
  return view;
}

function whyNot(reason: Exclude<ReturnType<typeof volumeOf>, object>): string {
  switch (reason) {
    case "few":
      return t("Too few slices for planes of another direction.");
    case "unplaced":
      return t("The images do not say where they lie in the patient.");
    case "unlike":
      return t("The images of this series differ in size, direction or kind: they make no volume.");
    case "one-place":
      return t("Several images of this series lie at one place: they make no volume.");
    case "unscaled":
      return t("The images have no scale: they make no volume.");
    case "uneven":
      return t("Slices are missing or lie unevenly: planes across them would be wrong.");
  }
}
