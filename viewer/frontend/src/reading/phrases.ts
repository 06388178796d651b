// Phrases of one's own: `/short` and Tab puts one in, one press keeps a selection, a list with a search.
import { call, Problem } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { begunAt, having, meant, shortFor, type Phrase } from "./phrase_words.ts";

type Written = HTMLTextAreaElement | HTMLInputElement;

export class Phrases {
  private readonly dialog = need<HTMLDialogElement>("#phrases-dialog");
  private readonly hint = need("#phrase-hint");
  private readonly opener = need<HTMLButtonElement>("#phrases");
  private field: Written | null = null; // that was written in last

  constructor(
    private known: Phrase[],
    form: HTMLElement,
    private readonly onChange: () => void,
  ) {
    form.addEventListener("keydown", (event) => this.expand(event));
    form.addEventListener("input", (event) => this.suggest(event.target));
    form.addEventListener("focusin", (event) => {
      if (isWritten(event.target)) this.field = event.target;
      this.hint.textContent = "";
    });
    document.addEventListener("selectionchange", () => this.name());
    this.opener.addEventListener("pointerdown", (event) => event.preventDefault()); // the selection stays
    this.opener.addEventListener("click", () => this.use());
    document.addEventListener("keydown", (event) => {
      if (!event.altKey || event.key.toLowerCase() !== "p" || document.querySelector("dialog[open]") !== null) return;
      event.preventDefault();
      this.use();
    });
    need<HTMLInputElement>("#phrase-search").addEventListener("input", () => this.list());
    need("#phrase-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.add();
    });
    this.name();
  }

  /** Tab after a short form puts its phrase in; everywhere else it goes on to the next field. */
  private expand(event: KeyboardEvent): void {
    const field = event.target;
    if (event.key !== "Tab" || event.shiftKey || event.ctrlKey || event.altKey || !isWritten(field)) return;
    const begun = begunAt(field.value, field.selectionStart ?? 0);
    const phrase = begun === null ? undefined : meant(this.known, begun.letters);
    if (begun === null || phrase === undefined) return;
    event.preventDefault();
    field.setRangeText(phrase.text, begun.at, field.selectionStart ?? 0, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    this.hint.textContent = "";
  }

  private suggest(target: EventTarget | null): void {
    const begun = isWritten(target) ? begunAt(target.value, target.selectionStart ?? 0) : null;
    if (begun === null) {
      this.hint.textContent = "";
      return;
    }
    const found = this.known.filter((each) => each.short.startsWith(begun.letters)).slice(0, 5);
    const only = meant(this.known, begun.letters);
    if (only !== undefined) this.hint.textContent = t("Tab: {text}", { text: only.text });
    else this.hint.textContent = found.map((each) => `/${each.short}`).join("  ");
  }

  private use(): void {
    if (this.selected() === "") this.open();
    else void this.keep();
  }

  private selected(): string {
    const field = this.field;
    if (field === null || (document.activeElement !== field && document.activeElement !== this.opener)) return "";
    return field.value.slice(field.selectionStart ?? 0, field.selectionEnd ?? 0).trim();
  }

  private name(): void {
    this.opener.textContent = this.selected() === "" ? t("Phrases") : t("Keep the selection as a phrase");
  }

  private async keep(): Promise<void> {
    const text = this.selected();
    const short = shortFor(text, this.known.map((each) => each.short));
    if (await this.ask("POST", "/api/phrases", { short, text })) say(t("Kept: /{short} and Tab puts it in.", { short }));
  }

  private async add(): Promise<void> {
    const short = need<HTMLInputElement>("#phrase-short");
    const text = need<HTMLTextAreaElement>("#phrase-text");
    if (!(await this.ask("POST", "/api/phrases", { short: short.value, text: text.value }))) return;
    short.value = text.value = "";
    short.focus();
  }

  private open(): void {
    need<HTMLInputElement>("#phrase-search").value = "";
    this.list();
    this.dialog.showModal();
    need("#phrase-search").focus();
  }

  private list(): void {
    const found = having(this.known, need<HTMLInputElement>("#phrase-search").value);
    const rows = found.map((each) => this.row(each));
    need("#phrase-list").replaceChildren(...(rows.length > 0 ? rows : [make("li", "quiet", t("None yet."))]));
  }

  private row(phrase: Phrase): HTMLElement {
    const short = make("input", "input mono");
    short.value = phrase.short;
    short.maxLength = 32;
    short.setAttribute("aria-label", t("Short form"));
    const text = make("textarea", "input");
    text.value = phrase.text;
    text.rows = 2;
    text.maxLength = 4000;
    text.setAttribute("aria-label", t("Text of /{short}", { short: phrase.short }));
    const change = (): void => void this.ask("PUT", `/api/phrases/${phrase.id}`, { short: short.value, text: text.value });
    short.addEventListener("change", change);
    text.addEventListener("change", change);
    const use = button(t("Put in"), () => {
      this.dialog.close();
      this.put(text.value);
    });
    const away = button("×", () => void this.ask("DELETE", `/api/phrases/${phrase.id}`));
    away.setAttribute("aria-label", t("Remove /{short}", { short: phrase.short }));
    return make("li", "phrase", short, text, make("span", "row", use, away));
  }

  private put(words: string): void {
    const field = this.field ?? need<HTMLTextAreaElement>("#f-findings");
    field.focus();
    field.setRangeText(words, field.selectionStart ?? 0, field.selectionEnd ?? 0, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    this.onChange();
  }

  /** Changes the phrases on the server, and shows them as they are then. */
  private async ask(method: "POST" | "PUT" | "DELETE", path: string, json?: unknown): Promise<boolean> {
    const problem = need("#phrase-problem");
    try {
      await call(path, json === undefined ? { method } : { method, json });
      this.known = (await call<{ phrases: Phrase[] }>("/api/phrases")).phrases;
      problem.textContent = "";
      this.list();
      return true;
    } catch (error) {
      const why = error instanceof Problem ? error.message : t("No contact with the server. Try again.");
      if (this.dialog.open) problem.textContent = why;
      else say(why, 10);
      return false;
    }
  }
}

function isWritten(target: EventTarget | null): target is Written {
  return target instanceof HTMLTextAreaElement || (target instanceof HTMLInputElement && target.type === "text");
}

function button(words: string, act: () => void): HTMLButtonElement {
  const made = make("button", "button button-small button-plain", words);
  made.type = "button";
  made.addEventListener("click", act);
  return made;
}
