// Asks what is to be said of a photograph: by a small copy where that can be made, else by the file itself.
import { call, Problem } from "../shared/api.ts";
import { smallCopy } from "./smallcopy.ts";

export interface Advice {
  readonly check: string;
  readonly verdict: "good" | "doubtful" | "poor";
  readonly message: string;
  readonly message_nb?: string;
}

/** Gives the advice on a photograph of a kind; throws Problem when it is none that can be used. */
export async function judge(file: File, kind: string): Promise<readonly Advice[]> {
  const start = performance.now();
  const advice = (await byCopy(file, kind)) ?? (await ask(file, kind));
  performance.measure("advice", { start }); // how long the GP waited
  return advice;
}

async function byCopy(file: File, kind: string): Promise<readonly Advice[] | null> {
  const copy = await smallCopy(file).catch(() => null); // a canvas may be too large for the telephone
  if (copy === null) return null;
  try {
    return await ask(copy.file, kind, { rows: String(copy.rows), columns: String(copy.columns) });
  } catch (error) {
    if (error instanceof Problem && error.status === 422) return null; // the file itself says it better
    throw error;
  }
}

async function ask(photo: Blob, kind: string, size: Readonly<Record<string, string>> = {}): Promise<readonly Advice[]> {
  const body = new FormData();
  body.append("photo", photo, "photo");
  body.append("kind", kind);
  for (const [name, text] of Object.entries(size)) body.append(name, text);
  const { advice } = await call<{ advice: Advice[] }>("/api/photos/assess", { method: "POST", form: body });
  return advice;
}
