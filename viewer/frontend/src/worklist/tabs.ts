// Saved filters: what the list shows now is kept as a tab; tabs are renamed, ordered and removed.
import { call, Problem } from "../shared/api.ts";
import { block, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";

interface Saved {
  readonly id: number;
}

/** Takes the dialogs of the tabs into use. */
export function offerTabs(): void {
  const save = need<HTMLFormElement>("#save-form");
  save.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(save);
    const json = { name: String(data.get("name") ?? ""), wanted: block("wanted"), is_default: data.has("is_default") };
    save.closest("dialog")?.close();
    void attempt(async () => {
      const saved = await call<Saved>("/api/worklist/filters", { method: "POST", json });
      location.assign(`/?f=${saved.id}`);
    });
  });
  document.querySelector("#save-filter")?.addEventListener("click", saveAsTab);
  document.addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    if (event.target.closest("#edit-tabs") !== null) need<HTMLDialogElement>("#tabs-dialog").showModal();
    if (event.target.closest("[data-closes]") !== null) event.target.closest("dialog")?.close();
  });
  need("#tab-rows").addEventListener("click", (event) => {
    if (!(event.target instanceof Element)) return;
    const row = event.target.closest<HTMLElement>("li");
    const by = event.target.closest<HTMLElement>("[data-move]")?.dataset["move"];
    if (row === null) return;
    if (by === "-1") row.previousElementSibling?.before(row);
    if (by === "1") row.nextElementSibling?.after(row);
    if (event.target.closest("[data-remove]") !== null) row.classList.toggle("tab-gone");
  });
  need("#tabs-done").addEventListener("click", () => void attempt(keepTabs));
}

/** Asks for the name of a new tab. */
export function saveAsTab(): void {
  if (document.querySelector("#save-filter") === null) return;
  need<HTMLDialogElement>("#save-dialog").showModal();
  need<HTMLInputElement>("#save-name").select();
}

/** Goes to a tab by its number; 0 is everything that is open. */
export function openTab(number: number): void {
  document.querySelectorAll<HTMLAnchorElement>("#tabs a.tab")[number]?.click();
}

async function keepTabs(): Promise<void> {
  const ids: number[] = [];
  for (const row of document.querySelectorAll<HTMLElement>("#tab-rows li")) {
    const id = Number(row.dataset["filter"]);
    if (row.classList.contains("tab-gone")) {
      await call(`/api/worklist/filters/${id}`, { method: "DELETE" });
      continue;
    }
    ids.push(id);
    const name = need<HTMLInputElement>("input.input", row).value.trim();
    const json = { is_default: need<HTMLInputElement>("input[type=radio]", row).checked, ...(name === "" ? {} : { name }) };
    await call(`/api/worklist/filters/${id}`, { method: "PUT", json });
  }
  const chosen = document.querySelector<HTMLElement>("#tab-rows li:not(.tab-gone):has(input[type=radio]:checked)");
  if (chosen !== null) {
    await call(`/api/worklist/filters/${chosen.dataset["filter"] ?? ""}`, { method: "PUT", json: { is_default: true } });
  }
  await call("/api/worklist/filters/order", { method: "PUT", json: { ids } });
  location.assign(ids.includes(Number(new URLSearchParams(location.search).get("f"))) ? location.href : "/?state=open");
}

async function attempt(act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    say(error instanceof Problem ? error.message : t("No contact with the server. Try again."), 10);
  }
}
