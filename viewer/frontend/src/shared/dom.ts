// Small helpers over the document. Text goes in by textContent only, never as HTML.

/** Gives the one element that the page must have; a missing one is a defect and says which. */
export function need<E extends HTMLElement = HTMLElement>(selector: string, within: ParentNode = document): E {
  const found = within.querySelector<E>(selector);
  if (found === null) throw new Error(`The page has no ${selector}.`);
  return found;
}

/** Makes an element with a class and text or children. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className = "",
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== "") element.className = className;
  element.append(...children);
  return element;
}

/** Reads a JSON block (`<script type="application/json" id="...">`) of the page. */
export function block<Value>(id: string): Value {
  return JSON.parse(need(`#${id}`).textContent ?? "null") as Value;
}

let toastTimer = 0;

/** Says in one line what has just happened; stays a while, is read out, never takes the focus. */
export function say(text: string, seconds = 6): void {
  const toast = need("#toast");
  toast.textContent = text;
  window.clearTimeout(toastTimer);
  toastTimer = window.setTimeout(() => (toast.textContent = ""), seconds * 1000);
}
