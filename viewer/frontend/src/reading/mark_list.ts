// The marks of a case, whichever pane shows them: what is kept in the draft. Draws nothing.
import type { Measurement } from "./measuring.ts";

export class MarkList {
  all: readonly Measurement[] = [];
  locked = 0; // so many of them are signed and stay as they are
  chosen = -1; // the one that was drawn or touched last
  isHidden = false;
  /** Called when a mark is as it shall be: it is to be saved. */
  onChange: () => void = () => undefined;
  /** Called with what is to be read out. */
  onSaid: (text: string) => void = () => undefined;
  private readonly redraws = new Set<() => void>();

  /** Calls back whenever marks must be drawn anew; gives what ends that. */
  onRedraw(draw: () => void): () => void {
    this.redraws.add(draw);
    return () => this.redraws.delete(draw);
  }

  /** Takes over what a draft holds. */
  restore(kept: readonly Measurement[]): void {
    this.all = [...kept];
    this.chosen = this.all.length - 1;
    this.redraw();
  }

  /** Adds a mark; gives its place in the list. */
  add(mark: Measurement): number {
    this.all = [...this.all, mark];
    this.chosen = this.all.length - 1;
    this.redraw();
    return this.chosen;
  }

  /** Puts a mark in the place of another, while it is moved. */
  replace(index: number, mark: Measurement): void {
    if (index < this.locked || this.all[index] === undefined) return;
    this.all = this.all.with(index, mark);
    this.chosen = index;
    this.redraw();
  }

  /** Takes a mark out. */
  remove(index: number): void {
    if (index < this.locked || this.all[index] === undefined) return;
    this.all = this.all.filter((_, at) => at !== index);
    this.chosen = this.all.length - 1;
    this.redraw();
    this.onChange();
  }

  /** Names a mark, or changes its words. */
  rename(index: number, label: string): void {
    const mark = this.all[index];
    if (mark === undefined || mark.label === label) return;
    this.replace(index, { ...mark, label });
    this.onChange();
  }

  /** Hides all marks, or shows them again. */
  toggleHidden(): void {
    this.isHidden = !this.isHidden;
    this.redraw();
  }

  /** The mark that was drawn or touched last. */
  get last(): Measurement | null {
    return this.all[this.chosen] ?? this.all.at(-1) ?? null;
  }

  private redraw(): void {
    for (const draw of this.redraws) draw();
  }
}
