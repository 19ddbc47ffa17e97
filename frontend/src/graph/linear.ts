/** Layers in linear time, for huge flat groups: longest path, two sweeps of averages, and each box
 * as near as it gets to the boxes before it. */

import { GAP, type Layout, type Point, type Problem } from "./geometry";

export function linearLayout({ sizes, edges }: Problem): Layout {
  const before: number[][] = sizes.map(() => []);
  const after: number[][] = sizes.map(() => []);
  for (const [a, b] of edges) {
    if (a === b) continue;
    before[b]!.push(a);
    after[a]!.push(b);
  }
  const rank = ranks(before, after);
  const layers: number[][] = [];
  rank.forEach((r, i) => (layers[r] ??= []).push(i));
  const middle = new Float64Array(sizes.length);
  for (const layer of layers) spread(layer, sizes, middle);
  for (const layer of layers) settle(layer, before, sizes, middle);
  for (const layer of layers.toReversed()) settle(layer, after, sizes, middle);
  for (const layer of layers) settle(layer, before, sizes, middle);

  const at: Point[] = new Array(sizes.length);
  const tops: number[] = [];
  const bottoms: number[] = [];
  let y = 0;
  let left = Infinity;
  for (const layer of layers) {
    const tall = layer.reduce((h, i) => Math.max(h, sizes[i]!.h), 0);
    tops.push(y);
    for (const i of layer) {
      const x = middle[i]! - sizes[i]!.w / 2;
      at[i] = { x, y: y + (tall - sizes[i]!.h) / 2 };
      left = Math.min(left, x);
    }
    bottoms.push(y + tall);
    y += tall + GAP.rank;
  }
  let right = 0;
  for (let i = 0; i < at.length; i++) {
    at[i]!.x -= left;
    right = Math.max(right, at[i]!.x + sizes[i]!.w);
  }
  const lines = edges.map(([a, b]) => route(a, b, rank, layers, at, sizes, tops, bottoms));
  for (const line of lines) for (const p of line) right = Math.max(right, p.x);
  return { w: right, h: Math.max(0, y - GAP.rank), at, lines };
}

/** The longest way from a source to each box. Boxes of a cycle follow what was reached. */
function ranks(before: number[][], after: number[][]): number[] {
  const rank = new Array<number>(before.length).fill(0);
  const left = before.map((b) => b.length);
  const queue = left.flatMap((n, i) => (n ? [] : [i]));
  for (let head = 0; head < queue.length; head++) {
    const i = queue[head]!;
    for (const j of after[i]!) {
      rank[j] = Math.max(rank[j]!, rank[i]! + 1);
      if (--left[j]! === 0) queue.push(j);
    }
  }
  // A source stands right above what it feeds, not at the top of a long column.
  for (const i of queue) {
    if (before[i]!.length === 0 && after[i]!.length) {
      rank[i] = Math.max(0, Math.min(...after[i]!.map((j) => rank[j]!)) - 1);
    }
  }
  const used = [...new Set(rank)].sort((a, b) => a - b);
  const dense = new Map(used.map((r, i) => [r, i]));
  return rank.map((r) => dense.get(r)!);
}

function spread(layer: number[], sizes: Problem["sizes"], middle: Float64Array): void {
  const total = layer.reduce((w, i) => w + sizes[i]!.w + GAP.node, -GAP.node);
  let x = -total / 2;
  for (const i of layer) {
    middle[i] = x + sizes[i]!.w / 2;
    x += sizes[i]!.w + GAP.node;
  }
}

/** Orders a layer by its neighbours' average, then sets each box there, pushed right where taken. */
function settle(
  layer: number[],
  neighbours: number[][],
  sizes: Problem["sizes"],
  middle: Float64Array,
): void {
  const wish = new Map<number, number>();
  for (const i of layer) {
    const near = neighbours[i]!;
    const sum = near.reduce((s, j) => s + middle[j]!, 0);
    wish.set(i, near.length ? sum / near.length : middle[i]!);
  }
  layer.sort((a, b) => wish.get(a)! - wish.get(b)!);
  let edge = -Infinity;
  let drift = 0;
  for (const i of layer) {
    const half = sizes[i]!.w / 2;
    const x = Math.max(wish.get(i)!, edge + half);
    drift += x - wish.get(i)!;
    middle[i] = x;
    edge = x + half + GAP.node;
  }
  const shift = drift / layer.length;
  for (const i of layer) middle[i]! -= shift;
}

/** Straight to the next layer; past the layers between on their right, where they are in the way. */
function route(
  a: number,
  b: number,
  rank: number[],
  layers: number[][],
  at: Point[],
  sizes: Problem["sizes"],
  tops: number[],
  bottoms: number[],
): Point[] {
  const [from, to] = [rank[a]!, rank[b]!];
  const start = { x: at[a]!.x + sizes[a]!.w / 2, y: at[a]!.y + sizes[a]!.h };
  const end = { x: at[b]!.x + sizes[b]!.w / 2, y: at[b]!.y };
  if (to - from <= 1) return [start, end];
  let side = -Infinity;
  let blocked = false;
  const between = Math.min(to, from + 200); // of a very long edge the first layers decide
  for (let r = from + 1; r < between; r++) {
    for (const i of layers[r]!) {
      const [x0, x1] = [at[i]!.x, at[i]!.x + sizes[i]!.w];
      side = Math.max(side, x1);
      const t = (tops[r]! - start.y) / (end.y - start.y);
      const x = start.x + t * (end.x - start.x);
      if (x > x0 - 6 && x < x1 + 6) blocked = true;
    }
  }
  if (!blocked) return [start, end];
  const lane = side + 16 + ((a * 7) % 5) * 6;
  return [start, { x: lane, y: tops[from + 1]! - 4 }, { x: lane, y: bottoms[to - 1]! + 4 }, end];
}
