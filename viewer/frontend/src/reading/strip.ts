// The strip of series: what there is to look at, how much of it has been seen.
import { make, need } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import { titleOf, type Manifest, type Series } from "./manifest.ts";
import type { ShownRecord } from "./shown.ts";

/** What is dragged from the strip: the place of a series among all that are listed. */
export const DRAGGED = "application/x-lysbro-series";

export class Strip {
  private readonly list = need("#strip-list");
  private readonly buttons = new Map<Series, HTMLButtonElement>();
  private readonly groups: (readonly Series[])[] = [];
  private current: Series | null = null;

  constructor(
    private readonly manifest: Manifest,
    private readonly shown: ShownRecord,
    private readonly open: (series: Series) => void,
  ) {
    this.add(this.list, manifest.series);
    shown.onChanged = () => this.count();
    if (manifest.series.length === 0) this.list.append(make("li", "quiet small", t("No images have arrived yet.")));
  }

  /** Lists further series, of another study. */
  add(list: HTMLElement, series: readonly Series[]): void {
    this.groups.push(series);
    for (const each of series) list.append(make("li", "", this.button(each)));
  }

  /** Marks the series that is in hand, and those that hang beside it. */
  mark(series: Series | null, beside: readonly (Series | null)[] = []): void {
    const isOther = series !== this.current;
    this.current = series;
    for (const [key, button] of this.buttons) {
      if (key === series) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      button.toggleAttribute("data-beside", key !== series && beside.includes(key));
    }
    if (isOther && series !== null) this.buttons.get(series)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Goes to the series before or after, of the same study. */
  step(by: number): void {
    const group = this.groups.find((each) => this.current !== null && each.includes(this.current)) ?? this.manifest.series;
    const at = this.current === null ? -1 : group.indexOf(this.current);
    const next = group[Math.min(group.length - 1, Math.max(0, at + by))];
    if (next !== undefined && next !== this.current) this.open(next);
  }

  /** The series that was dragged, or undefined when something else was. */
  dragged(event: DragEvent): Series | undefined {
    const said = event.dataTransfer?.getData(DRAGGED) ?? "";
    return said === "" ? undefined : [...this.buttons.keys()][Number(said)];
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
    button.draggable = true;
    button.addEventListener("dragstart", (event) => {
      event.dataTransfer?.setData(DRAGGED, String([...this.buttons.keys()].indexOf(series)));
      if (event.dataTransfer) event.dataTransfer.effectAllowed = "copy";
    });
    this.buttons.set(series, button);
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
    const { images, lossless, preview_only } = this.shown.of(series);
    const count = series.kind === "video" ? tn("{n} film", "{n} films", images) : tn("{n} image", "{n} images", images);
    return lossless + preview_only === 0 ? count : t("{seen} of {images} seen", { seen: lossless + preview_only, images });
  }

  private count(): void {
    for (const [series, button] of this.buttons) {
      const count = button.querySelector(".strip-count");
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
    case "file":
      return t("File");
    case "text":
      return t("Report");
    case "video":
      return t("Video");
    default:
      return series.modality || t("Object");
  }
}
