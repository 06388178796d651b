// The worklist: moves by key, claims without a reload, and brings its rows up to date in place.
// A row that is on the screen never moves by itself; what is new waits behind a button.
import "../styles/worklist.css";
import { Problem, call, send } from "../shared/api.ts";
import { make, need, say } from "../shared/dom.ts";
import { listen } from "../shared/keys.ts";
import { t, tn } from "../shared/strings.ts";

const EVERY_MS = 5_000;
const live = need("#live");
let waiting: Document | null = null; // the newest answer that has rows the screen does not show

const rows = (): HTMLElement[] => [...live.querySelectorAll<HTMLElement>("li.case")];
const selected = (): HTMLElement | undefined => rows().find((row) => row.getAttribute("aria-current") === "true");

function select(row: HTMLElement | undefined): void {
  if (row === undefined) return;
  for (const each of rows()) each.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
  need("a.case-link", row).focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

function move(step: 1 | -1): void {
  const all = rows();
  const now = selected();
  const at = now === undefined ? -1 : all.indexOf(now);
  select(all[Math.min(all.length - 1, Math.max(0, at + step))]);
}

function open(row: HTMLElement | undefined): void {
  if (row !== undefined) need<HTMLAnchorElement>("a.case-link", row).click();
}

async function claim(row: HTMLElement | undefined): Promise<void> {
  const id = row?.dataset["case"];
  if (row === undefined || id === undefined) return;
  if (row.querySelector("[data-claim]") === null) {
    say(t("This case cannot be claimed now."));
    return;
  }
  try {
    await call(`/api/cases/${id}/claim`, { method: "POST", json: {} });
    say(t("Claimed. Press Enter to open it."));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(error.message);
  }
  await refresh();
}

async function refresh(): Promise<void> {
  const address = live.dataset["rows"];
  if (address === undefined) return;
  const fresh = need("#fresh");
  try {
    const response = await send(address, { headers: { Accept: "text/html" } });
    apply(new DOMParser().parseFromString(await response.text(), "text/html"));
    fresh.textContent = "";
  } catch {
    fresh.textContent = t("No contact with the server. The list may be out of date.");
  }
}

function apply(answer: Document): void {
  const incoming = new Map(
    [...answer.querySelectorAll<HTMLElement>("li.case")].map((row) => [row.dataset["case"] ?? "", row]),
  );
  const shown = new Set<string>();
  for (const row of rows()) {
    const id = row.dataset["case"] ?? "";
    shown.add(id);
    replaceInPlace(row, incoming.get(id));
  }
  const parts = need("#tally p", answer);
  need("#tally p").replaceChildren(...parts.cloneNode(true).childNodes);
  const unseen = [...incoming.keys()].filter((id) => !shown.has(id)).length;
  waiting = unseen > 0 ? answer : null;
  offer(unseen);
}

function replaceInPlace(row: HTMLElement, fresh: HTMLElement | undefined): void {
  if (fresh === undefined) {
    row.classList.add("case-gone");
    need(".case-when", row).textContent = t("no longer in this list");
    row.querySelector("[data-claim]")?.remove();
    return;
  }
  if (row.innerHTML === fresh.innerHTML && row.className === fresh.className) return;
  const hadFocus = row.contains(document.activeElement);
  row.className = fresh.className;
  row.dataset["version"] = fresh.dataset["version"] ?? "";
  if (fresh.dataset["free"] === undefined) delete row.dataset["free"];
  else row.dataset["free"] = "";
  row.replaceChildren(...fresh.cloneNode(true).childNodes); // the answer itself may be shown later
  if (hadFocus) need("a.case-link", row).focus({ preventScroll: true });
}

function offer(unseen: number): void {
  const button = need<HTMLButtonElement>("#show-new");
  button.hidden = unseen === 0;
  button.replaceChildren(tn("{n} new case", "{n} new cases", unseen), " ", make("kbd", "", "u"));
}

/** Takes the newest list as it is, on the person's own word; the selected case stays selected. */
function showNew(): void {
  if (waiting === null) return;
  const id = selected()?.dataset["case"];
  live.replaceChildren(...need("body", waiting).childNodes);
  waiting = null;
  select(rows().find((row) => row.dataset["case"] === id));
}

live.addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const button = event.target.closest<HTMLElement>("[data-claim]");
  if (button !== null) void claim(button.closest<HTMLElement>("li.case") ?? undefined);
  if (event.target.closest("#show-new") !== null) showNew();
});

live.addEventListener("focusin", (event) => {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("li.case") : null;
  if (row === null) return;
  for (const each of rows()) each.toggleAttribute("aria-current", false);
  row.setAttribute("aria-current", "true");
});

const filters = document.querySelector<HTMLFormElement>("#filters");
filters?.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) filters.requestSubmit();
});
// An address with only what was asked for: empty choices are left out.
filters?.addEventListener("submit", () => {
  for (const field of filters.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")) {
    field.disabled = field.value === "" || (field.name === "state" && field.value === "open");
  }
});
window.addEventListener("pageshow", () => {
  for (const field of filters?.querySelectorAll<HTMLInputElement>("input, select") ?? []) field.disabled = false;
});

const isSpecialists = document.querySelector("#tally") !== null;
listen({
  "/": () => need<HTMLInputElement>("#q").focus(),
  ...(isSpecialists && {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: () => open(selected()),
    r: () => open(selected()),
    c: () => void claim(selected()),
    n: () => open(rows().find((row) => row.dataset["free"] !== undefined)),
    u: showNew,
  }),
});

need<HTMLInputElement>("#q").addEventListener("keydown", (event) => {
  if (event.key === "Escape") need<HTMLInputElement>("#q").blur();
});

if (isSpecialists) {
  window.setInterval(() => {
    if (document.visibilityState === "visible") void refresh();
  }, EVERY_MS);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") void refresh();
  });
}
