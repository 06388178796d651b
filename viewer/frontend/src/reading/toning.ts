// Sends the greys of a surface through a state's last table: other greys, or a palette of colours (PS3.3 C.11.6, C.11.8).
import { bytesOf, type State } from "./states.ts";

export const HOT_IRON = "hot-iron";

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
  use(state: Pick<State, "palette" | "greys"> | null, colours = ""): void {
    const wanted = state === null ? colours : state.palette + state.greys;
    if (wanted === this.present) return;
    this.present = wanted;
    this.surface.style.filter = wanted === "" ? "" : `url(#${this.name})`;
    if (wanted === "") return;
    const greys = state === null || state.greys === "" ? null : bytesOf(state.greys);
    const named = colours === HOT_IRON ? hotIron() : null;
    const palette = state === null ? named : state.palette === "" ? null : bytesOf(state.palette);
    this.channels.forEach((channel, at) => {
      const values = Array.from({ length: 256 }, (_, grey) => {
        const toned = greys?.[grey] ?? grey;
        return ((palette?.[3 * toned + at] ?? toned) / 255).toFixed(4);
      });
      channel.setAttribute("tableValues", values.join(" "));
    });
  }
}

/** The standard's palette of glowing iron (PS3.6 B.1.1): red first, then green, then blue. */
function hotIron(): Uint8Array {
  const colours = new Uint8Array(3 * 256);
  for (let grey = 0; grey < 256; grey++) {
    colours[3 * grey] = Math.min(255, 2 * grey);
    colours[3 * grey + 1] = grey === 255 ? 255 : Math.max(0, 2 * (grey - 128));
    colours[3 * grey + 2] = Math.max(0, Math.min(255, 4 * (grey - 191)));
  }
  return colours;
}
