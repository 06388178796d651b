// Whose phone it is: proven by the session, or remembered while there is no connection. Sends nothing of a patient.
import { keyOf, type Key } from "./sealing.ts";
import type { Store } from "./store.ts";

export interface Holder {
  readonly user: string;
  readonly key: Key;
  readonly csrf: string; // empty when remembered only
}

export type Proof = Holder | "offline" | "signed-out";

const REMEMBERED_MS = 12 * 3600_000; // as long as a session lasts at most

interface SessionAnswer {
  readonly user: string;
  readonly csrf_token: string;
  readonly secret: string;
}

/** Asks the server who is signed in. */
export async function prove(store: Store): Promise<Proof> {
  let response: Response;
  try {
    response = await fetch("/capture/session", {
      headers: { Accept: "application/json" },
      cache: "no-store",
      credentials: "same-origin",
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    return "offline";
  }
  if (response.status === 401 || response.status === 403) {
    await forgetHolder(store);
    return "signed-out";
  }
  if (!response.ok) return "offline";
  const { user, csrf_token: csrf, secret } = (await response.json()) as SessionAnswer;
  const key = await keyOf(secret);
  if (store.isLasting) await store.put("holder", { id: "holder", user, key, at: Date.now() });
  return { user, key, csrf };
}

/** Gives who was signed in last on this phone and has not signed out, for at most as long as a session lasts. */
export async function recall(store: Store): Promise<Holder | null> {
  const row = await store.get("holder", "holder");
  if (row === undefined) return null;
  if (Date.now() - row.at > REMEMBERED_MS) {
    await forgetHolder(store);
    return null;
  }
  return { user: row.user, key: row.key, csrf: "" };
}

/** Takes the key off the phone: what is left there can then be read by nobody until its writer signs in again. */
export async function forgetHolder(store: Store): Promise<void> {
  await store.remove("holder", "holder");
}
