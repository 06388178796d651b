// Unfolds what the server has folded: instances from what they have alike and columns of what they have not
// (viewer/manifest_columns.py).

/** Numbers that count up evenly, or all of them. */
type Numbers = { readonly from: number; readonly by: number } | { readonly all: readonly unknown[] };
/** Values, vectors by their parts, or texts by what they begin with and their ends. */
export type Column =
  | Numbers
  | { readonly parts: readonly Numbers[] }
  | { readonly start: string; readonly ends: Numbers };

export interface Folded {
  readonly common: Readonly<Record<string, unknown>>;
  readonly count: number;
  readonly columns: Readonly<Record<string, Column>>;
}

/** Gives the instances; what one does not say is not in it. */
export function unfolded({ common, count, columns }: Folded): Record<string, unknown>[] {
  const all = Array.from({ length: count }, () => ({ ...common }) as Record<string, unknown>);
  for (const [name, column] of Object.entries(columns)) {
    const at = reader(column);
    all.forEach((each, i) => {
      const value = at(i);
      if (value !== null && value !== undefined) each[name] = value;
    });
  }
  return all;
}

function reader(column: Column): (i: number) => unknown {
  if ("start" in column) {
    const ends = reader(column.ends);
    return (i) => `${column.start}${ends(i)}`;
  }
  if ("parts" in column) {
    const parts = column.parts.map(reader);
    return (i) => parts.map((part) => part(i));
  }
  if ("all" in column) return (i) => column.all[i];
  const { from, by } = column;
  if (Number.isInteger(from) && Number.isInteger(by)) return (i) => from + i * by;
  return (i) => Math.round((from + i * by) * 1e6) / 1e6;
}
