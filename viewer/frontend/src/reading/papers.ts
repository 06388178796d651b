// Series that are no pictures: reports, curves, documents, films, and what cannot be shown, said so.
import { Problem } from "../shared/api.ts";
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { enclosed } from "./enclosed.ts";
import { film } from "./film.ts";
import { titleOf, type Instance, type Manifest, type Series } from "./manifest.ts";
import { keysOf } from "./paper_keys.ts";
import { reportOf } from "./report.ts";
import type { ShownRecord } from "./shown.ts";
import { paperWord } from "./strip.ts";

/** Shows a series of papers in place of the images; what comes too late for the panel is dropped. */
export async function showPapers(manifest: Manifest, series: Series, shown: ShownRecord, panel: HTMLElement = need("#papers")): Promise<void> {
  const mark = `${series.key}/${performance.now()}`;
  panel.dataset["shows"] = mark;
  keysOf(panel, {});
  panel.replaceChildren(...(series.kind === "text" ? [] : [make("h2", "", heading(series))]));
  for (const instance of series.instances) {
    const made = await paper(manifest, series, instance, { shown, panel });
    if (panel.dataset["shows"] !== mark) return;
    panel.append(made);
  }
}

function heading(series: Series): string {
  if (series.kind === "waveform") return titleOf(series);
  return series.kind === "video" ? series.description || t("Film") : `${paperWord(series)}: ${titleOf(series)}`;
}

async function paper(
  manifest: Manifest,
  series: Series,
  instance: Instance,
  at: { shown: ShownRecord; panel: HTMLElement },
): Promise<HTMLElement> {
  if (series.kind === "video") return film(manifest, series, instance, at.shown);
  if (series.kind === "document") return enclosed(manifest, series, instance, at);
  try {
    if (series.kind === "text") return await reportOf(manifest, series, instance, at.shown);
    if (series.kind === "waveform") {
      const { recordingOf } = await import("./recording.ts");
      return await recordingOf(manifest, series, instance, at);
    }
  } catch (error) {
    const failed = series.kind === "text" ? t("The report could not be loaded.") : t("The curves could not be loaded.");
    return make("p", "act", error instanceof Problem ? error.message : failed);
  }
  const why =
    instance.what === "video"
      ? t("This is a video. It is kept whole, but cannot be played here yet.")
      : t("This object holds no picture that can be shown here. It is kept whole.");
  return make("p", "quiet", why);
}
