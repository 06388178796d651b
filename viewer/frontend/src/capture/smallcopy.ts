// The small upright copy that a photograph is judged by: some 150 kB over a thin link instead of 5 MB.
// It is made as the server makes its own, by averaging areas, so that both say the same of a picture.
const LONG_SIDE = 1024;
const QUALITY = 0.9;
const SMALL_FILE_BYTES = 300_000; // the file itself travels as fast
const HEAD_BYTES = 256 * 1024; // in which what the camera says stands

export interface SmallCopy {
  readonly file: Blob;
  readonly rows: number; // of the photograph itself, upright
  readonly columns: number;
}

/** Gives a small copy, or null where the browser cannot read the file or where a copy saves nothing. */
export async function smallCopy(file: Blob): Promise<SmallCopy | null> {
  if (file.size <= SMALL_FILE_BYTES) return null;
  let bitmap: ImageBitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return null; // HEIC in most browsers, or no picture at all: the server says which
  }
  try {
    const { width: columns, height: rows } = bitmap;
    if (Math.max(rows, columns) <= LONG_SIDE) return null;
    const jpeg = await encoded(reduced(bitmap));
    return jpeg === null ? null : { file: withExif(jpeg, await exifOf(file)), rows, columns };
  } finally {
    bitmap.close();
  }
}

/** Halves a picture while it is more than twice too large, then averages areas down to its size. */
function reduced(bitmap: ImageBitmap): HTMLCanvasElement {
  const scale = LONG_SIDE / Math.max(bitmap.width, bitmap.height);
  const width = Math.max(1, Math.round(bitmap.width * scale));
  const height = Math.max(1, Math.round(bitmap.height * scale));
  let from: CanvasImageSource = bitmap;
  let [columns, rows] = [bitmap.width, bitmap.height];
  while (columns >= 2 * width && rows >= 2 * height) {
    // bilinear at half the size is the mean of four pixels
    [columns, rows] = [Math.round(columns / 2), Math.round(rows / 2)];
    from = drawn(from, columns, rows);
  }
  const canvas = from instanceof HTMLCanvasElement ? from : drawn(from, columns, rows);
  const pixels = contextOf(canvas).getImageData(0, 0, columns, rows);
  const small = emptyCanvas(width, height);
  contextOf(small).putImageData(averaged(pixels, width, height), 0, 0);
  return small;
}

function drawn(from: CanvasImageSource, width: number, height: number): HTMLCanvasElement {
  const canvas = emptyCanvas(width, height);
  const context = contextOf(canvas);
  context.fillStyle = "#fff"; // what is transparent lies on white, as on the server
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "low";
  context.drawImage(from, 0, 0, width, height);
  return canvas;
}

function emptyCanvas(width: number, height: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  return canvas;
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (context === null) throw new Error("The browser gives no canvas.");
  return context;
}

/** Averages areas: each new pixel is the mean of the old ones that it covers, by how much it does. */
export function averaged(from: ImageData, width: number, height: number): ImageData {
  const across = new Float32Array(width * from.height * 3);
  spread(from.width, width, (to, at, share) => {
    for (let y = 0; y < from.height; y++) {
      const source = (y * from.width + at) * 4;
      const target = (y * width + to) * 3;
      for (let c = 0; c < 3; c++) across[target + c]! += share * from.data[source + c]!;
    }
  });
  const sums = new Float32Array(width * height * 3);
  const line = width * 3;
  spread(from.height, height, (to, at, share) => {
    for (let i = 0; i < line; i++) sums[to * line + i]! += share * across[at * line + i]!;
  });
  const made = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) made.data[i * 4 + c] = Math.round(sums[i * 3 + c]!);
    made.data[i * 4 + 3] = 255;
  }
  return made;
}

/** Tells for each new place which old places it covers, and which share of it each fills. */
function spread(old: number, now: number, each: (to: number, at: number, share: number) => void): void {
  const step = old / now;
  for (let to = 0; to < now; to++) {
    const [start, end] = [to * step, Math.min(old, (to + 1) * step)];
    for (let at = Math.floor(start); at < end; at++) {
      each(to, at, (Math.min(end, at + 1) - Math.max(start, at)) / step);
    }
  }
}

function encoded(canvas: HTMLCanvasElement): Promise<Blob | null> {
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

/** Puts what the camera said into the copy; the server takes a copy as upright whatever stands there. */
function withExif(jpeg: Blob, exif: Uint8Array<ArrayBuffer> | null): Blob {
  return exif === null ? jpeg : new Blob([jpeg.slice(0, 2), exif, jpeg.slice(2)], { type: "image/jpeg" });
}

/** Gives the Exif segment (APP1) of a JPEG file, marker and all, or null where there is none. */
async function exifOf(file: Blob): Promise<Uint8Array<ArrayBuffer> | null> {
  const head = new Uint8Array(await file.slice(0, HEAD_BYTES).arrayBuffer());
  if (head[0] !== 0xff || head[1] !== 0xd8) return null;
  for (let at = 2; at + 10 <= head.length && head[at] === 0xff; ) {
    const marker = head[at + 1]!;
    if (marker < 0xe0 && marker !== 0xdb && marker !== 0xc4) return null; // the picture begins
    const end = at + 2 + head[at + 2]! * 256 + head[at + 3]!;
    const name = String.fromCharCode(...head.subarray(at + 4, at + 8));
    if (marker === 0xe1 && name === "Exif") return end <= head.length ? head.slice(at, end) : null;
    at = end;
  }
  return null;
}
