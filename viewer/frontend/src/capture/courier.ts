// Carries to the server what waits on this phone, in order: the referral, its edits, its pictures, the wish to submit.
// One at a time over all tabs and the service worker; knows no page.
import { prove, type Holder } from "./holder.ts";
import { unseal, unsealValue } from "./sealing.ts";
import type { AboutPhoto, DraftRow, PhotoRow, Store } from "./store.ts";
import { Pace, Refusal, sendPicture, SignedOut, Wire } from "./uploads.ts";

/** What the courier tells, to every tab. */
export type Told =
  | { readonly kind: "saved"; readonly draft: string; readonly caseId: string }
  | { readonly kind: "progress"; readonly photo: string; readonly share: number }
  | { readonly kind: "photo"; readonly draft: string; readonly photo: string; readonly uid: string }
  | { readonly kind: "refused"; readonly draft: string; readonly photo: string; readonly message: string }
  | { readonly kind: "problem"; readonly draft: string; readonly message: string }
  | { readonly kind: "submitted"; readonly draft: string; readonly caseId: string }
  | { readonly kind: "changed" };

/** How a round ended: nothing is left to send, it has to wait, or somebody has to act. */
export type Ended = "empty" | "waiting" | "signed-out" | "problem";

/** The problem of a draft that was locked with another key than its writer's. */
export const UNREADABLE = "unreadable";

const LOCK = "lysbro-capture-courier";

export class Courier {
  private readonly pace = new Pace();
  user = ""; // for whom it went last
  csrf = ""; // the token of then

  constructor(
    private readonly store: Store,
    private readonly tell: (told: Told) => void,
  ) {}

  /** Sends what there is, once; waits for another tab that does so now. */
  async round(): Promise<Ended> {
    if ((await this.store.all("drafts")).length === 0) return "empty";
    if (globalThis.navigator?.locks === undefined) return this.carry();
    return navigator.locks.request(LOCK, () => this.carry());
  }

  private async carry(): Promise<Ended> {
    const holder = await prove(this.store);
    if (holder === "offline") return "waiting";
    if (holder === "signed-out") return "signed-out";
    this.user = holder.user;
    this.csrf = holder.csrf;
    const wire = new Wire(holder.csrf);
    let ended: Ended = "empty";
    for (const { key, user } of await this.store.all("drafts")) {
      if (user !== holder.user) continue; // of another person on this phone: it is none of ours
      try {
        if (!(await this.carryDraft(wire, holder, key))) ended = "problem";
      } catch (error) {
        if (error instanceof SignedOut) return "signed-out";
        const isForGood = error instanceof Refusal && !error.isPassing;
        if (isForGood || isUnreadable(error)) {
          await this.stop(key, isForGood ? error.message : UNREADABLE);
          ended = "problem";
          continue;
        }
        return "waiting";
      }
    }
    return ended;
  }

  /** Sends one draft with all that it has; tells whether nothing of it is left here. */
  private async carryDraft(wire: Wire, holder: Holder, key: string): Promise<boolean> {
    for (;;) {
      const row = await this.store.get("drafts", key);
      if (row === undefined) return true;
      if (row.problem !== "") return false;
      if (row.body !== null && (row.caseId === "" || row.rev !== row.sentRev)) {
        await this.carryForm(wire, holder, row);
        continue; // it may have changed meanwhile
      }
      const photos = (await this.store.all("photos")).filter((photo) => photo.draft === key);
      const out = photos.find((photo) => photo.state === "out");
      if (out !== undefined) {
        await this.takeOut(wire, row, out);
        continue;
      }
      const next = photos.find((photo) => photo.state === "kept" && photo.problem === "");
      if (next !== undefined) {
        await this.carryPhoto(wire, holder, row, next);
        continue;
      }
      if (photos.some((photo) => photo.problem !== "")) return false;
      if (row.wish === "submit") {
        await this.submit(wire, row);
        return true;
      }
      if (photos.length > 0) return true; // taken, and not yet to be kept: it stays until that is said
      await this.store.update("drafts", key, (now) => (isSettled(now) ? null : now));
      // A picture that was put beside it just now would be of no draft: then the draft stays.
      if ((await this.store.all("photos")).some((photo) => photo.draft === key)) await this.store.add("drafts", row);
      this.tell({ kind: "changed" });
    }
  }

  private async carryForm(wire: Wire, holder: Holder, row: DraftRow): Promise<void> {
    const body = await unsealValue<Record<string, unknown>>(holder.key, row.body!);
    let { caseId } = row;
    if (caseId === "") {
      await this.store.update("drafts", row.key, (now) => ({ ...now, tried: true }));
      const made = await wire.call<{ case_id: string }>("POST", "/api/referrals", {
        specialty: "dermatology",
        draft_key: row.key,
        ...body,
      });
      caseId = made.case_id;
    }
    if (row.caseId !== "" || row.tried) await this.edit(wire, caseId, body, row);
    await this.store.update("drafts", row.key, (now) => ({ ...now, caseId, tried: false, sentRev: row.rev }));
    this.tell({ kind: "saved", draft: row.key, caseId });
  }

  private async edit(wire: Wire, caseId: string, body: unknown, row: DraftRow): Promise<void> {
    try {
      await wire.call("PUT", `/api/cases/${caseId}/referral`, body);
    } catch (error) {
      // Submitted already, by us, and the answer was lost: what was written then stands.
      const isSent = error instanceof Refusal && error.code === "wrong-state" && error.state !== "withdrawn";
      if (!isSent || row.wish !== "submit") throw error;
    }
  }

  private async carryPhoto(wire: Wire, holder: Holder, row: DraftRow, photo: PhotoRow): Promise<void> {
    try {
      const about = await unsealValue<AboutPhoto>(holder.key, photo.about);
      const bytes = await unseal(holder.key, photo.bytes);
      const taken = await sendPicture(wire, row.caseId, { id: photo.id, bytes, about }, this.pace, (share) =>
        this.tell({ kind: "progress", photo: photo.id, share }),
      );
      await this.store.update("photos", photo.id, (now) => (now.state === "out" ? now : null));
      this.tell({ kind: "photo", draft: row.key, photo: photo.id, uid: taken.sop_instance_uid });
    } catch (error) {
      if (!(error instanceof Refusal) || ![413, 415, 422].includes(error.status)) throw error;
      const { message } = error;
      await this.store.update("photos", photo.id, (now) => (now.state === "out" ? now : { ...now, problem: message }));
      await this.store.update("drafts", row.key, (now) => ({ ...now, wish: "" })); // its writer looks at it first
      this.tell({ kind: "refused", draft: row.key, photo: photo.id, message });
    }
  }

  /** Takes a picture out of its case that was kept, and perhaps sent, before its writer thought better of it. */
  private async takeOut(wire: Wire, row: DraftRow, photo: PhotoRow): Promise<void> {
    try {
      if (row.caseId !== "") await wire.call("POST", `/api/cases/${row.caseId}/photos/${photo.id}/set-aside`, {});
    } catch (error) {
      if (!(error instanceof Refusal) || error.isPassing) throw error;
      if (error.status !== 404) this.tell({ kind: "problem", draft: row.key, message: error.message });
    }
    await this.store.remove("photos", photo.id);
    this.tell({ kind: "changed" });
  }

  private async submit(wire: Wire, row: DraftRow): Promise<void> {
    await wire.call("POST", `/api/cases/${row.caseId}/submit`, {});
    for (const photo of await this.store.all("photos")) {
      if (photo.draft === row.key) await this.store.remove("photos", photo.id); // never to be kept
    }
    await this.store.put("news", { id: row.key, user: row.user, at: Date.now(), caseId: row.caseId });
    await this.store.remove("drafts", row.key);
    this.tell({ kind: "submitted", draft: row.key, caseId: row.caseId });
  }

  /** Leaves a draft alone until its writer has looked at it. */
  private async stop(key: string, message: string): Promise<void> {
    await this.store.update("drafts", key, (now) => ({ ...now, problem: message, wish: "" }));
    this.tell({ kind: "problem", draft: key, message });
  }
}

function isUnreadable(error: unknown): boolean {
  return error instanceof DOMException && error.name === "OperationError";
}

/** Tells whether the server has all of a draft's form, and nothing more is wanted. */
function isSettled(row: DraftRow): boolean {
  return (row.body === null || row.rev === row.sentRev) && row.wish === "" && row.problem === "";
}
