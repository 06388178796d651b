// Brings the rows up to date in place. A row that is on the screen never moves by itself; what is
// new waits behind a button. While nothing has changed the server says only that.
import { send } from "../shared/api.ts";
import { make, need } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";

const EVERY_MS = 5_000;
const PARTS = ["#tabs", "#tally p", "#holders"];

export class Live {
  private readonly root = need("#live");
  private waiting: Document | null = null; // the newest answer that has rows the screen does not show
  private etag = "";

  rows(): HTMLElement[] {
    return [...this.root.querySelectorAll<HTMLElement>("li.case")];
  }

  selected(): HTMLElement | undefined {
    return this.rows().find((row) => row.getAttribute("aria-current") === "true");
  }

  select(row: HTMLElement | undefined): void {
    if (row === undefined) return;
    this.mark(row);
    need("a.case-link", row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  /** Marks a row without moving the focus. */
  mark(row: HTMLElement): void {
    for (const each of this.rows()) each.removeAttribute("aria-current");
    row.setAttribute("aria-current", "true");
  }

  /** Looks again and again while the page is looked at. */
  begin(): void {
    window.setInterval(() => {
      if (document.visibilityState === "visible") void this.refresh();
    }, EVERY_MS);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") void this.refresh();
    });
  }

  async refresh(): Promise<void> {
    const address = this.root.dataset["rows"];
    if (address === undefined) return;
    const fresh = need("#fresh");
    try {
      const headers = { Accept: "text/html", ...(this.etag === "" ? {} : { "If-None-Match": this.etag }) };
      const response = await send(address, { headers });
      if (response.status !== 304) {
        this.etag = response.headers.get("ETag") ?? "";
        this.apply(new DOMParser().parseFromString(await response.text(), "text/html"));
      }
      fresh.textContent = "";
    } catch {
      fresh.textContent = t("No contact with the server. The list may be out of date.");
    }
  }

  /** Takes the newest list as it is, on the person's own word; the selected case stays selected. */
  showNew(): void {
    if (this.waiting === null) return;
    const id = this.selected()?.dataset["case"];
    this.root.replaceChildren(...need("body", this.waiting).childNodes);
    this.waiting = null;
    this.select(this.rows().find((row) => row.dataset["case"] === id));
  }

  private apply(answer: Document): void {
    const incoming = new Map(
      [...answer.querySelectorAll<HTMLElement>("li.case")].map((row) => [row.dataset["case"] ?? "", row]),
    );
    const shown = new Set<string>();
    for (const row of this.rows()) {
      const id = row.dataset["case"] ?? "";
      shown.add(id);
      replaceInPlace(row, incoming.get(id));
    }
    for (const part of PARTS) replacePart(need(part), need(part, answer));
    const unseen = [...incoming.keys()].filter((id) => !shown.has(id)).length;
    this.waiting = unseen > 0 ? answer : null;
    this.offer(unseen);
  }

  private offer(unseen: number): void {
    const button = need<HTMLButtonElement>("#show-new");
    button.hidden = unseen === 0;
    button.replaceChildren(tn("{n} new", "{n} new", unseen), " ", make("kbd", "", "u"));
  }
}

function replaceInPlace(row: HTMLElement, fresh: HTMLElement | undefined): void {
  if (fresh === undefined) {
    row.classList.add("case-gone");
    need(".case-when", row).textContent = t("no longer in this list");
    row.querySelector(".case-button")?.remove();
    return;
  }
  if (row.innerHTML === fresh.innerHTML && row.className === fresh.className) return;
  const hadFocus = row.contains(document.activeElement);
  row.className = fresh.className;
  for (const name of ["version", "free", "hand", "second"]) {
    const value = fresh.dataset[name];
    if (value === undefined) delete row.dataset[name];
    else row.dataset[name] = value;
  }
  row.replaceChildren(...fresh.cloneNode(true).childNodes); // the answer itself may be shown later
  if (hadFocus) need("a.case-link", row).focus({ preventScroll: true });
}

/** Replaces a line above the rows when it says something else, unless somebody is in it just now. */
function replacePart(part: HTMLElement, fresh: HTMLElement): void {
  if (part.innerHTML === fresh.innerHTML || part.contains(document.activeElement)) return;
  part.replaceChildren(...fresh.cloneNode(true).childNodes);
}
