// A short film: the browser plays the stream as it is kept; how far it was watched goes into the record.
import { make } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Instance, Manifest, Series } from "./manifest.ts";
import type { ShownRecord } from "./shown.ts";

const WATCHED = 0.95; // of its length: the last pictures of some films are never told as played

/** Makes the player of a film; it counts as shown once nearly all of it has been played. */
export function film(manifest: Manifest, series: Series, instance: Instance, shown: ShownRecord): HTMLElement {
  const frame = series.frames.find((each) => each.instance === instance);
  const player = make("video", "film");
  player.controls = true;
  player.playsInline = true;
  player.loop = true;
  player.preload = "metadata";
  player.width = instance.columns;
  player.height = instance.rows;
  player.poster = manifest.address("preview", instance.uid, series.site, instance.poster ?? 1);
  player.src = manifest.address("video", instance.uid, series.site);
  player.setAttribute("aria-label", t("Film"));
  const problem = make("p", "act", t("The film cannot be played in this browser. It is kept whole: export the case."));
  problem.hidden = true;
  player.addEventListener("loadedmetadata", () => {
    player.width = player.videoWidth; // upright, where the coded pictures lie
    player.height = player.videoHeight;
  });
  player.addEventListener("error", () => (problem.hidden = false));
  player.addEventListener("playing", () => frame && shown.note(frame, "part"));
  player.addEventListener("timeupdate", () => {
    if (frame && lengthOf(player.played) >= WATCHED * player.duration) shown.note(frame, "lossless");
  });
  return make("div", "film-stage", player, problem);
}

function lengthOf(played: TimeRanges): number {
  let total = 0;
  for (let i = 0; i < played.length; i++) total += played.end(i) - played.start(i);
  return total;
}
