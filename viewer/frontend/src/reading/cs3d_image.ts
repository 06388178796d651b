// Makes the image object that Cornerstone3D draws from plain values; stored values, no rescale.
import { Enums, utilities, type Types } from "@cornerstonejs/core";
import type { Pixels } from "./pixels.ts";

/** Gives the library's image for a frame; its rows are `aspect` units high, its columns one unit wide. */
export function imageOf(imageId: string, pixels: Pixels, aspect: number): Types.IImage {
  const { rows, columns } = pixels;
  const isColour = pixels.samples === 3;
  const values = pixels.values instanceof Int8Array ? Int16Array.from(pixels.values) : pixels.values;
  const voxelManager = utilities.VoxelManager.createImageVoxelManager({
    scalarData: values,
    width: columns,
    height: rows,
    numberOfComponents: pixels.samples,
  });
  const image = {
    imageId,
    referencedImageId: undefined,
    dataType: values.constructor.name as Types.PixelDataTypedArrayString,
    minPixelValue: pixels.min,
    maxPixelValue: pixels.max,
    slope: 1,
    intercept: 0,
    windowCenter: isColour ? 128 : (pixels.min + pixels.max + 1) / 2,
    windowWidth: isColour ? 256 : pixels.max - pixels.min + 1,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    rows,
    columns,
    height: rows,
    width: columns,
    color: isColour,
    rgba: false,
    numberOfComponents: pixels.samples,
    columnPixelSpacing: 1,
    rowPixelSpacing: aspect,
    invert: false,
    photometricInterpretation: isColour ? "RGB" : "MONOCHROME2",
    sizeInBytes: values.byteLength,
    voxelManager,
    getPixelData: () => values,
    getCanvas: undefined as unknown as () => HTMLCanvasElement,
    imageFrame: { photometricInterpretation: isColour ? "RGB" : "MONOCHROME2" } as Types.IImage["imageFrame"],
  };
  return image as unknown as Types.IImage;
}
