// What the same keys do to whatever a pane shows: a stack, photographs, a film or a paper.
import type { Frame } from "./manifest.ts";

/** What can be done to what a pane shows; every kind gives its own. */
export interface Viewing {
  /** Goes so many images, photographs, moments of a film or lines on or back. */
  scroll(by: number): void;
  zoom(factor: number): void;
  fit(): void;
  /** Plays or stops; nothing where nothing moves. */
  play(): void;
  /** The image in hand, which can be a key image, or null. */
  current(): Frame | null;
}

const LINE_PX = 48;
const MOMENT_S = 1 / 25; // of a film: about one of its pictures
const SMALLEST = 0.5;
const LARGEST = 4;

/** How papers and films are looked at: whatever stands in the panel is scrolled, enlarged, played. */
export function paperViewing(panel: HTMLElement): Viewing {
  let scale = 1;
  const enlarge = (to: number): void => {
    scale = Math.min(LARGEST, Math.max(SMALLEST, to));
    panel.style.setProperty("zoom", scale === 1 ? "" : String(scale));
  };
  const film = (): HTMLVideoElement | null => panel.querySelector("video");
  return {
    scroll: (by) => {
      const player = film();
      if (player === null) panel.scrollBy({ top: by * LINE_PX });
      else {
        player.pause();
        const wanted = player.currentTime + by * MOMENT_S;
        player.currentTime = Math.min(Number.isFinite(player.duration) ? player.duration : wanted, Math.max(0, wanted));
      }
    },
    zoom: (factor) => enlarge(scale * factor),
    fit: () => enlarge(1),
    play: () => {
      const player = film();
      if (player !== null) player.paused ? void player.play().catch(() => undefined) : player.pause();
    },
    current: () => null,
  };
}
