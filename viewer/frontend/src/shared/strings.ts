// Texts of the page's language: English in the code, the rest from a JSON block on the page.

type Params = Readonly<Record<string, string | number>>;

const catalogue: Readonly<Record<string, string>> = readCatalogue();

/** The language that the page is in: "en" or "nb". */
export const language: string = document.documentElement.lang || "en";

/** Gives a text in the page's language, with `{name}` places filled in. */
export function t(text: string, params: Params = {}): string {
  const translated = catalogue[text] ?? text;
  return translated.replace(/\{(\w+)\}/g, (place, name: string) => String(params[name] ?? place));
}

/** The same for a count: `one` when n is 1, else `many`; `{n}` is the count. */
export function tn(one: string, many: string, n: number, params: Params = {}): string {
  return t(n === 1 ? one : many, { n, ...params });
}

function readCatalogue(): Record<string, string> {
  const block = document.getElementById("strings");
  return block?.textContent ? (JSON.parse(block.textContent) as Record<string, string>) : {};
}
