// Series that are no pictures: documents, films, structured reports as text, and what cannot be shown, said so.
import { call, Problem } from "../shared/api.ts";
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { titleOf, type Instance, type Manifest, type Series } from "./manifest.ts";
import { film } from "./film.ts";
import type { ShownRecord } from "./shown.ts";
import { paperWord } from "./strip.ts";

interface Report {
  readonly title: string;
  readonly lines: readonly { readonly depth: number; readonly name: string; readonly value: string }[];
}

/** Shows a series of papers in place of the images, in a pane's panel. */
export async function showPapers(
  manifest: Manifest,
  series: Series,
  shown: ShownRecord,
  panel = need("#papers"),
): Promise<void> {
  panel.replaceChildren(make("h2", "", heading(series)));
  for (const instance of series.instances) {
    panel.append(series.kind === "video" ? film(manifest, series, instance, shown) : await paper(manifest, series, instance));
  }
}

function heading(series: Series): string {
  return series.kind === "video" ? series.description || t("Film") : `${paperWord(series)}: ${titleOf(series)}`;
}

async function paper(manifest: Manifest, series: Series, instance: Instance): Promise<HTMLElement> {
  if (series.kind === "document") {
    const link = make("a", "button", instance.what === "pdf" ? t("Open the document") : t("Download the file"));
    link.href = manifest.address("document", instance.uid, series.site);
    link.target = "_blank";
    link.rel = "noopener";
    return make("p", "", link);
  }
  if (series.kind === "text") return reportOf(manifest.address("text", instance.uid, series.site));
  const why =
    instance.what === "video"
      ? t("This is a video. It is kept whole, but cannot be played here yet.")
      : t("This object holds no picture that can be shown here. It is kept whole.");
  return make("p", "quiet", why);
}

async function reportOf(address: string): Promise<HTMLElement> {
  try {
    const report = await call<Report>(address);
    const lines = report.lines.map((line) => {
      const row = make("li", "", make("b", "", line.name), line.value === "" ? "" : `: ${line.value}`);
      row.style.marginInlineStart = `${Math.min(line.depth, 8)}em`;
      return row;
    });
    return make("ul", "report-lines", ...lines);
  } catch (error) {
    return make("p", "act", error instanceof Problem ? error.message : t("The report could not be loaded."));
  }
}
