// Draws a sheet of recorded curves on a canvas: the millimetre paper, the curves, their names and scales.
import { t } from "../shared/strings.ts";
import { mmPerUnit, pathOf, perMillivolt, rangeOf, type Group, type Lane, type Look, type Sheet } from "./traces.ts";

export interface Colours {
  readonly ground: string;
  readonly fine: string;
  readonly coarse: string;
  readonly curve: string;
  readonly text: string;
}

export const ON_SCREEN: Colours = { ground: "#0a0d10", fine: "#1a1718", coarse: "#39282a", curve: "#d5dde2", text: "#a7b4be" };
export const ON_PAPER: Colours = { ground: "#ffffff", fine: "#f6d9d3", coarse: "#e3a79b", curve: "#000000", text: "#000000" };

export interface Drawn {
  readonly sheet: Sheet;
  readonly group: Group;
  readonly look: Look;
  readonly gap: number;
  readonly pxPerMm: number;
  readonly dense: number; // pixels of the canvas for one of the page
  readonly colours: Colours;
  readonly counts: (channel: number) => Int16Array;
  readonly first: number; // of the samples, from the start of the recording
}

/** Draws a sheet. */
export function draw(canvas: HTMLCanvasElement, drawn: Drawn): void {
  const { sheet, pxPerMm, dense, colours } = drawn;
  canvas.width = Math.round(sheet.width_mm * pxPerMm * dense);
  canvas.height = Math.round(sheet.height_mm * pxPerMm * dense);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.setTransform(dense, 0, 0, dense, 0, 0);
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, sheet.width_mm * pxPerMm, sheet.height_mm * pxPerMm);
  grid(context, drawn);
  for (const lane of sheet.lanes) curve(context, drawn, lane);
}

function grid(context: CanvasRenderingContext2D, { sheet, pxPerMm, colours }: Drawn): void {
  const [width, height] = [sheet.width_mm * pxPerMm, sheet.height_mm * pxPerMm];
  for (const [every, colour] of [[1, colours.fine], [5, colours.coarse]] as const) {
    if (every * pxPerMm < 2.5) continue;
    context.beginPath();
    for (let mm = 0; mm <= sheet.width_mm; mm += every) line(context, [mm * pxPerMm, 0], [mm * pxPerMm, height]);
    for (let mm = 0; mm <= sheet.height_mm; mm += every) line(context, [0, mm * pxPerMm], [width, mm * pxPerMm]);
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.stroke();
  }
}

function line(context: CanvasRenderingContext2D, from: [number, number], to: [number, number]): void {
  context.moveTo(Math.round(from[0]) + 0.5, Math.round(from[1]) + 0.5);
  context.lineTo(Math.round(to[0]) + 0.5, Math.round(to[1]) + 0.5);
}

function curve(context: CanvasRenderingContext2D, drawn: Drawn, lane: Lane): void {
  const { group, look, gap, pxPerMm, colours } = drawn;
  const channel = group.channels[lane.channel];
  if (channel === undefined) return;
  const from = Math.round(lane.from_s * group.rate_hz) - drawn.first;
  const counts = drawn.counts(lane.channel).subarray(Math.max(0, from), from + Math.ceil(lane.seconds * group.rate_hz));
  const range = rangeOf(counts, channel, gap);
  const scale = mmPerUnit(channel, look, range, lane.height_mm);
  const isVoltage = perMillivolt(channel.unit) !== null;
  const zero = isVoltage ? 0 : (range[0] + range[1]) / 2;
  const toY = (count: number): number => (lane.y_mm - (count * channel.scale + channel.baseline - zero) * scale) * pxPerMm;
  const xPx = (lane.x_mm + (channel.skew_ms / 1000) * look.speed) * pxPerMm;
  context.save();
  context.beginPath();
  context.rect(lane.x_mm * pxPerMm, 0, lane.seconds * look.speed * pxPerMm + 1, drawn.sheet.height_mm * pxPerMm);
  context.clip();
  context.beginPath();
  let isDown = false;
  for (const point of pathOf(counts, { stepPx: (look.speed * pxPerMm) / group.rate_hz, xPx, toY, gap })) {
    if (point === null) isDown = false;
    else if (isDown) context.lineTo(point[0], point[1]);
    else context.moveTo(point[0], point[1]);
    isDown = point !== null;
  }
  context.strokeStyle = colours.curve;
  context.lineWidth = Math.max(1, pxPerMm * 0.25);
  context.lineJoin = "round";
  context.stroke();
  context.restore();
  context.fillStyle = colours.text;
  context.font = `${Math.max(11, pxPerMm * 3)}px system-ui, sans-serif`;
  context.textBaseline = "top";
  context.fillText(nameOf(channel.name, isVoltage ? "" : scaleText(scale, channel.unit)), lane.x_mm * pxPerMm + 4, lane.top_mm * pxPerMm + 1);
}

function nameOf(name: string, scale: string): string {
  return scale === "" ? name : `${name}  ${scale}`;
}

/** How much ten millimetres of a curve that is no voltage are. */
function scaleText(mm: number, unit: string): string {
  const value = Number((10 / mm).toPrecision(2));
  return unit === "" ? t("not calibrated") : t("10 mm are {n} {unit}", { n: value, unit });
}
