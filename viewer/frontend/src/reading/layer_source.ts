// Fetches what lies over images, each once: the objects of the case, the bitmaps of a frame, masks.
import { call } from "../shared/api.ts";
import type { Frame, LayerObject, Manifest } from "./manifest.ts";
import type { Mask, Segmentation, SentMask } from "./masks.ts";
import type { Bitmap, Colour, Shutters, State } from "./states.ts";
import type { Point } from "./calibration.ts";

export interface Contour {
  readonly structure: number;
  readonly uid: string;
  readonly image_frame: number;
  readonly points: readonly Point[];
  readonly is_closed: boolean;
}

interface Structures {
  readonly label: string;
  readonly structures: readonly { readonly number: number; readonly label: string; readonly kind: string; readonly colour: Colour }[];
  readonly contours: readonly Contour[];
}

/** Segments or structures: named, coloured parts that can be seen or not. */
export interface Regions {
  readonly object: LayerObject;
  readonly label: string;
  readonly parts: readonly { readonly number: number; readonly label: string; readonly kind: string; readonly colour: Colour }[];
  readonly whole: Segmentation | null; // of masks
  readonly masks: ReadonlyMap<string, readonly SentMask[]>; // by image
  readonly contours: ReadonlyMap<string, readonly Contour[]>;
}

/** Gives the layers of a manifest, the same to everybody. */
export function layersOf(manifest: Manifest): LayerSource {
  const known = SOURCES.get(manifest) ?? new LayerSource(manifest);
  SOURCES.set(manifest, known);
  return known;
}

/** What lies over one frame in its own object. */
export interface Cover {
  readonly overlays: readonly Bitmap[];
  readonly shutters: Shutters;
}

export interface NamedState {
  readonly object: LayerObject;
  readonly state: State;
}

const SOURCES = new WeakMap<Manifest, LayerSource>();
const COVERS_KEPT = 64;
const MASKS_KEPT = 400;
const MASKS_ASKED = 32;

/** The layers of a case, which several panes share. */
export class LayerSource {
  states: readonly NamedState[] = [];
  regions: readonly Regions[] = [];
  private readonly covers = new Map<string, Promise<Cover | null>>();
  private readonly masks = new Map<string, Promise<Mask | null>>();
  private begun = false;
  private readonly listeners: (() => void)[] = [];

  constructor(private readonly manifest: Manifest) {}

  /** Calls back when states or regions have come. */
  onCome(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** Fetches the objects one after the other, once; one that cannot be read is left out. */
  async begin(): Promise<void> {
    if (this.begun) return;
    this.begun = true;
    for (const object of this.manifest.layers) {
      try {
        await this.fetch(object);
      } catch {
        continue;
      }
      for (const listener of this.listeners) listener();
    }
  }

  /** Gives overlays and shutters of a frame; null when it has none or they cannot be had. */
  cover(frame: Frame): Promise<Cover | null> {
    if (frame.instance.is_covered !== true) return Promise.resolve(null);
    const { uid } = frame.instance;
    return kept(this.covers, frame.id, COVERS_KEPT, () =>
      call<Cover>(this.manifest.address("layers", uid, frame.series.site, frame.frame)),
    );
  }

  /** Gives the masks of a segmentation by the numbers of its frames. */
  async masksOf(regions: Regions, frames: readonly number[]): Promise<Mask[]> {
    const { uid, site } = regions.object;
    const name = (frame: number): string => `${uid}/${frame}`;
    const lacking = frames.filter((frame) => !this.masks.has(name(frame)));
    for (let from = 0; from < lacking.length; from += MASKS_ASKED) {
      const asked = lacking.slice(from, from + MASKS_ASKED);
      const coming = call<{ masks: Mask[] }>(`${this.manifest.address("masks", uid, site)}&frames=${asked.join(",")}`);
      for (const frame of asked) {
        const find = (): Promise<Mask | null> => coming.then(({ masks }) => masks.find((each) => each.frame === frame) ?? null);
        void kept(this.masks, name(frame), MASKS_KEPT, find);
      }
    }
    const found = await Promise.all(frames.map((frame) => this.masks.get(name(frame)) ?? null));
    return found.filter((each) => each !== null);
  }

  private async fetch(object: LayerObject): Promise<void> {
    const address = this.manifest.address(object.what, object.uid, object.site);
    if (object.what === "state") {
      this.states = [...this.states, { object, state: await call<State>(address) }];
      return;
    }
    if (object.what === "segmentation") {
      const whole = await call<Segmentation>(address);
      const parts = whole.segments;
      this.add({ object, label: whole.label, parts, whole, masks: byImage(whole.masks), contours: new Map() });
      return;
    }
    const { label, structures, contours } = await call<Structures>(address);
    this.add({ object, label, parts: structures, whole: null, masks: new Map(), contours: byImage(contours) });
  }

  private add(regions: Regions): void {
    if (regions.masks.size + regions.contours.size > 0) this.regions = [...this.regions, regions];
  }
}

function byImage<Each extends { readonly uid: string }>(all: readonly Each[]): Map<string, Each[]> {
  const found = new Map<string, Each[]>();
  for (const each of all) {
    const here = found.get(each.uid);
    if (here === undefined) found.set(each.uid, [each]);
    else here.push(each);
  }
  return found;
}

function kept<Value>(
  all: Map<string, Promise<Value | null>>,
  name: string,
  most: number,
  fetch: () => Promise<Value | null>,
): Promise<Value | null> {
  const here = all.get(name);
  if (here !== undefined) return here;
  const coming = fetch().catch(() => {
    all.delete(name); // asked for again the next time
    return null;
  });
  all.set(name, coming);
  const [oldest] = all.keys();
  if (all.size > most && oldest !== undefined) all.delete(oldest);
  return coming;
}
