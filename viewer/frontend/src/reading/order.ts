// In which order the images of a series are fetched.

/** The order in which the rest of a series is fetched: outwards from where the reader is. */
export function centreOut(length: number, from: number): number[] {
  const order: number[] = [];
  for (let step = 1; order.length < length - 1 && step < length; step++) {
    if (from + step < length) order.push(from + step);
    if (from - step >= 0) order.push(from - step);
  }
  return order;
}
