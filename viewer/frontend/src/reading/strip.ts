// The strip of series: what there is to look at, how much of it has been seen.
import { make, need } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import { titleOf, type Manifest, type Series } from "./manifest.ts";
import type { ShownRecord } from "./shown.ts";

export class Strip {
  private readonly list = need("#strip-list");
  private readonly buttons = new Map<string, HTMLButtonElement>();
  private current = "";

  constructor(
    private readonly manifest: Manifest,
    private readonly shown: ShownRecord,
    private readonly open: (series: Series) => void,
  ) {
    for (const series of manifest.series) this.list.append(make("li", "", this.button(series)));
    shown.onChanged = () => this.count();
    if (manifest.series.length === 0) this.list.append(make("li", "quiet small", t("No images have arrived yet.")));
  }

  /** Marks the series that is open. */
  mark(series: Series): void {
    this.current = series.key;
    for (const [key, button] of this.buttons) {
      if (key === series.key) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
    this.buttons.get(series.key)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Goes to the series before or after. */
  step(by: number): void {
    const { series } = this.manifest;
    const at = series.findIndex((each) => each.key === this.current);
    const next = series[Math.min(series.length - 1, Math.max(0, at + by))];
    if (next !== undefined && next.key !== this.current) this.open(next);
  }

  private button(series: Series): HTMLButtonElement {
    const button = make("button", "strip-series");
    button.type = "button";
    button.append(this.picture(series));
    const number = series.number === null ? "" : `${series.number} `;
    button.append(
      make("span", "strip-name", number + titleOf(series)),
      make("span", "strip-count", this.counted(series)),
    );
    button.addEventListener("click", () => {
      for (const image of button.querySelectorAll("img")) delete image.dataset["recognizable"];
      this.open(series);
    });
    this.buttons.set(series.key, button);
    return button;
  }

  private picture(series: Series): HTMLElement {
    const middle = series.frames[Math.floor((series.frames.length - 1) / 2)];
    if (middle === undefined || !isPicture(series)) {
      return make("span", "strip-paper", paperWord(series));
    }
    const image = make("img");
    image.loading = "lazy";
    image.alt = "";
    if (middle.instance.is_recognizable === true) image.dataset["recognizable"] = "yes";
    image.src = this.manifest.address("preview", middle.instance.uid, series.site, middle.instance.poster ?? middle.frame);
    return image;
  }

  private counted(series: Series): string {
    if (!isPicture(series)) return "";
    const { images, lossless, preview_only, in_part } = this.shown.of(series);
    const seen = lossless + preview_only + in_part;
    const count = series.kind === "video" ? tn("{n} film", "{n} films", images) : tn("{n} image", "{n} images", images);
    return seen === 0 ? count : t("{seen} of {images} seen", { seen, images });
  }

  private count(): void {
    for (const series of this.manifest.series) {
      const count = this.buttons.get(series.key)?.querySelector(".strip-count");
      if (count) count.textContent = this.counted(series);
    }
  }
}

/** Tells whether a series has something to look at, of which is counted what was shown. */
export function isPicture(series: Series): boolean {
  return series.kind === "stack" || series.kind === "photo" || series.kind === "video";
}

/** What a series without pictures is, in a word. */
export function paperWord(series: Series): string {
  switch (series.instances[0]?.what) {
    case "pdf":
      return "PDF";
    case "cda":
    case "stl":
    case "obj":
    case "mtl":
    case "file":
      return t("File");
    case "waveform":
      return series.modality === "ECG" ? t("ECG") : t("Curves");
    case "text":
      return series.modality === "KO" ? t("Key images") : t("Report");
    case "video":
      return t("Video");
    default:
      return series.modality || t("Object");
  }
}
