// Which tool the pointer has, for all panes alike, and what happens to it when a mark is drawn.
import { isMark, type MarkKind } from "./kinds.ts";

export type Tool = "scroll" | "window" | "zoom" | "pan" | MarkKind;

const KEPT = "lysbro-mark-tool-stays";

export class ToolChoice {
  tool: Tool = window.matchMedia("(pointer: coarse)").matches ? "scroll" : "window";
  private before: Tool = this.tool;
  private readonly listeners: (() => void)[] = [];

  /** Calls back whenever another tool is taken. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Takes a tool. */
  take(tool: Tool): void {
    if (isMark(tool) && !isMark(this.tool)) this.before = this.tool;
    this.tool = tool;
    this.changed();
  }

  /** The kind of mark that is drawn now, or null when the pointer does something else. */
  get mark(): MarkKind | null {
    return isMark(this.tool) ? this.tool : null;
  }

  /** Whether a tool stays when its mark is drawn; else the one before it comes back. */
  get stays(): boolean {
    return window.localStorage.getItem(KEPT) !== "no";
  }

  toggleStays(): void {
    window.localStorage.setItem(KEPT, this.stays ? "no" : "yes");
    this.changed();
  }

  /** A mark has been drawn. */
  done(): void {
    if (!this.stays && isMark(this.tool)) this.take(this.before);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}
