// Opens the multi-planar view of the series that is being read, when it is asked for, and closes it again.
import { need, say } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import type { Frame } from "./manifest.ts";
import type { MprView } from "./mpr/view.ts";
import type { Pane } from "./pane.ts";
import type { PixelStore } from "./pixels.ts";
import { presetsOf, windowAsSent } from "./windows.ts";

let opened: MprView | null = null;

/** Puts the view on its key and its button. `pane` gives the pane that is being used. */
export function offerPlanes(pane: () => Pane, store: PixelStore, limitBytes: number, focus: () => void): void {
  const button = need<HTMLButtonElement>("#planes");
  const toggle = (): void => {
    if (opened === null) void open(pane(), store, limitBytes, focus);
    else opened.close();
  };
  button.addEventListener("click", toggle);
  listen({ M: toggle });
}

/** Closes the view when another series is opened. */
export function closePlanes(): void {
  opened?.close();
}

async function open(pane: Pane, store: PixelStore, limitBytes: number, focus: () => void): Promise<void> {
  const frame = pane.frame;
  if (frame === null || frame.series.kind !== "stack") return;
  const asSent = windowAsSent(frame, pane.pixels);
  const chosen = presetsOf(frame.series, asSent);
  try {
    const { openMpr } = await import("./mpr/view.ts");
    opened = openMpr(need("#stage"), {
      series: frame.series,
      fetch: (each) => store.get(each),
      limitBytes,
      window: pane.window,
      isInverted: pane.isInverted !== frame.instance.is_inverted,
      windowOf: (key) => (key === "9" ? asSent : (chosen.find((each) => each.key === key) ?? null)),
      onClosed: (nearest: Frame | undefined) => {
        opened = null;
        press(false);
        pane.go(nearest);
        focus();
      },
    });
    press(opened !== null);
  } catch (error) {
    console.error(error);
    say(t("The planes could not be loaded. Try again."), 10);
  }
}

function press(isPressed: boolean): void {
  need("#planes").setAttribute("aria-pressed", String(isPressed));
}
