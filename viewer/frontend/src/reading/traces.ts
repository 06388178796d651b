// Recorded curves on paper: what lies where on a sheet of millimetres, and what lies between two points of it.
// Knows neither the page nor where samples come from.

export interface Channel {
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly baseline: number;
  readonly skew_ms: number;
  readonly low_hz: number | null;
  readonly high_hz: number | null;
  readonly notch_hz: number | null;
}

export interface Group {
  readonly label: string;
  readonly rate_hz: number;
  readonly samples: number;
  readonly is_derived: boolean;
  readonly channels: readonly Channel[];
}

export type Layout = "columns" | "rows";

/** How a recording is laid on paper. */
export interface Look {
  readonly speed: number; // mm/s
  readonly gain: number; // mm/mV
  readonly layout: Layout;
}

/** A stretch of one channel on the sheet: `y_mm` is where its zero lies. */
export interface Lane {
  readonly channel: number;
  readonly from_s: number;
  readonly seconds: number;
  readonly x_mm: number;
  readonly y_mm: number;
  readonly top_mm: number;
  readonly height_mm: number;
}

export interface Sheet {
  readonly width_mm: number;
  readonly height_mm: number;
  readonly from_s: number;
  readonly seconds: number;
  readonly lanes: readonly Lane[];
}

export interface Point {
  readonly x_mm: number;
  readonly y_mm: number;
}

export const SPEEDS = [25, 50] as const;
export const GAINS = [5, 10, 20] as const;
export const WIDTH_MM = 250;
const ROW_MM = 20;
const BLOCK_ROW_MM = 30;
const MARGIN_MM = 5;
const COLUMNS: readonly (readonly string[])[] = [
  ["I", "II", "III"],
  ["aVR", "aVL", "aVF"],
  ["V1", "V2", "V3"],
  ["V4", "V5", "V6"],
];
const RHYTHM = "II";

/** How many seconds a sheet shows at a speed. */
export function secondsOf(look: Look): number {
  return WIDTH_MM / look.speed;
}

/** How many sheets a recording fills. */
export function sheetsOf(group: Group, look: Look): number {
  return Math.max(1, Math.ceil(lengthOf(group) / secondsOf(look) - 1e-9));
}

/** How long a recording is, in seconds. */
export function lengthOf(group: Group): number {
  return group.samples / group.rate_hz;
}

/** Where the twelve leads stand among the channels, or null when they are not all there. */
export function twelveLeads(group: Group): number[][] | null {
  const at = (name: string): number => group.channels.findIndex((each) => each.name.toLowerCase() === name.toLowerCase());
  const found = COLUMNS.map((column) => column.map(at));
  return found.flat().includes(-1) ? null : found;
}

/** Lays one sheet of a recording out: three rows of four leads and a rhythm strip, or all channels in rows. */
export function sheetOf(group: Group, look: Look, number: number): Sheet {
  const length = lengthOf(group);
  const from_s = number * secondsOf(look);
  const seconds = Math.max(0, Math.min(secondsOf(look), length - from_s));
  const leads = look.layout === "columns" ? twelveLeads(group) : null;
  const lanes = leads === null ? inRows(group, from_s, seconds) : inColumns(group, leads, { from_s, seconds, look });
  const bottom = lanes.at(-1);
  const height_mm = bottom === undefined ? 2 * MARGIN_MM : bottom.top_mm + bottom.height_mm + MARGIN_MM;
  return { width_mm: WIDTH_MM, height_mm, from_s, seconds, lanes };
}

function inRows(group: Group, from_s: number, seconds: number): Lane[] {
  return group.channels.map((_, channel) => ({ channel, from_s, seconds, x_mm: 0, ...row(channel, ROW_MM) }));
}

function inColumns(group: Group, leads: number[][], part: { from_s: number; seconds: number; look: Look }): Lane[] {
  const whole = secondsOf(part.look);
  const each = whole / COLUMNS.length;
  const isShort = lengthOf(group) <= each; // an averaged beat: every lead from its start
  const lanes: Lane[] = [];
  for (const [column, channels] of leads.entries()) {
    const start = isShort ? 0 : column * each;
    for (const [line, channel] of channels.entries()) {
      const seconds = Math.max(0, Math.min(each, part.seconds - start));
      if (seconds > 0) {
        const x_mm = column * each * part.look.speed;
        lanes.push({ channel, from_s: part.from_s + start, seconds, x_mm, ...row(line, BLOCK_ROW_MM) });
      }
    }
  }
  const rhythm = group.channels.findIndex((channel) => channel.name === RHYTHM);
  lanes.push({ channel: rhythm, from_s: part.from_s, seconds: part.seconds, x_mm: 0, ...row(3, BLOCK_ROW_MM) });
  return lanes;
}

function row(line: number, height_mm: number): { top_mm: number; y_mm: number; height_mm: number } {
  const top_mm = MARGIN_MM + line * height_mm;
  return { top_mm, y_mm: top_mm + height_mm / 2, height_mm };
}

/** How many of a unit make a millivolt, or null where it measures no voltage. */
export function perMillivolt(unit: string): number | null {
  return { mV: 1, uV: 1000, "µV": 1000, V: 0.001, nV: 1e6 }[unit] ?? null;
}

/** Millimetres of paper for one unit of a channel: by the gain where it is a voltage, else so that its range fits. */
export function mmPerUnit(channel: Channel, look: Look, range: readonly [number, number], height_mm: number): number {
  const factor = perMillivolt(channel.unit);
  if (factor !== null) return look.gain / factor;
  const width = range[1] - range[0];
  return width > 0 ? 1 / roundStep(width / (height_mm * 0.8)) : 1;
}

/** The next step of 1, 2 or 5 that is not smaller. */
export function roundStep(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((each) => each * power >= value * (1 - 1e-9)) ?? 10) * power;
}

/** The least and the greatest value of a stretch of counts; gaps are none. */
export function rangeOf(counts: Int16Array, channel: Channel, gap: number): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const count of counts) {
    if (count === gap) continue;
    if (count < low) low = count;
    if (count > high) high = count;
  }
  if (low > high) return [0, 0];
  const [a, b] = [low * channel.scale + channel.baseline, high * channel.scale + channel.baseline];
  return a <= b ? [a, b] : [b, a];
}

/** The points of a curve, in pixels: every sample, or the extremes of each column where there are many. A null breaks it. */
export function pathOf(
  counts: Int16Array,
  on: { stepPx: number; xPx: number; toY: (count: number) => number; gap: number },
): ([number, number] | null)[] {
  const { stepPx, xPx, toY, gap } = on;
  const points: ([number, number] | null)[] = [];
  if (stepPx >= 0.25) {
    for (const [n, count] of counts.entries()) points.push(count === gap ? null : [xPx + n * stepPx, toY(count)]);
    return points;
  }
  const many = Math.max(1, Math.round(1 / stepPx));
  for (let first = 0; first < counts.length; first += many) {
    const part = counts.subarray(first, first + many);
    let [low, high] = [-1, -1];
    for (const [n, count] of part.entries()) {
      if (count === gap) continue;
      if (low < 0 || count < (part[low] ?? 0)) low = n;
      if (high < 0 || count > (part[high] ?? 0)) high = n;
    }
    if (low < 0) points.push(null);
    for (const n of low < 0 ? [] : low === high ? [low] : [Math.min(low, high), Math.max(low, high)]) {
      points.push([xPx + (first + n) * stepPx, toY(part[n] ?? 0)]);
    }
  }
  return points;
}

/** What lies between two points of the sheet. */
export interface Span {
  readonly ms: number;
  readonly perMinute: number | null;
  readonly mV: number | null; // null: of another quantity
}

/** Measures between two points: time along, voltage up. */
export function spanOf(a: Point, b: Point, look: Look, isVoltage: boolean): Span {
  const ms = (Math.abs(b.x_mm - a.x_mm) / look.speed) * 1000;
  return { ms, perMinute: ms >= 100 ? 60_000 / ms : null, mV: isVoltage ? (a.y_mm - b.y_mm) / look.gain : null };
}

/** The lane under a point of the sheet. */
export function laneAt(sheet: Sheet, look: Look, at: Point): Lane | null {
  const inside = (lane: Lane): boolean =>
    at.y_mm >= lane.top_mm &&
    at.y_mm < lane.top_mm + lane.height_mm &&
    at.x_mm >= lane.x_mm &&
    at.x_mm <= lane.x_mm + lane.seconds * look.speed;
  return sheet.lanes.find(inside) ?? null;
}

/** The next of some steps, up or down, not past their ends. */
export function stepped(steps: readonly number[], present: number, by: number): number {
  const at = steps.indexOf(present);
  return steps[Math.min(steps.length - 1, Math.max(0, at + by))] ?? present;
}

/** Says seconds as `0:00:10` where they are many, else as `10 s`. */
export function clockText(seconds: number, isLong: boolean): string {
  if (!isLong) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.floor(seconds);
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
}
