// The camera over the whole screen: one kind after the other, judged at once, until all are taken.
import "../styles/capture-camera.css";
import { make, need, say } from "../shared/dom.ts";
import { t } from "../shared/strings.ts";
import { CameraTrack, lenses } from "./camera_track.ts";
import { hintOf, measure, type Hint } from "./camera_hints.ts";
import { adviceText, type Slot, type Verdict } from "./photos.ts";

const LOOK_MS = 500;
const GOOD_MS = 700; // how long "A good picture" stands before the next kind
const LOOK_WIDTH = 64;
const LOOK_HEIGHT = 48;

/** The full-screen camera. It takes pictures for the places of the page and closes itself after the last. */
export class Camera {
  private readonly dialog = need<HTMLDialogElement>("#camera");
  private readonly video = need<HTMLVideoElement>("#camera-video");
  private readonly shot = need<HTMLImageElement>("#camera-shot");
  private readonly shutter = need<HTMLButtonElement>("#camera-shutter");
  private track: CameraTrack | null = null;
  private slot: Slot | null = null;
  private before: Uint8ClampedArray | null = null;
  private looking = 0;
  private isBusy = false;

  constructor(
    private readonly slots: () => readonly Slot[],
    private readonly finished: (last: Slot | null) => void,
  ) {
    this.shutter.addEventListener("click", () => void this.shoot());
    need("#camera-close").addEventListener("click", () => this.dialog.close());
    need("#camera-skip").addEventListener("click", () => this.goOn());
    need("#camera-again").addEventListener("click", () => this.again());
    need("#camera-keep").addEventListener("click", () => {
      void this.slot?.keepAnyway();
      this.goOn();
    });
    need("#camera-torch").addEventListener("click", () => void this.light());
    need("#camera-lens").addEventListener("click", () => void this.otherLens());
    need("#camera-stage").addEventListener("click", (event) => void this.focusAt(event));
    this.zoom().addEventListener("input", () => void this.track?.set({ zoom: Number(this.zoom().value) }));
    const own = need<HTMLInputElement>("#camera-native");
    own.addEventListener("change", () => {
      const file = own.files?.[0];
      own.value = "";
      if (file) void this.judge(file);
    });
    this.dialog.addEventListener("close", () => this.closed());
    this.dialog.addEventListener("keydown", (event) => this.pressed(event));
    document.addEventListener("visibilitychange", () => {
      if (!this.dialog.open) return;
      if (document.hidden) this.release();
      else void this.start();
    });
    window.addEventListener("pagehide", () => this.release());
  }

  /** Opens the camera for a place; says so and gives false where there is none to open. */
  async open(slot: Slot): Promise<boolean> {
    this.slot = slot;
    this.dialog.showModal();
    this.ready();
    return this.start();
  }

  private async start(deviceId = ""): Promise<boolean> {
    this.release();
    try {
      const track = await CameraTrack.open(deviceId);
      if (!this.dialog.open || document.hidden) {
        track.stop();
        return false;
      }
      this.track = track;
    } catch {
      this.dialog.close();
      say(t("The camera cannot be used here. Use the phone's camera, or choose a file."), 10);
      return false;
    }
    this.video.srcObject = this.track.stream;
    await this.video.play().catch(() => undefined);
    this.shutter.disabled = this.isBusy;
    this.shutter.focus();
    this.looking = window.setInterval(() => this.look(), LOOK_MS);
    await this.showTools(this.track);
    return true;
  }

  private release(): void {
    window.clearInterval(this.looking);
    this.track?.stop();
    this.track = null;
    this.before = null;
    this.video.srcObject = null;
    this.shutter.disabled = true;
  }

  private closed(): void {
    this.release();
    this.hideShot();
    const last = this.slot;
    this.slot = null;
    this.finished(last);
  }

  /** Shows the live picture with the guide of the kind that is taken now. */
  private ready(): void {
    const kind = this.slot?.kind ?? "";
    need("#camera-title").textContent = this.slot?.title ?? "";
    this.dialog.dataset["kind"] = kind;
    need("#camera-skip").hidden = !(this.slot?.isOptional ?? false);
    need("#camera-review").hidden = true;
    need("#camera-foot").hidden = false;
    this.hideShot();
    this.isBusy = false;
    this.shutter.disabled = this.track === null;
    this.hint(this.advice());
    this.shutter.focus();
  }

  private async shoot(): Promise<void> {
    if (this.isBusy || this.track === null) return;
    this.isBusy = true;
    this.shutter.disabled = true;
    try {
      const file = await this.track.still(this.video);
      await this.judge(file);
    } catch {
      say(t("The camera gave no picture. Try again, or use the phone's camera."));
      this.ready();
    }
  }

  private async judge(file: File): Promise<void> {
    const { slot } = this;
    if (slot === null) return;
    this.isBusy = true;
    this.shutter.disabled = true;
    this.hideShot();
    this.shot.src = URL.createObjectURL(file);
    this.shot.hidden = false;
    this.hint(t("Judging …"));
    const verdict = await slot.offer(file);
    if (!this.dialog.open || this.slot !== slot) return;
    if (verdict.outcome === "good") {
      this.hint(`✓ ${t("A good picture.")}`);
      window.setTimeout(() => this.dialog.open && this.slot === slot && this.goOn(), GOOD_MS);
    } else this.review(verdict);
  }

  /** Says the reason first, then offers to take it again or to keep it. */
  private review(verdict: Verdict): void {
    const said = verdict.reasons.map((each) => {
      const item = make("li", "", adviceText(each));
      item.dataset["verdict"] = each.verdict;
      return item;
    });
    if (said.length === 0) said.push(make("li", "", t("Not judged: no connection")));
    need("#camera-advice").replaceChildren(...said);
    need("#camera-keep").hidden = verdict.outcome === "refused";
    need("#camera-foot").hidden = true;
    need("#camera-review").hidden = false;
    this.hint("");
    need("#camera-again").focus();
  }

  private again(): void {
    this.slot?.letGo();
    this.ready();
  }

  /** Goes on with the next kind that has no picture yet; after the last the camera closes. */
  private goOn(): void {
    const all = this.slots();
    const at = all.findIndex((slot) => slot === this.slot);
    const next = all.slice(at + 1).find((slot) => !slot.kept && !slot.waits);
    if (next === undefined) {
      this.dialog.close();
      return;
    }
    this.slot = next;
    this.ready();
  }

  private look(): void {
    if (this.isBusy || this.video.videoWidth === 0) return;
    const canvas = document.createElement("canvas");
    canvas.width = LOOK_WIDTH;
    canvas.height = LOOK_HEIGHT;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    if (context === null) return;
    context.drawImage(this.video, 0, 0, LOOK_WIDTH, LOOK_HEIGHT);
    const pixels = context.getImageData(0, 0, LOOK_WIDTH, LOOK_HEIGHT).data;
    const hint = hintOf(measure(pixels, this.before));
    this.before = pixels;
    this.hint(this.words(hint));
  }

  private words(hint: Hint): string {
    switch (hint) {
      case "dark":
        return t("Too dark: more light on the skin.");
      case "bright":
        return t("Too bright: turn away from the lamp.");
      case "moving":
        return t("Hold still.");
      default:
        return this.advice();
    }
  }

  private advice(): string {
    switch (this.slot?.kind) {
      case "overview":
        return t("About 30 cm away. Let a joint, the navel or an ear be seen.");
      case "closeup":
        return t("About 10 cm away, straight above. The lesion inside the ring.");
      case "dermoscopic":
        return t("The dermatoscope against the lens. Fill the ring.");
      default:
        return "";
    }
  }

  private hint(text: string): void {
    const place = need("#camera-hint");
    if (place.textContent !== text) place.textContent = text;
  }

  private async showTools(track: CameraTrack): Promise<void> {
    need("#camera-torch").hidden = !track.hasTorch;
    need("#camera-torch").setAttribute("aria-pressed", "false");
    const range = track.zoom;
    need("#camera-zoom").hidden = range === null;
    if (range !== null) {
      const slider = this.zoom();
      [slider.min, slider.max, slider.step] = [range.min, Math.min(range.max, 5 * range.min), range.step || 0.1].map(String) as [string, string, string];
      slider.value = slider.min;
    }
    need("#camera-lens").hidden = (await lenses().catch(() => [])).length < 2;
  }

  private async light(): Promise<void> {
    const button = need("#camera-torch");
    const torch = button.getAttribute("aria-pressed") !== "true";
    await this.track?.set({ torch });
    button.setAttribute("aria-pressed", String(torch));
  }

  private async otherLens(): Promise<void> {
    const all = await lenses();
    const at = all.findIndex((device) => device.deviceId === this.track?.deviceId);
    const next = all[(at + 1) % all.length];
    if (next !== undefined) await this.start(next.deviceId);
  }

  private async focusAt(event: MouseEvent): Promise<void> {
    if (this.track?.hasFocusPoint !== true || this.isBusy) return;
    const box = this.video.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    const ring = need("#camera-focus");
    ring.style.left = `${event.clientX - box.left}px`;
    ring.style.top = `${event.clientY - box.top}px`;
    ring.hidden = false;
    await this.track.set({ focusMode: "single-shot", pointsOfInterest: [{ x, y }] });
    window.setTimeout(() => (ring.hidden = true), 800);
  }

  private pressed(event: KeyboardEvent): void {
    const isVolume = /^(Audio)?Volume(Up|Down)$/.test(event.key);
    const isPlain = !(event.target instanceof HTMLButtonElement || event.target instanceof HTMLInputElement);
    if (!isVolume && !(isPlain && (event.key === " " || event.key === "Enter"))) return;
    event.preventDefault();
    if (!event.repeat) void this.shoot();
  }

  private hideShot(): void {
    if (this.shot.src !== "") URL.revokeObjectURL(this.shot.src);
    this.shot.removeAttribute("src");
    this.shot.hidden = true;
  }

  private zoom(): HTMLInputElement {
    return need<HTMLInputElement>("#camera-zoom input");
  }
}
