// What the page knows of a case's images before the first pixel: the manifest that the server has inlined.
import { unfolded, type Folded } from "./columns.ts";

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
  readonly unit: string;
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
  readonly hanging: { readonly layout: "stack" | "photos" | "list"; readonly first: string };
  readonly series: readonly Series[];
  readonly address: (kind: Address, uid: string, site: string, frame?: number) => string;
}

export type Address = "pixels" | "preview" | "photo" | "document" | "video" | "text" | "report" | "waveform";

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
    for (let frame = 1; frame <= instance.frames; frame++) {
      frames.push({ series, instance, frame, index: frames.length, id: `${instance.uid}/${frame}` });
    }
  }
  return series;
}

/** What a series is called in the strip and in the corner. */
export function titleOf(series: Series): string {
  const words = series.description || series.body_part || series.modality;
  return words.toUpperCase().startsWith(series.modality) ? words : `${series.modality} ${words}`.trim();
}
