// Several lesions of one patient: one case each, sent together, begun from one another, drafts kept in order.
import { call } from "../shared/api.ts";
import { block, make, need, say } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import type { SavedDraft } from "./draft.ts";
import { queueOfPage } from "./queue.ts";
import { why } from "./why.ts";

export interface InVisit {
  readonly case_id: string;
  readonly name: string;
  readonly is_ready: boolean;
  readonly is_draft: boolean;
}

/** The other cases of the visit, as the server knew them when the page was made. */
export const others: readonly InVisit[] = block<InVisit[]>("visit");
const ready = others.filter((each) => each.is_ready);
export const hasReadyOthers = ready.length > 0;

/** Names what the button sends: this lesion, or all of the visit that are ready. */
export function nameButtons(): void {
  if (ready.length === 0) return;
  need("#submit").textContent = t("Send all {n}", { n: ready.length + 1 });
  need("#submit-one").hidden = false;
}

/** Sends the other lesions that are ready, after this one was sent; says which did not go. */
export async function sendOthers(): Promise<void> {
  const failed = await sendEach(ready.map((each) => each.case_id));
  const list = need("#sent-others");
  const gone = ready.filter((each) => !failed.has(each.case_id));
  list.hidden = gone.length === 0;
  list.replaceChildren(
    ...gone.map((each) => make("li", "", make("strong", "mono", each.case_id), ` ${each.name}`)),
  );
  if (failed.size === 0) return;
  need("#sent-not").hidden = false;
  need("#sent-not").textContent = ready
    .filter((each) => failed.has(each.case_id))
    .map((each) => t("Not sent: {name}. {why}", { name: each.name, why: failed.get(each.case_id) ?? "" }))
    .join(" ");
}

/** Begins a further lesion of the same patient; what is the patient's is taken over by the server. */
export function goToAnother(caseId: string): void {
  location.assign(`/capture?after=${encodeURIComponent(caseId)}`);
}

/** Marks the answers that were taken over, so that somebody looks at them. */
export function markTakenOver(form: HTMLFormElement, begun: SavedDraft): void {
  let folded = 0;
  for (const question of form.querySelectorAll<HTMLElement>("[data-question]")) {
    const key = question.dataset["question"] ?? "";
    if (!(key in begun.clinical) || key === "category") continue;
    const label = question.querySelector<HTMLElement>("legend, label");
    label?.append(" ", make("span", "tag tag-accent", t("taken over")));
    if (question.closest("#more") !== null) folded += 1;
  }
  const tag = need("#more-taken");
  tag.hidden = folded === 0;
  tag.textContent = tn("{n} answer taken over", "{n} answers taken over", folded);
}

/** Ties the buttons of the list of drafts. */
export function tieDrafts(): void {
  for (const row of document.querySelectorAll<HTMLElement>("[data-draft]")) {
    const button = need<HTMLButtonElement>("[data-discard]", row);
    button.addEventListener("click", () => void discard(row, button));
  }
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-send-all]")) {
    button.addEventListener("click", () => void sendVisit(button));
  }
}

/** Throws a draft away at the second press: the first one asks. */
async function discard(row: HTMLElement, button: HTMLButtonElement): Promise<void> {
  if (button.dataset["sure"] !== "yes") {
    button.dataset["sure"] = "yes";
    button.className = "button button-act";
    button.textContent = t("Throw away for good");
    return;
  }
  button.disabled = true;
  try {
    const reason = t("Thrown away as a draft");
    const caseId = row.dataset["draft"] ?? "";
    await call(`/api/cases/${caseId}/withdraw`, { method: "POST", json: { reason } });
    const queue = await queueOfPage();
    for (const kept of (await queue.waiting()).drafts) if (kept.caseId === caseId) await queue.throwAway(kept.key);
    say(t("Thrown away"));
    location.reload();
  } catch (error) {
    button.disabled = false;
    say(why(error, t("No connection. Nothing is lost: try again.")));
  }
}

async function sendVisit(button: HTMLButtonElement): Promise<void> {
  button.disabled = true;
  const rows = [...(button.closest("[data-visit]")?.querySelectorAll<HTMLElement>("[data-ready]") ?? [])];
  const failed = await sendEach(rows.map((row) => row.dataset["draft"] ?? ""));
  const gone = rows.length - failed.size;
  say([tn("{n} case sent", "{n} cases sent", gone), ...failed.values()].join(". "), 20);
  if (failed.size === 0) location.assign("/");
  else button.disabled = false;
}

/** Submits cases one after the other, which needs a connection; gives why those that did not go did not. */
async function sendEach(ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const failed = new Map<string, string>();
  const queue = await queueOfPage();
  for (const id of ids) {
    try {
      if (await queue.isHere(id)) {
        failed.set(id, t("Something of it is still on this phone. Open it, and send it from there."));
        continue;
      }
      await call(`/api/cases/${id}/submit`, { method: "POST", json: {} });
    } catch (error) {
      failed.set(id, why(error, t("Sending several needs a connection. It is still a draft.")));
    }
  }
  return failed;
}
