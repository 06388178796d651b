// The small copy of a picture or film that stands on the page once it is kept. Keeps nothing of the file.

const SMALL_PX = 240; // long side

/** Gives a canvas in which the picture, or the film's first frame, appears as soon as the browser has it. */
export function smallOf(file: File, isFilm: boolean): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1; // stays so for what the browser cannot show
  const address = URL.createObjectURL(file);
  const source = isFilm ? document.createElement("video") : new Image();
  const done = (): void => {
    source.removeAttribute("src");
    URL.revokeObjectURL(address);
  };
  source.addEventListener(
    isFilm ? "loadeddata" : "load",
    () => {
      shrink(source, canvas);
      done();
    },
    { once: true },
  );
  source.addEventListener("error", done, { once: true });
  if (source instanceof HTMLVideoElement) {
    source.muted = true;
    source.preload = "auto";
  }
  source.src = address;
  return canvas;
}

function shrink(image: HTMLImageElement | HTMLVideoElement, into: HTMLCanvasElement): void {
  const [width, height] =
    image instanceof HTMLVideoElement ? [image.videoWidth, image.videoHeight] : [image.naturalWidth, image.naturalHeight];
  const scale = SMALL_PX / Math.max(width, height, 1);
  into.width = Math.max(1, Math.round(width * scale));
  into.height = Math.max(1, Math.round(height * scale));
  if (width > 0) into.getContext("2d")?.drawImage(image, 0, 0, into.width, into.height);
}
