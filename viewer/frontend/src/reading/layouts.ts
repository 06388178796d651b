// Which layouts of panes there are, by rows and columns. Pure.

export type Layout = "1x1" | "1x2" | "2x1" | "2x2";

export const LAYOUTS: readonly Layout[] = ["1x1", "1x2", "2x1", "2x2"];
export const MOST_PANES = 4;

/** Tells how many panes a layout has. */
export function panesOf(layout: Layout): number {
  const [rows = 1, columns = 1] = layout.split("x").map(Number);
  return rows * columns;
}

/** The layout of a digit key by its place on the keyboard, whatever Shift makes of it. */
export function layoutOfKey(code: string): Layout | null {
  return LAYOUTS[["Digit1", "Digit2", "Digit3", "Digit4"].indexOf(code)] ?? null;
}

/** The layout in which there is a second pane: the present one when it has. */
export function withSecond(layout: Layout): Layout {
  return panesOf(layout) > 1 ? layout : "1x2";
}

/** The pane that something to compare with goes into: the one after the present, not the present itself. */
export function besides(active: number, panes: number): number {
  return panes < 2 ? active : active === 0 ? 1 : active === panes - 1 ? active - 1 : active + 1;
}
