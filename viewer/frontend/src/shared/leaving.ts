// What goes from this browser when its reader signs out: drafts of findings, and the key to what waits unsent.

const UNSENT = "lysbro-capture";

/** Takes away what must not stay, and leaves locked what is not sent yet; gives how many pictures and drafts that is. */
export async function unsent(): Promise<number> {
  const database = await opened();
  if (database === null) return 0;
  try {
    const holder = await ask<{ user: string } | undefined>(database, "holder", (store) => store.get("holder"));
    const rows = await Promise.all(
      ["drafts", "photos"].map((name) => ask<{ user: string }[]>(database, name, (store) => store.getAll())),
    );
    return rows.flat().filter((row) => row.user === holder?.user).length;
  } finally {
    database.close();
  }
}

/** Forgets the key of what waits, and whose it was. */
export async function lockUnsent(): Promise<void> {
  const database = await opened();
  if (database === null) return;
  await ask(database, "holder", (store) => store.clear());
  await ask(database, "news", (store) => store.clear());
  database.close();
}

function ask<Found>(database: IDBDatabase, name: string, asked: (store: IDBObjectStore) => IDBRequest): Promise<Found> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, "readwrite");
    const request = asked(transaction.objectStore(name));
    transaction.oncomplete = () => resolve(request.result as Found);
    transaction.onabort = () => reject(transaction.error ?? new Error("not asked"));
  });
}

/** Opens the database of what waits when there is one; makes none. */
function opened(): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    if (globalThis.indexedDB === undefined) {
      resolve(null);
      return;
    }
    const request = indexedDB.open(UNSENT);
    request.onupgradeneeded = () => request.transaction?.abort();
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => resolve(null);
  });
}
