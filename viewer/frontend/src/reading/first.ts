// Which frame is in hand first, as viewer/first_picture.py says it too.
import type { Frame, Manifest } from "./manifest.ts";

/** The frame that the first pane opens with; nothing where no stack hangs there. */
export function firstFrame(manifest: Pick<Manifest, "hanging" | "series">): Frame | undefined {
  const place = manifest.hanging.steps[0]?.panes[0];
  const series = manifest.series.find((each) => each.key === place?.series && each.kind === "stack");
  return series?.frames[place?.image ?? Math.floor((series.frames.length - 1) / 2)];
}
