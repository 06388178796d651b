// The text around the image: who, what, which slice, in which window, and whether it is the image or its preview.
import { need } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import { scaleText, type Point } from "./calibration.ts";
import { titleOf, type Frame } from "./manifest.ts";
import type { Pane } from "./pane.ts";
import { windowText } from "./windows.ts";

const SAY_AFTER_MS = 400;

export class Corners {
  private readonly view = need("#view");
  private readonly surface = need("#surface");
  private readonly live = need("#live");
  private readonly loading = need("#loading");
  private readonly patient = document.querySelector(".room-who b")?.textContent?.trim() ?? "";
  private sayTimer = 0;
  private told = "";
  private pointer: Point | null = null;

  constructor(private readonly pane: Pane) {
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
    put("#corner-tl", [this.patient, dayOf(series.date)]);
    put("#corner-tr", [
      titleOf(series),
      series.number === null ? "" : t("Series {n}", { n: series.number }),
      instance.laterality === "" ? "" : t("Side {side}", { side: instance.laterality }),
      instance.is_lossy ? t("lossy compression by the sender") : "",
    ]);
    put("#corner-br", [this.slice(frame), thickness(frame), scaleText(instance)]);
    this.bottomLeft();
    this.loading.textContent = this.pane.problem || this.progress(frame);
    this.loading.classList.toggle("loading-problem", this.pane.problem !== "");
    const said = this.said(frame);
    for (const each of [this.view, this.surface]) each.setAttribute("aria-label", said);
    if (said === this.told) return; // frames that come do not talk over a measurement
    this.told = said;
    window.clearTimeout(this.sayTimer);
    const before = this.live.textContent;
    this.sayTimer = window.setTimeout(() => {
      if (this.live.textContent === before) this.live.textContent = said; // else a measurement was said meanwhile
    }, SAY_AFTER_MS);
  }

  private bottomLeft(): void {
    const window = this.pane.window;
    const isColour = this.pane.pixels?.samples === 3;
    put("#corner-bl", [this.value(), window === null || isColour ? "" : windowText(window), this.zoom()]);
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
    const value = (pixels.values[at] ?? 0) * pixels.slope + pixels.intercept;
    return `${x}, ${y}: ${Number.isInteger(value) ? value : value.toFixed(2)} ${frame.instance.unit}`.trimEnd();
  }

  private progress(frame: Frame): string {
    const count = frame.series.frames.length;
    const { arrived } = this.pane;
    if (arrived >= count) return "";
    const bytes = frame.series.instances.reduce((sum, each) => sum + each.bytes, 0);
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
}

function put(corner: string, lines: readonly string[]): void {
  const element = need(corner);
  const wanted = lines.filter((line) => line !== "");
  if (element.dataset["said"] === wanted.join("\n")) return;
  element.dataset["said"] = wanted.join("\n");
  element.replaceChildren(...wanted.map((line) => Object.assign(document.createElement("span"), { textContent: line })));
}

function thickness(frame: Frame): string {
  const { thickness_mm: mm } = frame.instance;
  return mm === undefined || mm === 0 ? "" : t("{mm} mm slice", { mm: Math.round(mm * 10) / 10 });
}

function dayOf(date: string): string {
  const [, year, month, day] = /^(\d{4})(\d{2})(\d{2})$/.exec(date) ?? [];
  if (year === undefined) return "";
  return new Date(`${year}-${month}-${day}T12:00:00Z`).toLocaleDateString(language === "nb" ? "nb-NO" : "en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZone: "UTC",
  });
}
