// The dots on the body map: the chosen point, and the patient's earlier lesions with their labels.
import { type Drawn, drawn, type Spot } from "./bodymap_figure.ts";

/** An earlier lesion, shown where it was. */
export interface KnownDot extends Spot {
  readonly label: string;
  readonly onChoose?: () => void;
}

/** Draws the dots of the view that is seen; they stay as large on the screen however near one looks. */
export class BodyDots {
  known: readonly KnownDot[] = [];
  private readonly layer = drawn("g", {});
  private readonly choices = new Map<Element, KnownDot>();

  constructor(
    private readonly svg: SVGSVGElement,
    private readonly viewKey: () => string,
  ) {
    svg.append(this.layer);
  }

  /** Draws what belongs to this view. */
  draw(seen: Drawn, spot: Spot | null): void {
    this.choices.clear();
    const groups = this.known
      .filter((dot) => dot.view === this.viewKey())
      .map((dot) => {
        const group = this.group(dot, seen, "bodymap-known");
        const label = drawn("text", { class: "bodymap-label", "aria-hidden": "true" });
        label.textContent = dot.label;
        group.append(drawn("circle", { class: "bodymap-reach" }), drawn("circle", { class: "bodymap-known-dot" }), label);
        for (const [name, text] of [["role", "button"], ["tabindex", "0"], ["aria-label", this.said(dot.label)]] as const) group.setAttribute(name, text);
        this.choices.set(group, dot);
        return group;
      });
    if (spot !== null && spot.view === this.viewKey()) {
      const group = this.group(spot, seen, "bodymap-spot");
      group.setAttribute("aria-hidden", "true");
      group.append(drawn("circle", { class: "bodymap-spot-halo" }), drawn("circle", { class: "bodymap-spot-dot" }));
      groups.push(group);
    }
    this.layer.replaceChildren(...groups);
  }

  /** Keeps the dots one size on the screen. */
  place(scale: number): void {
    const size = 1 / scale;
    for (const group of this.layer.children) {
      const { x, y } = (group as SVGGElement).dataset;
      group.setAttribute("transform", `translate(${x} ${y}) scale(${size})`);
    }
  }

  /** Calls the choice of the dot that was pressed; tells whether it was one. */
  chooses(target: Element): boolean {
    const group = target.closest(".bodymap-known");
    const dot = group === null ? undefined : this.choices.get(group);
    dot?.onChoose?.();
    return dot !== undefined;
  }

  private said(label: string): string {
    const form = this.svg.closest<HTMLElement>("#bodymap")?.dataset["known"] ?? "{label}";
    return form.replace("{label}", label);
  }

  private group(spot: Spot, seen: Drawn, name: string): SVGGElement {
    return drawn("g", { class: name, "data-x": String(spot.x * seen.width), "data-y": String(spot.y * seen.height) });
  }
}
