// How fast frames come over the network, and in which form they are asked for because of it. Fetches nothing.

const COUNTS_BYTES = 48 << 10; // less is in the first packets, and says nothing
const REMEMBERED = 5;
const FAST = 20e6; // bytes a second: making a frame small costs more time than it saves
const THIN = 2e6; // bytes a second: what is fetched in vain is missed

/** What the last answers said of the network. */
export class Link {
  private rates: number[] = [];

  /** Notes how long a body of some size took to come. */
  note(bytes: number, tookMs: number): void {
    if (bytes < COUNTS_BYTES) return;
    this.rates = [...this.rates.slice(1 - REMEMBERED), (1000 * bytes) / Math.max(0.1, tookMs)];
  }

  /** Tells whether values are better sent as they are. */
  get isFast(): boolean {
    return this.rates.length > 1 && this.middle() >= FAST;
  }

  get isThin(): boolean {
    return this.rates.length > 0 && this.middle() < THIN;
  }

  private middle(): number {
    const sorted = [...this.rates].sort((a, b) => a - b);
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
  }
}
