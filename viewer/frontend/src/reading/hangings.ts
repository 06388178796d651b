// The arrangements of a case, one after the other, and what is remembered of the reader's own.
import { call } from "../shared/api.ts";
import { need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Layout } from "./layouts.ts";
import { type HangingPlace, type HangingStep, type Manifest, type Series } from "./manifest.ts";
import type { Slot } from "./slot.ts";
import type { Hanging, Stage } from "./stage.ts";

const KEEP_AFTER_MS = 1500;
const PLAIN = new Set(["CR", "DX", "RG", "MG", "IO", "PX"]); // of these each image is looked at by itself

/** What hangs beside a case, fetched when a step asks for it. */
export interface Others {
  prior(): Promise<Hanging | null>;
  lesion(): Promise<Hanging | null>;
}

export class Hangings {
  private at = 0;
  private timer = 0;
  private hasOwn: boolean;
  private isArranged = false; // by hand, since the page was opened
  private steps: readonly HangingStep[];
  private readonly next = need<HTMLButtonElement>('#hang [data-hang="next"]');
  private readonly standard = need<HTMLButtonElement>('#hang [data-hang="standard"]');

  constructor(
    private readonly stage: Stage,
    private readonly manifest: Manifest,
    private readonly others: Others,
  ) {
    this.steps = manifest.hanging.steps;
    this.hasOwn = this.steps.some((step) => step.is_own);
    this.next.addEventListener("click", () => this.step(1));
    this.standard.addEventListener("click", () => void this.forget());
    window.addEventListener("pagehide", () => {
      if (this.timer !== 0) void this.keep(true);
    });
    this.write();
  }

  /** Hangs the first arrangement. */
  begin(): void {
    const step = this.steps[0];
    if (step !== undefined) this.hang(step);
  }

  /** Goes to the next arrangement, or the one before; after the last comes the first. */
  step(by: number): void {
    if (this.steps.length < 2) return;
    this.at = (this.at + by + this.steps.length) % this.steps.length;
    const step = this.steps[this.at];
    if (step !== undefined) this.hang(step);
    this.write();
  }

  /** Remembers how the case hangs now, for the next of its kind: its reader has arranged it so. */
  arranged(): void {
    this.isArranged = true;
    this.keepSoon();
  }

  /** Remembers a series that was put into a pane, when the arrangement is the reader's own: else it is only read. */
  put(): void {
    if (this.isArranged) this.keepSoon();
  }

  private keepSoon(): void {
    if (this.manifest.beside === undefined || this.manifest.hanging.kind === "") return;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.keep(false), KEEP_AFTER_MS);
  }

  /** Says which arrangement this is. */
  write(): void {
    const count = this.steps.length;
    this.next.hidden = count < 2;
    this.next.textContent = t("Arrangement {n} of {count}", { n: this.at + 1, count });
    this.standard.hidden = !this.hasOwn;
  }

  private hang(step: HangingStep): void {
    const hangings = step.panes.map((place) => (place.other === undefined ? this.hangingOf(place) : null));
    this.stage.hang(step.layout, hangings.map((each) => each ?? undefined));
    step.panes.forEach((place, at) => {
      const slot = this.stage.slots[at];
      if (place.other === undefined || slot === undefined || !this.stage.visible().includes(slot)) return;
      void this.others[place.other]().then((found) => {
        if (found === null || this.steps[this.at] !== step) return;
        void this.stage.put(slot, found).then(() => this.stage.onLayout());
      });
    });
  }

  private hangingOf(place: HangingPlace): Hanging | null {
    const series = this.manifest.series.find((each) => each.key === place.series);
    if (series === undefined) return null;
    const window = place.window === undefined ? null : { center: place.window[0], width: place.window[1] };
    return { series, window, ...(place.image === undefined ? {} : { image: place.image }) };
  }

  private async keep(isLeaving: boolean): Promise<void> {
    window.clearTimeout(this.timer);
    this.timer = 0;
    const shown = this.stage.visible();
    const panes = shown.filter((slot) => slot.series !== null).map(paneOf);
    if (panes.length === 0) return;
    const layout: Layout = shown.length === 1 ? "1x1" : this.stage.layout;
    try {
      await call(this.address, { method: "PUT", json: { layout, panes }, outlivesPage: isLeaving });
      this.hasOwn = true;
      this.write();
    } catch {
      // it is hung by the standard the next time, which says so itself
    }
  }

  /** Goes back to the standard, for this case and those like it. */
  private async forget(): Promise<void> {
    window.clearTimeout(this.timer);
    this.timer = 0;
    try {
      await call(this.address, { method: "DELETE" });
    } catch {
      say(t("No contact with the server. Try again."));
      return;
    }
    this.hasOwn = false;
    this.isArranged = false;
    this.steps = this.steps.filter((step) => !step.is_own);
    this.at = 0;
    this.begin();
    this.write();
    say(t("Such cases are hung by the standard again."));
  }

  private get address(): string {
    return `/api/reading-preferences/${encodeURIComponent(this.manifest.hanging.kind)}`;
  }
}

/** What is remembered of a pane: what kind of series hangs in it, and what its reader chose. */
function paneOf(slot: Slot): Record<string, unknown> {
  const series = slot.series as Series;
  if (slot.source?.study) return { other: "prior" };
  if (slot.isEarlier) return { other: "lesion" };
  const { chosenWindow, frame } = slot.pane;
  const isPlain = PLAIN.has(series.modality) && series.frames.length > 1;
  return {
    kind: series.kind,
    modality: series.modality,
    plane: series.plane ?? "",
    text: `${series.description} ${series.body_part}`.trim().slice(0, 200),
    ...(isPlain && frame !== null ? { image: frame.index } : {}),
    ...(series.kind === "stack" && chosenWindow !== null ? { window: [chosenWindow.center, chosenWindow.width] } : {}),
  };
}

