// The diagnoses: one main and up to three others, found by a few letters with their codes, each with how sure.
import { call } from "../shared/api.ts";
import { make, need } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import { codesText, search, type Coding, type KnownDiagnosis } from "./diagnosis_search.ts";

export interface Diagnosis {
  text: string;
  certainty?: string;
  code?: string;
  system?: string;
  codes?: readonly Coding[];
}

const MOST = 4;
let known: Promise<readonly KnownDiagnosis[]> | null = null;

export class Diagnoses {
  private readonly list = need("#diagnoses");
  private readonly more = need<HTMLButtonElement>("#add-diagnosis");
  private codes = new WeakMap<HTMLElement, Diagnosis>(); // of a row: what was chosen for its words
  offered: readonly string[] = [];

  constructor(
    private readonly onChange: () => void,
    private readonly specialty: string,
  ) {
    this.more.addEventListener("click", () => {
      this.add({ text: "" });
      this.list.querySelector<HTMLInputElement>("li:last-child input")?.focus();
    });
  }

  /** Shows what a draft holds; one empty row when it holds none. */
  restore(kept: readonly Diagnosis[]): void {
    this.list.replaceChildren();
    for (const each of kept.length > 0 ? kept : [{ text: "" }]) this.add(each);
  }

  /** Gives those that have words. */
  all(): Diagnosis[] {
    return this.rows().flatMap((row) => {
      const text = need<HTMLInputElement>("input", row).value.trim();
      const certainty = need<HTMLSelectElement>("select", row).value;
      if (text === "") return [];
      const chosen = this.codes.get(row);
      const coded = chosen?.text === text ? chosen : undefined;
      return [{ ...coded, text, ...(certainty === "" ? {} : { certainty }) }];
    });
  }

  /** Gives the keys of those that were chosen from the table. */
  async keys(): Promise<readonly string[]> {
    const made = this.all().map((each) => each.text);
    if (made.length === 0) return [];
    return (await all()).filter((each) => made.includes(each.nb) || made.includes(each.en)).map((each) => each.key);
  }

  private rows(): HTMLElement[] {
    return [...this.list.querySelectorAll<HTMLElement>(":scope > li")];
  }

  private add(diagnosis: Diagnosis): void {
    const row = make("li");
    const words = make("input", "input");
    words.type = "text";
    words.value = diagnosis.text;
    words.maxLength = 200;
    const sure = certainties(diagnosis.certainty ?? "");
    const away = make("button", "button button-small button-plain", "×");
    away.type = "button";
    away.setAttribute("aria-label", t("Remove the diagnosis"));
    away.addEventListener("click", () => {
      row.remove();
      if (this.rows().length === 0) this.add({ text: "" });
      this.number();
      this.onChange();
    });
    const codes = make("p", "diagnosis-codes quiet small");
    row.append(words, sure, away, codes);
    const { certainty: _sure, ...coded } = diagnosis;
    this.codes.set(row, coded);
    this.finding(row, words, codes);
    this.list.append(row);
    this.number();
  }

  /** Names the rows, and takes no more than there may be. */
  private number(): void {
    this.rows().forEach((row, at) => {
      const words = need<HTMLInputElement>("input", row);
      const name = at === 0 ? t("Main diagnosis") : t("Or, {n}", { n: at });
      words.setAttribute("aria-label", name);
      words.placeholder = name;
    });
    this.more.hidden = this.rows().length >= MOST;
  }

  /** Lets the words of a row be found in the table. */
  private finding(row: HTMLElement, words: HTMLInputElement, codes: HTMLElement): void {
    const found = make("ul", "found");
    found.id = `found-${Math.random().toString(36).slice(2)}`;
    found.setAttribute("role", "listbox");
    found.hidden = true;
    row.append(found);
    words.setAttribute("role", "combobox");
    words.setAttribute("aria-controls", found.id);
    words.setAttribute("aria-autocomplete", "list");
    words.setAttribute("aria-expanded", "false");
    words.autocomplete = "off";
    let shown: readonly KnownDiagnosis[] = [];
    let at = -1;
    const show = (list: readonly KnownDiagnosis[]): void => {
      shown = list;
      at = -1;
      found.hidden = list.length === 0;
      words.setAttribute("aria-expanded", String(list.length > 0));
      words.removeAttribute("aria-activedescendant");
      if (list.length > 0) requestAnimationFrame(() => found.scrollIntoView({ block: "nearest" }));
      found.replaceChildren(...list.map((each, index) => option(each, `${found.id}-${index}`, () => choose(each))));
    };
    const mark = (next: number): void => {
      at = (next + shown.length) % shown.length;
      [...found.children].forEach((each, index) => each.setAttribute("aria-selected", String(index === at)));
      words.setAttribute("aria-activedescendant", `${found.id}-${at}`);
      found.children[at]?.scrollIntoView({ block: "nearest" });
    };
    const told = (): void => {
      const chosen = this.codes.get(row);
      codes.textContent = chosen?.text === words.value.trim() ? codesText(chosen.codes ?? []) : "";
    };
    const choose = (each: KnownDiagnosis): void => {
      words.value = nameOf(each);
      const first = each.codes[0];
      this.codes.set(row, { text: words.value, codes: each.codes, ...(first === undefined ? {} : first) });
      show([]);
      told();
      this.onChange();
    };
    const look = async (): Promise<void> => {
      const letters = words.value;
      const list = search(await all(), letters, this.offered, this.specialty);
      if (document.activeElement === words && words.value === letters) show(list);
    };
    words.addEventListener("input", () => {
      told();
      void look();
    });
    words.addEventListener("focus", () => {
      if (words.value === "") void look();
    });
    words.addEventListener("blur", () => show([]));
    words.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" && shown.length === 0) void look();
      if (shown.length === 0 || event.ctrlKey || event.metaKey) return;
      if (event.key === "ArrowDown") mark(at + 1);
      else if (event.key === "ArrowUp") mark(at < 0 ? -1 : at - 1);
      else if (event.key === "Enter" && shown[Math.max(at, 0)] !== undefined) choose(shown[Math.max(at, 0)] as KnownDiagnosis);
      else if (event.key === "Escape") show([]);
      else return;
      event.preventDefault();
      event.stopPropagation();
    });
    told();
  }
}

function certainties(chosen: string): HTMLSelectElement {
  const sure = make("select", "input");
  sure.setAttribute("aria-label", t("How sure"));
  const levels = ["", t("unlikely"), t("less likely"), t("possible"), t("likely"), t("very likely")];
  levels.forEach((word, at) => sure.append(new Option(word || t("how sure?"), at === 0 ? "" : String(at))));
  sure.value = chosen;
  return sure;
}

function option(each: KnownDiagnosis, id: string, choose: () => void): HTMLElement {
  const item = make("li", "", nameOf(each), " ", make("span", "quiet small", codesText(each.codes.filter((code) => code.system !== "sct"))));
  item.id = id;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.addEventListener("pointerdown", (event) => {
    event.preventDefault(); // the field keeps the focus
    choose();
  });
  return item;
}

function nameOf(each: KnownDiagnosis): string {
  return language === "nb" ? each.nb : each.en;
}

/** Gives the table of diagnoses, fetched once; an empty one while there is no contact. */
async function all(): Promise<readonly KnownDiagnosis[]> {
  known ??= call<{ diagnoses: KnownDiagnosis[] }>("/api/diagnoses").then((answer) => answer.diagnoses);
  try {
    return await known;
  } catch {
    known = null;
    return [];
  }
}
