// Sends one picture in pieces, over a connection that may break at any byte. Keeps nothing itself.
import type { AboutPhoto } from "./store.ts";

/** The server said no: what, and what can be done about it. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly code: string,
    readonly state: string,
    readonly offset: number | null,
  ) {
    super(message);
  }

  /** Tells whether the same may well be taken later. */
  get isPassing(): boolean {
    return this.status === 408 || this.status === 429 || this.status >= 500;
  }
}

/** Nobody is signed in (any more). */
export class SignedOut extends Error {}

const ANSWER_MS = 30_000;
const PIECE_MS = 90_000;

/** Calls the API for one who is signed in. */
export class Wire {
  constructor(private readonly csrf: string) {}

  async call<Answer>(method: string, path: string, json?: unknown): Promise<Answer> {
    const sent = json === undefined ? {} : { body: JSON.stringify(json), headers: { "Content-Type": "application/json" } };
    return (await this.send(method, path, sent, ANSWER_MS)).json() as Promise<Answer>;
  }

  async send(
    method: string,
    path: string,
    sent: { body?: BodyInit; headers?: Record<string, string> },
    withinMs: number,
  ): Promise<Response> {
    const response = await fetch(path, {
      method,
      body: sent.body ?? null,
      headers: { Accept: "application/json", "X-CSRF-Token": this.csrf, ...sent.headers },
      credentials: "same-origin",
      signal: AbortSignal.timeout(withinMs),
    });
    if (response.ok) return response;
    const isProblem = (response.headers.get("Content-Type") ?? "").includes("json");
    const told = isProblem ? ((await response.json()) as { detail?: string; title?: string; code?: string; state?: string; offset?: number }) : {};
    if (response.status === 401 || told.code === "csrf") throw new SignedOut();
    const message = told.detail ?? told.title ?? String(response.status);
    throw new Refusal(response.status, message, told.code ?? "", told.state ?? "", told.offset ?? null);
  }
}

const FIRST_BYTES = 256 << 10;
const LEAST_BYTES = 32 << 10;
const WANTED_MS = 3000;

/** How large a piece is to be, so that it takes about three seconds: little is lost when the connection is. */
export class Pace {
  private bytes = FIRST_BYTES;
  private most = Number.POSITIVE_INFINITY; // that what stands before the server lets through

  size(mostBytes: number): number {
    return Math.min(this.bytes, mostBytes, this.most);
  }

  /** Notes that a piece was too large for somebody on the way; tells whether a smaller one may be tried. */
  refused(bytes: number): boolean {
    this.most = Math.max(LEAST_BYTES, bytes / 2);
    return bytes > LEAST_BYTES;
  }

  took(bytes: number, ms: number): void {
    const wanted = (bytes / Math.max(ms, 1)) * WANTED_MS;
    this.bytes = Math.max(LEAST_BYTES, Math.min(wanted, this.bytes * 4));
  }

  broke(): void {
    this.bytes = Math.max(LEAST_BYTES, this.bytes / 2);
  }
}

export interface Picture {
  readonly id: string;
  readonly bytes: ArrayBuffer;
  readonly about: AboutPhoto;
}

export interface Taken {
  readonly sop_instance_uid: string;
}

interface Standing {
  readonly upload_id: string;
  readonly offset: number;
  readonly complete: boolean;
  readonly chunk_bytes: number;
  readonly photo: Taken | null;
}

const TIMES_ANEW = 3;

/** Sends a picture to a case, from where it was broken off; gives the object that it has become. */
export async function sendPicture(
  wire: Wire,
  caseId: string,
  picture: Picture,
  pace: Pace,
  progress: (share: number) => void,
): Promise<Taken> {
  if (picture.about.sha256 === "") return sendWhole(wire, caseId, picture);
  for (let time = 0; time < TIMES_ANEW; time += 1) {
    const begun = await wire.call<Standing>("POST", `/api/cases/${caseId}/uploads`, {
      ...picture.about.fields,
      capture_id: picture.id,
      bytes: picture.bytes.byteLength,
      sha256: picture.about.sha256,
    });
    const taken = begun.photo ?? (await sendPieces(wire, begun, picture, pace, progress));
    if (taken !== null) return taken;
  }
  return sendWhole(wire, caseId, picture); // another server each time, or bytes that never agree
}

/** Sends the pieces that are missing; gives null when it has to begin anew. */
async function sendPieces(
  wire: Wire,
  begun: Standing,
  picture: Picture,
  pace: Pace,
  progress: (share: number) => void,
): Promise<Taken | null> {
  const path = `/api/uploads/${begun.upload_id}`;
  let { offset } = begun;
  while (offset < picture.bytes.byteLength || offset === begun.offset) {
    progress(offset / picture.bytes.byteLength);
    const piece = picture.bytes.slice(offset, offset + Math.floor(pace.size(begun.chunk_bytes)));
    const startedAt = performance.now();
    try {
      const response = await wire.send(
        "PATCH",
        path,
        { body: piece, headers: { "Content-Type": "application/partial-upload", "Upload-Offset": String(offset) } },
        PIECE_MS,
      );
      pace.took(piece.byteLength, performance.now() - startedAt);
      if (response.status === 201) return (await response.json()) as Taken;
      offset = ((await response.json()) as Standing).offset;
    } catch (error) {
      if (!(error instanceof Refusal)) pace.broke();
      else if (error.code === "no-such-upload" || error.code === "upload-hash") return null;
      else if (error.code === "upload-differs") {
        await wire.send("DELETE", path, {}, ANSWER_MS);
        return null;
      } else if (error.status === 413 && error.code !== "upload-past-end" && pace.refused(piece.byteLength)) continue;
      else if (error.offset !== null && error.offset !== offset) {
        offset = error.offset; // another tab, or an answer that was lost
        continue;
      }
      throw error;
    }
  }
  return null;
}

async function sendWhole(wire: Wire, caseId: string, picture: Picture): Promise<Taken> {
  const body = new FormData();
  body.append("photo", new Blob([picture.bytes]), "photo");
  for (const [name, text] of Object.entries(picture.about.fields)) body.append(name, text);
  body.append("capture_id", picture.id);
  const response = await wire.send("POST", `/api/cases/${caseId}/photos`, { body }, PIECE_MS * 2);
  return (await response.json()) as Taken;
}
