// What an object of several frames says of each: place, thickness, window, time. Knows no page.
import type { Instance, WindowLevel } from "./manifest.ts";

/** A value for every frame: one that all share, one at even steps, or one for each. */
export type PerFrame<Value> =
  | { readonly all: Value }
  | { readonly start: readonly number[]; readonly step: readonly number[] }
  | { readonly each: readonly Value[] };

/** As the server sends it; what is not known is not there. */
export interface FrameTable {
  readonly order?: readonly number[]; // numbers of the frames as they are read
  readonly position?: PerFrame<readonly number[]>;
  readonly orientation?: PerFrame<readonly number[]>;
  readonly spacing?: PerFrame<readonly number[]>;
  readonly thickness_mm?: PerFrame<number>;
  readonly time_ms?: PerFrame<number>;
  readonly windows?: PerFrame<readonly (readonly number[])[]>;
}

/** Gives the value of a frame, counted from 1. */
export function valueOf<Value>(values: PerFrame<Value> | undefined, frame: number): Value | undefined {
  if (values === undefined) return undefined;
  if ("all" in values) return values.all;
  if ("each" in values) return values.each[frame - 1];
  return values.start.map((start, at) => start + (frame - 1) * (values.step[at] ?? 0)) as Value;
}

/** Gives the numbers of the frames in the order in which they are read. */
export function framesInOrder(instance: Instance): number[] {
  const order = instance.per_frame?.order;
  if (order?.length === instance.frames) return [...order];
  return Array.from({ length: instance.frames }, (_, at) => at + 1);
}

/** Gives the instance as one of its frames has it: with the frame's own place, scale, window and time. */
export function instanceOf(instance: Instance, frame: number): Instance {
  const table = instance.per_frame;
  if (table === undefined) return instance;
  const spacing = valueOf(table.spacing, frame);
  const windows = valueOf(table.windows, frame)?.map(([center = 0, width = 1]): WindowLevel => [center, width, ""]);
  const [row = 0, column = 0] = spacing ?? [];
  const hasSpacing = row > 0 && column > 0 && instance.spacing[2] === "none";
  const own = {
    position: valueOf(table.position, frame),
    orientation: valueOf(table.orientation, frame),
    thickness_mm: valueOf(table.thickness_mm, frame),
    frame_time_ms: valueOf(table.time_ms, frame),
    windows: windows === undefined || windows.length === 0 ? undefined : windows,
    spacing: hasSpacing ? ([row, column, "patient"] as const) : undefined,
    aspect: hasSpacing ? row / column : undefined,
  };
  const known = Object.entries(own).filter(([, value]) => value !== undefined);
  return { ...instance, ...Object.fromEntries(known) };
}
