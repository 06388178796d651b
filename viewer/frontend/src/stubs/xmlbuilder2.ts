// vtk.js drags xmlbuilder2 in for file formats that no page reads, and v4 of it dies on load in a
// browser (it extends a class that the bundler leaves out). Nothing here is ever called.
export const create = (): never => {
  throw new Error("XML building is not part of the pages.");
};
export const convert = create;
export const builder = create;
export const fragment = create;
