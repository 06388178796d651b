// Keys of a paper: while it is what is read, its own table comes before the page's.
import type { Keys } from "../shared/keys.ts";

const tables = new Map<HTMLElement, Keys>();

/** Gives a panel a table of keys; an empty one takes it back. */
export function keysOf(panel: HTMLElement, keys: Keys): void {
  if (tables.size === 0) document.addEventListener("keydown", pressed, { capture: true });
  tables.set(panel, keys);
}

function pressed(event: KeyboardEvent): void {
  if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
  if (isElsewhere(event.target) || document.querySelector("dialog[open]") !== null) return;
  if (event.key === "Enter" && event.target instanceof HTMLElement && event.target.matches("a[href], button, summary")) return;
  for (const [panel, keys] of tables) {
    if (!panel.isConnected) tables.delete(panel);
    else if (isRead(panel)) {
      const act = keys[event.key];
      if (act === undefined) return;
      event.preventDefault();
      event.stopPropagation();
      act(event);
      return;
    }
  }
}

/** Tells whether a panel has the keyboard, or is all that there is to look at. */
function isRead(panel: HTMLElement): boolean {
  if (!panel.checkVisibility()) return false;
  const active = document.activeElement;
  if (panel.contains(active)) return true;
  if (active?.closest(".view, .photos, .papers") != null) return false;
  return [...document.querySelectorAll<HTMLElement>(".view, .photos, .papers")].every(
    (other) => other === panel || !other.checkVisibility(),
  );
}

function isElsewhere(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox],[type=radio]), textarea, select"))
  );
}
