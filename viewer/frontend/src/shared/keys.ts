// Keys of a page: one table of key to action, silent while somebody types.

export type Keys = Readonly<Record<string, (event: KeyboardEvent) => void>>;

/** Listens for the keys of a table. A key pressed with Ctrl, Alt or Meta stays the browser's. */
export function listen(keys: Keys): void {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]") !== null) return;
    if (event.key === "Enter" && isPressed(event.target)) return;
    const action = keys[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action(event);
  });
}

/** Opens the page's list of keys (`#keys`, a dialog); the button `#keys-open` does the same. */
export function showKeys(): void {
  document.querySelector<HTMLDialogElement>("#keys")?.showModal();
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("input:not([type=checkbox],[type=radio]), textarea, select"))
  );
}

/** Enter on a link or button does what that link or button says. */
function isPressed(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && target.matches("a[href], button, summary");
}
