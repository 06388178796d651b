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
    const { rows, columns } = copy;
    return await ask(copy.file, kind, { rows, columns, size_bytes: file.size });
  } catch (error) {
    if (error instanceof Problem && error.status === 422) return null; // the file itself says it better
    throw error;
  }
}

async function ask(photo: Blob, kind: string, ofWhole: Readonly<Record<string, number>> = {}): Promise<readonly Advice[]> {
  const body = new FormData();
  body.append("photo", photo, "photo");
  body.append("kind", kind);
  for (const [name, number] of Object.entries(ofWhole)) body.append(name, String(number));
  const { advice } = await call<{ advice: Advice[] }>("/api/photos/assess", { method: "POST", form: body });
  return advice;
}
