// Two photographs in two panes, or the earlier one laid over the later one. Changes nothing that is kept.
import { need } from "../shared/dom.ts";
import { AS_IT_IS, cssMatrix, type Matrix } from "./warp.ts";

export interface Picture {
  readonly uid: string;
  readonly kind: string;
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly mm_per_pixel: number | null;
  readonly preview: string;
  readonly photo: string;
}

export type Way = "side" | "blend" | "wipe" | "flicker";

/** What is drawn: the pair, how the earlier lies on the later, and in which way both are shown. */
export interface Shown {
  readonly earlier: Picture;
  readonly later: Picture;
  readonly matrix: Matrix | null;
  readonly way: Way;
  readonly mix: number; // 0 to 1: how much of the earlier one
  readonly asTaken: boolean;
}

const MOST_ZOOM = 12;

export class Panes {
  private readonly root = need("#panes");
  private readonly from = need("#pane-from");
  private readonly to = need("#pane-to");
  private readonly over = need(".pane-over", this.to);
  private shown: Shown | null = null;
  private zoom = 1;
  private x = 0; // of the picture's middle from the pane's, in shares of the pane
  private y = 0;

  constructor() {
    new ResizeObserver(() => this.draw()).observe(this.root);
    for (const pane of [this.from, this.to]) this.follow(need(".pane-box", pane));
  }

  show(shown: Shown): void {
    const isOther = this.shown?.earlier !== shown.earlier || this.shown.later !== shown.later;
    this.shown = shown;
    if (isOther) {
      load(need<HTMLImageElement>("img", this.from), shown.earlier);
      load(need<HTMLImageElement>("img", this.over), shown.earlier);
      load(need<HTMLImageElement>(".pane-inner > img", this.to), shown.later);
      need("figcaption", this.from).textContent = shown.earlier.name;
    }
    need("figcaption", this.to).textContent =
      shown.way === "side" ? shown.later.name : `${shown.later.name} / ${shown.earlier.name}`;
    this.draw();
  }

  /** Zooms by a factor; 0 shows all again. */
  zoomBy(factor: number): void {
    this.zoom = factor === 0 ? 1 : Math.min(MOST_ZOOM, Math.max(1, this.zoom * factor));
    if (this.zoom === 1) this.x = this.y = 0;
    this.draw();
  }

  /** Tells whether both are shown at one scale because both have one. */
  get isOneScale(): boolean {
    const { earlier, later, matrix, asTaken } = this.shown ?? {};
    return Boolean((matrix === null || asTaken) && earlier?.mm_per_pixel && later?.mm_per_pixel);
  }

  private draw(): void {
    const shown = this.shown;
    if (shown === null) return;
    const { earlier, later, matrix, way } = shown;
    this.root.dataset["way"] = way;
    this.from.hidden = way !== "side";
    this.over.hidden = way === "side";
    const isWarped = matrix !== null && !shown.asTaken;
    this.fit(this.to, later);
    this.fit(this.from, way === "side" && isWarped ? later : earlier);
    const scale = need(".pane-box", this.to).clientWidth / later.columns;
    place(need<HTMLImageElement>("img", this.over), earlier, scale, matrix ?? AS_IT_IS);
    this.blend(shown);
    const own = this.sideScales(shown);
    place(need<HTMLImageElement>(".pane-inner > img", this.to), later, way === "side" ? own.later : scale, AS_IT_IS);
    const image = need<HTMLImageElement>("img", this.from);
    place(image, earlier, isWarped ? scale : own.earlier, isWarped && matrix !== null ? matrix : AS_IT_IS);
    for (const pane of [this.from, this.to]) {
      const box = need(".pane-box", pane);
      need(".pane-inner", pane).style.transform =
        `translate(${this.x * box.clientWidth}px, ${this.y * box.clientHeight}px) scale(${this.zoom})`;
      box.style.cursor = this.zoom > 1 ? "grab" : "";
      box.style.touchAction = this.zoom > 1 ? "none" : "pan-y";
    }
  }

  /** Gives CSS pixels for each full pixel: one scale in millimetres where both have one. */
  private sideScales({ earlier, later, matrix, asTaken }: Shown): { earlier: number; later: number } {
    const width = need(".pane-box", this.to).clientWidth;
    const fits = { earlier: need(".pane-box", this.from).clientWidth / earlier.columns, later: width / later.columns };
    if (!earlier.mm_per_pixel || !later.mm_per_pixel || (matrix !== null && !asTaken)) return fits;
    const perMm = Math.min(fits.earlier / earlier.mm_per_pixel, fits.later / later.mm_per_pixel);
    return { earlier: perMm * earlier.mm_per_pixel, later: perMm * later.mm_per_pixel };
  }

  private fit(pane: HTMLElement, picture: Picture): void {
    const box = need(".pane-box", pane);
    box.style.aspectRatio = `${picture.columns} / ${picture.rows}`;
    box.style.maxWidth = `calc(66vh * ${(picture.columns / picture.rows).toFixed(4)})`;
  }

  private blend({ way, mix }: Shown): void {
    this.over.style.opacity = way === "blend" ? String(mix) : "1";
    this.over.style.clipPath = way === "wipe" ? `inset(0 ${((1 - mix) * 100).toFixed(1)}% 0 0)` : "";
    this.over.style.visibility = way === "flicker" && mix < 0.5 ? "hidden" : "";
  }

  private follow(box: HTMLElement): void {
    let last: PointerEvent | null = null;
    box.addEventListener("pointerdown", (event) => {
      if (this.zoom === 1) return;
      last = event;
      box.setPointerCapture(event.pointerId);
    });
    box.addEventListener("pointermove", (event) => {
      if (last === null) return;
      const reach = (this.zoom - 1) / 2;
      const within = (value: number): number => Math.max(-reach, Math.min(reach, value));
      this.x = within(this.x + (event.clientX - last.clientX) / box.clientWidth);
      this.y = within(this.y + (event.clientY - last.clientY) / box.clientHeight);
      last = event;
      this.draw();
    });
    for (const end of ["pointerup", "pointercancel"]) box.addEventListener(end, () => (last = null));
    box.addEventListener("dblclick", () => this.zoomBy(this.zoom > 1 ? 0 : 3));
  }
}

function place(image: HTMLImageElement, picture: Picture, scale: number, matrix: Matrix): void {
  image.style.width = `${picture.columns * scale}px`;
  image.style.height = `${picture.rows * scale}px`;
  image.style.transform = matrix === AS_IT_IS ? "" : cssMatrix(matrix, scale);
}

/** Shows the preview at once, and the photograph itself when it has come. */
function load(image: HTMLImageElement, picture: Picture): void {
  image.src = picture.preview;
  image.alt = picture.name;
  const whole = new Image();
  whole.src = picture.photo;
  void whole.decode().then(
    () => {
      if (image.alt === picture.name && image.src.includes(picture.uid)) image.src = picture.photo;
    },
    () => undefined, // the preview stays
  );
}
