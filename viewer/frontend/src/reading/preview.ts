// The previews: small JPEGs that can be scrolled before any viewer code has come. Never for diagnosis.
import type { Frame } from "./manifest.ts";
import type { Surface } from "./surface.ts";

const AHEAD = 6; // previews fetched on either side

/** One image element that shows the preview of a frame, and the warning that goes with it. */
export class PreviewPane {
  private wanted: Frame | null = null;
  private readonly fetched = new Set<string>();

  constructor(
    private readonly image: HTMLImageElement,
    private readonly mark: HTMLElement,
    private readonly addressOf: (frame: Frame) => string,
  ) {}

  /** Shows the preview of a frame; tells when it is on the screen, unless another one has been asked for. */
  async show(frame: Frame, surface: Surface | null): Promise<boolean> {
    this.wanted = frame;
    const fresh = new Image();
    fresh.src = this.addressOf(frame);
    try {
      await fresh.decode();
    } catch {
      return false;
    }
    if (this.wanted !== frame) return false;
    this.image.src = fresh.src;
    this.place(frame, surface);
    this.image.hidden = false;
    this.mark.hidden = false;
    return true;
  }

  /** Takes the preview away: the frame itself is there. */
  hide(): void {
    this.wanted = null;
    this.image.hidden = true;
    this.mark.hidden = true;
  }

  get isShown(): boolean {
    return !this.image.hidden;
  }

  /** Lays the preview exactly over the place of the frame, or fits it where nothing is drawn yet. */
  place(frame: Frame, surface: Surface | null): void {
    const style = this.image.style;
    const { rows, columns } = frame.instance;
    if (surface === null) {
      style.transform = style.width = style.height = "";
      return;
    }
    const [x, y] = surface.toSurface([0, 0]);
    const [rx, ry] = surface.toSurface([columns, 0]);
    const [dx, dy] = surface.toSurface([0, rows]);
    style.width = `${columns}px`;
    style.height = `${rows}px`;
    const across = [(rx - x) / columns, (ry - y) / columns];
    const down = [(dx - x) / rows, (dy - y) / rows];
    style.transform = `matrix(${across.join(",")},${down.join(",")},${x},${y})`;
  }

  /** Fetches the previews around a place, so that scrolling finds them. */
  fetchAround(frames: readonly Frame[], index: number): void {
    for (let step = 1; step <= AHEAD; step++) {
      for (const frame of [frames[index + step], frames[index - step]]) {
        if (frame === undefined || this.fetched.has(frame.id)) continue;
        this.fetched.add(frame.id);
        const ahead = new Image();
        ahead.fetchPriority = "low";
        ahead.src = this.addressOf(frame);
      }
    }
  }
}
