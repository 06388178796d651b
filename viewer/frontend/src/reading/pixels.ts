// Fetches lossless frames: a few at a time, the most wanted first, bounded in memory, given up on leaving.
import { Problem } from "../shared/api.ts";
import { meaningOf, rangeOf, type Meaning } from "./meaning.ts";
import type { Frame, Spacing, SpacingSource } from "./manifest.ts";

export type Samples = Uint8Array | Int8Array | Uint16Array | Int16Array;

export interface Pixels {
  readonly columns: number;
  readonly rows: number;
  readonly samples: 1 | 3;
  readonly values: Samples;
  readonly slope: number;
  readonly intercept: number;
  readonly window: readonly [center: number, width: number] | null; // what the frame itself asks for
  readonly spacing: Spacing | null; // what the frame itself says
  readonly min: number;
  readonly max: number;
  readonly isReduced: boolean;
  readonly meaning: Meaning;
}

const PARALLEL = 4;
const ACCEPT = "application/vnd.lysbro.pixels";

interface Waiting {
  readonly frame: Frame;
  readonly done: (pixels: Pixels) => void;
  readonly failed: (error: unknown) => void;
}

/** The frames that have come, the least recently used given up first. */
export class PixelStore {
  private readonly kept = new Map<string, Pixels>();
  private readonly under = new Map<string, Promise<Pixels>>();
  private waiting: Waiting[] = [];
  private running = 0;
  private bytes = 0;
  private leaving = new AbortController();

  constructor(
    private readonly addressOf: (frame: Frame) => string,
    private readonly limitBytes: number,
  ) {}

  /** Gives a frame that is here. */
  has(frame: Frame): boolean {
    return this.kept.has(frame.id);
  }

  /** Gives a frame, now or when it has come; `urgent` puts it before all that wait. */
  get(frame: Frame, urgent = false): Promise<Pixels> {
    const here = this.kept.get(frame.id);
    if (here !== undefined) {
      this.kept.delete(frame.id);
      this.kept.set(frame.id, here);
      return Promise.resolve(here);
    }
    if (urgent) this.bringForward(frame);
    const coming = this.under.get(frame.id);
    if (coming !== undefined) return coming;
    const promise = new Promise<Pixels>((done, failed) => {
      const entry = { frame, done, failed };
      if (urgent) this.waiting.unshift(entry);
      else this.waiting.push(entry);
    });
    this.under.set(frame.id, promise);
    promise.catch(() => undefined).finally(() => this.under.delete(frame.id));
    this.next();
    return promise;
  }

  /** Forgets what waits and has not been begun, for the user has gone elsewhere. */
  forget(): void {
    const dropped = this.waiting;
    this.waiting = [];
    for (const each of dropped) {
      this.under.delete(each.frame.id);
      each.failed(new DOMException("not wanted any more", "AbortError"));
    }
  }

  /** Stops everything and frees the memory. */
  close(): void {
    this.forget();
    this.leaving.abort();
    this.leaving = new AbortController();
    this.kept.clear();
    this.bytes = 0;
  }

  private bringForward(frame: Frame): void {
    const at = this.waiting.findIndex((each) => each.frame.id === frame.id);
    const [entry] = at > 0 ? this.waiting.splice(at, 1) : [];
    if (entry !== undefined) this.waiting.unshift(entry);
  }

  private next(): void {
    while (this.running < PARALLEL) {
      const entry = this.waiting.shift();
      if (entry === undefined) return;
      this.running++;
      fetchPixels(this.addressOf(entry.frame), this.leaving.signal)
        .then((pixels) => {
          this.keep(entry.frame, pixels);
          entry.done(pixels);
        }, entry.failed)
        .finally(() => {
          this.running--;
          this.next();
        });
    }
  }

  private keep(frame: Frame, pixels: Pixels): void {
    this.kept.set(frame.id, pixels);
    this.bytes += pixels.values.byteLength;
    for (const [id, oldest] of this.kept) {
      if (this.bytes <= this.limitBytes || id === frame.id) break;
      this.kept.delete(id);
      this.bytes -= oldest.values.byteLength;
    }
  }
}

async function fetchPixels(address: string, signal: AbortSignal): Promise<Pixels> {
  const response = await fetch(address, { headers: { Accept: ACCEPT }, credentials: "same-origin", signal });
  if (!response.ok) {
    const told = (await response.json().catch(() => ({}))) as { detail?: string; code?: string };
    throw new Problem(response.status, told.detail ?? String(response.status), told.code ?? "");
  }
  return described(response.headers, await response.arrayBuffer());
}

/** Reads values as the answer's headers say that they lie. */
export function described(headers: Headers, body: ArrayBuffer): Pixels {
  const said = (name: string): string => headers.get(`Lysbro-${name}`) ?? "";
  const [columns = 0, rows = 0] = said("Size").split("x").map(Number);
  const [slope = 1, intercept = 0] = said("Rescale").split(",").map(Number);
  const [center, width] = said("Window").split(",").map(Number);
  const [row = 0, column = 0, source = "none"] = said("Spacing").split(",");
  const spacing = source === "none" ? null : ([Number(row), Number(column), source as SpacingSource] as const);
  const values = typed(said("Type"), body);
  const samples = said("Samples") === "3" ? 3 : 1;
  if (values.length !== rows * columns * samples) throw new Error("The image came short.");
  const meaning = meaningOf(said);
  const [min, max] = rangeOf(values, meaning.padding);
  const window = center !== undefined && width !== undefined && width > 0 ? ([center, width] as const) : null;
  const isReduced = said("Reduced") === "1";
  return { columns, rows, samples, values, slope, intercept, window, spacing, min, max, isReduced, meaning };
}

function typed(type: string, body: ArrayBuffer): Samples {
  switch (type) {
    case "uint8":
      return new Uint8Array(body);
    case "int8":
      return new Int8Array(body);
    case "uint16":
      return new Uint16Array(body);
    case "int16":
      return new Int16Array(body);
    default:
      throw new Error(`The image came as ${type}, which is not shown here.`);
  }
}
