// Which frames stay in memory, and which are fetched ahead. Knows neither network nor screen.
import type { Frame, Series } from "./manifest.ts";
import { centreOut } from "./order.ts";

interface Sized {
  readonly values: { readonly byteLength: number };
}

/** Frames up to so many bytes: those that nobody wants go first, then the ones that were longest not looked at. */
export class Kept<Each extends Sized> {
  bytes = 0;
  private readonly all = new Map<string, { readonly frame: Frame; readonly each: Each }>();

  constructor(
    readonly limitBytes: number,
    private readonly isWanted: (frame: Frame) => boolean = () => false,
  ) {}

  has(frame: Frame): boolean {
    return this.all.has(frame.id);
  }

  /** Gives a frame, which is then the last one to go. */
  get(frame: Frame): Each | undefined {
    const found = this.all.get(frame.id);
    if (found === undefined) return undefined;
    this.all.delete(frame.id);
    this.all.set(frame.id, found);
    return found.each;
  }

  /** Keeps a frame, and lets others go until all fit; the newest stays even if it alone does not. */
  put(frame: Frame, each: Each): void {
    this.drop(frame.id);
    this.all.set(frame.id, { frame, each });
    this.bytes += each.values.byteLength;
    while (this.bytes > this.limitBytes && this.all.size > 1) this.drop(this.next(frame.id));
  }

  clear(): void {
    this.all.clear();
    this.bytes = 0;
  }

  private next(newest: string): string {
    let oldest = "";
    for (const [id, { frame }] of this.all) {
      if (id === newest) continue;
      if (!this.isWanted(frame)) return id;
      oldest ||= id;
    }
    return oldest;
  }

  private drop(id: string): void {
    this.bytes -= this.all.get(id)?.each.values.byteLength ?? 0;
    this.all.delete(id);
  }
}

interface Plan {
  readonly series: Series;
  readonly from: number;
  readonly order: readonly number[];
  at: number;
}

const SHARE = 0.9; // of the memory: the rest is for what is looked at elsewhere

/** What is fetched ahead for each of those who look: from their images outwards, as far as memory lasts. */
export class Plans {
  private readonly plans = new Map<object, Plan>();

  constructor(private readonly limitBytes: number) {}

  /** Plans for one who looks at an image of a series; what was planned for them before is dropped. */
  make(owner: object, series: Series, from: number): void {
    this.plans.set(owner, { series, from, order: centreOut(series.frames.length, from), at: 0 });
  }

  /** Drops what was planned for one, or for all. */
  drop(owner?: object): void {
    if (owner === undefined) this.plans.clear();
    else this.plans.delete(owner);
  }

  /** Gives the next frame to fetch, in turn for those who look; undefined when there is none. */
  next(isHere: (frame: Frame) => boolean): Frame | undefined {
    for (const [owner, plan] of this.plans) {
      const room = this.room(plan.series);
      while (plan.at < plan.order.length && plan.at + 1 < room) {
        const frame = plan.series.frames[plan.order[plan.at++] as number];
        if (frame === undefined || isHere(frame)) continue;
        this.plans.delete(owner);
        this.plans.set(owner, plan);
        return frame;
      }
    }
    return undefined;
  }

  /** Looks again at all that is planned: something was given up that had been begun. */
  again(): void {
    for (const plan of this.plans.values()) plan.at = 0;
  }

  /** Tells whether a frame is one of those that somebody's memory is meant for. */
  isWanted(frame: Frame): boolean {
    for (const { series, from } of this.plans.values()) {
      if (series !== frame.series) continue;
      const far = Math.abs(frame.index - from);
      const nearer = Math.min(from, far) + Math.min(series.frames.length - 1 - from, far);
      if (nearer <= this.room(series)) return true;
    }
    return false;
  }

  /** So many frames of a series may be kept for one who looks at it. */
  private room(series: Series): number {
    const { rows, columns, samples, bits } = series.frames[0]?.instance ?? {};
    const bytes = (rows ?? 512) * (columns ?? 512) * (samples ?? 1) * ((bits ?? 16) > 8 ? 2 : 1);
    return Math.floor((SHARE * this.limitBytes) / Math.max(1, this.plans.size) / bytes);
  }
}
