// The worklist: moves by key, claims and hands over without a reload, goes from tab to tab.
import "../styles/worklist.css";
import "../styles/handing.css";
import { Problem, call } from "../shared/api.ts";
import { need, say } from "../shared/dom.ts";
import { handOver, offerHandOver } from "../shared/handing.ts";
import { listen } from "../shared/keys.ts";
import { t } from "../shared/strings.ts";
import { Live } from "../worklist/live.ts";
import { openTab, offerTabs, saveAsTab } from "../worklist/tabs.ts";

const live = new Live();
const isSpecialists = document.querySelector("#tally") !== null;

function move(step: 1 | -1): void {
  const all = live.rows();
  const now = live.selected();
  const at = now === undefined ? -1 : all.indexOf(now);
  live.select(all[Math.min(all.length - 1, Math.max(0, at + step))]);
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
  await live.refresh();
}

function hand(row: HTMLElement | undefined): void {
  const id = row?.dataset["case"];
  if (row === undefined || id === undefined) return;
  if (row.dataset["hand"] === undefined) {
    say(t("Only the one who has the case, or a coordinator, hands it over."));
    return;
  }
  void handOver(id, need("a.case-link", row).textContent ?? "", (name) => {
    say(t("{name} has the case now.", { name }));
    live.select(row);
    void live.refresh();
  });
}

async function readSecond(row: HTMLElement | undefined): Promise<void> {
  const id = row?.dataset["case"];
  if (id === undefined) return;
  if (row?.dataset["second"] === undefined) {
    say(t("No second reading of this case waits for you."));
    return;
  }
  try {
    await call(`/api/cases/${id}/second-reading/take`, { method: "POST", json: {} });
    location.assign(`/cases/${id}`);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    say(error.message, 10);
    await live.refresh();
  }
}

need("#live").addEventListener("click", (event) => {
  if (!(event.target instanceof Element)) return;
  const row = event.target.closest<HTMLElement>("li.case") ?? undefined;
  if (event.target.closest("[data-claim]") !== null) void claim(row);
  if (event.target.closest("[data-assign]") !== null) hand(row);
  if (event.target.closest("[data-take-second]") !== null) void readSecond(row);
  if (event.target.closest("#show-new") !== null) live.showNew();
});

need("#live").addEventListener("focusin", (event) => {
  const row = event.target instanceof Element ? event.target.closest<HTMLElement>("li.case") : null;
  if (row !== null) live.mark(row);
});

const filters = document.querySelector<HTMLFormElement>("#filters");
filters?.addEventListener("change", (event) => {
  if (event.target instanceof HTMLSelectElement) filters.requestSubmit();
});
// An address with only what was asked for: empty choices are left out; all that is open says so,
// since without a choice the tab that somebody begins with is shown.
filters?.addEventListener("submit", () => {
  const fields = [...filters.querySelectorAll<HTMLInputElement | HTMLSelectElement>("input, select")];
  const isAsked = (field: HTMLInputElement | HTMLSelectElement) => field.value !== "" && !(field.name === "state" && field.value === "open");
  const isAny = fields.some(isAsked);
  for (const field of fields) field.disabled = !isAsked(field) && (isAny || field.name !== "state");
});
window.addEventListener("pageshow", () => {
  for (const field of filters?.querySelectorAll<HTMLInputElement>("input, select") ?? []) field.disabled = false;
});

listen({
  "/": () => need<HTMLInputElement>("#q").focus(),
  ...(isSpecialists && {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    Enter: () => open(live.selected()),
    r: () => open(live.selected()),
    c: () => void claim(live.selected()),
    n: () => open(live.rows().find((row) => row.dataset["free"] !== undefined)),
    u: () => live.showNew(),
    s: saveAsTab,
    H: () => hand(live.selected()),
    R: () => void readSecond(live.selected()),
    ...Object.fromEntries([..."0123456789"].map((digit) => [digit, () => openTab(Number(digit))])),
  }),
});

need<HTMLInputElement>("#q").addEventListener("keydown", (event) => {
  if (event.key === "Escape") need<HTMLInputElement>("#q").blur();
});

if (isSpecialists) {
  offerTabs();
  offerHandOver();
  live.begin();
  // The reading room goes on to the next case within what the list shows.
  window.sessionStorage.setItem("lysbro-list", JSON.stringify(JSON.parse(need("#wanted").textContent ?? "{}")));
}
