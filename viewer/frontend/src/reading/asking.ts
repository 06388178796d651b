// What a paper asks of the page around it: to show an image it speaks of, or to write what was measured into the findings.
import type { Frame, Manifest } from "./manifest.ts";

const SHOW = "lysbro-show-frame";
const WRITE = "lysbro-write";

/** Asks the page to show a frame. */
export function askToShow(frame: Frame): void {
  document.dispatchEvent(new CustomEvent<Frame>(SHOW, { detail: frame }));
}

/** Asks the page to put words into the findings. */
export function askToWrite(words: string): void {
  document.dispatchEvent(new CustomEvent<string>(WRITE, { detail: words }));
}

/** Does what papers ask for. */
export function whenAsked(show: (frame: Frame) => void, write: (words: string) => void): void {
  document.addEventListener(SHOW, (event) => show((event as CustomEvent<Frame>).detail));
  document.addEventListener(WRITE, (event) => write((event as CustomEvent<string>).detail));
}

/** The frame of an object, or null when the case does not have it. */
export function frameOf(manifest: Manifest, uid: string, frame = 1): Frame | null {
  for (const series of manifest.series) {
    const found = series.frames.find((each) => each.instance.uid === uid && (each.frame === frame || series.kind === "photo"));
    if (found !== undefined) return found;
  }
  return null;
}
