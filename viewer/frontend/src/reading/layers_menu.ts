// The menu of what lies over the images: the state, the overlays, each segment; and its keys and words.
import { make, need } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import type { Regions } from "./layer_source.ts";
import { nameOf, type Layers } from "./layers.ts";

const MOST_PARTS = 200;

/** The button of the tool bar with its sheet; it is there only where something lies over the images. */
export class LayersMenu {
  private readonly menu = need<HTMLDetailsElement>("#layers");
  private readonly sheet = need("#layers-sheet");
  private written = "";

  constructor(private readonly active: () => Layers) {
    listen({
      O: () => this.act((layers) => layers.toggleOverlays()),
      P: () => this.act((layers) => layers.next()),
      S: () => this.act((layers) => layers.toggleRegions()),
    });
    this.menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.menu.open) return;
      event.stopPropagation();
      this.menu.open = false;
      need("summary", this.menu).focus();
    });
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.contains(event.target as Node)) this.menu.open = false;
    });
  }

  /** Brings the menu and the line of words up to date with the active pane. */
  refresh(): void {
    const layers = this.active();
    const { states, regions, hasOverlays, mayBeColoured } = layers;
    this.menu.hidden = states.length === 0 && regions.length === 0 && !hasOverlays && !mayBeColoured;
    const mark = [states.map(({ object }) => object.uid), regions.map(({ object }) => object.uid), hasOverlays, mayBeColoured].join();
    if (mark !== this.written) {
      this.written = mark;
      this.write(layers);
    }
    this.bring(layers);
  }

  private act(does: (layers: Layers) => void): void {
    does(this.active());
    this.refresh();
    need("#live").textContent = this.active().said().join(", ") || t("Images as sent");
  }

  private write(layers: Layers): void {
    const parts: HTMLElement[] = [];
    if (layers.states.length > 0) {
      const select = make("select");
      select.id = "layers-state";
      select.append(new Option(t("As sent"), ""));
      layers.states.forEach((each, at) => select.append(new Option(nameOf(each), String(at))));
      select.addEventListener("change", () => this.act((now) => now.choose(now.states[Number(select.value || "-1")] ?? null)));
      parts.push(make("label", "layers-row", make("span", "", t("Presentation state"), make("kbd", "", "P")), select));
    }
    if (layers.hasOverlays) parts.push(this.check("layers-overlays", t("Overlays"), "O", (now) => now.toggleOverlays()));
    if (layers.mayBeColoured) parts.push(this.check("layers-colours", t("As colours"), "", (now) => now.toggleColours()));
    if (layers.regions.length > 0) {
      parts.push(this.check("layers-regions", t("Segments"), "S", (now) => now.toggleRegions()));
      const range = make("input");
      range.type = "range";
      [range.min, range.max, range.step, range.value] = ["0.1", "1", "0.05", String(layers.opacity)];
      range.addEventListener("input", () => this.act((now) => now.setOpacity(Number(range.value))));
      parts.push(make("label", "layers-row", make("span", "", t("Opacity")), range));
      for (const regions of layers.regions) parts.push(this.listOf(regions));
    }
    this.sheet.replaceChildren(...parts);
  }

  private listOf(regions: Regions): HTMLElement {
    const list = make("ul", "layers-parts");
    for (const part of regions.parts.slice(0, MOST_PARTS)) {
      const box = make("input");
      box.type = "checkbox";
      box.dataset["part"] = `${regions.object.uid}/${part.number}`;
      box.addEventListener("change", () => this.act((now) => now.togglePart(regions, part.number)));
      const swatch = make("span", "layers-swatch");
      swatch.style.background = `rgb(${part.colour.join(" ")})`;
      const kind = part.kind === "" || part.kind === part.label ? "" : part.kind;
      list.append(make("li", "", make("label", "", box, swatch, part.label, make("small", "quiet", kind))));
    }
    return make("div", "", make("p", "quiet small", regions.label), list);
  }

  private check(id: string, words: string, key: string, does: (layers: Layers) => void): HTMLElement {
    const box = make("input");
    box.type = "checkbox";
    box.id = id;
    box.addEventListener("change", () => this.act(does));
    return make("label", "layers-row", make("span", "", words, ...(key === "" ? [] : [make("kbd", "", key)])), box);
  }

  private bring(layers: Layers): void {
    const state = this.sheet.querySelector<HTMLSelectElement>("#layers-state");
    if (state !== null) {
      const at = layers.states.findIndex((each) => each === layers.state);
      state.value = at < 0 ? "" : String(at);
    }
    const checks: [string, boolean][] = [
      ["layers-overlays", layers.areOverlaysSeen],
      ["layers-regions", layers.areRegionsSeen],
      ["layers-colours", layers.isColoured],
    ];
    for (const [id, isSeen] of checks) {
      const box = this.sheet.querySelector<HTMLInputElement>(`#${id}`);
      if (box !== null) box.checked = isSeen;
    }
    for (const regions of layers.regions) {
      for (const part of regions.parts) {
        const box = this.sheet.querySelector<HTMLInputElement>(`[data-part="${regions.object.uid}/${part.number}"]`);
        if (box !== null) box.checked = layers.isPartSeen(regions, part.number);
      }
    }
  }
}
