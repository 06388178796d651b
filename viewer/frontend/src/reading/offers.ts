// Texts that the template offers for advice, follow-up and safety net: one press puts one in.
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { offersFor, withOffer, type Offer, type Template } from "./template_answers.ts";

const PLACES = [
  ["advice", "advice"],
  ["follow_up", "follow_ups"],
  ["safety_net", "safety_nets"],
] as const;
const MOST = 4;

/** Shows what is offered for the diagnoses that are made; `put` is told when a text was put in. */
export function showOffers(
  template: Template | null,
  diagnoses: readonly string[],
  put: (interval: string) => void,
): void {
  for (const [name, part] of PLACES) {
    const area = need<HTMLTextAreaElement>(`#f-${name}`);
    const offers = template === null ? [] : offersFor(template[part], diagnoses).slice(0, MOST);
    const free = offers.filter((offer) => !area.value.includes(offer.text));
    const list = need(`#offers-${name}`);
    list.hidden = free.length === 0;
    list.replaceChildren(...free.map((offer) => chip(offer, area, put)));
  }
}

function chip(offer: Offer, area: HTMLTextAreaElement, put: (interval: string) => void): HTMLElement {
  const button = make("button", "offer", offer.text);
  button.type = "button";
  button.title = offer.text;
  button.setAttribute("aria-label", t("Put in: {text}", { text: offer.text }));
  button.addEventListener("click", () => {
    area.value = withOffer(area.value, offer.text);
    area.focus();
    put(offer.interval);
  });
  return make("li", "", button);
}
