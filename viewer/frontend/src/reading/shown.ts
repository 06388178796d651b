// Keeps the record of what the reader was shown and how, of every kind of object; it goes with the signature.
import { t, tn } from "../shared/strings.ts";
import { titleOf, type Frame, type Manifest, type Series } from "./manifest.ts";

/** A preview only; a part (of a film, a recording, a long report); all of it, as it was sent. */
export type Quality = "preview" | "part" | "lossless";

export interface ShownSeries {
  readonly uid: string;
  readonly kind: string;
  readonly title: string;
  readonly images: number;
  readonly lossless: number;
  readonly preview_only: number;
  readonly in_part: number;
  readonly not_shown: readonly string[]; // which frames, as `1-12,40`
  readonly looks: readonly string[]; // windows of images, speeds and gains of curves
}

const MOST_LOOKS = 12;
const KEEP_AFTER_MS = 500;
const RANK: Readonly<Record<Quality, number>> = { preview: 1, part: 2, lossless: 3 };

/** What has been on the screen, frame by frame. */
export class ShownRecord {
  private readonly seen = new Map<string, Quality>();
  private readonly looks = new Map<string, string[]>();
  private keeping = 0;
  onChanged: () => void = () => undefined;

  constructor(private readonly manifest: Manifest) {
    window.addEventListener("pagehide", () => this.write());
    const kept = window.sessionStorage.getItem(this.place);
    if (kept === null) return;
    const { seen, looks } = JSON.parse(kept) as { seen: [string, Quality][]; looks: [string, string[]][] };
    for (const [id, quality] of seen) this.seen.set(id, quality);
    for (const [key, used] of looks) this.looks.set(key, used);
  }

  /** Notes that a frame is on the screen; what has been seen better stays so. */
  note(frame: Frame, quality: Quality): void {
    const before = this.seen.get(frame.id);
    if (before !== undefined && RANK[before] >= RANK[quality]) return;
    this.seen.set(frame.id, quality);
    this.keep();
    this.onChanged();
  }

  /** Notes how a series is looked at: in which window, at which speed and gain. */
  look(series: Series, how: string): void {
    const used = this.looks.get(series.key) ?? [];
    if (how === "" || used.includes(how)) return;
    this.looks.set(series.key, [...used, how].slice(-MOST_LOOKS));
    this.keep();
  }

  /** Counts what was shown of a series. */
  of(series: Series): ShownSeries {
    const count: Record<Quality, number> = { preview: 0, part: 0, lossless: 0 };
    const missing: number[] = [];
    for (const frame of series.frames) {
      const quality = this.seen.get(frame.id);
      if (quality === undefined) missing.push(frame.index + 1);
      else count[quality]++;
    }
    return {
      uid: series.uid,
      kind: series.kind,
      title: titleOf(series),
      images: series.frames.length,
      lossless: count.lossless,
      preview_only: count.preview,
      in_part: count.part,
      not_shown: runs(missing),
      looks: this.looks.get(series.key) ?? [],
    };
  }

  /** Forgets what was shown: it is signed. */
  forget(): void {
    window.clearTimeout(this.keeping);
    this.keeping = 0;
    window.sessionStorage.removeItem(this.place);
  }

  /** The record as it is signed. */
  record(): Record<string, unknown> {
    return {
      series: this.manifest.series.map((series) => this.of(series)),
      screen: {
        width: screen.width,
        height: screen.height,
        pixel_ratio: window.devicePixelRatio,
        colour_bits: screen.colorDepth,
        gamut: ["rec2020", "p3", "srgb"].find((each) => matchMedia(`(color-gamut: ${each})`).matches) ?? "",
      },
      window: { width: window.innerWidth, height: window.innerHeight },
      at: new Date().toISOString(),
    };
  }

  private get place(): string {
    return `lysbro-displayed-${this.manifest.case.id}`;
  }

  /** Keeps it for when the page is loaded again: not with every image, for it grows. */
  private keep(): void {
    if (this.keeping === 0) this.keeping = window.setTimeout(() => this.write(), KEEP_AFTER_MS);
  }

  private write(): void {
    if (this.keeping === 0) return;
    window.clearTimeout(this.keeping);
    this.keeping = 0;
    window.sessionStorage.setItem(this.place, JSON.stringify({ seen: [...this.seen], looks: [...this.looks] }));
  }
}

/** Tells whether a series has something of which is counted what was shown. */
export function isCounted(series: Series): boolean {
  return series.kind !== "other";
}

/** Says in a line what was shown of a series, and whether that is all of it. */
export function shownText(shown: ShownSeries): { text: string; isWhole: boolean } {
  const { images } = shown;
  const seen = shown.lossless + shown.preview_only + shown.in_part;
  const isPaper = ["document", "text", "waveform"].includes(shown.kind);
  if (isPaper) return paperText(shown, seen);
  if (seen === 0) return { text: tn("{n} image not shown", "{n} images not shown", images), isWhole: false };
  const parts = [
    seen === images
      ? tn("the only image shown", "all {n} images shown", images)
      : t("{seen} of {images} images shown", { seen, images }),
  ];
  if (shown.preview_only > 0) parts.push(t("{n} as preview only", { n: shown.preview_only }));
  return { text: parts.join(", "), isWhole: seen === images && shown.preview_only === 0 };
}

function paperText(shown: ShownSeries, seen: number): { text: string; isWhole: boolean } {
  if (seen === 0) return { text: t("not opened"), isWhole: false };
  if (shown.in_part > 0) return { text: t("opened, not to its end"), isWhole: false };
  const isWhole = seen === shown.images;
  return { text: isWhole ? t("opened") : t("{seen} of {images} opened", { seen, images: shown.images }), isWhole };
}

/** Numbers in short, as runs of neighbours: `1-12`, `40`. */
function runs(numbers: readonly number[]): string[] {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([first, last]) => (first === last ? String(first) : `${first}-${last}`));
}
