// The reading room. This script shows previews and images; only photographs need another one.
import "../styles/room.css";
import "../styles/room-panes.css";
import "../styles/body-figure.css";
import "../styles/room-findings.css";
import { block, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { Cine } from "../reading/cine.ts";
import { Earlier } from "../reading/earlier.ts";
import { FindingsForm } from "../reading/findings.ts";
import { HangBar } from "../reading/hang_bar.ts";
import { Hangings } from "../reading/hangings.ts";
import { Lens } from "../reading/lens.ts";
import { Linked } from "../reading/linked.ts";
import { readManifest, type Frame, type Series } from "../reading/manifest.ts";
import { LayersMenu } from "../reading/layers_menu.ts";
import { Measured } from "../reading/measured.ts";
import { Over } from "../reading/over.ts";
import { PixelStore } from "../reading/pixels.ts";
import { shareMarks } from "../reading/shared_marks.ts";
import { ShownRecord } from "../reading/shown.ts";
import { Signing } from "../reading/signing.ts";
import { Sources } from "../reading/sources.ts";
import { Stage } from "../reading/stage.ts";
import { Strip } from "../reading/strip.ts";
import { Tools } from "../reading/tools.ts";
import { offerVerbs } from "../reading/verbs.ts";

const manifest = readManifest(block("manifest"));
const addressOf = (kind: "pixels" | "preview") => (frame: Frame) =>
  manifest.address(kind, frame.instance.uid, frame.series.site, frame.frame);

const shown = new ShownRecord(manifest);
const store = new PixelStore(addressOf("pixels"), cacheBytes());
const sources = new Sources(manifest);
const cine = new Cine(() => refresh());
const stage = new Stage(sources, { manifest, shown, store, previewOf: addressOf("preview"), play: (pane) => cine.toggle(pane) });
const linked = new Linked(stage);
const lens = new Lens(stage);
const over = new Over(stage, store, shown);
const form = document.querySelector("#findings") === null ? null : new FindingsForm();
const strip = new Strip(manifest, shown, open);
const earlier = new Earlier(manifest, sources, stage, strip);
const hangings = new Hangings(stage, manifest, earlier);
const present = (): Frame | null => (stage.active.isEarlier ? null : stage.active.viewing.current());
const marks = (stage.slots[0] as (typeof stage.slots)[number]).marks;
const measured = new Measured(
  marks,
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
const marking = shareMarks(stage);
const tools = new Tools(stage, {
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
  if (slot.pane.frame !== null && !slot.pane.isPreview) document.documentElement.dataset["viewer"] = "canvas"; // an image itself has been drawn
  linked.changed(slot);
  soon();
};
stage.onActive = () => {
  marking.follow();
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

offerVerbs(manifest.case.id, () => (form?.mayWrite ? form.flush() : Promise.resolve(true)));
if (form !== null) {
  new Signing(form, shown, manifest);
  void form.recover(restore);
}
restore();
hangings.begin();

/** Opens a series in the pane in hand, as the strip and the lists beside the images ask for it. */
function open(series: Series): void {
  void stage.put(stage.active, { series });
  linked.begin();
  if (stage.isMany) hangings.put();
}

function restore(): void {
  measured.restore();
  marking.share();
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
