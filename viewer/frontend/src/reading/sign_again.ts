// Proving anew who one is before a signature counts: asked for by the server, answered in the same dialog.
import { Problem } from "../shared/api.ts";
import { need } from "../shared/dom.ts";

/** The field of a dialog that asks for the password; hidden until the server wants it. */
export class SignAgain {
  private readonly field: HTMLElement;
  private readonly input: HTMLInputElement;

  constructor(selector: string) {
    this.field = need(selector);
    this.input = need<HTMLInputElement>("input", this.field);
  }

  /** What goes with the signature. */
  given(): { password?: string } {
    return this.input.value === "" ? {} : { password: this.input.value };
  }

  /** Asks when that is what a refusal wants; tells whether it was. */
  isAsked(error: unknown): boolean {
    if (!(error instanceof Problem)) return false;
    const isWrong = error.code === "wrong-password";
    if (error.code !== "sign-in-again" && !isWrong) return false;
    this.field.hidden = false;
    need(".sign-again-why", this.field).textContent = error.message;
    this.input.value = "";
    this.input.focus();
    return true;
  }
}
