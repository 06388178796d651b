// Shows a template as a form beside its text, a moment after each change; a wrong line is told.
import { call } from "../shared/api.ts";
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Template, TemplateField } from "../reading/template_answers.ts";

interface Preview {
  readonly error: string;
  readonly template: Template | null;
  readonly normal: string;
}

const AFTER_MS = 300;

/** Takes the page's editor into use; does nothing on other pages. */
export function showTemplateAsWritten(): void {
  const form = document.querySelector<HTMLFormElement>("#template-form");
  if (form === null) return;
  const text = need<HTMLTextAreaElement>("#template-text");
  const problem = need("#preview-problem");
  let timer = 0;
  const show = async (): Promise<void> => {
    const asked = new FormData();
    asked.set("text", text.value);
    try {
      const said = await call<Preview>(form.dataset["preview"] ?? "", { method: "POST", form: asked });
      problem.textContent = said.error;
      problem.hidden = said.error === "";
      if (said.template !== null) need("#preview-form").replaceChildren(...drawn(said.template, said.normal));
    } catch {
      problem.textContent = t("No contact with the server. Try again.");
      problem.hidden = false;
    }
  };
  text.addEventListener("input", () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => void show(), AFTER_MS);
  });
  void show();
}

function drawn(template: Template, normal: string): Node[] {
  const sections = template.sections.flatMap((section) => [
    make("h3", "", section.title),
    make("dl", "facts", ...section.fields.flatMap((field) => [make("dt", "", field.label), make("dd", "", kindOf(field))])),
  ]);
  return [
    make("p", "preview-title", make("b", "", template.title)),
    ...sections,
    make("h3", "", t("When everything is normal")),
    make("p", "prose", normal),
  ];
}

function kindOf(field: TemplateField): string {
  if (field.kind === "choice") return field.options.map((each) => each.label).join(" / ");
  if (field.kind === "checkbox") return `${t("no")} / ${t("yes")}`;
  return field.kind === "number" ? `… ${field.unit}` : "…";
}
