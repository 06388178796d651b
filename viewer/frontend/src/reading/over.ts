// Two series in one pane: the other one lies over this one, blended by a slider or flicked by a key.
import { say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { canvasSurface } from "./canvas.ts";
import { follow, liesOver, linkBetween, placeOnto, type Link } from "./linking.ts";
import { titleOf, type Frame, type Series } from "./manifest.ts";
import type { Pixels, PixelStore } from "./pixels.ts";
import type { ShownRecord } from "./shown.ts";
import type { Slot } from "./slot.ts";
import type { Stage } from "./stage.ts";
import type { Surface, View } from "./surface.ts";

interface Laid {
  readonly under: Slot;
  readonly upper: Series;
  readonly base: Series;
  readonly link: Link;
  readonly viewOf: (frame: Frame, pixels: Pixels) => View;
}

export class Over {
  share = 1; // of the upper one, from 0 to 1
  private laid: Laid | null = null;
  private readonly surfaces = new Map<Slot, Surface>();
  private wanted: Frame | null = null;

  constructor(
    private readonly stage: Stage,
    private readonly store: PixelStore,
    private readonly shown: ShownRecord,
  ) {}

  get isOn(): boolean {
    return this.laid !== null;
  }

  /** Lays the other pane's series over the one in hand; when it lies there, flicks between the two. */
  flick(): void {
    if (this.laid !== null) {
      this.blend(this.share > 0.5 ? 0 : 1);
      return;
    }
    const { active } = this.stage;
    const frame = active.series?.kind === "stack" ? active.pane.frame : null;
    const other = this.other();
    const theirs = other?.pane.frame ?? null;
    const link = frame === null || theirs === null ? null : linkBetween(frame, theirs);
    if (frame === null || other === undefined || theirs === null || link === null) {
      say(t("Hang two series of the same size and place beside each other first."));
      return;
    }
    this.laid = { under: active, upper: theirs.series, base: frame.series, link, viewOf: (f, pixels) => other.pane.viewOf(f, pixels) };
    this.blend(1);
  }

  /** The pane whose series can lie over the one in hand. */
  other(): Slot | undefined {
    const { active } = this.stage;
    const frame = active.series?.kind === "stack" ? active.pane.frame : null;
    return this.stage.visible().find((slot) => slot !== active && slot.series !== active.series && fits(frame, slot));
  }

  /** Takes the upper series away. */
  end(): void {
    if (this.laid === null) return;
    this.laid.under.over.hidden = true;
    this.laid = null;
    this.stage.onActive();
  }

  /** How much of the upper one is seen. */
  blend(share: number): void {
    this.share = share;
    void this.draw();
    this.stage.onActive();
  }

  /** In words, what is seen. */
  said(): string {
    if (this.laid === null) return "";
    const [upper, base] = [titleOf(this.laid.upper), titleOf(this.laid.base)];
    if (this.share >= 1) return t("Over it: {upper}", { upper });
    if (this.share <= 0) return t("Beneath: {base}", { base });
    return t("{n} % {upper} over {base}", { n: Math.round(this.share * 100), upper, base });
  }

  /** Draws the upper image at the place of the lower one. */
  async draw(): Promise<void> {
    const laid = this.laid;
    if (laid === null) return;
    const { under } = laid;
    const frame = under.pane.frame;
    if (frame === null || frame.series !== laid.base || under.root.hidden) {
      this.end();
      return;
    }
    const upper = follow(laid.link, frame, laid.upper);
    const placed = under.pane.placed();
    if (upper === null || placed === null) return;
    this.wanted = upper;
    const pixels = await this.store.get(upper, true).catch(() => null);
    if (pixels === null || this.wanted !== upper || this.laid !== laid) return;
    under.over.hidden = this.share === 0;
    under.over.style.opacity = String(this.share);
    let surface = this.surfaces.get(under);
    if (surface === undefined) this.surfaces.set(under, (surface = canvasSurface(under.over)));
    surface.resize();
    void surface.show(upper, pixels, laid.viewOf(upper, pixels));
    surface.setPlace(placeOnto(placed.getPlace(), frame, upper));
    if (this.share > 0) this.shown.note(upper, "lossless");
  }
}

function fits(frame: Frame | null, slot: Slot): boolean {
  const theirs = slot.series?.kind === "stack" ? slot.pane.frame : null;
  return frame !== null && theirs !== null && liesOver(frame, theirs);
}
