// Ties the page to what waits on this phone: goes on with it, says how it stands, registers the service worker.
import { make, need } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import type { Draft, SavedDraft } from "./draft.ts";
import type { Slot } from "./photos.ts";
import { queueOfPage, type Queue } from "./queue.ts";
import type { DraftRow } from "./store.ts";
import { WaitingWords } from "./waiting.ts";

export interface Page {
  readonly draft: Draft;
  readonly slots: readonly Slot[];
  readonly resume: (saved: SavedDraft) => void; // puts a draft into the form and goes to what it lacks
}

/** Starts what keeps the page going without a connection. */
export async function startOffline(page: Page): Promise<void> {
  register();
  const queue = await queueOfPage();
  const words = new WaitingWords(queue, (row) => {
    // What the server has of it is shown too, when it can be reached.
    if (row.caseId !== "" && !queue.isOffline && navigator.onLine) location.assign(`/capture/${row.caseId}`);
    else void goOn(queue, page, words, row);
  });
  if (queue.holder === null) {
    if (queue.isOffline) lock();
    await words.tell();
    return;
  }
  queue.listen((told) => {
    for (const slot of page.slots) slot.hear(told);
  });
  const { drafts } = await queue.waiting();
  const asked = /^\/capture\/([^/]+)$/.exec(location.pathname)?.[1] ?? "";
  const row = asked === "" ? undefined : drafts.find((each) => each.caseId === asked && each.wish === "");
  if (row !== undefined) await goOn(queue, page, words, row);
  else {
    if (asked !== "" && page.draft.caseId === "") sayElsewhere();
    if (queue.isOffline && new URLSearchParams(location.search).has("after")) sayNotTakenOver();
    await words.show(page.draft.key);
  }
  await words.tellNews();
  queue.wake();
}

/** Puts a draft that waits here into the page, with its pictures. */
async function goOn(queue: Queue, page: Page, words: WaitingWords, row: DraftRow): Promise<void> {
  const form = await queue.form(row).catch(() => null);
  page.draft.adopt(row);
  if (form !== null) page.resume(savedFrom(row.caseId, form));
  for (const picture of await queue.pictures(row.key)) {
    page.slots.find((slot) => slot.kind === picture.kind)?.showWaiting(picture);
  }
  if (form !== null) page.resume(savedFrom(row.caseId, form)); // with pictures it may lack nothing of a step
  await words.show(row.key);
}

function savedFrom(caseId: string, form: Readonly<Record<string, unknown>>): SavedDraft {
  const { name, ...patient } = form["patient"] as Record<string, string | null> & { name: Record<string, string> };
  const filled = Object.fromEntries(Object.entries({ ...patient, ...name }).map(([key, text]) => [key, text ?? ""]));
  return {
    case_id: caseId,
    patient: filled,
    question: String(form["question"] ?? ""),
    priority: String(form["priority"] ?? "routine"),
    clinical: form["clinical"] as Record<string, unknown>,
    consent: form["consent"] as Record<string, unknown>,
    photos: [],
  };
}

/** The page of nobody was opened, and nobody is known here: then nothing can be begun. */
function lock(): void {
  need("#capture").hidden = true;
  need(".capture-head").after(
    make("p", "notice notice-act", t("There is no connection, and nobody is signed in on this phone. Sign in when there is one.")),
  );
}

function sayElsewhere(): void {
  need(".capture-head").after(
    make("p", "notice", t("This draft is kept on the server, and there is no connection. A new referral can be begun meanwhile.")),
  );
  history.replaceState(history.state, "", "/capture");
}

function sayNotTakenOver(): void {
  need(".capture-head").after(
    make("p", "notice", t("The patient of the lesion before is known to the server, and there is no connection. Write who it is about, or wait.")),
  );
  history.replaceState(history.state, "", "/capture");
}

function register(): void {
  if (!("serviceWorker" in navigator)) return; // an insecure address, or a private window
  void navigator.serviceWorker
    .register("/capture/worker.js", { scope: "/capture", updateViaCache: "none" })
    .catch(() => undefined);
}
