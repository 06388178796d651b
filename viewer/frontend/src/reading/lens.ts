// The magnifier: the values under the pointer, enlarged, in the window of their pane. Never the preview.
import { make } from "../shared/dom.ts";
import type { Point } from "./calibration.ts";
import { canvasSurface } from "./canvas.ts";
import type { Slot } from "./slot.ts";
import type { Stage } from "./stage.ts";
import type { Surface } from "./surface.ts";

const TIMES = 3; // larger than in the pane
const LEAST = 2; // screen pixels for one of the image

export class Lens {
  isOn = false;
  private readonly glass = make("div", "lens");
  private surface: Surface | null = null;
  private over: Slot | null = null;
  private at: Point | null = null;

  constructor(private readonly stage: Stage) {
    this.glass.setAttribute("aria-hidden", "true");
    for (const slot of stage.slots) {
      slot.view.addEventListener("pointermove", (event) => {
        const box = slot.view.getBoundingClientRect();
        this.at = [event.clientX - box.left, event.clientY - box.top];
        this.over = slot;
        this.draw();
      });
    }
  }

  /** Takes the magnifier in hand, or puts it away; without a pointer it is over the middle of the image. */
  toggle(): void {
    this.isOn = !this.isOn;
    if (this.over === null || !this.stage.visible().includes(this.over)) {
      this.over = this.stage.active;
      this.at = null;
    }
    this.draw();
  }

  /** Draws what is under it now. */
  draw(): void {
    const slot = this.over;
    const drawn = slot?.pane.shownAs() ?? null;
    const placed = slot?.pane.placed() ?? null;
    if (!this.isOn || slot === null || drawn === null || placed === null) {
      this.glass.remove();
      return;
    }
    const [x, y] = this.at ?? [slot.view.clientWidth / 2, slot.view.clientHeight / 2];
    if (this.glass.parentElement !== slot.view) slot.view.append(this.glass);
    this.glass.style.translate = `${x}px ${y}px`;
    this.surface ??= canvasSurface(this.glass);
    const place = placed.getPlace();
    void this.surface.show(drawn.frame, drawn.pixels, drawn.view);
    this.surface.setPlace({ ...place, scale: Math.max(LEAST, place.scale * TIMES), middle: placed.toImage([x, y]) });
  }
}
