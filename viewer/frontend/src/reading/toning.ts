// Sends the greys of a surface through a state's last table: other greys, or a palette of colours (PS3.3 C.11.6, C.11.8).
import { bytesOf, type State } from "./states.ts";

const SVG = "http://www.w3.org/2000/svg";
let made = 0;

/** One pane's table, as a filter that the browser puts over what is drawn. */
export class Toning {
  private readonly name = `toning-${made++}`;
  private readonly channels: SVGElement[];
  private present = "";

  constructor(private readonly surface: HTMLElement) {
    const svg = document.createElementNS(SVG, "svg");
    const filter = document.createElementNS(SVG, "filter");
    const transfer = document.createElementNS(SVG, "feComponentTransfer");
    svg.setAttribute("class", "toning");
    svg.setAttribute("aria-hidden", "true");
    filter.id = this.name;
    filter.setAttribute("color-interpolation-filters", "sRGB");
    this.channels = ["feFuncR", "feFuncG", "feFuncB"].map((name) => document.createElementNS(SVG, name) as SVGElement);
    for (const each of this.channels) each.setAttribute("type", "discrete");
    transfer.append(...this.channels);
    filter.append(transfer);
    svg.append(filter);
    surface.after(svg);
  }

  /** Takes a state's table into use, or none. */
  use(state: State | null): void {
    const wanted = state === null ? "" : state.palette + state.greys;
    if (wanted === this.present) return;
    this.present = wanted;
    this.surface.style.filter = wanted === "" ? "" : `url(#${this.name})`;
    if (state === null || wanted === "") return;
    const greys = state.greys === "" ? null : bytesOf(state.greys);
    const palette = state.palette === "" ? null : bytesOf(state.palette);
    this.channels.forEach((channel, at) => {
      const values = Array.from({ length: 256 }, (_, grey) => {
        const toned = greys?.[grey] ?? grey;
        return ((palette?.[3 * toned + at] ?? toned) / 255).toFixed(4);
      });
      channel.setAttribute("tableValues", values.join(" "));
    });
  }
}
