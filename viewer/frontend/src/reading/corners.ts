// The text around the image: who, what, which slice, in which window, and whether it is the image or its preview.
import { need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { scaleText, type Point } from "./calibration.ts";
import { dayOf } from "./days.ts";
import { titleOf, type Frame } from "./manifest.ts";
import { valueText } from "./meaning.ts";
import type { Pane } from "./pane.ts";
import { windowText } from "./windows.ts";

const SAY_AFTER_MS = 400;

export class Corners {
  private readonly view: HTMLElement;
  private readonly surface: HTMLElement;
  private readonly loading: HTMLElement;
  private readonly live = need("#live");
  private readonly patient = document.querySelector(".room-who b")?.textContent?.trim() ?? "";
  private sayTimer = 0;
  private told = "";
  private pointer: Point | null = null;

  constructor(
    private readonly pane: Pane,
    private readonly root: HTMLElement,
    private readonly isActive: () => boolean,
  ) {
    this.view = need(".view", root);
    this.surface = need(".surface", root);
    this.loading = need(".loading", root);
    this.view.addEventListener("pointermove", (event) => {
      const box = this.view.getBoundingClientRect();
      this.pointer = [event.clientX - box.left, event.clientY - box.top];
      this.bottomLeft();
    });
    this.view.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.bottomLeft();
    });
  }

  /** Writes the corners anew. */
  write(): void {
    const frame = this.pane.frame;
    if (frame === null) return;
    const { series, instance } = frame;
    this.put(".corner-tl", [this.patient, dayOf(series.date)]);
    this.put(".corner-tr", [
      titleOf(series),
      series.number === null ? "" : t("Series {n}", { n: series.number }),
      instance.laterality === "" ? "" : t("Side {side}", { side: instance.laterality }),
      instance.is_lossy ? t("lossy compression by the sender") : "",
    ]);
    this.put(".corner-br", [this.slice(frame), thickness(frame), scaleText(instance)]);
    this.bottomLeft();
    this.loading.textContent = this.pane.problem || this.progress(frame);
    this.loading.classList.toggle("loading-problem", this.pane.problem !== "");
    const said = this.said(frame);
    for (const each of [this.view, this.surface]) each.setAttribute("aria-label", said);
    if (said === this.told) return; // frames that come do not talk over a measurement
    this.told = said;
    window.clearTimeout(this.sayTimer);
    if (!this.isActive()) return;
    const before = this.live.textContent;
    this.sayTimer = window.setTimeout(() => {
      if (this.live.textContent === before) this.live.textContent = said; // else a measurement was said meanwhile
    }, SAY_AFTER_MS);
  }

  private bottomLeft(): void {
    const window = this.pane.window;
    const isColour = this.pane.pixels?.samples === 3;
    const table = this.pane.tableName;
    const greys = table !== null ? `${t("Table of greys")} ${table}`.trimEnd() : window === null ? "" : windowText(window);
    this.put(".corner-bl", [this.value(), isColour ? "" : greys, this.zoom()]);
  }

  private slice(frame: Frame): string {
    return t("Image {n} of {count}", { n: frame.index + 1, count: frame.series.frames.length });
  }

  private zoom(): string {
    const surface = this.pane.placed();
    if (surface === null) return "";
    const [a, b] = [surface.toSurface([0, 0]), surface.toSurface([100, 0])];
    return `${Math.round(Math.hypot(b[0] - a[0], b[1] - a[1]))} %`;
  }

  /** The value under the pointer, in the unit of the images. */
  private value(): string {
    const { frame, pixels } = this.pane;
    const surface = this.pane.placed();
    if (frame === null || pixels === null || surface === null || this.pointer === null || this.pane.isPreview) return "";
    const [x, y] = surface.toImage(this.pointer).map(Math.floor) as [number, number];
    if (x < 0 || y < 0 || x >= pixels.columns || y >= pixels.rows) return "";
    const at = (y * pixels.columns + x) * pixels.samples;
    if (pixels.samples === 3) return `${x}, ${y}: ${pixels.values.slice(at, at + 3).join(" ")}`;
    const { unit, scales } = pixels.meaning;
    return `${x}, ${y}: ${valueText(pixels.values[at] ?? 0, pixels.slope, pixels.intercept, unit || frame.instance.unit, scales)}`;
  }

  private progress(frame: Frame): string {
    const count = frame.series.frames.length;
    const { arrived } = this.pane;
    if (arrived >= count) return "";
    const { bytes } = frame.series;
    return t("{n} of {count} images here in full, {size}", { n: arrived, count, size: `${(bytes / 1e6).toFixed(1)} MB` });
  }

  private said(frame: Frame): string {
    const window = this.pane.window;
    return [
      titleOf(frame.series),
      this.slice(frame),
      window === null ? "" : `${t("window")} ${Math.round(window.width)}/${Math.round(window.center)}`,
      this.pane.isPreview ? t("preview, not diagnostic") : "",
      this.pane.problem,
    ]
      .filter((part) => part !== "")
      .join(", ");
  }

  private put(corner: string, lines: readonly string[]): void {
    const element = need(corner, this.root);
    const wanted = lines.filter((line) => line !== "");
    if (element.dataset["said"] === wanted.join("\n")) return;
    element.dataset["said"] = wanted.join("\n");
    element.replaceChildren(...wanted.map((line) => Object.assign(document.createElement("span"), { textContent: line })));
  }
}

function thickness(frame: Frame): string {
  const { thickness_mm: mm } = frame.instance;
  return mm === undefined || mm === 0 ? "" : t("{mm} mm slice", { mm: Math.round(mm * 10) / 10 });
}
