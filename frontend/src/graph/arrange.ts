/** From the tree of items and what is open in it to boxes and lines in one plane.
 *
 * Each open group is a problem of its own: its children are boxes (an open child is as large as its
 * own layout), and what enters or leaves goes by one port at its top and one at its bottom. */

import { type Face, face } from "./face";
import type { Box, Layout, Point, Problem } from "./geometry";
import { type Edge, type ItemId, type Model, ROOT } from "./model";

export interface PlacedBox extends Box {
  id: ItemId;
  depth: number;
  /** Shows its inside; else it shows its face. */
  open: boolean;
  face: Face;
}

export interface PlacedLine {
  points: Point[];
  from: ItemId;
  to: ItemId;
  /** The edges of the model that run here. */
  edges: Edge[];
  /** Ends at a box, with an arrow, rather than at a group's border. */
  arrives: boolean;
  /** Begins at a box, rather than at the border of the group around it. */
  leaves: boolean;
  depth: number;
}

export interface Arrangement {
  boxes: PlacedBox[];
  lines: PlacedLine[];
  w: number;
  h: number;
}

export type Solve = (problem: Problem) => Promise<Layout>;

const PAD = { x: 16, top: 36, bottom: 16 };
const PORT = { w: 6, h: 1 };

interface Line {
  from: ItemId | null; // null: the port at the top
  to: ItemId | null; // null: the port at the bottom
  edges: Edge[];
}

/** An open holder: its children, the lines between them, and, once solved, where they are. */
interface Frame {
  id: ItemId;
  children: ItemId[];
  lines: Map<string, Line>;
  layout?: Layout;
  top?: number; // index of the port at the top among the layout's boxes
  bottom?: number;
}

const NONE: ReadonlySet<ItemId> = new Set();

export async function arrange(
  model: Model,
  open: Set<ItemId>,
  solve: Solve,
  hidden: ReadonlySet<ItemId> = NONE,
): Promise<Arrangement> {
  const frames = openFrames(model, open, hidden);
  for (const edge of model.edges) if (!hidden.has(edge.from)) addLines(model, frames, edge);
  const faces = new Map<ItemId, Face>();
  const faceOf = (id: ItemId): Face => {
    let known = faces.get(id);
    if (!known) faces.set(id, (known = face(model.item(id))));
    return known;
  };
  await solveFrame(frames, ROOT, faceOf, solve);
  const out: Arrangement = { boxes: [], lines: [], w: 0, h: 0 };
  const root = frames.get(ROOT)!;
  place(frames, root, { x: 0, y: 0 }, 0, faceOf, out);
  out.w = root.layout!.w;
  out.h = root.layout!.h;
  return out;
}

function openFrames(
  model: Model,
  open: Set<ItemId>,
  hidden: ReadonlySet<ItemId>,
): Map<ItemId, Frame> {
  const frames = new Map<ItemId, Frame>();
  const visit = (id: ItemId): void => {
    const children = (model.children.get(id) ?? []).filter((child) => !hidden.has(child));
    frames.set(id, { id, children, lines: new Map() });
    for (const child of children) if (open.has(child) && model.holds(child)) visit(child);
  };
  visit(ROOT);
  return frames;
}

/** Puts an edge into the frame where its ends part, and into the frames it enters and leaves. */
function addLines(model: Model, frames: Map<ItemId, Frame>, edge: Edge): void {
  const from = chain(model, frames, edge.from);
  const to = chain(model, frames, edge.to);
  if (!from || !to) return;
  // Chains run from the outermost frame inwards: [holder, child], [child, its child], ...
  let common = 0;
  while (common < from.length && common < to.length && from[common] === to[common]) common++;
  if (common >= from.length || common >= to.length) return; // inside one closed box
  const frame = frames.get(common ? from[common - 1]! : ROOT)!;
  add(frame, from[common]!, to[common]!, edge);
  for (let i = common + 1; i < from.length; i++) {
    add(frames.get(from[i - 1]!)!, from[i]!, null, edge);
  }
  for (let i = common + 1; i < to.length; i++) {
    add(frames.get(to[i - 1]!)!, null, to[i]!, edge);
  }
}

/** The boxes seen that hold an item, outermost first; the last is a closed box or the item. */
function chain(model: Model, frames: Map<ItemId, Frame>, id: ItemId): ItemId[] | null {
  const path = [id, ...model.holders(id)].reverse();
  const seen: ItemId[] = [];
  for (const part of path) {
    seen.push(part);
    if (!frames.has(part)) return seen;
  }
  return seen;
}

function add(frame: Frame, from: ItemId | null, to: ItemId | null, edge: Edge): void {
  const key = `${from}\n${to}`;
  const line = frame.lines.get(key);
  if (line) line.edges.push(edge);
  else frame.lines.set(key, { from, to, edges: [edge] });
}

async function solveFrame(
  frames: Map<ItemId, Frame>,
  id: ItemId,
  faceOf: (id: ItemId) => Face,
  solve: Solve,
): Promise<void> {
  const frame = frames.get(id)!;
  const inner = frame.children.filter((child) => frames.has(child));
  await Promise.all(inner.map((child) => solveFrame(frames, child, faceOf, solve)));
  const sizes = frame.children.map((child) => {
    const layout = frames.get(child)?.layout;
    const { w, h } = layout ? openSize(layout, faceOf(child)) : faceOf(child);
    return { w, h };
  });
  const index = new Map(frame.children.map((child, i) => [child, i]));
  const lines = [...frame.lines.values()];
  if (lines.some((line) => line.from === null)) frame.top = sizes.push(PORT) - 1;
  if (lines.some((line) => line.to === null)) frame.bottom = sizes.push(PORT) - 1;
  const edges = lines.map(({ from, to }): [number, number] => [
    from === null ? frame.top! : index.get(from)!,
    to === null ? frame.bottom! : index.get(to)!,
  ]);
  frame.layout = await solve({ sizes, edges });
}

function place(
  frames: Map<ItemId, Frame>,
  frame: Frame,
  origin: Point,
  depth: number,
  faceOf: (id: ItemId) => Face,
  out: Arrangement,
): void {
  const layout = frame.layout!;
  const boxes = new Map<ItemId, PlacedBox>();
  frame.children.forEach((id, i) => {
    const inner = frames.get(id);
    const at = { x: origin.x + layout.at[i]!.x, y: origin.y + layout.at[i]!.y };
    const known = faceOf(id);
    const size = inner?.layout ? openSize(inner.layout, known) : known;
    const box = { id, ...at, w: size.w, h: size.h, depth, open: Boolean(inner), face: known };
    boxes.set(id, box);
    out.boxes.push(box);
    if (inner) place(frames, inner, inside(box, inner), depth + 1, faceOf, out);
  });
  [...frame.lines.values()].forEach((line, i) => {
    const points = layout.lines[i]!.map((p) => ({ x: origin.x + p.x, y: origin.y + p.y }));
    const [first, last] = [points[0]!, points.at(-1)!];
    if (line.from === null) first.y = origin.y - PAD.top;
    else leave(boxes.get(line.from)!, frames.get(line.from), first, points[1] ?? last);
    if (line.to === null) last.y = origin.y + layout.h + PAD.bottom;
    else enter(boxes.get(line.to)!, frames.get(line.to), last, points.at(-2) ?? first);
    out.lines.push({
      points,
      from: line.from ?? frame.id,
      to: line.to ?? frame.id,
      edges: line.edges,
      arrives: line.to !== null && !frames.has(line.to),
      leaves: line.from !== null,
      depth,
    });
  });
}

function openSize(layout: Layout, known: Face): { w: number; h: number } {
  const title = Math.min(260, 60 + 7.5 * known.title.length);
  return {
    w: Math.round(Math.max(layout.w, title) + 2 * PAD.x),
    h: Math.round(layout.h + PAD.top + PAD.bottom),
  };
}

/** Where a frame's own layout begins in its box. */
function inside(box: Box, frame: Frame): Point {
  return { x: box.x + (box.w - frame.layout!.w) / 2, y: box.y + PAD.top };
}

function leave(box: Box, frame: Frame | undefined, point: Point, toward: Point): void {
  point.y = box.y + box.h;
  point.x = frame ? portX(box, frame, frame.bottom) : near(box, toward);
}

function enter(box: Box, frame: Frame | undefined, point: Point, toward: Point): void {
  point.y = box.y;
  point.x = frame ? portX(box, frame, frame.top) : near(box, toward);
}

function portX(box: Box, frame: Frame, port: number | undefined): number {
  if (port === undefined) return box.x + box.w / 2;
  return inside(box, frame).x + frame.layout!.at[port]!.x + PORT.w / 2;
}

/** On the middle third of a box's border, toward where the line goes. */
function near(box: Box, toward: Point): number {
  const middle = box.x + box.w / 2;
  const room = box.w / 6;
  return middle + Math.max(-room, Math.min(room, (toward.x - middle) / 4));
}
