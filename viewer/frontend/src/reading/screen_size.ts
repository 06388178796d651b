// How many pixels of this screen make a millimetre: asked once, by a bank card held against it; kept in this browser.
import { make } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";

const CARD_MM = 85.6; // ISO/IEC 7810 ID-1
const [LEAST, MOST, USUAL] = [2, 12, 3.78]; // 96 pixels an inch, as style sheets have it

export interface ScreenSize {
  readonly element: HTMLElement;
  readonly pxPerMm: number | null;
}

/** Makes what asks for the size of the screen; `changed` is called when it is known. */
export function screenSize(changed: () => void): ScreenSize {
  let known = kept();
  const card = make("div", "screen-card");
  const slider = make("input");
  slider.type = "range";
  slider.min = String(LEAST);
  slider.max = String(MOST);
  slider.step = "0.01";
  slider.value = String(known ?? USUAL);
  slider.setAttribute("aria-label", t("Width of the card on this screen"));
  const resize = (): void => {
    card.style.width = `${Number(slider.value) * CARD_MM}px`;
  };
  slider.addEventListener("input", () => {
    resize();
    known = Number(slider.value);
    localStorage.setItem(place(), slider.value);
    changed();
  });
  resize();
  const told = make("p", "small", t("Hold a bank card against the bar and make them equally wide. Then curves can be shown in true size (f)."));
  const element = make("details", "fold screen-size", make("summary", "", t("Size on this screen")), told, slider, card);
  return {
    element,
    get pxPerMm() {
      return known;
    },
  };
}

function kept(): number | null {
  const value = Number(localStorage.getItem(place()));
  return value >= LEAST && value <= MOST ? value : null;
}

function place(): string {
  return `lysbro-screen-${screen.width}x${screen.height}@${window.devicePixelRatio}`;
}
