/** What is near what: boxes by the squares of a grid that they touch, for drawing and for picking. */

import type { Box } from "./geometry";

export class Tiles {
  private readonly cells = new Map<number, number[]>();
  private readonly wide: number[] = [];
  private seen: Uint32Array;
  private round = 0;

  constructor(
    private readonly boxes: Box[],
    private readonly size = 512,
  ) {
    this.seen = new Uint32Array(boxes.length);
    boxes.forEach((box, i) => {
      const [x0, y0, x1, y1] = this.span(box);
      if ((x1 - x0 + 1) * (y1 - y0 + 1) > 64) this.wide.push(i);
      else for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) this.put(x, y, i);
    });
  }

  private span(box: Box): [number, number, number, number] {
    const s = this.size;
    return [
      Math.floor(box.x / s),
      Math.floor(box.y / s),
      Math.floor((box.x + box.w) / s),
      Math.floor((box.y + box.h) / s),
    ];
  }

  private put(x: number, y: number, i: number): void {
    const key = y * 65536 + x;
    const cell = this.cells.get(key);
    if (cell) cell.push(i);
    else this.cells.set(key, [i]);
  }

  /** The boxes that may touch an area, in their order; all of them where it holds most. */
  near(area: Box): number[] {
    const [x0, y0, x1, y1] = this.span(area);
    if ((x1 - x0 + 1) * (y1 - y0 + 1) > this.cells.size) return [...this.boxes.keys()];
    this.round += 1;
    const found: number[] = [];
    const take = (i: number): void => {
      if (this.seen[i] !== this.round) {
        this.seen[i] = this.round;
        found.push(i);
      }
    };
    this.wide.forEach(take);
    for (let y = y0; y <= y1; y++) {
      for (let x = x0; x <= x1; x++) this.cells.get(y * 65536 + x)?.forEach(take);
    }
    return found.sort((a, b) => a - b);
  }
}
