// Recorded curves (ECG and others) in the stage: sheets of millimetre paper, turned and scaled by keys, with calipers.
import { call, send } from "../shared/api.ts";
import { make } from "../shared/dom.ts";
import { t, tn } from "../shared/strings.ts";
import { askToWrite } from "./asking.ts";
import { Calipers } from "./calipers.ts";
import type { Instance, Manifest, Series } from "./manifest.ts";
import { keysOf } from "./paper_keys.ts";
import { notesOf, type Note } from "./recorded_notes.ts";
import { draw, ON_PAPER, ON_SCREEN } from "./sheet.ts";
import { screenSize } from "./screen_size.ts";
import type { ShownRecord } from "./shown.ts";
import {
  clockText, GAINS, laneAt, lengthOf, perMillivolt, secondsOf, sheetOf, sheetsOf, SPEEDS, stepped, twelveLeads, WIDTH_MM,
  type Group, type Look, type Sheet, type Span,
} from "./traces.ts";

interface Waveform {
  readonly taken: string;
  readonly gap: number;
  readonly groups: readonly Group[];
  readonly notes: readonly Note[];
}

interface Around {
  readonly shown: ShownRecord;
  readonly panel: HTMLElement;
}

const LEAST_PX_PER_MM = 2.4;
const MOST_PX_PER_MM = 8;
const PRINTED_PX_PER_MM = 8;
const LONG_S = 120;
const SHEETS_KEPT = 6;

/** Fetches what a recording holds and makes the sheet that shows it. */
export async function recordingOf(manifest: Manifest, series: Series, instance: Instance, around: Around): Promise<HTMLElement> {
  const address = manifest.address("waveform", instance.uid, series.site);
  const waveform = await call<Waveform>(address);
  const recording = new Recording(waveform, { address, series, instance }, around);
  await recording.show();
  return recording.element;
}

class Recording {
  readonly element: HTMLElement;
  private readonly canvas = make("canvas", "trace-canvas");
  private readonly bar = make("div", "trace-bar");
  private readonly told = make("p", "trace-told figures");
  private readonly scale = make("p", "trace-scale small quiet");
  private readonly around = make("div", "trace-sheet");
  private readonly calipers: Calipers;
  private readonly size = screenSize(() => this.paint());
  private look: Look;
  private group = 0;
  private number = 0;
  private isTrueSize = false;
  private isPrinting = false;
  private sheet: Sheet;
  private counts: Int16Array[] = [];
  private pxPerMm = 4;
  private readonly kept = new Map<string, Promise<Int16Array[]>>();
  private readonly seen = new Set<string>();

  constructor(
    private readonly waveform: Waveform,
    private readonly of: { readonly address: string; readonly series: Series; readonly instance: Instance },
    private readonly at: Around,
  ) {
    this.look = { speed: 25, gain: 10, layout: twelveLeads(this.now) === null ? "rows" : "columns" };
    this.sheet = sheetOf(this.now, this.look, 0);
    this.canvas.setAttribute("role", "img");
    this.told.setAttribute("aria-live", "polite");
    this.calipers = new Calipers((span) => this.tell(span), () => ({ look: this.look, pxPerMm: this.pxPerMm, sheet: this.sheet, isVoltage: this.isVoltage }));
    this.around.append(this.canvas, this.calipers.element);
    this.element = make("div", "trace", this.bar, this.told, this.around, make("p", "trace-foot", this.scale), this.size.element, ...notesOf(waveform.notes));
    keysOf(at.panel, this.keys());
    new ResizeObserver(() => this.paint()).observe(this.around);
    for (const [event, isPaper] of [["beforeprint", true], ["afterprint", false]] as const) {
      window.addEventListener(event, () => {
        this.isPrinting = isPaper;
        if (this.element.isConnected) this.paint();
      });
    }
  }

  /** Shows the sheet that is asked for, once its samples are here; the next one is fetched meanwhile. */
  async show(): Promise<void> {
    const [group, number] = [this.group, this.number];
    const sheet = sheetOf(this.now, this.look, number);
    const counts = await this.fetched(group, sheet);
    if (group !== this.group || number !== this.number) return;
    this.sheet = sheet;
    this.counts = counts;
    this.paint();
    this.buttons();
    this.note();
    if (number + 1 < sheetsOf(this.now, this.look)) void this.fetched(group, sheetOf(this.now, this.look, number + 1)).catch(() => undefined);
  }

  private get now(): Group {
    return this.waveform.groups[this.group] as Group;
  }

  private get isVoltage(): (at: { x_mm: number; y_mm: number }) => boolean {
    return (at) => {
      const lane = laneAt(this.sheet, this.look, at);
      return lane !== null && perMillivolt(this.now.channels[lane.channel]?.unit ?? "") !== null;
    };
  }

  private fetched(group: number, sheet: Sheet): Promise<Int16Array[]> {
    const { rate_hz, channels } = this.waveform.groups[group] as Group;
    const [first, count] = [Math.round(sheet.from_s * rate_hz), Math.ceil(sheet.seconds * rate_hz)];
    const key = `${group}/${first}/${count}`;
    const known = this.kept.get(key);
    if (known !== undefined) return known;
    const [path, query = ""] = this.of.address.split("?");
    const coming = send(`${path}/${group + 1}?${query}&first=${first}&count=${count}`, { headers: { Accept: "*/*" } })
      .then((response) => response.arrayBuffer())
      .then((data) => {
        const each = data.byteLength / 2 / channels.length;
        return channels.map((_, n) => new Int16Array(data, n * each * 2, each));
      });
    coming.catch(() => this.kept.delete(key));
    this.kept.set(key, coming);
    for (const old of this.kept.keys()) if (this.kept.size > SHEETS_KEPT) this.kept.delete(old);
    return coming;
  }

  private paint(): void {
    if (this.counts.length === 0) return;
    const isPaper = this.isPrinting;
    const room = this.around.clientWidth;
    const fitting = Math.min(MOST_PX_PER_MM, Math.max(LEAST_PX_PER_MM, (room - 2) / WIDTH_MM));
    const honest = this.size.pxPerMm;
    this.pxPerMm = isPaper ? PRINTED_PX_PER_MM : this.isTrueSize && honest !== null ? honest : fitting;
    const first = Math.round(this.sheet.from_s * this.now.rate_hz);
    draw(this.canvas, {
      sheet: this.sheet, group: this.now, look: this.look, gap: this.waveform.gap, pxPerMm: this.pxPerMm,
      dense: isPaper ? 1 : window.devicePixelRatio, colours: isPaper ? ON_PAPER : ON_SCREEN,
      counts: (channel) => this.counts[channel] ?? new Int16Array(0), first,
    });
    const [width, height] = [this.sheet.width_mm, this.sheet.height_mm];
    this.canvas.style.width = isPaper ? `${width}mm` : `${width * this.pxPerMm}px`;
    this.canvas.style.height = isPaper ? `${height}mm` : `${height * this.pxPerMm}px`;
    this.canvas.setAttribute("aria-label", this.named());
    this.calipers.place();
    const isToScale = isPaper || (this.isTrueSize && honest !== null);
    this.scale.textContent = [this.lookText(), isToScale ? t("to scale") : t("not to scale on this screen"), ...this.recorder()].join(" · ");
  }

  private named(): string {
    const { from_s, seconds } = this.sheet;
    const isLong = lengthOf(this.now) > LONG_S;
    const part = t("{from} to {to} of {all}", {
      from: clockText(from_s, isLong), to: clockText(from_s + seconds, isLong), all: clockText(lengthOf(this.now), isLong),
    });
    return [this.of.series.modality, tn("{n} curve", "{n} curves", this.now.channels.length), part, this.lookText()].join(", ");
  }

  private lookText(): string {
    const isVoltage = this.now.channels.some((channel) => perMillivolt(channel.unit) !== null);
    return isVoltage ? `${this.look.speed} mm/s, ${this.look.gain} mm/mV` : `${this.look.speed} mm/s`;
  }

  /** What the recorder let through, as far as its channels agree. */
  private recorder(): string[] {
    const said: string[] = [`${this.now.rate_hz} Hz`];
    const one = (pick: (channel: Group["channels"][number]) => number | null): number | null => {
      const found = new Set(this.now.channels.map(pick).filter((each) => each !== null && each > 0));
      return found.size === 1 ? [...found][0] ?? null : null;
    };
    const [low, high, notch] = [one((c) => c.low_hz), one((c) => c.high_hz), one((c) => c.notch_hz)];
    if (low !== null && high !== null) said.push(t("filtered to {low}–{high} Hz", { low, high }));
    if (notch !== null) said.push(t("without {n} Hz", { n: notch }));
    if (this.now.is_derived) said.push(t("worked out from the recording"));
    return said;
  }

  private buttons(): void {
    const sheets = sheetsOf(this.now, this.look);
    const isLong = lengthOf(this.now) > LONG_S;
    const choices: HTMLElement[] = SPEEDS.map((speed, n) => this.button(`${speed} mm/s`, String(n + 1), this.look.speed === speed));
    choices.push(this.button("−", "-", false, t("Lower curves")), make("span", "figures", `${this.look.gain} mm/mV`), this.button("+", "+", false, t("Higher curves")));
    if (twelveLeads(this.now) !== null) {
      choices.push(this.button(t("3 × 4"), "3", this.look.layout === "columns"), this.button(t("All in rows"), "4", this.look.layout === "rows"));
    }
    if (this.waveform.groups.length > 1) {
      for (const [n, group] of this.waveform.groups.slice(0, 4).entries()) {
        choices.push(this.button(group.label || t("Part {n}", { n: n + 1 }), String(5 + n), n === this.group));
      }
    }
    choices.push(this.button(t("Calipers"), "m", this.calipers.isActive));
    if (this.size.pxPerMm !== null) choices.push(this.button(t("True size"), "f", this.isTrueSize));
    if (sheets > 1) {
      const where = `${clockText(this.sheet.from_s, isLong)} / ${clockText(lengthOf(this.now), isLong)}`;
      choices.push(this.button("‹", "ArrowLeft", false, t("Back")), make("span", "figures", where), this.button("›", "ArrowRight", false, t("On")));
    }
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["key"] : undefined;
    const hadFocus = this.bar.contains(document.activeElement);
    this.bar.replaceChildren(...choices);
    if (hadFocus) this.bar.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused ?? "")}"]`)?.focus();
  }

  private button(text: string, key: string, isPressed: boolean, label = ""): HTMLButtonElement {
    const button = make("button", "", text);
    button.type = "button";
    button.dataset["key"] = key;
    button.title = `${label || text} (${key.replace("Arrow", "")})`;
    button.setAttribute("aria-keyshortcuts", key);
    if (label !== "") button.setAttribute("aria-label", label);
    else button.setAttribute("aria-pressed", String(isPressed));
    button.addEventListener("click", () => this.keys()[key]?.(new KeyboardEvent("keydown", { key })));
    return button;
  }

  private keys(): Record<string, (event: KeyboardEvent) => void> {
    const turn = (by: number) => (event: KeyboardEvent): void => {
      if (this.calipers.isActive && event.key.startsWith("Arrow")) this.calipers.move(by > 0 ? 1 : -1, 0, event.shiftKey);
      else this.turn(by);
    };
    const up = (by: number) => (event: KeyboardEvent): void => {
      if (this.calipers.isActive) this.calipers.move(0, by, event.shiftKey);
      else this.at.panel.scrollBy({ top: by * 60 });
    };
    return {
      ArrowLeft: turn(-1), ArrowRight: turn(1), PageUp: turn(-10), PageDown: turn(10), Home: turn(-1e9), End: turn(1e9),
      ArrowUp: up(-1), ArrowDown: up(1),
      "+": () => this.change({ gain: stepped(GAINS, this.look.gain, 1) }),
      "=": () => this.change({ gain: stepped(GAINS, this.look.gain, 1) }),
      "-": () => this.change({ gain: stepped(GAINS, this.look.gain, -1) }),
      "1": () => this.change({ speed: 25 }), "2": () => this.change({ speed: 50 }),
      "3": () => this.change({ layout: "columns" }), "4": () => this.change({ layout: "rows" }),
      "5": () => this.choose(0), "6": () => this.choose(1), "7": () => this.choose(2), "8": () => this.choose(3),
      m: () => {
        this.calipers.toggle();
        this.buttons();
      },
      Enter: () => this.calipers.swap(),
      i: () => askToWrite(this.told.textContent ?? ""),
      f: () => {
        this.isTrueSize = !this.isTrueSize && this.size.pxPerMm !== null;
        this.paint();
        this.buttons();
      },
    };
  }

  private turn(by: number): void {
    const last = sheetsOf(this.now, this.look) - 1;
    const next = Math.min(last, Math.max(0, this.number + by));
    if (next === this.number) return;
    this.number = next;
    void this.show();
  }

  /** Lays the recording out otherwise; the moment that begins the sheet stays in sight. */
  private change(how: Partial<Look>): void {
    const from_s = this.number * secondsOf(this.look);
    this.look = { ...this.look, ...how };
    this.number = Math.min(sheetsOf(this.now, this.look) - 1, Math.floor(from_s / secondsOf(this.look) + 1e-9));
    void this.show();
  }

  private choose(group: number): void {
    if (group === this.group || this.waveform.groups[group] === undefined) return;
    this.group = group;
    this.number = 0;
    if (twelveLeads(this.now) === null) this.look = { ...this.look, layout: "rows" };
    void this.show();
  }

  private tell(span: Span | null): void {
    if (span === null) {
      this.told.textContent = "";
      return;
    }
    const parts = [t("Interval {n} ms", { n: Math.round(span.ms) })];
    if (span.perMinute !== null) parts.push(t("{n} a minute", { n: Math.round(span.perMinute) }));
    if (span.mV !== null) parts.push(t("{n} mV", { n: (Math.round(span.mV * 100) / 100).toFixed(2) }));
    this.told.textContent = parts.join(", ");
  }

  /** Notes what has been on the screen: all of the recording, or a part of it, and how it was laid out. */
  private note(): void {
    const frame = this.of.series.frames.find((each) => each.instance === this.of.instance);
    if (frame === undefined) return;
    const tenths = (from: number, to: number): void => {
      for (let n = Math.floor(from + 1e-6); n < Math.ceil(to - 1e-6); n++) this.seen.add(`${this.group}/${n}`);
    };
    tenths(this.sheet.from_s, this.sheet.from_s + this.sheet.seconds);
    const whole = this.waveform.groups.reduce((sum, group) => sum + (group.is_derived ? 0 : Math.ceil(lengthOf(group) - 1e-6)), 0);
    const seen = [...this.seen].filter((each) => this.waveform.groups[Number(each.split("/")[0])]?.is_derived === false).length;
    this.at.shown.note(frame, seen >= whole ? "lossless" : "part");
    this.at.shown.look(this.of.series, this.lookText());
  }
}
