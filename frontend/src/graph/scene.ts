/** From an arrangement to the display list, and what is where in it. */

import { briefShape, type Dim } from "../lib/format";
import type { Arrangement, PlacedBox, PlacedLine } from "./arrange";
import { smooth } from "./curve";
import { LINE, TITLE } from "./face";
import { type Box, type Point, contains } from "./geometry";
import { type Mark, extent } from "./marks";
import { fit, width } from "./measure-text";
import { type ItemId, type Model, ROOT } from "./model";
import { familyInk, readable } from "./theme";
import { Tiles } from "./tiles";

/** What the colouring says of a box: its ground and the number shown in its corner. */
export interface Tint {
  color: string;
  text: string;
}

export interface SceneOptions {
  tints: Map<ItemId, Tint> | null;
  /** The shapes of a run, by value, where there is one. */
  shapes: Record<string, { shape: Dim[] | null }>;
}

export class Scene {
  readonly marks: Mark[];
  readonly extents: Box[];
  readonly tiles: Tiles;
  readonly boxes = new Map<ItemId, PlacedBox>();
  readonly w: number;
  readonly h: number;
  private readonly boxTiles: Tiles;
  private readonly boxList: PlacedBox[];

  constructor(
    readonly model: Model,
    readonly arrangement: Arrangement,
    options: SceneOptions,
  ) {
    this.w = arrangement.w;
    this.h = arrangement.h;
    this.marks = marksOf(arrangement, options);
    this.extents = this.marks.map(extent);
    this.tiles = new Tiles(this.extents);
    this.boxList = arrangement.boxes;
    this.boxTiles = new Tiles(this.boxList);
    for (const box of arrangement.boxes) this.boxes.set(box.id, box);
  }

  /** The innermost box at a point. */
  pick(point: Point): PlacedBox | null {
    let found: PlacedBox | null = null;
    for (const i of this.boxTiles.near({ ...point, w: 0, h: 0 })) {
      const box = this.boxList[i]!;
      if (contains(box, point) && (!found || box.depth >= found.depth)) found = box;
    }
    return found;
  }

  /** The box that shows an item: its own, or the closed one that holds it. */
  shows(id: ItemId): PlacedBox | null {
    if (this.boxes.has(id)) return this.boxes.get(id)!;
    return (
      this.model
        .holders(id)
        .map((holder) => this.boxes.get(holder))
        .find(Boolean) ?? null
    );
  }

  /** The ids of the boxes that show these items, and of the open groups around them. */
  shown(items: Iterable<ItemId>): Set<ItemId> {
    const found = new Set<ItemId>([ROOT]);
    for (const id of items) {
      const box = this.shows(id);
      if (!box || found.has(box.id)) continue;
      found.add(box.id);
      for (const holder of this.model.holders(box.id)) found.add(holder);
    }
    return found;
  }
}

function marksOf({ boxes, lines }: Arrangement, options: SceneOptions): Mark[] {
  const open = boxes.filter((box) => box.open).sort((a, b) => a.depth - b.depth);
  const closed = boxes.filter((box) => !box.open);
  const marks: Mark[] = [];
  for (const box of open) openRect(box, marks);
  for (const line of lines) lineMarks(line, marks);
  for (const box of closed) boxMarks(box, options, marks);
  for (const box of open) openTitle(box, options, marks);
  const labelled = new Set<string>();
  const leaving = new Map<string, number>();
  for (const { from } of lines) leaving.set(from, (leaving.get(from) ?? 0) + 1);
  for (const line of lines) {
    // One label for each value where it leaves its node; a group's border isn't where it is made.
    const key = `${line.from}\n${line.edges.map((edge) => edge.value).join()}`;
    if (line.leaves && !labelled.has(key))
      labelMarks(line, leaving.get(line.from)! > 1, options, marks);
    labelled.add(key);
  }
  return marks;
}

/** What is drawn on at a depth: the page, or the group around. */
function groundAt(depth: number): string {
  return depth === 0 ? "ground" : depth % 2 ? "open0" : "open1";
}

function openRect(box: PlacedBox, marks: Mark[]): void {
  const { id: owner, x, y, w, h } = box;
  marks.push({
    ...{ kind: "rect", owner, x, y, w, h, r: 8 },
    ...{ fill: groundAt(box.depth + 1), stroke: "border" },
  });
}

function openTitle(box: PlacedBox, options: SceneOptions, marks: Mark[]): void {
  const { id: owner, x, y, w } = box;
  const halo = groundAt(box.depth + 1);
  const text = `▾ ${box.face.title.replace("▸ ", "")}`;
  marks.push({
    ...{ kind: "label", owner, x: x + 14, y: y + 21, text, size: 12.5 },
    ...{ bold: true, ink: "soft", align: "left", halo },
  });
  const tint = options.tints?.get(owner);
  if (tint?.text) {
    marks.push({
      ...{ kind: "label", owner, x: x + w - 14, y: y + 21, text: tint.text, size: 11 },
      ...{ bold: false, ink: "soft", align: "right", halo },
    });
  }
}

function boxMarks(box: PlacedBox, options: SceneOptions, marks: Mark[]): void {
  const { id: owner, x, y, w, h, face } = box;
  const tint = options.tints?.get(owner);
  const ink = familyInk(face.family);
  const end = face.family === "input" || face.family === "output";
  const group = face.family === "group";
  const text = tint ? readable(tint.color) : "text";
  if (group) {
    // A second edge behind says that there is more inside.
    marks.push({
      ...{ kind: "rect", owner, x: x + 4, y: y + 4, w, h, r: 6, fill: "open1", stroke: "border" },
    });
  }
  marks.push({
    ...{ kind: "rect", owner, x, y, w, h, r: end ? h / 2 : 6 },
    ...{ fill: tint?.color ?? "box", stroke: end ? ink : "border", far: tint?.color ?? ink },
  });
  if (!end) {
    marks.push({
      ...{ kind: "rect", owner, x, y: y + 7, w: 3.5, h: h - 14, r: 1.5, fill: ink, stroke: null },
    });
  }
  const left = x + (end ? w / 2 : 13);
  const align = end ? ("center" as const) : ("left" as const);
  const room = w - 20 - (tint?.text && !end ? width(tint.text, LINE) + 8 : 0);
  marks.push({
    ...{ kind: "label", owner, x: left, y: y + 20, size: 13, bold: true, align, halo: null },
    ...{ text: fit(face.title, room, TITLE), ink: text },
  });
  // A pill has no corner for what is measured: it takes the place of the type.
  const lines = end && tint?.text ? [tint.text] : face.lines;
  lines.forEach((line, i) =>
    marks.push({
      ...{ kind: "label", owner, x: left, y: y + 36 + 15 * i, size: 11, bold: false, align },
      ...{ text: fit(line, w - 20, LINE), ink: tint ? text : "soft", halo: null },
    }),
  );
  if (tint?.text && !end) {
    marks.push({
      ...{ kind: "label", owner, x: x + w - 9, y: y + 20, text: tint.text, size: 11 },
      ...{ bold: false, ink: text, align: "right", halo: null },
    });
  }
}

function lineMarks(line: PlacedLine, marks: Mark[]): void {
  const types = line.edges.map((edge) => edge.graph.values[edge.value]);
  const dashed = types.every((t) => t !== undefined && !t.dtype.startsWith("float"));
  const thick = line.edges.length > 1 ? 1.8 : 1.2;
  const { from, to } = line;
  marks.push({
    ...{ kind: "line", from, to, path: smooth(line.points), ink: "line", width: thick },
    ...{ arrow: line.arrives, dashed },
  });
}

function labelMarks(line: PlacedLine, many: boolean, options: SceneOptions, marks: Mark[]): void {
  const edge = line.edges[0]!;
  const type = edge.graph.values[edge.value];
  const known = edge.graph.parent ? undefined : options.shapes[edge.value];
  if (!type || (known ?? type).shape === null) return;
  const values = new Set(line.edges.map((e) => e.value));
  const text = values.size > 1 ? `${values.size} tensors` : briefShape((known ?? type).shape);
  // In the first gap between layers, beside the line.
  const [a, b] = [line.points[0]!, line.points[1]!];
  if (b.y - a.y < 12) return;
  const down = Math.min(22, (b.y - a.y) / 2 + 4);
  const t = down / (b.y - a.y);
  const x = a.x + (b.x - a.x) * t * t * (3 - 2 * t);
  // Of several, a line that bends to the left has its label there: others are on its right.
  const beside =
    many && b.x < a.x - 8
      ? { x: Math.min(a.x, x) - 6, align: "right" as const }
      : { x: Math.max(a.x, x) + 6, align: "left" as const };
  marks.push({
    ...{ kind: "label", owner: line.from, ...beside, y: a.y + down },
    ...{ text, size: 10, bold: false, ink: "label", halo: groundAt(line.depth) },
  });
}
