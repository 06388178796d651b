// The fields of a template: one row each, answered by mouse or keys; another template by select or key.
import { call } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { language, t } from "../shared/strings.ts";
import {
  allNormal,
  answerOf,
  fieldsOf,
  fitting,
  writtenOf,
  type Answer,
  type Answers,
  type Template,
  type TemplateField,
} from "./template_answers.ts";

interface Used {
  readonly name: string;
  readonly version: number;
  readonly language: string;
}

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

export class TemplateForm {
  private readonly select = need<HTMLSelectElement>("#f-template");
  private readonly fold = need<HTMLDetailsElement>("#template-fold");
  private readonly rows = need("#template-fields");
  private readonly controls = new Map<string, Control>();
  private answered: Record<string, Answer> = {};
  private used: Used; // what the answers belong to, also while it is fetched

  constructor(
    private present: Template | null,
    private readonly onChange: () => void,
  ) {
    this.used = usedOf(present);
    this.select.addEventListener("change", () => void this.choose(this.select.value));
    need("#all-normal").addEventListener("click", () => this.normal());
    this.rows.addEventListener("input", (event) => this.took(event.target as Control));
    this.draw();
  }

  get template(): Template | null {
    return this.present;
  }

  /** Name, version and language of the template that the answers belong to. */
  get belongsTo(): Used {
    return this.used;
  }

  get answers(): Answers {
    return { ...this.answered };
  }

  /** Shows what a draft holds, in the version of the template that it began with. */
  async restore(name: string, version: number, answers: Answers, speaks: string): Promise<void> {
    const present = this.present;
    const isSame = name === (present?.name ?? "") && (version === 0 || version === present?.version);
    this.answered = { ...answers };
    this.used = isSame ? usedOf(present) : { name, version, language: speaks };
    if (!isSame) {
      try {
        this.present = name === "" ? null : await templateNamed(name, version, speaks);
      } catch {
        say(t("The template of this draft cannot be fetched. Its answers are kept; load the page again."), 10);
        this.present = null;
        this.draw();
        return;
      }
      this.used = usedOf(this.present);
    }
    this.draw();
    if (Object.keys(answers).length > 0) this.fold.open = true;
  }

  /** Takes another template; answers that fit it stay. */
  async choose(name: string): Promise<void> {
    try {
      this.present = name === "" ? null : await templateNamed(name, 0, language);
    } catch {
      this.select.value = this.present?.name ?? "";
      say(t("No contact with the server. The template stays as it was."));
      return;
    }
    this.used = usedOf(this.present);
    this.answered = this.present === null ? {} : { ...fitting(this.present, this.answered) };
    this.draw();
    this.fold.open = this.present !== null;
    this.onChange();
  }

  /** Says that everything is normal that can be; what is not is changed after it. */
  normal(fields: readonly TemplateField[] = this.present === null ? [] : fieldsOf(this.present)): void {
    if (this.present === null) {
      say(t("Choose a template first."));
      return;
    }
    this.answered = { ...allNormal(fields, this.answered) };
    for (const field of fields) this.write(field); // in place: the focus stays where it is
    this.fold.open = true;
    this.onChange();
  }

  /** Puts the focus on the select, and opens the fields. */
  focus(): void {
    if (this.present !== null) this.fold.open = true;
    this.select.focus();
  }

  private took(control: Control): void {
    const field = this.present === null ? undefined : fieldsOf(this.present).find((each) => each.key === control.name);
    if (field === undefined) return;
    const answer = answerOf(field, control.value);
    control.setAttribute("aria-invalid", String(answer === undefined && control.value.trim() !== ""));
    if (answer === undefined) delete this.answered[field.key];
    else this.answered[field.key] = answer;
    marked(control, field, answer);
  }

  /** Writes the answer of a field into its control. */
  private write(field: TemplateField): void {
    const control = this.controls.get(field.key);
    if (control === undefined) return;
    const answer = this.answered[field.key];
    control.value = writtenOf(field, answer, this.used.language);
    marked(control, field, answer);
  }

  private draw(): void {
    const template = this.present;
    if (template !== null && ![...this.select.options].some((each) => each.value === template.name)) {
      this.select.append(new Option(template.title, template.name)); // of another specialty, or no longer offered
    }
    this.select.value = template?.name ?? "";
    this.fold.hidden = template === null;
    need("#all-normal").hidden = template === null;
    this.controls.clear();
    this.rows.replaceChildren(...(template === null ? [] : template.sections.map((section) => this.section(section))));
  }

  private section(section: Template["sections"][number]): HTMLElement {
    const legend = make("legend", "", section.title);
    const box = make("fieldset", "template-section", legend);
    if (section.fields.some((field) => field.normal !== null)) {
      const normal = make("button", "button button-small button-plain", t("Normal"));
      normal.type = "button";
      normal.setAttribute("aria-label", t("{part}: normal", { part: section.title }));
      normal.addEventListener("click", () => this.normal(section.fields));
      legend.append(normal);
    }
    box.append(...section.fields.map((field) => this.row(field)));
    return box;
  }

  private row(field: TemplateField): HTMLElement {
    const control = controlOf(field);
    control.id = `t-${field.key}`;
    control.name = field.key;
    if (field.required) control.setAttribute("aria-required", "true");
    this.controls.set(field.key, control);
    this.write(field);
    const label = make("label", "", field.label, ...(field.required ? [make("span", "quiet", " *")] : []));
    label.htmlFor = control.id;
    const unit = field.unit === "" ? [] : [make("span", "quiet small", field.unit)];
    return make("div", `template-row template-${field.kind}`, label, make("span", "template-control", control, ...unit));
  }
}

function usedOf(template: Template | null): Used {
  return { name: template?.name ?? "", version: template?.version ?? 0, language: template?.language ?? language };
}

/** Shows at a control whether it is answered, and whether with something that is not normal. */
function marked(control: Control, field: TemplateField, answer: Answer | undefined): void {
  control.classList.toggle("answered", answer !== undefined);
  control.classList.toggle("not-normal", answer !== undefined && field.normal !== null && answer !== field.normal);
}

function controlOf(field: TemplateField): Control {
  if (field.kind === "text") {
    const area = make("textarea", "input");
    area.rows = 1;
    area.maxLength = 2000;
    return area;
  }
  if (field.kind === "number") {
    const input = make("input", "input figures");
    input.inputMode = "decimal";
    input.maxLength = 12;
    return input;
  }
  const select = make("select", "input", new Option("–", ""));
  const options = field.kind === "checkbox" ? YES_NO() : field.options.map((each) => new Option(each.label, each.value));
  select.append(...options);
  return select;
}

const YES_NO = (): HTMLOptionElement[] => [new Option(t("no"), "no"), new Option(t("yes"), "yes")];

/** Fetches a template in a version (0: the present one) and a language. */
function templateNamed(name: string, version: number, speaks: string): Promise<Template> {
  const asked = new URLSearchParams({ version: String(version), language: speaks });
  return call<Template>(`/api/templates/${encodeURIComponent(name)}?${asked}`);
}
