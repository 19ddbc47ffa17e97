/** Points, boxes, and what to lay out: no drawing here. */

export interface Point {
  x: number;
  y: number;
}

/** A box by its left top corner. */
export interface Box extends Point {
  w: number;
  h: number;
}

/** Boxes of known size and the edges between them, by index. */
export interface Problem {
  sizes: { w: number; h: number }[];
  edges: [from: number, to: number][];
}

/** Where each box's left top corner is, the line of each edge, and how large it all is. */
export interface Layout {
  w: number;
  h: number;
  at: Point[];
  lines: Point[][];
}

export const GAP = { rank: 34, node: 26 } as const;

export function overlaps(a: Box, b: Box): boolean {
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
}

export function contains(box: Box, p: Point): boolean {
  return p.x >= box.x && p.x <= box.x + box.w && p.y >= box.y && p.y <= box.y + box.h;
}

/** The smallest box around boxes. */
export function around(boxes: Iterable<Box>): Box {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const b of boxes) {
    x0 = Math.min(x0, b.x);
    y0 = Math.min(y0, b.y);
    x1 = Math.max(x1, b.x + b.w);
    y1 = Math.max(y1, b.y + b.h);
  }
  return x0 > x1 ? { x: 0, y: 0, w: 1, h: 1 } : { x: x0, y: y0, w: x1 - x0, h: y1 - y0 };
}
