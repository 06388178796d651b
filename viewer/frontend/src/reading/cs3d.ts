// Draws lossless frames with Cornerstone3D: on the graphics card, or on the processor where there is none.
//
// The library is given images as plain grids (one unit a column, `aspect` units a row), never the patient's
// geometry: what is measured is measured in image pixels here, the same on both back ends.
import {
  Enums,
  RenderingEngine,
  cache,
  getRenderingCapabilities,
  imageLoader,
  init,
  metaData,
  setUseCPURendering,
  type StackViewport,
  type Types,
} from "@cornerstonejs/core";
import type { Point } from "./calibration.ts";
import { imageOf } from "./cs3d_image.ts";
import type { Frame } from "./manifest.ts";
import type { Pixels } from "./pixels.ts";
import type { Surface, View } from "./surface.ts";

const SCHEME = "lysbro";
const VIEWPORT = "reading";
const KEPT = 4; // images that the library holds on to; ours are in the pixel store

/** Starts the library over an element. */
export async function startCornerstone(element: HTMLDivElement): Promise<Surface> {
  const backend = chosenBackend();
  init();
  setUseCPURendering(backend === "cpu", false);
  cache.setMaxCacheSize(1 << 30);
  const engine = new RenderingEngine("lysbro");
  engine.enableElement({
    viewportId: VIEWPORT,
    type: Enums.ViewportType.STACK,
    element,
    defaultOptions: { background: [0, 0, 0] },
  });
  return new CornerstoneSurface(element, engine, backend);
}

/** The processor draws faster than a graphics card that is only pretended. */
function chosenBackend(): "cpu" | "gpu" {
  const wanted = window.sessionStorage.getItem("lysbro-backend");
  if (wanted === "cpu" || wanted === "gpu") return wanted;
  const able = getRenderingCapabilities();
  return !able.webgl || able.softwareRasterizer ? "cpu" : "gpu";
}

class CornerstoneSurface implements Surface {
  onMoved: () => void = () => undefined;
  private readonly viewport: StackViewport;
  private readonly images = new Map<string, Types.IImage>();
  private readonly half: number;
  private stack: Frame | null = null;
  private pixels: Pixels | null = null;
  private aspect = 1;

  constructor(
    private readonly element: HTMLDivElement,
    private readonly engine: RenderingEngine,
    readonly backend: "cpu" | "gpu",
  ) {
    this.viewport = engine.getViewport(VIEWPORT) as StackViewport;
    this.half = backend === "gpu" ? 0.5 : 0; // the card counts from the middle of a pixel, the processor from its corner
    imageLoader.registerImageLoader(SCHEME, (imageId: string) => ({ promise: this.load(imageId) }));
    metaData.addProvider((type: string, imageId: string) => this.metadata(type, imageId), 100);
    element.addEventListener(Enums.Events.CAMERA_MODIFIED, () => this.onMoved());
  }

  async show(frame: Frame, pixels: Pixels, view: View): Promise<void> {
    const imageId = idOf(frame);
    const isNew = !this.isLike(frame, pixels);
    this.pixels = pixels;
    this.stack = frame;
    this.aspect = frame.instance.aspect;
    this.images.set(imageId, imageOf(imageId, pixels, this.aspect));
    if (isNew) {
      await this.viewport.setStack(frame.series.frames.map(idOf), frame.index);
      if (this.backend === "cpu") this.resizeCanvas();
      this.viewport.resetCamera();
    } else {
      await this.viewport.setImageIdIndex(frame.index);
    }
    this.setView(view);
    this.dropOldest();
    if (isNew) this.onMoved();
  }

  setView(view: View): void {
    const pixels = this.pixels;
    if (pixels === null) return;
    const low = view.center - 0.5 - (view.width - 1) / 2;
    const ends = [low, low + Math.max(view.width - 1, 0.01)].map((end) => (end - pixels.intercept) / pixels.slope);
    const [lower = 0, upper = 1] = ends.sort((a, b) => a - b);
    const voiRange = pixels.samples === 3 ? { lower: 0, upper: 255 } : { lower, upper };
    this.viewport.setProperties({ voiRange, invert: view.isInverted !== pixels.slope < 0 });
    this.viewport.render();
  }

  toSurface([x, y]: Point): Point {
    const [left, top] = this.viewport.worldToCanvas([x - this.half, (y - this.half) * this.aspect, 0]);
    return [left, top];
  }

  toImage([left, top]: Point): Point {
    const [x, y] = this.viewport.canvasToWorld([left, top]);
    return [x + this.half, y / this.aspect + this.half];
  }

  zoomBy(factor: number, at: Point): void {
    const { parallelScale, scale } = this.viewport.getCamera();
    if (parallelScale === undefined || this.pixels === null) return;
    const most = this.pixels.rows * this.aspect * 4;
    const wanted = Math.min(most, Math.max(4, parallelScale / factor));
    const before = this.viewport.canvasToWorld([at[0], at[1]]);
    // on the processor a parallel scale is taken for CSS pixels whatever the screen's ratio; `scale` is exact
    if (this.backend === "cpu" && scale !== undefined) this.viewport.setCamera({ scale: (scale * parallelScale) / wanted });
    else this.viewport.setCamera({ parallelScale: wanted });
    const after = this.viewport.canvasToWorld([at[0], at[1]]);
    this.shift([before[0] - after[0], before[1] - after[1]]);
  }

  panBy(dx: number, dy: number): void {
    const from = this.viewport.canvasToWorld([0, 0]);
    const to = this.viewport.canvasToWorld([dx, dy]);
    this.shift([from[0] - to[0], from[1] - to[1]]);
  }

  fit(): void {
    this.viewport.setViewPresentation({ rotation: 0 });
    this.viewport.resetCamera();
    this.drawn();
  }

  turn(): void {
    const { rotation = 0 } = this.viewport.getViewPresentation();
    this.viewport.setViewPresentation({ rotation: (rotation + 90) % 360 });
    this.drawn();
  }

  mirror(): void {
    const { flipHorizontal = false } = this.viewport.getCamera();
    this.viewport.setCamera({ flipHorizontal: !flipHorizontal });
    this.drawn();
  }

  resize(): void {
    if (this.backend === "gpu") this.engine.resize(true, true);
    else this.resizeCanvas();
    this.drawn();
  }

  /** The library's own resizing forgets the screen's pixel ratio on the processor. */
  private resizeCanvas(): void {
    const { canvas } = this.viewport;
    const width = Math.round(this.element.clientWidth * window.devicePixelRatio);
    const height = Math.round(this.element.clientHeight * window.devicePixelRatio);
    if (width === 0 || height === 0 || (canvas.width === width && canvas.height === height)) return;
    canvas.width = width;
    canvas.height = height;
    this.viewport.resetCamera();
  }

  private shift([dx, dy]: readonly [number, number]): void {
    const { focalPoint, position } = this.viewport.getCamera();
    if (focalPoint === undefined || position === undefined) return;
    this.viewport.setCamera({
      focalPoint: [focalPoint[0] + dx, focalPoint[1] + dy, focalPoint[2]],
      position: [position[0] + dx, position[1] + dy, position[2]],
    });
    this.drawn();
  }

  private drawn(): void {
    this.viewport.render();
    this.onMoved();
  }

  /** A frame of another size, kind or series begins a new stack, with a camera of its own. */
  private isLike(frame: Frame, pixels: Pixels): boolean {
    const [old, was] = [this.pixels, this.stack];
    return (
      old !== null &&
      was?.series === frame.series &&
      was.instance.aspect === frame.instance.aspect &&
      old.rows === pixels.rows &&
      old.columns === pixels.columns &&
      old.samples === pixels.samples &&
      old.values.constructor === pixels.values.constructor
    );
  }

  private load(imageId: string): Promise<Types.IImage> {
    const image = this.images.get(imageId);
    return image ? Promise.resolve(image) : Promise.reject(new Error(`${imageId} is not here.`));
  }

  private dropOldest(): void {
    for (const id of this.images.keys()) {
      if (this.images.size <= KEPT) return;
      this.images.delete(id);
      if (cache.getImageLoadObject(id)) cache.removeImageLoadObject(id, { force: true });
    }
  }

  private metadata(type: string, imageId: string): unknown {
    const image = this.images.get(imageId);
    if (image === undefined) return undefined;
    switch (type) {
      case Enums.MetadataModules.IMAGE_PLANE:
        return plane(image);
      case Enums.MetadataModules.IMAGE_PIXEL:
        return {
          bitsAllocated: image.sizeInBytes / (image.rows * image.columns * image.numberOfComponents) === 1 ? 8 : 16,
          bitsStored: 16,
          highBit: 15,
          samplesPerPixel: image.numberOfComponents,
          photometricInterpretation: image.color ? "RGB" : "MONOCHROME2",
          pixelRepresentation: image.dataType === "Int16Array" ? 1 : 0,
        };
      case Enums.MetadataModules.GENERAL_SERIES:
        return { modality: "OT" };
      default:
        return undefined;
    }
  }
}

function idOf(frame: Frame): string {
  return `${SCHEME}:${frame.id}`;
}

function plane(image: Types.IImage): unknown {
  return {
    frameOfReferenceUID: SCHEME,
    rows: image.rows,
    columns: image.columns,
    rowCosines: [1, 0, 0],
    columnCosines: [0, 1, 0],
    imageOrientationPatient: [1, 0, 0, 0, 1, 0],
    imagePositionPatient: [0, 0, 0],
    rowPixelSpacing: image.rowPixelSpacing,
    columnPixelSpacing: image.columnPixelSpacing,
  };
}
