/** What comes before and after an item, and what lies between two. */

import type { ItemId, Model } from "./model";

export type Direction = "ancestors" | "descendants";

/** Everything from which (or to which) edges lead; the item itself is in it. */
export function reach(model: Model, start: ItemId, direction: Direction): Set<ItemId> {
  const up = direction === "ancestors";
  const seen = new Set([...leaves(model, start)]);
  const stack = [...seen];
  while (stack.length) {
    const id = stack.pop()!;
    for (const edge of (up ? model.previous : model.next).get(id) ?? []) {
      const other = up ? edge.from : edge.to;
      if (!seen.has(other)) {
        seen.add(other);
        stack.push(other);
      }
    }
  }
  return seen;
}

/** All that lies on any way from one item to another: empty where none leads there. */
export function between(model: Model, from: ItemId, to: ItemId): Set<ItemId> {
  const after = reach(model, from, "descendants");
  const before = reach(model, to, "ancestors");
  return new Set([...after].filter((id) => before.has(id)));
}

/** The ends of edges inside an item: nodes, inputs and outputs. */
function leaves(model: Model, id: ItemId): ItemId[] {
  const item = model.items.get(id);
  if (!item) return [];
  if (item.kind === "group" || item.kind === "body") {
    return (model.children.get(id) ?? []).flatMap((child) => leaves(model, child));
  }
  return [id];
}
