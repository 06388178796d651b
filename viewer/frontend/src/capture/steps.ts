// The five steps: which one is shown, which can be gone to, and how the browser's Back leads through them.
import { need } from "../shared/dom.ts";

export const STEPS = ["who", "where", "pictures", "question", "send"] as const;
export type Step = (typeof STEPS)[number] | "sent";

/** Tells whether a name is that of a step that the bar shows. */
export function isStep(name: unknown): name is (typeof STEPS)[number] {
  return STEPS.some((step) => step === name);
}

/** The panels of the page, of which one is shown. */
export class Steps {
  private reached = 0;

  constructor(
    private readonly form: HTMLFormElement,
    private readonly shown: (step: Step) => void,
  ) {
    window.addEventListener("popstate", (event) => {
      const wanted = (event.state as { step?: unknown } | null)?.step;
      if (!need('[data-panel="sent"]').hidden) location.reload(); // opens as the case that it is now
      else if (isStep(wanted)) this.show(wanted);
    });
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-step]")) {
      button.addEventListener("click", () => this.go(button.dataset["step"] as Step));
    }
  }

  /** Begins with a step; a draft that is gone on with may be entered anywhere. */
  begin(step: Step, isAnywhere: boolean): void {
    this.reached = isAnywhere ? STEPS.length - 1 : 0;
    history.replaceState({ step }, "");
    this.show(step, false);
  }

  /** Goes to a step that the person asked for; the browser's Back then leads to the one before. */
  go(step: Step): void {
    history.pushState({ step }, "");
    this.show(step);
  }

  /** Goes to the step after, or before. */
  move(from: Step, by: 1 | -1): void {
    const to = STEPS[STEPS.indexOf(from as (typeof STEPS)[number]) + by];
    if (to !== undefined) this.go(to);
  }

  show(step: Step, focus = true): void {
    for (const panel of this.form.querySelectorAll<HTMLElement>("[data-panel]")) panel.hidden = panel.dataset["panel"] !== step;
    const at = STEPS.indexOf(step as (typeof STEPS)[number]);
    this.reached = Math.max(this.reached, at);
    for (const [i, name] of STEPS.entries()) {
      const button = document.querySelector<HTMLButtonElement>(`[data-step="${name}"]`);
      if (button === null) continue; // pictures alone have no steps
      button.disabled = step === "sent" || i > this.reached;
      button.dataset["done"] = step === "sent" || i < at ? "yes" : "no";
      if (i === at) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    }
    this.shown(step);
    if (!focus) return;
    window.scrollTo(0, 0);
    need(`#h-${step}`).focus({ preventScroll: true });
  }
}
