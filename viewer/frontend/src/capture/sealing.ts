// Locks what waits on the phone with the key of the one who wrote it (AES-GCM). Knows no rows and no server.

export interface Sealed {
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly data: ArrayBuffer;
}

/** A key, or null where the browser can lock nothing: then things are held in memory only. */
export type Key = CryptoKey | null;

const IV_BYTES = 12;

/** Gives the key that a secret in hex stands for; a script cannot read it back. */
export async function keyOf(secretHex: string): Promise<Key> {
  if (!secretHex || globalThis.crypto?.subtle === undefined) return null;
  const raw = Uint8Array.from(secretHex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
}

export async function seal(key: Key, bytes: BufferSource): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  if (key === null) return { iv, data: await new Response(bytes).arrayBuffer() };
  return { iv, data: await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, bytes) };
}

/** Gives back what was sealed; throws when it was sealed with another key. */
export async function unseal(key: Key, sealed: Sealed): Promise<ArrayBuffer> {
  return key === null ? sealed.data : crypto.subtle.decrypt({ name: "AES-GCM", iv: sealed.iv }, key, sealed.data);
}

export async function sealValue(key: Key, value: unknown): Promise<Sealed> {
  return seal(key, new TextEncoder().encode(JSON.stringify(value)));
}

export async function unsealValue<Value>(key: Key, sealed: Sealed): Promise<Value> {
  return JSON.parse(new TextDecoder().decode(await unseal(key, sealed))) as Value;
}

/** Gives the SHA-256 in hex, or nothing where the browser cannot. */
export async function sha256(bytes: ArrayBuffer): Promise<string> {
  if (globalThis.crypto?.subtle === undefined) return "";
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
