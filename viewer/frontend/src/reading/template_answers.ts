// What a template asks and what is answered: pure, for the form and its tests.

export interface TemplateField {
  readonly key: string;
  readonly kind: "choice" | "number" | "text" | "checkbox";
  readonly label: string;
  readonly unit: string;
  readonly low: number | null;
  readonly high: number | null;
  readonly required: boolean;
  readonly normal: string | boolean | null;
  readonly options: readonly { readonly value: string; readonly label: string }[];
}

export interface Offer {
  readonly text: string;
  readonly diagnosis: string;
  readonly interval: string;
}

export interface Template {
  readonly name: string;
  readonly version: number;
  readonly language: string;
  readonly title: string;
  readonly sections: readonly { readonly title: string; readonly fields: readonly TemplateField[] }[];
  readonly diagnoses: readonly string[];
  readonly advice: readonly Offer[];
  readonly follow_ups: readonly Offer[];
  readonly safety_nets: readonly Offer[];
}

export type Answer = string | number | boolean;
export type Answers = Readonly<Record<string, Answer>>;

/** Gives every field of a template in its order. */
export function fieldsOf(template: Template): readonly TemplateField[] {
  return template.sections.flatMap((section) => section.fields);
}

/** Gives the answers that say that nothing is wrong, over what cannot be normal and stays. */
export function allNormal(fields: readonly TemplateField[], present: Answers): Answers {
  const normal = fields.flatMap((field) => (field.normal === null ? [] : [[field.key, field.normal] as const]));
  return { ...present, ...Object.fromEntries(normal) };
}

/** Reads what a control of the form holds as the answer of its field; undefined: no answer. */
export function answerOf(field: TemplateField, written: string): Answer | undefined {
  const text = written.trim();
  if (text === "") return undefined;
  if (field.kind === "checkbox") return text === "yes";
  if (field.kind !== "number") return text;
  const number = Number(text.replace(",", "."));
  const isWithin = (field.low ?? -Infinity) <= number && number <= (field.high ?? Infinity);
  return Number.isFinite(number) && isWithin ? number : undefined;
}

/** Writes an answer as a control of the form holds it. */
export function writtenOf(field: TemplateField, answer: Answer | undefined, language: string): string {
  if (answer === undefined) return "";
  if (field.kind === "checkbox") return answer === true ? "yes" : "no";
  return field.kind === "number" && language === "nb" ? String(answer).replace(".", ",") : String(answer);
}

/** Keeps those answers that fit another template: of fields that it has too. */
export function fitting(template: Template, answers: Answers): Answers {
  const fields = new Map(fieldsOf(template).map((field) => [field.key, field]));
  return Object.fromEntries(
    Object.entries(answers).filter(([key, answer]) => {
      const field = fields.get(key);
      if (field === undefined) return false;
      if (field.kind === "choice") return field.options.some((option) => option.value === answer);
      return typeof answer === { number: "number", text: "string", checkbox: "boolean" }[field.kind];
    }),
  );
}

/** Gives the offers that are for the diagnoses that are made, then those for any. */
export function offersFor(offers: readonly Offer[], diagnoses: readonly string[]): readonly Offer[] {
  const own = offers.filter((offer) => diagnoses.includes(offer.diagnosis));
  return [...own, ...offers.filter((offer) => offer.diagnosis === "")];
}

/** Puts an offered text into a field: after what stands there, once. */
export function withOffer(present: string, offered: string): string {
  if (present.includes(offered)) return present;
  return present.trim() === "" ? offered : `${present.trimEnd()} ${offered}`;
}
