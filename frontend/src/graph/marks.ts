/** The display list: what is drawn, in order. Canvas and SVG both render it. */

import type { Box } from "./geometry";
import type { ItemId } from "./model";

/** A colour of the theme by name, or a colour as it is ("#…"). */
export type Ink = string;

export interface Rect extends Box {
  kind: "rect";
  owner: ItemId;
  r: number;
  fill: Ink | null;
  stroke: Ink | null;
  /** The fill where it is too small to be read. */
  far?: Ink;
}

export interface Label {
  kind: "label";
  owner: ItemId;
  x: number;
  y: number; // of the base line
  text: string;
  size: number;
  bold: boolean;
  ink: Ink;
  align: "left" | "center" | "right";
  /** Painted around the letters, where lines may cross them. */
  halo: Ink | null;
}

export interface Line {
  kind: "line";
  from: ItemId;
  to: ItemId;
  /** As `smooth` gives them. */
  path: number[];
  ink: Ink;
  width: number;
  arrow: boolean;
  dashed: boolean;
}

export type Mark = Rect | Label | Line;

export function extent(mark: Mark): Box {
  if (mark.kind === "rect") return mark;
  if (mark.kind === "label") {
    const w = mark.text.length * mark.size * 0.62;
    const x = mark.align === "left" ? mark.x : mark.align === "right" ? mark.x - w : mark.x - w / 2;
    return { x, y: mark.y - mark.size, w, h: mark.size * 1.3 };
  }
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < mark.path.length; i += 2) {
    x0 = Math.min(x0, mark.path[i]!);
    x1 = Math.max(x1, mark.path[i]!);
    y0 = Math.min(y0, mark.path[i + 1]!);
    y1 = Math.max(y1, mark.path[i + 1]!);
  }
  return { x: x0, y: y0, w: x1 - x0, h: y1 - y0 };
}
