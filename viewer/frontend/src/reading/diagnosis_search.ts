// Finds a diagnosis by a few letters, in either language: pure, so that it answers while one types.

export interface Coding {
  readonly system: string;
  readonly code: string;
}

export interface KnownDiagnosis {
  readonly key: string;
  readonly en: string;
  readonly nb: string;
  readonly codes: readonly Coding[];
  readonly specialty: string;
  readonly also: readonly string[];
}

const MOST = 8;
const SYSTEMS: readonly (readonly [string, string])[] = [
  ["icpc-2", "ICPC-2"],
  ["icd-10", "ICD-10"],
  ["sct", "SNOMED CT"],
];

/** Gives those that letters find, the likeliest first; without letters those that are offered. */
export function search(
  known: readonly KnownDiagnosis[],
  letters: string,
  offered: readonly string[],
  specialty: string,
): readonly KnownDiagnosis[] {
  const wanted = plain(letters).split(" ").filter((word) => word !== "");
  if (wanted.length === 0) {
    return offered.flatMap((key) => known.filter((each) => each.key === key)).slice(0, MOST);
  }
  const rated = known.flatMap((each, at) => {
    const rate = rating(each, wanted);
    if (rate === 0) return [];
    const bonus = (offered.includes(each.key) ? 4 : 0) + (each.specialty === specialty ? 2 : 0);
    return [{ each, rate: rate + bonus, at }];
  });
  return rated.sort((a, b) => b.rate - a.rate || a.at - b.at).slice(0, MOST).map(({ each }) => each);
}

/** Gives the codes as people read them, those of the referrer first. */
export function codesText(codes: readonly Coding[]): string {
  return SYSTEMS.flatMap(([key, name]) =>
    codes.filter((each) => each.system === key).map((each) => `${name} ${each.code}`),
  ).join(", ");
}

/** How well it fits: a name that begins so, a word that does, a code, or a part of a word. */
function rating(known: KnownDiagnosis, wanted: readonly string[]): number {
  const names = [known.nb, known.en, ...known.also].map(plain);
  const codes = known.codes.map((each) => plain(each.code));
  const phrase = wanted.join(" ");
  if (names.includes(phrase)) return 40;
  if (names.some((name) => name.startsWith(phrase))) return 30;
  const rates = wanted.map((word) => {
    if (names.some((name) => ` ${name}`.includes(` ${word}`))) return 20;
    if (codes.some((code) => code.startsWith(word))) return 20;
    return word.length > 2 && names.some((name) => name.includes(word)) ? 10 : 0;
  });
  return Math.min(...rates);
}

/** A text without case, accents and signs, so that seboreisk finds Seboreisk and noevus does not. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .replaceAll("æ", "ae")
    .replaceAll("ø", "o")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/[^\p{L}\p{N}.]+/gu, " ")
    .trim();
}
