// Where a series comes from: the case itself, an earlier study, or earlier pictures of its lesion.
import type { Manifest, Series } from "./manifest.ts";
import type { Measurement } from "./marks.ts";

/** What was answered to an earlier study. */
export interface Answer {
  readonly none?: string; // in words, why there is none
  readonly impression?: string;
  readonly findings?: string;
  readonly by?: string;
  readonly at?: string;
}

export interface Source {
  readonly manifest: Manifest;
  readonly earlier: string; // what it is and of which day; empty: it is of the case itself
  readonly study: string; // of an earlier study, its UID
  readonly answer: Answer | null;
  readonly measurements: readonly Measurement[];
  readonly captions: Readonly<Record<string, string>>; // of photographs, by instance
}

export class Sources {
  private readonly known = new Map<Series, Source>();

  constructor(readonly own: Manifest) {
    this.add({ manifest: own, earlier: "", study: "", answer: null, measurements: [], captions: {} });
  }

  /** Takes in what belongs to a source. */
  add(source: Source): void {
    for (const series of source.manifest.series) this.known.set(series, source);
  }

  /** The source of a series that is shown. */
  of(series: Series): Source {
    return this.known.get(series) ?? { manifest: this.own, earlier: "", study: "", answer: null, measurements: [], captions: {} };
  }

  /** Every series that is here, those of the case first. */
  all(): Series[] {
    return [...this.known.keys()];
  }
}
