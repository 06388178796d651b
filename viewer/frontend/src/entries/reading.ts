// The reading room. This script shows previews and images; only photographs need another one.
import "../styles/room.css";
import "../styles/papers.css";
import "../styles/body-figure.css";
import "../styles/room-findings.css";
import { block, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { canvasSurface } from "../reading/canvas.ts";
import { Corners } from "../reading/corners.ts";
import { FindingsForm } from "../reading/findings.ts";
import { Gestures } from "../reading/gestures.ts";
import { readManifest, type Frame, type Series } from "../reading/manifest.ts";
import { Marks } from "../reading/marks.ts";
import { Measured } from "../reading/measured.ts";
import { Pane } from "../reading/pane.ts";
import { whenAsked } from "../reading/asking.ts";
import { showPapers } from "../reading/papers.ts";
import type { PhotoWall } from "../reading/photos.ts";
import { PixelStore } from "../reading/pixels.ts";
import { PreviewPane } from "../reading/preview.ts";
import { ShownRecord } from "../reading/shown.ts";
import { Signing } from "../reading/signing.ts";
import { Strip } from "../reading/strip.ts";
import { Tools } from "../reading/tools.ts";
import { offerVerbs } from "../reading/verbs.ts";
import { windowText } from "../reading/windows.ts";

const manifest = readManifest(block("manifest"));
const addressOf = (kind: "pixels" | "preview") => (frame: Frame) =>
  manifest.address(kind, frame.instance.uid, frame.series.site, frame.frame);

const view = need("#view");
const slider = need<HTMLInputElement>("#slider");
const shown = new ShownRecord(manifest);
const store = new PixelStore(addressOf("pixels"), cacheBytes());
const previews = new PreviewPane(need<HTMLImageElement>("#preview"), need("#preview-mark"), addressOf("preview"));
const pane = new Pane(previews, store, shown);
const marks = new Marks(document.querySelector<SVGSVGElement>("#marks") as SVGSVGElement, pane, manifest);
const corners = new Corners(pane);
const gestures = new Gestures(view, pane, marks);
const form = document.querySelector("#findings") === null ? null : new FindingsForm();
let wall: PhotoWall | null = null;

const strip = new Strip(manifest, shown, open);
const measured = new Measured(marks, form, pane, manifest, open);
const tools = new Tools(pane, gestures, marks, {
  step: (by) => strip.step(by),
  scroll: (by) => (wall === null ? pane.scroll(by) : wall.step(Math.sign(by))),
  fit: () => (wall === null ? pane.placed()?.fit() : wall.fit()),
  zoom: (factor) => (wall === null ? pane.placed()?.zoomBy(factor, [view.clientWidth / 2, view.clientHeight / 2]) : wall.zoom(factor)),
  key: () => {
    measured.toggleKey(present());
    tools.refresh();
  },
  isKey: () => measured.isKey(present()),
  insert: () => measured.insertLast(),
  toImages: () => view.focus(),
});

pane.onChange(() => {
  if (view.hidden) return;
  corners.write();
  tools.refresh();
  marks.draw();
  const frame = pane.frame;
  if (frame === null) return;
  if (!pane.isPreview && pane.window !== null) shown.look(frame.series, windowText(pane.window));
  if (!pane.isPreview) document.documentElement.dataset["viewer"] = "canvas"; // an image itself has been drawn
  slider.max = String(frame.series.frames.length);
  slider.value = String(frame.index + 1);
  slider.hidden = frame.series.frames.length < 2 || wall !== null;
  slider.setAttribute("aria-valuetext", t("Image {n} of {count}", { n: frame.index + 1, count: frame.series.frames.length }));
});
slider.addEventListener("input", () => pane.go(pane.frame?.series.frames[Number(slider.value) - 1]));
new ResizeObserver(() => pane.resize()).observe(view);
window.addEventListener("pagehide", () => store.close());
document.addEventListener("keydown", (event) => {
  const isWriting = event.target instanceof HTMLElement && event.target.closest(".findings") !== null;
  if (event.key === "Escape" && isWriting && document.querySelector("dialog[open]") === null) view.focus();
});

offerVerbs(manifest.case.id, () => (form?.mayWrite ? form.flush() : Promise.resolve(true)));
if (form !== null) {
  new Signing(form, shown, manifest);
  void form.recover(() => measured.restore());
}
measured.restore();
whenAsked(
  (frame) => {
    open(frame.series);
    if (frame.series.kind === "stack") pane.go(frame);
  },
  (words) => {
    if (words !== "" && form?.mayWrite) form.insert(words);
  },
);
pane.use(canvasSurface(need("#surface")));
const first = manifest.series.find((series) => series.key === manifest.hanging.first) ?? manifest.series[0];
if (first !== undefined) open(first);

/** Opens a series in the part of the page that its kind needs. */
function open(series: Series): void {
  strip.mark(series);
  const isStack = series.kind === "stack";
  const isPhoto = series.kind === "photo";
  need("#stage").dataset["kind"] = isStack || isPhoto ? series.kind : "paper";
  for (const [selector, isShown] of [["#view", isStack], ["#photos", isPhoto], ["#papers", !isStack && !isPhoto]] as const) {
    need(selector).hidden = !isShown;
  }
  if (!isStack) {
    slider.hidden = true;
    need("#loading").textContent = "";
  }
  if (isPhoto) void hangPhotos();
  else wall = null;
  if (isStack) {
    pane.open(series);
    slider.hidden = series.frames.length < 2;
    pane.resize();
  } else if (!isPhoto) void showPapers(manifest, series, shown);
}

function present(): Frame | null {
  return wall === null ? pane.frame : wall.current();
}

async function hangPhotos(): Promise<void> {
  const { hangPhotos: hang } = await import("../reading/photos.ts");
  wall = hang(need("#photos"), manifest, shown);
  need("#loading").textContent = "";
}

/** How much memory frames may take: what the server says, less on small machines, or what was set in this browser. */
function cacheBytes(): number {
  const set = Number(window.localStorage.getItem("lysbro-cache-mb") ?? "0");
  const said = Number(need("#stage").dataset["cacheMb"] ?? "512");
  const memory = (navigator as { deviceMemory?: number }).deviceMemory ?? 8;
  return (set > 0 ? set : Math.min(said, memory <= 4 ? 128 : said)) * 2 ** 20;
}
