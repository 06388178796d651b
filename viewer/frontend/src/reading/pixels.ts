// Fetches lossless frames: a few at a time, the most wanted first, bounded in memory, given up on leaving.
import { Problem } from "../shared/api.ts";
import { plain, undone } from "./coding.ts";
import { Kept, Plans } from "./kept.ts";
import { Link } from "./link.ts";
import { meaningOf, type Meaning } from "./meaning.ts";
import type { Frame, Series, Spacing, SpacingSource } from "./manifest.ts";

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
  readonly padding: readonly [low: number, high: number] | null; // stored values that are no part of the image
  readonly unit: string; // of the values, where the frame itself says it
  readonly isReduced: boolean;
  readonly meaning: Meaning;
}

const PARALLEL = 4;
const AT_ONCE = 6; // with those that are waited for before the screen; browsers open no more to one server
const PRESSING = 16; // so many can be waited for before the screen; of older ones nobody looks any more
const ACCEPT = "application/vnd.lysbro.pixels";

interface Asked {
  readonly frame: Frame;
  readonly promise: Promise<Pixels>;
  readonly done: (pixels: Pixels) => void;
  readonly failed: (error: unknown) => void;
  isUrgent: boolean;
}

type Fetch = (frame: Frame, signal: AbortSignal, link: Link) => Promise<Pixels>;

/** The frames that have come, those that are asked for, and those that are planned. */
export class PixelStore {
  private readonly plans: Plans;
  private readonly kept: Kept<Pixels>;
  private readonly link = new Link();
  private readonly running = new Map<string, AbortController>();
  private readonly asked = new Map<string, Asked>(); // waiting or running
  private waiting: Asked[] = [];
  private readonly listeners: (() => void)[] = [];
  private readonly fetchOne: Fetch;

  constructor(addressOf: (frame: Frame) => string, limitBytes: number, fetchOne?: Fetch) {
    this.plans = new Plans(limitBytes);
    this.kept = new Kept(limitBytes, (frame) => this.plans.isWanted(frame));
    this.fetchOne = fetchOne ?? ((frame, signal, link) => fetchPixels(addressOf(frame), signal, link));
  }

  /** Calls back whenever a frame has come. */
  onArrived(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Tells whether a frame is here. */
  has(frame: Frame): boolean {
    return this.kept.has(frame);
  }

  /** Gives a frame, now or when it has come; `urgent` puts it before all that wait. */
  get(frame: Frame, urgent = false): Promise<Pixels> {
    const here = this.kept.get(frame);
    if (here !== undefined) return Promise.resolve(here);
    const entry = this.asked.get(frame.id) ?? this.ask(frame);
    if (urgent) this.press(entry);
    this.fill();
    return entry.promise;
  }

  /** Plans what to fetch when nothing is asked for: the series outwards from an image, for one who looks at it. */
  plan(owner: object, series: Series, from: number): void {
    this.plans.make(owner, series, from);
    this.fill();
  }

  /** Drops what was planned for one who goes elsewhere, or for all, and what waits to be looked at. */
  forget(owner?: object): void {
    this.plans.drop(owner);
    this.giveUp((entry) => entry.isUrgent && !this.plans.isWanted(entry.frame));
    this.stopPlanned();
  }

  /** Stops everything and frees the memory. */
  close(): void {
    this.plans.drop();
    for (const controller of this.running.values()) controller.abort();
    this.running.clear();
    this.waiting = [...this.asked.values()];
    this.giveUp(() => true);
    this.kept.clear();
  }

  private ask(frame: Frame): Asked {
    let [done, failed]: [Asked["done"], Asked["failed"]] = [() => undefined, () => undefined];
    const promise = new Promise<Pixels>((resolve, reject) => ([done, failed] = [resolve, reject]));
    promise.catch(() => undefined);
    const entry: Asked = { frame, promise, done, failed, isUrgent: false };
    this.asked.set(frame.id, entry);
    if (!this.running.has(frame.id)) this.waiting.push(entry);
    return entry;
  }

  /** Puts a frame before all that wait; over a thin link nothing that is only planned is beside it. */
  private press(entry: Asked): void {
    entry.isUrgent = true;
    const at = this.waiting.indexOf(entry);
    if (at < 0) return;
    this.waiting.splice(at, 1);
    this.waiting.unshift(entry);
    const urgent = this.waiting.filter((each) => each.isUrgent);
    const stale = new Set(urgent.slice(PRESSING));
    this.giveUp((each) => stale.has(each));
    if (this.link.isThin) this.stopPlanned();
  }

  private giveUp(isStale: (entry: Asked) => boolean): void {
    const dropped = this.waiting.filter(isStale);
    this.waiting = this.waiting.filter((each) => !isStale(each));
    for (const each of dropped) {
      this.asked.delete(each.frame.id);
      each.failed(new DOMException("not wanted any more", "AbortError"));
    }
  }

  /** Stops what is under way and nobody has asked for. */
  private stopPlanned(): void {
    for (const [id, controller] of this.running) {
      if (this.asked.has(id)) continue;
      controller.abort();
      this.running.delete(id); // it may be asked for anew at once
    }
    this.plans.again();
  }

  private fill(): void {
    const isHere = (frame: Frame): boolean =>
      this.kept.has(frame) || this.running.has(frame.id) || this.asked.has(frame.id);
    for (;;) {
      const isPressing = this.waiting[0]?.isUrgent === true;
      if (this.running.size >= (isPressing ? AT_ONCE : PARALLEL)) return;
      const frame = this.waiting.shift()?.frame ?? this.plans.next(isHere);
      if (frame === undefined) return;
      void this.fetch(frame);
    }
  }

  private async fetch(frame: Frame): Promise<void> {
    const controller = new AbortController();
    this.running.set(frame.id, controller);
    const settle = (act: (entry: Asked | undefined) => void): void => {
      if (this.running.get(frame.id) !== controller) return; // it was stopped
      this.running.delete(frame.id);
      const entry = this.asked.get(frame.id);
      this.asked.delete(frame.id);
      act(entry);
      this.fill();
    };
    try {
      const pixels = await this.fetchOne(frame, controller.signal, this.link);
      settle((entry) => {
        this.kept.put(frame, pixels);
        entry?.done(pixels);
        for (const listener of this.listeners) listener();
      });
    } catch (error) {
      settle((entry) => entry?.failed(error));
    }
  }
}

async function fetchPixels(address: string, signal: AbortSignal, link: Link): Promise<Pixels> {
  const headers = { Accept: `${ACCEPT}; coding=${link.isFast ? "plain" : "median"}` };
  const response = await fetch(address, { headers, credentials: "same-origin", signal });
  if (!response.ok) {
    const told = (await response.json().catch(() => ({}))) as { detail?: string; code?: string };
    throw new Problem(response.status, told.detail ?? String(response.status), told.code ?? "");
  }
  const begunMs = performance.now();
  const body = await response.arrayBuffer();
  link.note(Number(response.headers.get("Content-Length") ?? "0"), performance.now() - begunMs);
  return described(response.headers, body);
}

/** Reads values as the answer's headers say that they lie. */
export function described(headers: Headers, body: ArrayBuffer): Pixels {
  const said = (name: string): string => headers.get(`Lysbro-${name}`) ?? "";
  const [columns = 0, rows = 0] = said("Size").split("x").map(Number);
  const [slope = 1, intercept = 0] = said("Rescale").split(",").map(Number);
  const [center, width] = said("Window").split(",").map(Number);
  const [row = 0, column = 0, source = "none"] = said("Spacing").split(",");
  const spacing = source === "none" ? null : ([Number(row), Number(column), source as SpacingSource] as const);
  const samples = said("Samples") === "3" ? 3 : 1;
  const type = said("Type");
  const values = said("Coding") === "median" ? undone(type, body, columns, rows, samples) : plain(type, body);
  if (values.length !== rows * columns * samples) throw new Error("The image came short.");
  const meaning = meaningOf(said);
  const window = center !== undefined && width !== undefined && width > 0 ? ([center, width] as const) : null;
  const isReduced = said("Reduced") === "1";
  return { columns, rows, samples, values, slope, intercept, window, spacing, padding: meaning.padding ?? null, unit: meaning.unit, isReduced, meaning };
}
