// The reading room. This script shows previews and images; only photographs need another one.
import "../styles/room.css";
import "../styles/room-panes.css";
import "../styles/papers.css";
import "../styles/body-figure.css";
import "../styles/room-findings.css";
import "../styles/room-form.css";
import "../styles/handing.css";
import { block, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { Anchors, keptPlace, placeOf } from "../reading/anchors.ts";
import type { Anchor } from "../reading/anchors_text.ts";
import { whenAsked } from "../reading/asking.ts";
import { Cine } from "../reading/cine.ts";
import { offerClaim } from "../reading/claimed.ts";
import { Earlier } from "../reading/earlier.ts";
import { FindingsForm } from "../reading/findings.ts";
import { firstFrame } from "../reading/first.ts";
import { HangBar } from "../reading/hang_bar.ts";
import { Hangings } from "../reading/hangings.ts";
import { Lens } from "../reading/lens.ts";
import { Linked } from "../reading/linked.ts";
import { readManifest, type Frame, type Series } from "../reading/manifest.ts";
import { MarkList } from "../reading/mark_list.ts";
import { LayersMenu } from "../reading/layers_menu.ts";
import { Measured } from "../reading/measured.ts";
import { Over } from "../reading/over.ts";
import { closePlanes, offerPlanes } from "../reading/planes.ts";
import type { Pane } from "../reading/pane.ts";
import { PixelStore } from "../reading/pixels.ts";
import { ShownRecord } from "../reading/shown.ts";
import { Signing } from "../reading/signing.ts";
import { Sources } from "../reading/sources.ts";
import { Stage } from "../reading/stage.ts";
import { Strip } from "../reading/strip.ts";
import { ToolChoice } from "../reading/tool_choice.ts";
import { Tools } from "../reading/tools.ts";
import { offerVerbs } from "../reading/verbs.ts";
import { windowText } from "../reading/windows.ts";

const manifest = readManifest(block("manifest"));
const addressOf = (kind: "pixels" | "preview") => (frame: Frame) =>
  manifest.address(kind, frame.instance.uid, frame.series.site, frame.frame);

const shown = new ShownRecord(manifest);
const store = new PixelStore(addressOf("pixels"), cacheBytes());
const opening = firstFrame(manifest);
if (opening !== undefined && need<HTMLImageElement>("#preview").complete) {
  void store.get(opening, true).catch(() => undefined); // its preview is here: nothing else waits for the line
}
const sources = new Sources(manifest);
const cine = new Cine(() => refresh());
const list = new MarkList();
const choice = new ToolChoice();
const stage = new Stage(sources, {
  manifest,
  shown,
  store,
  list,
  choice,
  previewOf: addressOf("preview"),
  play: (pane) => cine.toggle(pane),
});
const linked = new Linked(stage);
const lens = new Lens(stage);
const over = new Over(stage, store, shown);
const form = document.querySelector("#findings") === null ? null : new FindingsForm();
const strip = new Strip(manifest, shown, open);
const earlier = new Earlier(manifest, sources, stage, strip);
const hangings = new Hangings(stage, manifest, earlier);
const present = (): Frame | null => (stage.active.isEarlier ? null : stage.active.viewing.current());
const measured = new Measured(
  list,
  form,
  {
    get frame() {
      return present();
    },
    go: (frame) => frame !== undefined && stage.show(frame),
  },
  manifest,
  (series) => series.kind !== "stack" && open(series), // where a stack hangs already, its image is shown there
);
let hungAs: { readonly pane: Pane; readonly frame: Frame; readonly anchor: Anchor } | null = null;
const anchors = new Anchors(form, manifest, {
  present,
  measurements: () => form?.measurements ?? list.all,
  view: () => {
    const { series, pane } = stage.active;
    if (series?.kind !== "stack") return { window: null, is_inverted: false, place: null };
    const { window, isInverted } = pane;
    const place = pane.placed()?.getPlace();
    return {
      window: window === null ? null : [window.center, window.width],
      is_inverted: isInverted,
      place: place === undefined ? null : keptPlace(place),
    };
  },
  open: (frame) => stage.show(frame),
  hang: (frame, anchor) => {
    closePlanes();
    stage.show(frame);
    if (frame.series.kind !== "stack") return;
    const { pane } = stage.active;
    if (anchor.window !== null) pane.setWindow({ center: anchor.window[0], width: anchor.window[1] });
    if (anchor.is_inverted !== pane.isInverted) pane.invert();
    hungAs = { pane, frame, anchor };
    layAsHung();
  },
});
const tools = new Tools(stage, choice, {
  step: (by) => strip.step(by),
  scroll: (by) => stage.active.viewing.scroll(by),
  fit: () => stage.active.viewing.fit(),
  zoom: (factor) => stage.active.viewing.zoom(factor),
  key: () => {
    if (stage.active.isEarlier) say(t("An earlier image cannot be a key image of this case."));
    else if (present() === null) say(t("There is no image here to mark."));
    else measured.toggleKey(present());
    tools.refresh();
  },
  isKey: () => measured.isKey(present()),
  play: () => stage.active.viewing.play(),
  isPlaying: () => cine.isPlaying(stage.active.pane),
  insert: () => measured.insertLast(),
  toImages: () => {
    over.end();
    stage.active.focus();
  },
});
let asked = 0;
const bar = new HangBar({ stage, linked, lens, over, earlier, hangings, strip, cine });

const layersMenu = new LayersMenu(() => stage.active.layers);
for (const { layers } of stage.slots) layers.onChange = () => soon();
stage.onChange = (slot) => {
  layAsHung();
  if (slot.pane.frame !== null && !slot.pane.isPreview) document.documentElement.dataset["viewer"] = "canvas"; // an image itself has been drawn
  const { frame, window: inForce } = slot.pane;
  if (frame !== null && !slot.isEarlier && !slot.pane.isPreview && inForce !== null) shown.look(frame.series, windowText(inForce));
  linked.changed(slot);
  soon();
};
stage.onActive = () => {
  tools.stageChanged();
  linked.drawLines();
  refresh();
};
stage.onLayout = () => {
  linked.begin();
  refresh();
};
window.addEventListener("pagehide", () => store.close());
document.addEventListener("keydown", (event) => {
  const isWriting = event.target instanceof HTMLElement && event.target.closest(".findings") !== null;
  if (event.key === "Escape" && isWriting && document.querySelector("dialog[open]") === null) stage.active.focus();
});

offerPlanes(() => stage.active.pane, store, cacheBytes(), () => stage.active.focus());
const saved = (): Promise<boolean> => (form?.mayWrite ? form.flush() : Promise.resolve(true));
offerVerbs(manifest.case.id, saved);
offerClaim(manifest.case.id, saved);
if (form !== null) {
  new Signing(form, shown, manifest, anchors);
  void form.recover(() => {
    measured.restore();
    anchors.restore();
  });
}
measured.restore();
const sayMeasured = list.onChange;
list.onChange = () => {
  sayMeasured();
  anchors.measured();
};
whenAsked(
  (frame) => stage.show(frame),
  (words) => {
    if (words !== "" && form?.mayWrite) form.insert(words);
  },
);
hangings.begin();

/** Opens a series in the pane in hand, as the strip and the lists beside the images ask for it. */
function open(series: Series): void {
  closePlanes();
  void stage.put(stage.active, { series });
  linked.begin();
  if (stage.isMany) hangings.put();
}

/** Lays the image as an anchor says, once its pixels are drawn. */
function layAsHung(): void {
  if (hungAs === null) return;
  const { pane, frame, anchor } = hungAs;
  if (pane.frame !== frame) hungAs = null;
  else if (pane.placed() !== null && !pane.isPreview) {
    hungAs = null;
    if (anchor.place !== null) pane.placed()?.setPlace(placeOf(anchor.place));
  }
}

/** Brings everything around the images up to date before the screen is next refreshed, however much happens until then. */
function soon(): void {
  asked ||= window.requestAnimationFrame(() => {
    asked = 0;
    linked.drawLines();
    lens.draw();
    void over.draw();
    refresh();
  });
}

/** Brings the bars and the strip up to date with the pane in hand. */
function refresh(): void {
  strip.mark(stage.active.series, stage.visible().map((slot) => slot.series));
  tools.refresh();
  bar.refresh();
  layersMenu.refresh();
}

/** How much memory frames may take: what the server says, less on small machines, or what was set in this browser. */
function cacheBytes(): number {
  const set = Number(window.localStorage.getItem("lysbro-cache-mb") ?? "0");
  const said = Number(need("#stage").dataset["cacheMb"] ?? "512");
  const memory = (navigator as { deviceMemory?: number }).deviceMemory ?? 8;
  return (set > 0 ? set : Math.min(said, memory <= 4 ? 128 : said)) * 2 ** 20;
}
