// What waits on this phone: drafts and pictures that the server does not have yet, in IndexedDB or, without it, in memory.
// What tells of a patient is sealed before it comes here; when the server has it, its row goes.
import type { Sealed } from "./sealing.ts";

/** A referral with something that is not sent yet: the form, pictures, or the wish to submit it. */
export interface DraftRow {
  readonly key: string; // the name by which the server knows it again
  readonly user: string;
  readonly at: number;
  readonly caseId: string; // empty until the server has said it
  readonly rev: number; // of the form
  readonly sentRev: number; // of the form that the server has
  readonly tried: boolean; // it may have been started on the server, although no answer came
  readonly wish: "" | "submit";
  readonly problem: string; // why it is not sent, in the server's words
  readonly body: Sealed | null; // the form; null when only pictures are added
}

/** A picture. It is `taken` at once, `kept` when it is to be sent, and `out` when it is not to be in the case after all. */
export interface PhotoRow {
  readonly id: string; // the capture id
  readonly draft: string;
  readonly user: string;
  readonly at: number;
  readonly size: number;
  readonly state: "taken" | "kept" | "out";
  readonly problem: string;
  readonly about: Sealed; // AboutPhoto
  readonly bytes: Sealed;
}

/** What is said of a picture beside its bytes. */
export interface AboutPhoto {
  readonly fields: Readonly<Record<string, string>>;
  readonly sha256: string;
}

/** What happened while nobody looked: shown once. */
export interface NewsRow {
  readonly id: string;
  readonly user: string;
  readonly at: number;
  readonly caseId: string;
}

/** Whose phone it is: the one who signed in last and has not signed out. */
export interface HolderRow {
  readonly id: "holder";
  readonly user: string;
  readonly key: CryptoKey | null;
  readonly at: number;
}

export interface Rows {
  readonly drafts: DraftRow;
  readonly photos: PhotoRow;
  readonly news: NewsRow;
  readonly holder: HolderRow;
}
export type Name = keyof Rows;

export const DATABASE = "lysbro-capture";
const NAMES: Readonly<Record<Name, string>> = { drafts: "key", photos: "id", news: "id", holder: "id" };

/** The rows of this browser. `isLasting` tells whether they outlive the page. */
export class Store {
  private readonly memory = new Map<string, Rows[Name]>();
  isLasting: boolean;

  private constructor(private readonly disk: IDBDatabase | null) {
    this.isLasting = disk !== null;
  }

  static async open(): Promise<Store> {
    return new Store(await opened().catch(() => null));
  }

  close(): void {
    this.disk?.close();
  }

  async get<N extends Name>(name: N, key: string): Promise<Rows[N] | undefined> {
    const held = this.memory.get(`${name}/${key}`);
    if (held !== undefined || this.disk === null) return held as Rows[N] | undefined;
    return (await this.ask("readonly", name, (store) => store.get(key))) as Rows[N] | undefined;
  }

  /** Gives all rows of a kind, the oldest first. */
  async all<N extends Name>(name: N): Promise<Rows[N][]> {
    const held = [...this.memory].filter(([place]) => place.startsWith(`${name}/`)).map(([, row]) => row as Rows[N]);
    const kept = this.disk === null ? [] : ((await this.ask("readonly", name, (store) => store.getAll())) as Rows[N][]);
    return [...kept, ...held].sort((a, b) => a.at - b.at);
  }

  /** Keeps a row; what the disk does not take (it is full, or forbidden) is held in memory. */
  async put<N extends Name>(name: N, row: Rows[N]): Promise<void> {
    const place = `${name}/${String(row[NAMES[name] as keyof Rows[N]])}`;
    if (this.disk !== null && !this.memory.has(place)) {
      try {
        await this.ask("readwrite", name, (store) => store.put(row));
        return;
      } catch {
        this.isLasting = false;
      }
    }
    this.memory.set(place, row);
  }

  /** Keeps a row unless there is one of its name. */
  async add<N extends Name>(name: N, row: Rows[N]): Promise<void> {
    const key = String(row[NAMES[name] as keyof Rows[N]]);
    if (this.memory.has(`${name}/${key}`)) return;
    if (this.disk === null) {
      await this.put(name, row);
      return;
    }
    try {
      const transaction = this.disk.transaction(name, "readwrite", { durability: "strict" });
      const store = transaction.objectStore(name);
      const asked = store.count(key);
      asked.onsuccess = () => {
        if (asked.result === 0) store.put(row);
      };
      await ended(transaction);
    } catch {
      await this.put(name, row);
    }
  }

  /** Changes a row in one go, or leaves it away when `change` gives null; nothing when there is none. */
  async update<N extends Name>(name: N, key: string, change: (row: Rows[N]) => Rows[N] | null): Promise<void> {
    const place = `${name}/${key}`;
    const held = this.memory.get(place) as Rows[N] | undefined;
    if (held !== undefined) {
      const changed = change(held);
      if (changed === null) this.memory.delete(place);
      else this.memory.set(place, changed);
      return;
    }
    if (this.disk === null) return;
    const transaction = this.disk.transaction(name, "readwrite", { durability: "strict" });
    const store = transaction.objectStore(name);
    const asked = store.get(key);
    asked.onsuccess = () => {
      if (asked.result === undefined) return;
      const changed = change(asked.result as Rows[N]);
      if (changed === null) store.delete(key);
      else store.put(changed);
    };
    await ended(transaction);
  }

  async remove(name: Name, key: string): Promise<void> {
    this.memory.delete(`${name}/${key}`);
    if (this.disk !== null) await this.ask("readwrite", name, (store) => store.delete(key));
  }

  private async ask(mode: IDBTransactionMode, name: Name, ask: (store: IDBObjectStore) => IDBRequest): Promise<unknown> {
    if (this.disk === null) return undefined;
    const transaction = this.disk.transaction(name, mode, { durability: "strict" });
    const request = ask(transaction.objectStore(name));
    await ended(transaction);
    return request.result as unknown;
  }
}

function ended(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error("not kept"));
  });
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    if (globalThis.indexedDB === undefined || globalThis.crypto?.subtle === undefined) {
      reject(new Error("nothing can be kept"));
      return;
    }
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => {
      for (const [name, keyPath] of Object.entries(NAMES)) request.result.createObjectStore(name, { keyPath });
    };
    request.onsuccess = () => {
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error("no local store"));
    request.onblocked = () => reject(new Error("the local store is taken"));
  });
}
