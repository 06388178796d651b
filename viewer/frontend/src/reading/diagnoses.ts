// The list of diagnoses: words, and how sure the reader is.
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";

export interface Diagnosis {
  text: string;
  certainty?: string;
}

export class Diagnoses {
  private readonly list = need("#diagnoses");

  constructor(private readonly onChange: () => void) {
    need("#add-diagnosis").addEventListener("click", () => {
      this.add({ text: "" });
      this.list.querySelector<HTMLInputElement>("li:last-child input")?.focus();
    });
  }

  /** Shows what a draft holds. */
  restore(kept: readonly Diagnosis[]): void {
    this.list.replaceChildren();
    for (const each of kept) this.add(each);
  }

  /** Gives those that have words. */
  all(): Diagnosis[] {
    return [...this.list.querySelectorAll("li")].flatMap((row) => {
      const text = need<HTMLInputElement>("input", row).value.trim();
      const certainty = need<HTMLSelectElement>("select", row).value;
      if (text === "") return [];
      return [certainty === "" ? { text } : { text, certainty }];
    });
  }

  private add(diagnosis: Diagnosis): void {
    const words = make("input", "input");
    words.value = diagnosis.text;
    words.maxLength = 200;
    words.setAttribute("aria-label", t("Diagnosis"));
    const sure = make("select", "input");
    sure.setAttribute("aria-label", t("How sure"));
    const levels = ["", t("unlikely"), t("less likely"), t("possible"), t("likely"), t("very likely")];
    levels.forEach((word, at) => sure.append(new Option(word || t("how sure?"), at === 0 ? "" : String(at))));
    sure.value = diagnosis.certainty ?? "";
    const away = make("button", "button button-small button-plain", "×");
    away.type = "button";
    away.setAttribute("aria-label", t("Remove the diagnosis"));
    const row = make("li", "", words, sure, away);
    away.addEventListener("click", () => {
      row.remove();
      this.onChange();
    });
    this.list.append(row);
  }
}
