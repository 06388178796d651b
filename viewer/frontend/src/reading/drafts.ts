// Keeps a draft in this browser until the server has it: against a lost link, a closed lid, a crash.
import type { Findings } from "./findings.ts";

export interface KeptDraft {
  readonly caseId: string;
  readonly body: Findings;
  readonly version: number; // of the draft that was edited
  readonly at: string;
}

const DATABASE = "lysbro-drafts";
const STORE = "drafts";

/** Keeps a draft that the server has not confirmed. */
export async function keepDraft(draft: KeptDraft): Promise<void> {
  await done("readwrite", (store) => store.put(draft));
}

/** Gives the draft of a case that never reached the server. */
export async function keptDraft(caseId: string): Promise<KeptDraft | undefined> {
  return (await done("readonly", (store) => store.get(caseId))) as KeptDraft | undefined;
}

/** Forgets the draft of a case: it has been saved or signed. */
export async function forgetDraft(caseId: string): Promise<void> {
  await done("readwrite", (store) => store.delete(caseId));
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "caseId" });
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("no local store"));
  });
}

/** Runs one request; a browser that keeps nothing (private windows) only loses this safety. */
async function done(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
  try {
    const database = await opened();
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = ask(transaction.objectStore(STORE));
      transaction.oncomplete = () => {
        database.close();
        resolve(request.result);
      };
      transaction.onabort = () => reject(transaction.error ?? new Error("not kept"));
    });
  } catch {
    return undefined;
  }
}
