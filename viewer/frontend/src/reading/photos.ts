// Photographs: their original bytes, colour-managed by the browser, zoomed deeply; several side by side.
import OpenSeadragon from "openseadragon";
import { make } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Frame, Manifest, Series } from "./manifest.ts";
import type { ShownRecord } from "./shown.ts";

const SIDE_BY_SIDE = 4;
const ORDER = ["OVERVIEW", "CLOSEUP", "DERMOSCOPIC"];

export interface PhotoWall {
  /** Zooms the photograph that has the focus. */
  zoom: (factor: number) => void;
  fit: () => void;
  step: (by: number) => void;
  /** The photograph that has the focus, or the first. */
  current: () => Frame | null;
  close: () => void;
}

/** Hangs the photographs of a case, or of one series, beside each other; `captions` say more of some, by instance. */
export function hangPhotos(
  wall: HTMLElement,
  manifest: Manifest,
  shown: ShownRecord,
  captions: Readonly<Record<string, string>> = {},
  only: Series | null = null,
): PhotoWall {
  const frames = (only === null ? manifest.series : [only]).flatMap((series) => (series.kind === "photo" ? series.frames : []));
  frames.sort((a, b) => place(a) - place(b));
  let page = 0;
  let viewers: { frame: Frame; viewer: OpenSeadragon.Viewer; figure: HTMLElement }[] = [];

  const hang = (): void => {
    for (const each of viewers) each.viewer.destroy();
    wall.replaceChildren();
    const here = frames.slice(page * SIDE_BY_SIDE, (page + 1) * SIDE_BY_SIDE);
    wall.dataset["count"] = String(here.length);
    viewers = here.map((frame) => hangOne(wall, manifest, frame, shown, captions[frame.instance.uid] ?? ""));
  };
  hang();

  const focused = (): (typeof viewers)[number] | undefined =>
    viewers.find((each) => each.figure.contains(document.activeElement)) ?? viewers[0];
  return {
    zoom: (factor) => focused()?.viewer.viewport?.zoomBy(factor),
    fit: () => focused()?.viewer.viewport?.goHome(),
    step: (by) => {
      const at = viewers.findIndex((each) => each.figure.contains(document.activeElement));
      const next = viewers[at + by];
      if (next !== undefined) next.figure.focus();
      else if (frames[(page + Math.sign(by)) * SIDE_BY_SIDE] !== undefined) {
        page += Math.sign(by);
        hang();
        viewers[0]?.figure.focus();
      }
    },
    current: () => focused()?.frame ?? null,
    close: () => {
      for (const each of viewers) each.viewer.destroy();
      viewers = [];
      wall.replaceChildren();
    },
  };
}

function hangOne(
  wall: HTMLElement,
  manifest: Manifest,
  frame: Frame,
  shown: ShownRecord,
  more: string,
): { frame: Frame; viewer: OpenSeadragon.Viewer; figure: HTMLElement } {
  const { uid } = frame.instance;
  const { site } = frame.series;
  const first = make("img", "photo-preview");
  first.src = manifest.address("preview", uid, site);
  first.alt = "";
  first.addEventListener("load", () => shown.note(frame, "preview"));
  const canvas = make("div", "photo-canvas");
  const mark = make("span", "photo-mark", t("preview, not diagnostic"));
  const profile = make("span", "photo-profile");
  const named = frame.instance.view === "OTHER" ? frame.series.description : viewName(frame.instance.view);
  const name = [more, named, frame.series.body_part.toLowerCase()].filter((part) => part !== "");
  const caption = make("figcaption", "", make("b", "", name.join(" · ") || t("Photograph")), mark, profile);
  const figure = make("figure", "photo", first, canvas, caption);
  figure.tabIndex = 0;
  figure.setAttribute("aria-label", `${t("Photograph")}: ${name.join(", ")}`);
  wall.append(figure);
  const viewer = OpenSeadragon({
    element: canvas,
    drawer: "canvas",
    showNavigationControl: false,
    maxZoomPixelRatio: 8,
    visibilityRatio: 0.3,
    animationTime: window.matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 0.3,
    gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
    keyboardNavEnabled: false,
  } as OpenSeadragon.Options);
  leavePageScrollable(viewer);
  viewer.addOnceHandler("tile-drawn", () => {
    first.remove();
    mark.remove();
    shown.note(frame, "lossless");
  });
  void fetchPhoto(manifest.address("photo", uid, site)).then(
    ({ url, profileName }) => {
      profile.textContent = profileName === "" ? t("colours: assumed sRGB") : t("colours: {profile}", { profile: profileName });
      viewer.addSimpleImage({ url });
    },
    () => (profile.textContent = t("The photograph could not be loaded.")),
  );
  return { frame, viewer, figure };
}

/** Lets one finger scroll the page while the whole photograph is in view; zoomed in, it moves the photograph. */
function leavePageScrollable(viewer: OpenSeadragon.Viewer): void {
  const touch = (viewer as unknown as { gestureSettingsTouch: { dragToPan: boolean; flickEnabled: boolean } })
    .gestureSettingsTouch;
  const adjust = (): void => {
    const isWhole = viewer.viewport === undefined || viewer.viewport.getZoom() <= viewer.viewport.getHomeZoom() * 1.02;
    touch.dragToPan = touch.flickEnabled = !isWhole;
    for (const each of [viewer.canvas, viewer.container]) each.style.touchAction = isWhole ? "pan-y" : "none";
  };
  viewer.addHandler("open", adjust);
  viewer.addHandler("animation-finish", adjust);
  viewer.addHandler("zoom", adjust);
  adjust();
}

async function fetchPhoto(address: string): Promise<{ url: string; profileName: string }> {
  const response = await fetch(address, { credentials: "same-origin" });
  if (!response.ok) throw new Error(String(response.status));
  const profileName = decodeURIComponent(response.headers.get("Lysbro-Profile") ?? "");
  return { url: URL.createObjectURL(await response.blob()), profileName };
}

function place(frame: Frame): number {
  const at = ORDER.indexOf(frame.instance.view);
  return at < 0 ? ORDER.length : at;
}

function viewName(view: string): string {
  switch (view) {
    case "OVERVIEW":
      return t("Overview");
    case "CLOSEUP":
      return t("Close-up");
    case "DERMOSCOPIC":
      return t("Dermoscopic");
    default:
      return "";
  }
}
