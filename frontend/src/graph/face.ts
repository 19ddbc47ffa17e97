/** What the box of an item says, and how large it is to say it. */

import type { AttributeValue, NodeData } from "../api/types";
import { briefShape, count, head, shape, tail } from "../lib/format";
import { width } from "./measure-text";
import { type Item, nodeName, shortName } from "./model";

export interface Face {
  title: string;
  /** Smaller lines under the title. */
  lines: string[];
  /** Chooses the colour of the box's mark. */
  family: string;
  w: number;
  h: number;
}

export const TITLE = { size: 13, bold: true };
export const LINE = { size: 11, bold: false, height: 15 };
const [LEAST, MOST] = [112, 240];
/** Room beside the title for what colouring measures: "12.3 µs". */
const MEASURED = 44;

export function face(item: Item): Face {
  switch (item.kind) {
    case "node":
      return sized(title(item.node), nodeLines(item), item.node.family);
    case "group": {
      const { group } = item;
      const sums = [`${group.nodes} nodes`];
      if (group.parameters) sums.push(`${count(group.parameters)} parameters`);
      if (group.macs) sums.push(`${count(group.macs)} multiply-adds`);
      const second = sums.slice(1).join(" · ");
      return sized(`▸ ${head(group.name, 34)}`, second ? [sums[0]!, second] : sums, "group");
    }
    case "body":
      return sized(`▸ ${item.name}`, [`${item.graph.nodes.length} nodes`], "group");
    default: {
      const type = item.graph.values[item.value];
      const text = type ? `${type.dtype} ${briefShape(type.shape)}` : "";
      return sized(tail(item.value, 28), [text], item.kind);
    }
  }
}

function title(node: NodeData): string {
  const operator = plainOperator(node.operator);
  return Object.keys(node.bodies).length ? `▸ ${operator}` : operator;
}

/** "ai.onnx.ml.Scaler" → "Scaler": where it lives is in the panel. */
export function plainOperator(operator: string): string {
  return operator.slice(operator.lastIndexOf(".") + 1);
}

function sized(title: string, lines: string[], family: string): Face {
  const shown = lines.filter(Boolean);
  const widest = Math.max(
    width(title, TITLE) + MEASURED,
    ...shown.map((line) => width(line, LINE)),
  );
  const w = Math.round(Math.min(MOST, Math.max(LEAST, widest + 28)));
  return { title, lines: shown, family, w, h: 28 + shown.length * LINE.height };
}

function nodeLines(item: Extract<Item, { kind: "node" }>): string[] {
  const { node, graph } = item;
  const facts = [brief(node)];
  for (const name of node.inputs) {
    const value = graph.values[name];
    if (!value?.constant) continue;
    const small = value.constant.small;
    if (small && small.length <= 4) facts.push(`[${small.map(short).join(", ")}]`);
    else if (value.shape && value.shape.length > 1) facts.push(shape(value.shape));
  }
  const name = tail(shortName(nodeName(node)), 34);
  return [head(facts.filter(Boolean).slice(0, 3).join(" · "), 36), name];
}

function short(x: number | string | boolean | null): string {
  return typeof x === "number" && !Number.isInteger(x) ? String(Number(x.toPrecision(3))) : `${x}`;
}

/** The attributes by which people tell nodes of one kind apart. */
function brief(node: NodeData): string {
  const a = node.attributes;
  const parts: string[] = [];
  const kernel = numbers(a["kernel_shape"]);
  if (kernel) parts.push(kernel.join("×"));
  const strides = numbers(a["strides"]);
  if (strides?.some((s) => s !== 1)) parts.push(`stride ${alike(strides)}`);
  const dilations = numbers(a["dilations"]);
  if (dilations?.some((s) => s !== 1)) parts.push(`dilation ${alike(dilations)}`);
  if (typeof a["group"] === "number" && a["group"] !== 1) parts.push(`group ${a["group"]}`);
  if (typeof a["axis"] === "number") parts.push(`axis ${a["axis"]}`);
  const perm = numbers(a["perm"]);
  if (perm) parts.push(`(${perm.join(" ")})`);
  if (typeof a["to"] === "object" && "type" in (a["to"] as object)) {
    parts.push(`→ ${(a["to"] as { type: string }).type}`);
  }
  if (typeof a["mode"] === "string") parts.push(a["mode"]);
  if (typeof a["equation"] === "string") parts.push(a["equation"]);
  return parts.join(" ");
}

function numbers(value: AttributeValue | undefined): number[] | null {
  return Array.isArray(value) && value.length && typeof value[0] === "number"
    ? (value as number[])
    : null;
}

function alike(sizes: number[]): string {
  return sizes.every((s) => s === sizes[0]) ? String(sizes[0]) : sizes.join("×");
}
