// One place of the stage: all that one pane has, whatever kind of series it shows. Which series is decided elsewhere.
import { need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { canvasSurface } from "./canvas.ts";
import { Corners } from "./corners.ts";
import { Gestures } from "./gestures.ts";
import { layersOf } from "./layer_source.ts";
import { Layers } from "./layers.ts";
import type { Frame, Manifest, Series } from "./manifest.ts";
import { MarkList } from "./mark_list.ts";
import { Marks } from "./marks.ts";
import { Pane } from "./pane.ts";
import { showPapers } from "./papers.ts";
import type { PhotoWall } from "./photos.ts";
import type { PixelStore } from "./pixels.ts";
import { PreviewPane } from "./preview.ts";
import type { ShownRecord } from "./shown.ts";
import type { Source } from "./sources.ts";
import type { ToolChoice } from "./tool_choice.ts";
import { ToldSurface, type Moved } from "./told_surface.ts";
import { paperViewing, type Viewing } from "./viewing.ts";

export interface SlotParts {
  readonly manifest: Manifest;
  readonly shown: ShownRecord;
  readonly store: PixelStore;
  readonly previewOf: (frame: Frame) => string;
  readonly isActive: (slot: Slot) => boolean;
  readonly play: (pane: Pane) => void;
  readonly list: MarkList; // the marks of the case
  readonly choice: ToolChoice;
}

export class Slot {
  readonly view: HTMLElement;
  readonly pane: Pane;
  readonly surface: ToldSurface;
  readonly lines: SVGSVGElement;
  readonly over: HTMLElement;
  readonly layers: Layers;
  series: Series | null = null;
  source: Source | null = null;
  onMoved: (how: Moved) => void = () => undefined;
  onChange: () => void = () => undefined;
  private readonly corners: Corners;
  private readonly slider: HTMLInputElement;
  private wall: PhotoWall | null = null;
  private isAlone = false;
  private papers: Viewing;
  private readonly paneMarks: Marks;

  constructor(
    readonly root: HTMLElement,
    private readonly parts: SlotParts,
  ) {
    this.view = need(".view", root);
    this.slider = need<HTMLInputElement>(".slider", root);
    this.over = need(".surface-over", root);
    this.lines = root.querySelector<SVGSVGElement>(".lines") as SVGSVGElement;
    const previews = new PreviewPane(need<HTMLImageElement>(".preview", root), need(".preview-mark", root), parts.previewOf);
    this.pane = new Pane(previews, parts.store, parts.shown);
    this.paneMarks = new Marks(root.querySelector<SVGSVGElement>(".marks") as SVGSVGElement, this.pane, parts.list);
    this.corners = new Corners(this.pane, root, () => parts.isActive(this));
    new Gestures(this.view, this.pane, this.paneMarks, parts.choice);
    this.surface = new ToldSurface(canvasSurface(need(".surface", root)), (how) => this.onMoved(how));
    this.papers = paperViewing(need(".papers", root));
    this.layers = new Layers(this.view, this.lines, this.pane, () => layersOf(this.source?.manifest ?? parts.manifest));
    this.pane.onChange(() => this.changed());
    this.slider.addEventListener("input", () => this.pane.go(this.pane.frame?.series.frames[Number(this.slider.value) - 1]));
    new ResizeObserver(() => this.pane.resize()).observe(this.view);
    this.pane.use(this.surface);
  }

  /** Tells whether what hangs here is from an earlier examination. */
  get isEarlier(): boolean {
    return (this.source?.earlier ?? "") !== "";
  }

  /** The marks over what hangs here: over the photograph in hand, or over the image. */
  get marks(): Marks {
    return this.wall?.marks() ?? this.paneMarks;
  }

  /** Opens a series of a source in the part of the pane that its kind needs; `image` counts from 0, `isAlone` leaves
   * the other photographs of the source out. */
  async open(series: Series, source: Source, image?: number, isAlone = false): Promise<void> {
    const isNew = this.series !== series || this.isAlone !== isAlone;
    this.isAlone = isAlone;
    this.series = series;
    if (this.source !== source) this.paneMarks.use(this.listOf(source));
    this.source = source;
    const isStack = series.kind === "stack";
    const isPhoto = series.kind === "photo";
    this.root.dataset["kind"] = isStack || isPhoto ? series.kind : "paper";
    this.root.toggleAttribute("data-film", series.kind === "video");
    this.root.toggleAttribute("data-earlier", this.isEarlier);
    this.part(".view", isStack);
    this.part(".photos", isPhoto);
    this.part(".papers", !isStack && !isPhoto);
    this.part(".pane-empty", false);
    this.showSource(source);
    if (!isPhoto) this.dropWall();
    if (!isStack) {
      this.slider.hidden = true;
      need(".loading", this.root).textContent = "";
    }
    if (isStack) {
      this.pane.open(series, image);
      this.slider.hidden = series.frames.length < 2;
      this.pane.resize();
    } else if (isPhoto) await this.hangPhotos(source, isNew);
    else if (isNew) await this.showPapers(source, series);
    this.onChange();
  }

  /** Shows that nothing hangs here. */
  clear(): void {
    this.dropWall();
    this.series = null;
    this.source = null;
    this.root.dataset["kind"] = "empty";
    this.root.removeAttribute("data-earlier");
    for (const each of [".view", ".photos", ".papers", ".earlier-mark", ".then"]) this.part(each, false);
    this.slider.hidden = true;
    need(".loading", this.root).textContent = "";
    this.part(".pane-empty", true);
  }

  /** Among several panes the keyboard goes from image to image; the keys scroll, the slider is for the mouse. */
  set isOneOfMany(isIt: boolean) {
    this.slider.tabIndex = isIt ? -1 : 0;
  }

  /** Puts the keyboard here. */
  focus(): void {
    const wanted = { stack: ".view", photo: ".photos figure" }[this.root.dataset["kind"] ?? ""] ?? ".papers";
    this.root.querySelector<HTMLElement>(wanted)?.focus({ preventScroll: true });
  }

  /** What the keys do here. */
  get viewing(): Viewing {
    const { pane, view, wall } = this;
    if (wall !== null) {
      return {
        scroll: (by) => wall.step(Math.sign(by)),
        zoom: wall.zoom,
        fit: wall.fit,
        play: () => undefined,
        current: wall.current,
      };
    }
    if (this.series?.kind !== "stack") return this.papers;
    return {
      scroll: (by) => pane.scroll(by),
      zoom: (factor) => pane.placed()?.zoomBy(factor, [view.clientWidth / 2, view.clientHeight / 2]),
      fit: () => pane.placed()?.fit(),
      play: () => this.parts.play(pane),
      current: () => pane.frame,
    };
  }

  private changed(): void {
    if (this.view.hidden || this.root.hidden) return;
    this.corners.write();
    this.paneMarks.draw();
    const frame = this.pane.frame;
    if (frame === null) return;
    this.slider.max = String(frame.series.frames.length);
    this.slider.value = String(frame.index + 1);
    this.slider.hidden = frame.series.frames.length < 2 || this.wall !== null;
    this.slider.setAttribute("aria-valuetext", t("Image {n} of {count}", { n: frame.index + 1, count: frame.series.frames.length }));
    this.onChange();
  }

  private part(selector: string, isShown: boolean): void {
    need(selector, this.root).hidden = !isShown;
  }

  /** Says that this is an earlier examination, and what was answered to it. */
  private showSource(source: Source): void {
    const mark = need(".earlier-mark", this.root);
    mark.hidden = source.earlier === "";
    mark.textContent = source.earlier === "" ? "" : t("Earlier: {what}", { what: source.earlier });
    const then = need(".then", this.root);
    then.hidden = source.answer === null;
    if (source.answer === null) return;
    const { none = "", impression = "", findings = "", by = "" } = source.answer;
    const lines = [none, impression, findings, by === "" ? "" : t("Signed by {name}", { name: by })];
    need(".then-text", this.root).replaceChildren(
      ...lines.filter((line) => line !== "").map((line) => Object.assign(document.createElement("p"), { textContent: line })),
    );
  }

  private async hangPhotos(source: Source, isNew: boolean): Promise<void> {
    if (this.wall !== null && !isNew) return;
    const { hangPhotos } = await import("./photos.ts");
    if (this.source !== source || this.series?.kind !== "photo") return; // another series was opened meanwhile
    this.dropWall();
    const only = this.isAlone ? this.series : null;
    this.wall = hangPhotos(need(".photos", this.root), source.manifest, this.parts.shown, this.marking, source.captions, only);
  }

  private get marking(): { list: MarkList; choice: ToolChoice } {
    return { list: this.paneMarks.list, choice: this.parts.choice };
  }

  /** The marks of the case, or those that were signed with an earlier study: they are shown and stay as they are. */
  private listOf(source: Source): MarkList {
    if (source.earlier === "") return this.parts.list;
    const list = new MarkList();
    list.restore(source.measurements ?? []);
    list.locked = list.all.length;
    list.onSaid = (text) => this.parts.list.onSaid(text);
    list.onChange = () => say(t("What is measured in an earlier image is not kept in the answer."));
    return list;
  }

  private dropWall(): void {
    this.wall?.close();
    this.wall = null;
  }

  private async showPapers(source: Source, series: Series): Promise<void> {
    const panel = need(".papers", this.root);
    this.papers = paperViewing(panel);
    this.papers.fit();
    await showPapers(source.manifest, series, this.parts.shown, panel);
  }
}

/** Makes a further pane of the page's first one, before that is taken into use. */
export function anotherPane(first: HTMLElement, number: number): HTMLElement {
  const root = first.cloneNode(true) as HTMLElement;
  for (const each of [root, ...root.querySelectorAll<HTMLElement>("[id]")]) each.removeAttribute("id");
  const preview = need<HTMLImageElement>(".preview", root); // the first pane's own
  preview.removeAttribute("src");
  preview.hidden = need(".preview-mark", root).hidden = true;
  const mark = need(".preview-mark", root);
  mark.id = `preview-mark-${number}`;
  need(".view", root).setAttribute("aria-describedby", mark.id);
  root.hidden = true;
  return root;
}
