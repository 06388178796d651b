// The page's side of what waits on this phone: keeps drafts and pictures, wakes the courier, and tells of both.
import { Courier, type Ended, type Told } from "./courier.ts";
import { prove, recall, type Holder } from "./holder.ts";
import { seal, sealValue, sha256, unseal, unsealValue } from "./sealing.ts";
import { Store, type AboutPhoto, type DraftRow, type PhotoRow } from "./store.ts";

const CHANNEL = "lysbro-capture";
const SYNC = "lysbro-capture";
const FIRST_WAIT_MS = 2000;
const LONGEST_WAIT_MS = 60_000;

const NOTHING: Pick<PhotoRow, "bytes"> = { bytes: { iv: new Uint8Array(), data: new ArrayBuffer() } };

/** How much of the one who is signed in waits here. */
export interface Waiting {
  readonly drafts: readonly DraftRow[];
  readonly photos: number;
  readonly isLasting: boolean;
}

/** A picture as it was taken, given back after the page was closed. */
export interface KeptPicture {
  readonly id: string;
  readonly kind: string;
  readonly file: File;
  readonly state: "taken" | "kept";
  readonly problem: string;
}

/** What the page wrote, and pictures, until the server has them. */
export class Queue {
  private readonly courier: Courier;
  private readonly channel = new BroadcastChannel(CHANNEL);
  private readonly listeners = new Set<(told: Told) => void>();
  private readonly endings = new Set<(ended: Ended) => void>();
  private readonly firsts = new Set<() => Promise<void>>();
  private timer = 0;
  private waitMs = FIRST_WAIT_MS;
  private running: Promise<Ended> | null = null;
  private again = false;

  private constructor(
    readonly store: Store,
    readonly holder: Holder | null,
    readonly isOffline: boolean,
  ) {
    this.courier = new Courier(store, (told) => {
      this.hear(told);
      this.channel.postMessage(told);
    });
    this.channel.onmessage = (event: MessageEvent<Told>) => this.hear(event.data);
    window.addEventListener("online", () => this.wake());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.wake();
    });
  }

  /** Opens the queue for who is signed in, or was last when there is no connection. */
  static async open(): Promise<Queue> {
    const store = await Store.open();
    const proof = await prove(store);
    if (proof === "signed-out") return new Queue(store, null, false);
    if (proof === "offline") return new Queue(store, await recall(store), true);
    setToken(proof.csrf); // the page of nobody has none
    return new Queue(store, proof, false);
  }

  /** Calls back at everything that the courier tells, in this tab or another. */
  listen(listener: (told: Told) => void): void {
    this.listeners.add(listener);
  }

  /** Calls back when a round of the courier has ended. */
  whenEnded(listener: (ended: Ended) => void): void {
    this.endings.add(listener);
  }

  /** Has something done before each round: what is typed goes before the pictures, which name their patient. */
  first(act: () => Promise<void>): void {
    this.firsts.add(act);
  }

  /** Keeps the form of a draft; what is typed later takes its place. */
  async keepForm(key: string, caseId: string, body: unknown): Promise<void> {
    const { user, key: lock } = this.required();
    const sealed = await sealValue(lock, body);
    await this.ensure(key, caseId);
    await this.store.update("drafts", key, (now) => ({
      ...now,
      user,
      caseId: now.caseId || caseId,
      body: sealed,
      rev: now.rev + 1,
      problem: "",
    }));
    this.wake();
  }

  /** Keeps a picture as it was taken, before anything else is done with it. */
  async hold(key: string, caseId: string, id: string, file: File, kind: string): Promise<void> {
    const { user, key: lock } = this.required();
    const bytes = await file.arrayBuffer();
    const about: AboutPhoto = { fields: { kind }, sha256: await sha256(bytes) };
    await this.store.put("photos", {
      id,
      draft: key,
      user,
      at: Date.now(),
      size: bytes.byteLength,
      state: "taken",
      problem: "",
      about: await sealValue(lock, about),
      bytes: await seal(lock, bytes),
    });
    await this.ensure(key, caseId);
    this.hear({ kind: "changed" });
  }

  /** Has a picture sent that was held, with what is said of it. */
  async send(id: string, key: string, caseId: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const { key: lock } = this.required();
    const row = await this.store.get("photos", id);
    if (row === undefined) throw new Error("The picture is not here.");
    const about = await unsealValue<AboutPhoto>(lock, row.about);
    const sealed = await sealValue(lock, { ...about, fields });
    await this.store.update("photos", id, (now) => ({ ...now, state: "kept", problem: "", about: sealed }));
    await this.ensure(key, caseId);
    this.wake();
  }

  /** Says something else of the pictures of a draft that wait here. */
  async amend(key: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const { key: lock } = this.required();
    for (const row of await this.store.all("photos")) {
      if (row.draft !== key || row.user !== this.holder?.user || row.state !== "kept") continue;
      const about = await unsealValue<AboutPhoto>(lock, row.about);
      const sealed = await sealValue(lock, { ...about, fields: { ...about.fields, ...fields } });
      await this.store.update("photos", row.id, (now) => (now.state === "kept" ? { ...now, about: sealed } : now));
    }
  }

  /** Forgets a picture; tells whether it was here. One that may be on its way is taken out of its case as well. */
  async discard(id: string): Promise<boolean> {
    let wasHere = false;
    await this.store.update("photos", id, (row) => {
      wasHere = true;
      return row.state === "kept" && row.problem === "" ? { ...row, state: "out", size: 0, ...NOTHING } : null;
    });
    this.hear({ kind: "changed" });
    this.wake();
    return wasHere;
  }

  /** Tells whether anything of a case is still here, after a try to send it. */
  async isHere(caseId: string): Promise<boolean> {
    const isHere = async (): Promise<boolean> => (await this.waiting()).drafts.some((row) => row.caseId === caseId);
    if (!(await isHere())) return false;
    await this.round();
    return isHere();
  }

  /** Tells whether the server has the form of a draft as it was kept last. */
  async hasArrived(key: string): Promise<boolean> {
    const row = await this.store.get("drafts", key);
    return row === undefined || (row.caseId !== "" && row.rev === row.sentRev);
  }

  /** Wishes a draft to be submitted when all of it is there. */
  async wishSubmit(key: string, caseId: string): Promise<void> {
    await this.ensure(key, caseId);
    await this.store.update("drafts", key, (now) => ({ ...now, wish: "submit", problem: "" }));
  }

  /** Throws a draft away with its pictures; what the server has of it stays there. */
  async throwAway(key: string): Promise<void> {
    for (const photo of await this.store.all("photos")) {
      if (photo.draft === key) await this.store.remove("photos", photo.id);
    }
    await this.store.remove("drafts", key);
    this.hear({ kind: "changed" });
  }

  async waiting(): Promise<Waiting> {
    const user = this.holder?.user;
    const drafts = (await this.store.all("drafts")).filter((row) => row.user === user);
    const photos = (await this.store.all("photos")).filter((row) => row.user === user && row.state !== "out");
    return { drafts, photos: photos.length, isLasting: this.store.isLasting };
  }

  /** Gives the form of a draft as it was kept, or null when only pictures of it wait. */
  async form(row: DraftRow): Promise<Record<string, unknown> | null> {
    return row.body === null ? null : unsealValue(this.required().key, row.body);
  }

  async pictures(key: string): Promise<KeptPicture[]> {
    const lock = this.required().key;
    const rows = (await this.store.all("photos")).filter((row) => row.draft === key && row.user === this.holder?.user);
    return Promise.all(
      rows.flatMap(({ state, ...row }) => (state === "out" ? [] : [{ ...row, state }])).map(async (row) => {
        const { fields } = await unsealValue<AboutPhoto>(lock, row.about);
        const file = new File([await unseal(lock, row.bytes)], "photo");
        return { id: row.id, kind: fields["kind"] ?? "", file, state: row.state, problem: row.problem };
      }),
    );
  }

  /** Gives, once, which cases went while nobody looked. */
  async news(): Promise<readonly { readonly caseId: string; readonly at: number }[]> {
    const found = (await this.store.all("news")).filter((row) => row.user === this.holder?.user);
    for (const row of found) await this.store.remove("news", row.id);
    return found;
  }

  async forgetNews(key: string): Promise<void> {
    await this.store.remove("news", key);
  }

  /** Lets the courier go now. */
  wake(): void {
    window.clearTimeout(this.timer);
    this.waitMs = FIRST_WAIT_MS;
    void this.round();
  }

  /** Lets the courier go now, and gives how it ended. */
  round(): Promise<Ended> {
    if (this.running !== null) {
      this.again = true;
      return this.running;
    }
    this.running = this.rounds().finally(() => (this.running = null));
    return this.running;
  }

  private async rounds(): Promise<Ended> {
    let ended: Ended;
    do {
      this.again = false;
      for (const act of this.firsts) await act().catch(() => undefined);
      ended = await this.courier.round();
    } while (this.again && ended !== "waiting" && ended !== "signed-out");
    const now = this.courier.user; // another person may have signed in in another tab
    if (now !== "" && this.holder !== null && now !== this.holder.user) ended = "signed-out";
    else if (now !== "") setToken(this.courier.csrf); // the same person may have signed in anew
    if (ended === "waiting") this.later();
    else this.waitMs = FIRST_WAIT_MS;
    for (const listener of this.endings) listener(ended);
    return ended;
  }

  private later(): void {
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.round(), this.waitMs * (0.75 + Math.random() / 2));
    this.waitMs = Math.min(this.waitMs * 2, LONGEST_WAIT_MS);
    void askForSync();
  }

  private required(): Holder {
    if (this.holder === null) throw new Error("Nobody is signed in.");
    return this.holder;
  }

  private async ensure(key: string, caseId: string): Promise<void> {
    const { user } = this.required();
    const empty = { rev: 0, sentRev: 0, tried: false, wish: "", problem: "", body: null } as const;
    await this.store.add("drafts", { key, user, at: Date.now(), caseId, ...empty });
  }

  private hear(told: Told): void {
    for (const listener of this.listeners) listener(told);
  }
}

/** Has the page's own calls proven by the token of now. */
function setToken(csrf: string): void {
  const token = document.querySelector<HTMLMetaElement>('meta[name="csrf-token"]');
  if (token !== null) token.content = csrf;
}

/** Asks the browser to wake the service worker when there is a connection, where it can (Background Sync). */
async function askForSync(): Promise<void> {
  const registration = (await navigator.serviceWorker?.getRegistration("/capture")) as
    | (ServiceWorkerRegistration & { sync?: { register(tag: string): Promise<void> } })
    | undefined;
  await registration?.sync?.register(SYNC).catch(() => undefined);
}

let opened: Promise<Queue> | null = null;

/** Gives the page's one queue. */
export function queueOfPage(): Promise<Queue> {
  opened ??= Queue.open();
  return opened;
}
