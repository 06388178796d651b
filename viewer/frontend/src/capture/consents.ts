// Consents by purpose: how and by whom is asked only of what was agreed to.
import { need } from "../shared/dom.ts";

/** Shows how and by whom a purpose was agreed to, once it is ticked. */
export function tieConsents(form: HTMLFormElement): void {
  const show = (): void => {
    let any = false;
    for (const row of form.querySelectorAll<HTMLElement>("[data-consent]")) {
      const given = need<HTMLInputElement>('input[type="checkbox"]', row).checked;
      need(".consent-how", row).hidden = !given;
      any ||= given;
    }
    need("#who-agrees", form).hidden = !any;
  };
  form.addEventListener("change", show);
  show();
}
