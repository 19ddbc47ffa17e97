/** A box in words, for those who don't see it. */

import { shape } from "../lib/format";
import type { PlacedBox } from "./arrange";
import { type Model, nodeName } from "./model";

export function describe(model: Model, box: PlacedBox): string {
  const item = model.item(box.id);
  const parts = [box.face.title, ...box.face.lines];
  if (item.kind === "node") {
    const value = item.graph.values[item.node.outputs.find(Boolean) ?? ""];
    if (value) parts.push(`gives ${value.dtype} ${shape(value.shape)}`);
  }
  if (model.holds(box.id)) parts.push(box.open ? "open" : "closed, Enter opens it");
  return parts.join(", ");
}

/** The whole name and what goes in and out of a node, a line each. */
export function tooltip(model: Model, box: PlacedBox): string[] {
  const item = model.item(box.id);
  if (item.kind === "group") return [item.group.path];
  if (item.kind !== "node") return [];
  const type = (name: string): string[] => {
    const value = item.graph.values[name];
    return value ? [`${value.dtype} ${shape(value.shape)}`] : [];
  };
  const ins = item.node.inputs.flatMap(type).slice(0, 4).join(", ");
  return [
    `${item.node.operator} ${nodeName(item.node)}`,
    `${ins} → ${item.node.outputs.flatMap(type).join(", ")}`,
  ];
}
