// Hands a case to a named colleague, from the worklist and from the reading room: one key, the
// arrows, Enter. The list of colleagues comes when it is asked for, with how much lies with each.
import { call, Problem } from "./api.ts";
import { make, need, say } from "./dom.ts";
import { t, tn } from "./strings.ts";

interface Colleague {
  readonly id: string;
  readonly name: string;
  readonly held: number;
  readonly late: number;
}

let caseId = "";
let done: (name: string) => void = () => undefined;

/** Opens the dialog for a case; `after` hears whose the case is then. */
export async function handOver(id: string, what: string, after: (name: string) => void): Promise<void> {
  const dialog = need<HTMLDialogElement>("#hand-dialog");
  if (dialog.open) return;
  caseId = id;
  done = after;
  let found: readonly Colleague[];
  try {
    found = (await call<{ colleagues: Colleague[] }>(`/api/cases/${id}/colleagues`)).colleagues;
  } catch (error) {
    say(said(error), 10);
    return;
  }
  if (found.length === 0) {
    say(t("Nobody else reads such cases."));
    return;
  }
  need("#hand-what").textContent = what;
  need<HTMLTextAreaElement>("#hand-note").value = "";
  need("#hand-list").replaceChildren(...found.map((each, index) => choice(each, index === 0)));
  dialog.showModal();
  need<HTMLInputElement>("#hand-list input").focus();
}

/** Takes the dialog into use, once for a page. */
export function offerHandOver(): void {
  const form = document.querySelector<HTMLFormElement>("#hand-form");
  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const data = new FormData(form);
    const to = String(data.get("to") ?? "");
    const name = form.querySelector<HTMLInputElement>(`input[value="${CSS.escape(to)}"]`)?.dataset["name"] ?? "";
    form.closest("dialog")?.close();
    void send(to, name, String(data.get("note") ?? "").trim());
  });
}

async function send(to: string, name: string, note: string): Promise<void> {
  try {
    await call(`/api/cases/${caseId}/hand-over`, { method: "POST", json: { to, note } });
    done(name);
  } catch (error) {
    say(said(error), 10);
  }
}

function choice(each: Colleague, isFirst: boolean): HTMLElement {
  const input = make("input");
  Object.assign(input, { type: "radio", name: "to", value: each.id, checked: isFirst, required: true });
  input.dataset["name"] = each.name;
  const late = each.late > 0 ? `, ${t("{n} late", { n: each.late })}` : "";
  const load = make("small", "quiet", tn("{n} case", "{n} cases", each.held) + late);
  return make("label", "chip", input, make("span", "", each.name, " ", load));
}

function said(error: unknown): string {
  return error instanceof Problem ? error.message : t("No contact with the server. Try again.");
}
