/** A smooth line through points down the page: each piece leaves and arrives straight down. */

import type { Point } from "./geometry";

/** The start, then three points (two controls and an end) for each piece. */
export function smooth(points: Point[]): number[] {
  const out = [points[0]!.x, points[0]!.y];
  for (let i = 1; i < points.length; i++) {
    const [a, b] = [points[i - 1]!, points[i]!];
    const middle = (a.y + b.y) / 2;
    out.push(a.x, middle, b.x, middle, b.x, b.y);
  }
  return out;
}
