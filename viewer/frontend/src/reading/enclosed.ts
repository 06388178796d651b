// A document inside an object: a PDF opens in the stage, turned by the page's keys; anything else is said and downloaded.
import { make } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Instance, Manifest, Series } from "./manifest.ts";
import { keysOf } from "./paper_keys.ts";
import type { ShownRecord } from "./shown.ts";

const WIDTHS = [50, 75, 100, 125, 150, 200, 300];

/** Makes what shows one document. */
export function enclosed(manifest: Manifest, series: Series, instance: Instance, at: { shown: ShownRecord; panel: HTMLElement }): HTMLElement {
  const address = manifest.address("document", instance.uid, series.site);
  const isPdf = instance.what === "pdf";
  const link = make("a", "button button-small", isPdf ? t("Open in a window of its own") : t("Download the file"));
  link.href = address;
  if (isPdf) {
    link.target = "_blank";
    link.rel = "noopener";
  }
  const frame = series.frames.find((each) => each.instance === instance);
  const note = (): void => {
    if (frame !== undefined) at.shown.note(frame, "lossless");
  };
  link.addEventListener("click", note);
  if (!isPdf) return make("p", "", `${fileWord(instance.what)}, ${sizeText(series.bytes)}. `, link);
  const page = make("iframe", "enclosed-page");
  page.title = t("Document");
  page.tabIndex = -1;
  page.addEventListener("load", note, { once: true });
  page.addEventListener("mouseleave", () => at.panel.focus({ preventScroll: true })); // a click in it took the keyboard
  const where = make("span", "quiet small figures");
  turnByKeys(page, where, address, at.panel);
  return make("div", "enclosed", make("p", "enclosed-bar", link, where), page);
}

/** Lets the keys that scroll images turn pages: the viewer of the browser takes both from the address. */
function turnByKeys(page: HTMLIFrameElement, where: HTMLElement, address: string, panel: HTMLElement): void {
  let [number, width] = [1, 0]; // width 0: as wide as the stage
  const show = (): void => {
    const zoom = width === 0 ? "view=FitH" : `zoom=${width}`;
    page.src = `${address}#page=${number}&${zoom}&toolbar=0&navpanes=0`;
    where.textContent = t("Page {n}", { n: number });
  };
  const turn = (by: number) => (): void => {
    number = Math.max(1, number + by);
    show();
  };
  const zoom = (by: number) => (): void => {
    const at = WIDTHS.indexOf(width === 0 ? 100 : width);
    width = WIDTHS[Math.min(WIDTHS.length - 1, Math.max(0, at + by))] ?? 100;
    show();
  };
  const fit = (): void => {
    width = 0;
    show();
  };
  const first = (): void => {
    number = 1;
    show();
  };
  keysOf(panel, {
    ArrowDown: turn(1), ArrowRight: turn(1), PageDown: turn(1), ArrowUp: turn(-1), ArrowLeft: turn(-1), PageUp: turn(-1),
    Home: first, "+": zoom(1), "=": zoom(1), "-": zoom(-1), f: fit,
  });
  show();
}

/** What a file is, in words. */
export function fileWord(what: string): string {
  const words: Record<string, string> = {
    pdf: "PDF",
    cda: t("A clinical document (CDA)"),
    stl: t("A model for a 3D printer (STL)"),
    obj: t("A 3D model (OBJ)"),
    mtl: t("The surfaces of a 3D model (MTL)"),
  };
  return words[what] ?? t("A file");
}

function sizeText(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
