// The browser's camera: opens the rear one, takes the largest still that it gives, lets go of it.

/** What this project uses of ImageCapture, which not every browser has. */
interface StillTaker {
  takePhoto(settings?: { imageWidth?: number; imageHeight?: number }): Promise<Blob>;
  getPhotoCapabilities(): Promise<{ imageWidth?: { max: number }; imageHeight?: { max: number } }>;
}
type StillTakerClass = new (track: MediaStreamTrack) => StillTaker;

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

const STILL_WAIT_MS = 4000;
const JPEG_QUALITY = 0.95;

/** Tells whether the page may ask for a camera at all. */
export function hasCamera(): boolean {
  return window.isSecureContext && navigator.mediaDevices?.getUserMedia !== undefined;
}

/** Tells whether the page gets the camera's full resolution; else the phone's own camera is better. */
export function takesFullStills(): boolean {
  return hasCamera() && "ImageCapture" in window;
}

/** An open camera. */
export class CameraTrack {
  private constructor(
    readonly stream: MediaStream,
    private readonly track: MediaStreamTrack,
  ) {}

  /** Opens a camera, the rear one unless another is named. */
  static async open(deviceId = ""): Promise<CameraTrack> {
    const size = { width: { ideal: 4096 }, height: { ideal: 3072 } };
    const which = deviceId === "" ? { facingMode: { ideal: "environment" } } : { deviceId: { exact: deviceId } };
    const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...size, ...which } });
    const track = stream.getVideoTracks()[0];
    if (track === undefined) throw new Error("The camera gives no picture.");
    return new CameraTrack(stream, track);
  }

  get deviceId(): string {
    return this.track.getSettings().deviceId ?? "";
  }

  get hasTorch(): boolean {
    return this.can("torch") === true;
  }

  get hasFocusPoint(): boolean {
    return this.can("pointsOfInterest") !== undefined;
  }

  /** The zoom that the lens offers, or null. */
  get zoom(): Range | null {
    const range = this.can("zoom") as Range | undefined;
    return range !== undefined && range.max > range.min ? range : null;
  }

  /** Sets what the track offers beyond the standard set; what it refuses stays as it was. */
  async set(wanted: Readonly<Record<string, unknown>>): Promise<void> {
    await this.track.applyConstraints({ advanced: [wanted as MediaTrackConstraintSet] }).catch(() => undefined);
  }

  /** Takes the picture: the camera's own still where there is one, else the video's frame. */
  async still(video: HTMLVideoElement): Promise<File> {
    const blob = (await this.ownStill()) ?? (await frameOf(video));
    const ending = blob.type === "image/png" ? "png" : "jpg";
    return new File([blob], `photo.${ending}`, { type: blob.type });
  }

  stop(): void {
    for (const track of this.stream.getTracks()) track.stop();
  }

  private async ownStill(): Promise<Blob | null> {
    const Taker = (window as unknown as { ImageCapture?: StillTakerClass }).ImageCapture;
    if (Taker === undefined) return null;
    try {
      const taker = new Taker(this.track);
      const most = await taker.getPhotoCapabilities();
      const width = most.imageWidth?.max ?? 0;
      const height = most.imageHeight?.max ?? 0;
      const size = width > 0 && height > 0 ? { imageWidth: width, imageHeight: height } : {};
      return await within(taker.takePhoto(size), STILL_WAIT_MS);
    } catch {
      return null; // some cameras promise stills and give none: the frame is better than nothing
    }
  }

  private can(name: string): unknown {
    return (this.track.getCapabilities?.() as Record<string, unknown> | undefined)?.[name];
  }
}

/** Gives the cameras to choose from; their names are known only after one was opened. */
export async function lenses(): Promise<readonly MediaDeviceInfo[]> {
  return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
}

async function frameOf(video: HTMLVideoElement): Promise<Blob> {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob === null ? reject(new Error("No frame.")) : resolve(blob)), "image/jpeg", JPEG_QUALITY);
  });
}

function within<Value>(promise: Promise<Value>, wait_ms: number): Promise<Value> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => window.setTimeout(() => reject(new Error("It took too long.")), wait_ms)),
  ]);
}
