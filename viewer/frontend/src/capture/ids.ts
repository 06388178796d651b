// Names that nobody else gives. `crypto.randomUUID` is there on secure addresses only.

/** Gives a fresh name. */
export function freshId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
