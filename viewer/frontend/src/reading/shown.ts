// Keeps the record of what the reader was shown, lossless or as a preview; it goes with the signature.
import { t, tn } from "../shared/strings.ts";
import { titleOf, type Frame, type Manifest, type Series } from "./manifest.ts";

const KEEP_AFTER_MS = 500;

type Quality = "preview" | "lossless";

export interface ShownSeries {
  readonly uid: string;
  readonly title: string;
  readonly images: number;
  readonly lossless: number;
  readonly preview_only: number;
}

/** What has been on the screen, frame by frame. */
export class ShownRecord {
  private readonly seen = new Map<string, Quality>();
  private keeping = 0;
  onChanged: () => void = () => undefined;

  constructor(private readonly manifest: Manifest) {
    window.addEventListener("pagehide", () => this.keep());
    const kept = window.sessionStorage.getItem(this.place);
    if (kept !== null) for (const [id, quality] of JSON.parse(kept) as [string, Quality][]) this.seen.set(id, quality);
  }

  /** Notes that a frame is on the screen. */
  note(frame: Frame, quality: Quality): void {
    const before = this.seen.get(frame.id);
    if (before === quality || before === "lossless") return;
    this.seen.set(frame.id, quality);
    if (this.keeping === 0) this.keeping = window.setTimeout(() => this.keep(), KEEP_AFTER_MS);
    this.onChanged();
  }

  /** Counts what was shown of a series. */
  of(series: Series): ShownSeries {
    let lossless = 0;
    let previewOnly = 0;
    for (const frame of series.frames) {
      const quality = this.seen.get(frame.id);
      if (quality === "lossless") lossless++;
      else if (quality === "preview") previewOnly++;
    }
    return {
      uid: series.uid,
      title: titleOf(series),
      images: series.frames.length,
      lossless,
      preview_only: previewOnly,
    };
  }

  /** Keeps the record for when the page is loaded again: not with every image, for it grows. */
  private keep(): void {
    if (this.keeping === 0) return;
    window.clearTimeout(this.keeping);
    this.keeping = 0;
    window.sessionStorage.setItem(this.place, JSON.stringify([...this.seen]));
  }

  /** Forgets what was shown: it is signed. */
  forget(): void {
    window.clearTimeout(this.keeping);
    this.keeping = 0;
    window.sessionStorage.removeItem(this.place);
  }

  private get place(): string {
    return `lysbro-shown-${this.manifest.case.id}`;
  }

  /** The record as it is signed. */
  record(): Record<string, unknown> {
    return {
      series: this.manifest.series.map((series) => this.of(series)),
      screen: { width: screen.width, height: screen.height, pixel_ratio: window.devicePixelRatio },
      window: { width: window.innerWidth, height: window.innerHeight },
      at: new Date().toISOString(),
    };
  }
}

/** Says in a line what was shown of a series, and whether that is all of it. */
export function shownText(shown: ShownSeries): { text: string; isWhole: boolean } {
  const seen = shown.lossless + shown.preview_only;
  const { images } = shown;
  if (seen === 0) return { text: tn("{n} image not shown", "{n} images not shown", images), isWhole: false };
  const parts = [
    seen === images
      ? tn("the only image shown", "all {n} images shown", images)
      : t("{seen} of {images} images shown", { seen, images }),
  ];
  if (shown.preview_only > 0) parts.push(t("{n} as preview only", { n: shown.preview_only }));
  return { text: parts.join(", "), isWhole: seen === images && shown.preview_only === 0 };
}
