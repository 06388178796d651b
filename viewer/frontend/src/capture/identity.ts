// What a Norwegian national identity number says: date of birth and sex. Used to fill in, never to refuse.

export interface Identity {
  readonly birthDate: string; // ISO 8601
  readonly sex: "F" | "M";
}

const FIRST = [3, 7, 6, 1, 8, 9, 4, 5, 2] as const;
const SECOND = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2] as const;

/** Reads a fødselsnummer or D-number; null when the text is none or its check digits disagree. */
export function readIdentity(text: string): Identity | null {
  const digits = text.replace(/[\s-]/g, "");
  if (!/^\d{11}$/.test(digits)) return null;
  const d = Array.from(digits, Number);
  if (check(d, FIRST) !== d[9] || check(d, SECOND) !== d[10]) return null;
  const firstTwo = Number(digits.slice(0, 2));
  const day = firstTwo > 40 ? firstTwo - 40 : firstTwo; // a D-number adds 40 to the day
  const month = Number(digits.slice(2, 4));
  const year = yearOf(Number(digits.slice(4, 6)), Number(digits.slice(6, 9)));
  if (year === null) return null;
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return { birthDate: date.toISOString().slice(0, 10), sex: (d[8] ?? 0) % 2 === 0 ? "F" : "M" };
}

function check(digits: readonly number[], weights: readonly number[]): number {
  const sum = weights.reduce((total, weight, i) => total + weight * (digits[i] ?? 0), 0);
  const rest = 11 - (sum % 11);
  return rest === 11 ? 0 : rest; // 10 is no digit, so no number has it
}

function yearOf(twoDigits: number, individual: number): number | null {
  if (individual < 500) return 1900 + twoDigits;
  if (individual < 750 && twoDigits >= 54) return 1800 + twoDigits;
  if (twoDigits < 40) return 2000 + twoDigits;
  if (individual >= 900) return 1900 + twoDigits;
  return null;
}
