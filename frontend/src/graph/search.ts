/** The find box: `op:Conv kernel:3x3 time>1ms -name:head "some text"`, every term must hold. */

import type { AttributeValue, NodeData, ValueData } from "../api/types";
import type { GraphData } from "../api/types";
import { MEASURES, type Measure, type Measured } from "./measures";
import { nodeName } from "./model";

export type Test = (node: NodeData, graph: GraphData, measured: Measured) => boolean;
export type Query = { test: Test; measures: Measure[] } | { error: string };

type Relation = ":" | "=" | ">" | "<" | ">=" | "<=";
const TERM = /^(-?)([A-Za-z_]\w*)(>=|<=|[:=<>])(.*)$/s;

/** What people type for what ONNX writes. */
const ALIASES: Record<string, string> = {
  kernel: "kernel_shape",
  stride: "strides",
  pad: "pads",
  dilation: "dilations",
  groups: "group",
};
const MEASURE_ALIASES: Record<string, Measure> = {
  parameters: "params",
  zeros: "sparsity",
  roofline: "share",
};

export function parse(text: string): Query {
  const tests: Test[] = [];
  const measures = new Set<Measure>();
  for (const term of split(text)) {
    const parts = TERM.exec(term);
    if (!parts) {
      tests.push(word(term));
      continue;
    }
    const [, minus, key, relation, rest] = parts as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    if (!rest) return { error: `“${term}” lacks what to look for` };
    const test = keyed(key.toLowerCase(), relation as Relation, unquote(rest), measures);
    if (typeof test === "string") return { error: test };
    tests.push(minus ? (...a) => !test(...a) : test);
  }
  return { test: (...a) => tests.every((test) => test(...a)), measures: [...measures] };
}

/** At spaces, but not inside quotes. */
function split(text: string): string[] {
  return text.match(/(?:[^\s"]+|"[^"]*"?)+/g) ?? [];
}

function unquote(text: string): string {
  return text.replaceAll('"', "");
}

function word(term: string): Test {
  const minus = term.startsWith("-") && term.length > 1;
  const wanted = unquote(minus ? term.slice(1) : term).toLowerCase();
  return (node) =>
    minus !==
    [node.operator, node.name, ...node.inputs, ...node.outputs].some((text) =>
      text.toLowerCase().includes(wanted),
    );
}

function keyed(key: string, relation: Relation, text: string, used: Set<Measure>): Test | string {
  const measure = key in MEASURES ? (key as Measure) : MEASURE_ALIASES[key];
  if (measure) {
    const wanted = number(text);
    if (wanted === null) return `“${text}” is no number`;
    used.add(measure);
    const relates = relation === ":" ? "=" : relation;
    return (_, __, measured) => {
      const x = measured[measure];
      return x !== undefined && compare(x, relates, wanted);
    };
  }
  const wanted = text.toLowerCase();
  switch (key) {
    case "op":
    case "operator":
      return (node) => matches(node.operator.slice(node.operator.lastIndexOf(".") + 1), wanted);
    case "name":
      return (node) => nodeName(node).toLowerCase().includes(wanted);
    case "family":
      return (node) => node.family.toLowerCase().includes(wanted);
    case "shape":
      return (node, graph) => ports(node, graph).some((value) => hasShape(value, wanted));
    case "dtype":
    case "type":
      return (node, graph) => ports(node, graph).some((v) => v.dtype.toLowerCase() === wanted);
    case "input":
      return (node) => node.inputs.some((name) => name.toLowerCase().includes(wanted));
    case "output":
      return (node) => node.outputs.some((name) => name.toLowerCase().includes(wanted));
  }
  const name = ALIASES[key] ?? key;
  return (node) => {
    const value = node.attributes[name];
    return value !== undefined && attribute(value, relation, wanted);
  };
}

/** Whole, unless it has a star: "conv*". */
function matches(text: string, wanted: string): boolean {
  const lower = text.toLowerCase();
  if (!wanted.includes("*")) return lower === wanted;
  const parts = wanted.split("*").map((part) => part.replace(/[^\w]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(lower);
}

function attribute(value: AttributeValue, relation: Relation, wanted: string): boolean {
  if (typeof value === "number") {
    const x = number(wanted);
    return x !== null && compare(value, relation === ":" ? "=" : relation, x);
  }
  if (Array.isArray(value)) {
    const sizes = wanted.split(/[x×,]/);
    const same = sizes.length === value.length || sizes.length === 1;
    return same && value.every((v, i) => String(v) === (sizes[i] ?? sizes[0]));
  }
  if (typeof value === "string") return value.toLowerCase().includes(wanted);
  return Object.values(value).some((text) => String(text).toLowerCase().includes(wanted));
}

function ports(node: NodeData, graph: GraphData): ValueData[] {
  return [...node.inputs, ...node.outputs].flatMap((name) => graph.values[name] ?? []);
}

/** "56x56" is anywhere in the shape; "?" stands for any size. */
function hasShape(value: ValueData, wanted: string): boolean {
  if (!value.shape) return false;
  const sizes = wanted.split(/[x×,]/).filter(Boolean);
  const dims = value.shape.map((d) => String(d ?? "?").toLowerCase());
  return dims.some((_, from) =>
    sizes.every((size, i) => from + i < dims.length && (size === "?" || dims[from + i] === size)),
  );
}

function compare(x: number, relation: Relation, y: number): boolean {
  switch (relation) {
    case ">":
      return x > y;
    case "<":
      return x < y;
    case ">=":
      return x >= y;
    case "<=":
      return x <= y;
    default:
      return Math.abs(x - y) <= 1e-9 * Math.max(Math.abs(x), Math.abs(y));
  }
}

const UNITS: Record<string, number> = {
  "": 1,
  "%": 0.01,
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  ms: 1e-3,
  s: 1,
  k: 1e3,
  kb: 1e3,
  m: 1e6,
  mb: 1e6,
  g: 1e9,
  gb: 1e9,
  b: 1,
};

/** "1ms" → 0.001, "2.5M" → 2500000; null where it is no number. */
export function number(text: string): number | null {
  const parts = /^([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([a-zµ%]*)$/i.exec(text.trim());
  if (!parts) return null;
  const unit = UNITS[parts[2]!.toLowerCase()];
  return unit === undefined ? null : Number(parts[1]) * unit;
}
