// The reply page works without a script. This keeps an answer that is being written: a reload or a lost
// link loses nothing. It is kept for this tab only, since it speaks of a patient.
import "../styles/reply.css";
import "../styles/body-figure.css";
import { t } from "../shared/strings.ts";

const fields = document.querySelectorAll<HTMLTextAreaElement>("textarea[data-keep]");
for (const field of fields) keep(field);
if (fields.length === 0) forget();

for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copies]")) {
  if (!("clipboard" in navigator)) continue; // without https a browser copies nothing
  button.hidden = false;
  button.addEventListener("click", () => void copy(button));
}

async function copy(button: HTMLButtonElement): Promise<void> {
  const text = document.getElementById(button.dataset["copies"] ?? "")?.textContent ?? "";
  await navigator.clipboard.writeText(text.trim());
  button.textContent = t("Copied");
}

function keep(field: HTMLTextAreaElement): void {
  const name = field.dataset["keep"] ?? field.name;
  const note = field.parentElement?.querySelector<HTMLElement>("[data-kept]");
  if (field.value === "") field.value = sessionStorage.getItem(name) ?? "";
  field.addEventListener("input", () => {
    sessionStorage.setItem(name, field.value);
    if (!note) return;
    const time = new Date().toLocaleTimeString("nb-NO", { hour: "2-digit", minute: "2-digit" });
    note.textContent = t("Kept in this tab {time}", { time });
    note.hidden = false;
  });
}

/** Where nothing is asked any more, the answer has arrived. */
function forget(): void {
  for (const name of Object.keys(sessionStorage)) {
    if (name.startsWith("answer-")) sessionStorage.removeItem(name);
  }
}
