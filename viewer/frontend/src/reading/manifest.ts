// What the page knows of a case's images before the first pixel: the manifest that the server has inlined.
import { unfolded, type Folded } from "./columns.ts";
import type { Layout } from "./layouts.ts";
import { framesInOrder, instanceOf, type FrameTable } from "./per_frame.ts";

/** Centre, width and what it is called. */
export type WindowLevel = readonly [center: number, width: number, label: string];
/** Left, top, right, bottom in pixels; millimetres a pixel across and down. */
export type Region = readonly [number, number, number, number, number, number];
/** Millimetres between rows, between columns, and who says so. */
export type Spacing = readonly [row: number, column: number, source: SpacingSource];
export type SpacingSource = "patient" | "calibrated" | "detector" | "unstated" | "none";
export type Kind = "stack" | "photo" | "video" | "waveform" | "document" | "text" | "other";

export interface Instance {
  readonly uid: string;
  readonly number?: number;
  readonly frames: number;
  readonly what: string;
  readonly rows: number;
  readonly columns: number;
  readonly samples: number;
  readonly bits?: number;
  readonly slope: number;
  readonly intercept: number;
  readonly windows: readonly WindowLevel[];
  readonly function: string;
  readonly is_inverted: boolean;
  unit: string;
  spacing: Spacing; // of some objects it is known only when a frame has come
  aspect: number;
  readonly regions: readonly Region[];
  readonly position?: readonly number[];
  readonly orientation?: readonly number[];
  readonly thickness_mm?: number;
  readonly frame_time_ms?: number;
  readonly is_lossy: boolean;
  readonly laterality: string;
  readonly view: string;
  readonly poster?: number; // of a film: the picture that stands for it
  readonly is_map?: boolean; // a parametric map: its values are shown as colours
  readonly is_covered?: boolean; // overlays or shutters come with it
  readonly per_frame?: FrameTable; // what each frame of several has for itself
  readonly is_recognizable?: boolean; // a face or a tattoo: blurred in the strip until it is opened
}

interface SentSeries extends Folded {
  readonly key: string;
  readonly uid: string;
  readonly study_uid: string;
  readonly site: string;
  readonly kind: Kind;
  readonly modality: string;
  readonly number: number | null;
  readonly description: string;
  readonly body_part: string;
  readonly date: string;
  readonly is_scout: boolean;
  readonly plane?: "" | "axial" | "coronal" | "sagittal";
  readonly frame_of_reference?: string;
  readonly frames: number;
  readonly window: WindowLevel | null;
  readonly presets: readonly WindowLevel[];
  readonly bytes: number; // as they are kept
}

/** One picture that can be looked at: a frame of an instance of a series. */
export interface Frame {
  readonly series: Series;
  readonly instance: Instance;
  readonly frame: number; // from 1
  readonly index: number; // in the series, from 0
  readonly id: string;
}

export interface Series extends Omit<SentSeries, "frames" | keyof Folded> {
  readonly instances: readonly Instance[];
  readonly frames: readonly Frame[];
}

export interface Manifest {
  readonly case: { readonly id: string; readonly state: string; readonly specialty: string };
  readonly hanging: {
    readonly layout: "stack" | "photos" | "list";
    readonly first: string;
    readonly kind: string;
    readonly steps: readonly HangingStep[];
  };
  readonly beside?: Beside; // what the case is compared with; of the case's own page alone
  readonly series: readonly Series[];
  readonly layers: readonly LayerObject[];
  readonly address: (kind: Address, uid: string, site: string, frame?: number) => string;
}

/** One arrangement of panes: what hangs in each, row by row. */
export interface HangingStep {
  readonly layout: Layout;
  readonly is_own: boolean; // as the reader left it the last time
  readonly panes: readonly HangingPlace[];
}

export interface HangingPlace {
  readonly series?: string;
  readonly other?: "prior" | "lesion";
  readonly image?: number;
  readonly window?: WindowLevel;
}

export interface Beside {
  readonly priors: readonly PriorTold[]; // the nearest first
  readonly lesions_before: string; // an address, or empty
}

export interface PriorTold {
  readonly title: string;
  readonly day: string;
  readonly site: string;
  readonly study_uid: string;
  readonly manifest: string;
  readonly picture: string;
}

export type Address =
  | "pixels" | "preview" | "photo" | "document" | "video" | "text"
  | "report" | "waveform" | "layers" | "state" | "segmentation" | "structures" | "masks";

/** An object that lies over images; over which, it says itself. */
export interface LayerObject {
  readonly what: "state" | "segmentation" | "structures";
  readonly uid: string;
  readonly site: string;
  readonly study_uid: string;
}

interface SentManifest extends Omit<Manifest, "series" | "address"> {
  readonly series: readonly SentSeries[];
  readonly addresses: Readonly<Record<Address, string>>;
}

/** Reads the manifest: instances get back what they have in common, frames are numbered through. */
export function readManifest(sent: unknown): Manifest {
  const { series, addresses, ...rest } = sent as SentManifest;
  return {
    ...rest,
    series: series.map(unfold),
    address: (kind, uid, site, frame = 1) =>
      addresses[kind]
        .replace("{uid}", encodeURIComponent(uid))
        .replace("{frame}", String(frame))
        .replace("{site}", encodeURIComponent(site)),
  };
}

function unfold(sent: SentSeries): Series {
  const { common, count, columns, frames: _count, ...rest } = sent;
  const whole = unfolded({ common, count, columns }) as unknown as Instance[];
  const frames: Frame[] = [];
  const series: Series = { ...rest, instances: whole, frames };
  for (const instance of whole) {
    for (const frame of framesInOrder(instance)) {
      frames.push({ series, instance: instanceOf(instance, frame), frame, index: frames.length, id: `${instance.uid}/${frame}` });
    }
  }
  return series;
}

/** What a series is called in the strip and in the corner. */
export function titleOf(series: Series): string {
  const words = series.description || series.body_part || series.modality;
  return words.toUpperCase().startsWith(series.modality) ? words : `${series.modality} ${words}`.trim();
}
