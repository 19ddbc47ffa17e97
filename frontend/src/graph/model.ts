/** A model as a tree of items (nodes, groups, bodies, inputs, outputs) and the edges between them. */

import type {
  Group,
  GraphData,
  GraphId,
  ModelDocument,
  NodeData,
  NodeId,
  ValueData,
} from "../api/types";

/** "n:17", "g:GROUP", "b:17.then_branch" (a body; "b:" is the whole model), "i:GRAPH:name", "o:…" */
export type ItemId = string;

export type Item =
  | { kind: "node"; id: ItemId; parent: ItemId; graph: GraphData; node: NodeData }
  | { kind: "group"; id: ItemId; parent: ItemId; graph: GraphData; group: Group }
  | { kind: "body"; id: ItemId; parent: ItemId | null; graph: GraphData; name: string }
  | { kind: "input" | "output"; id: ItemId; parent: ItemId; graph: GraphData; value: string };

export interface Edge {
  from: ItemId;
  to: ItemId;
  value: string;
  graph: GraphData;
}

export const ROOT: ItemId = "b:";
export const nodeItem = (id: NodeId): ItemId => `n:${id}`;
export const groupItem = (id: string): ItemId => `g:${id}`;
export const bodyItem = (id: GraphId): ItemId => `b:${id}`;

export class Model {
  readonly items = new Map<ItemId, Item>();
  readonly children = new Map<ItemId, ItemId[]>();
  readonly edges: Edge[] = [];
  readonly next = new Map<ItemId, Edge[]>();
  readonly previous = new Map<ItemId, Edge[]>();
  readonly nodes: NodeData[] = [];
  /** What no input reaches, and groups of nothing else: drawn only when asked for. */
  readonly constants = new Set<ItemId>();
  private readonly graphOf = new Map<NodeId, GraphData>();
  private readonly producers = new Map<GraphData, Map<string, ItemId>>();

  constructor(readonly document: ModelDocument) {
    for (const graph of Object.values(document.graphs)) {
      const parent = graph.parent ? nodeItem(graph.parent.node) : null;
      const name = graph.parent?.attribute ?? graph.name;
      this.add({ kind: "body", id: bodyItem(graph.id), parent, graph, name });
    }
    for (const group of document.groups) {
      const graph = document.graphs[group.graph]!;
      const parent = group.parent !== null ? groupItem(group.parent) : bodyItem(group.graph);
      this.add({ kind: "group", id: groupItem(group.id), parent, graph, group });
    }
    for (const graph of Object.values(document.graphs)) this.addGraph(graph);
    for (const graph of Object.values(document.graphs)) this.findConstants(graph);
    for (const group of document.groups.toReversed()) {
      const children = this.children.get(groupItem(group.id)) ?? [];
      if (children.every((id) => this.constants.has(id))) this.constants.add(groupItem(group.id));
    }
  }

  private findConstants(graph: GraphData): void {
    for (const node of graph.nodes) {
      const id = nodeItem(node.id);
      const fed = (this.previous.get(id) ?? []).some((edge) => !this.constants.has(edge.from));
      const random = node.family === "random" || Object.keys(node.bodies).length > 0;
      const shown = (this.next.get(id) ?? []).some((edge) => edge.to.startsWith("o:"));
      if (!fed && !random && !shown) this.constants.add(id);
    }
  }

  private add(item: Item): void {
    this.items.set(item.id, item);
    if (item.parent !== null) push(this.children, item.parent, item.id);
  }

  private addGraph(graph: GraphData): void {
    const root = bodyItem(graph.id);
    const maker = new Map<string, ItemId>();
    this.producers.set(graph, maker);
    for (const value of graph.inputs) {
      if (this.constantAround(graph, value)) continue;
      const id = `i:${graph.id}:${value}`;
      this.add({ kind: "input", id, parent: root, graph, value });
      maker.set(value, id);
    }
    for (const node of graph.nodes) {
      const id = nodeItem(node.id);
      const parent = node.group !== null ? groupItem(node.group) : root;
      this.add({ kind: "node", id, parent, graph, node });
      this.nodes.push(node);
      this.graphOf.set(node.id, graph);
      for (const value of node.outputs) if (value) maker.set(value, id);
    }
    for (const node of graph.nodes) {
      for (const value of new Set(node.inputs)) {
        const from = maker.get(value);
        if (from) this.connect({ from, to: nodeItem(node.id), value, graph });
      }
    }
    for (const value of graph.outputs) {
      const id = `o:${graph.id}:${value}`;
      if (this.items.has(id)) continue;
      this.add({ kind: "output", id, parent: root, graph, value });
      const from = maker.get(value);
      if (from) this.connect({ from, to: id, value, graph });
    }
  }

  /** Whether a value is a constant, of a graph or, where a body captures it, of one around. */
  private constantAround(graph: GraphData, value: string): boolean {
    if (graph.values[value]?.constant) return true;
    const captured = graph.inputs.indexOf(value) >= graph.inputs.length - graph.captures;
    if (!graph.parent || !captured) return false;
    const { node } = graph.parent; // "17" is in "", "17.then_branch.3" in "17.then_branch"
    const around = this.document.graphs[node.slice(0, Math.max(0, node.lastIndexOf(".")))];
    return around !== undefined && this.constantAround(around, value);
  }

  private connect(edge: Edge): void {
    this.edges.push(edge);
    push(this.next, edge.from, edge);
    push(this.previous, edge.to, edge);
  }

  item(id: ItemId): Item {
    return this.items.get(id)!;
  }

  /** Whether an item holds others: a group, a body, or a node with bodies. */
  holds(id: ItemId): boolean {
    return this.children.has(id);
  }

  /** What holds an item, from the nearest outwards, without the whole model. */
  holders(id: ItemId): ItemId[] {
    const found: ItemId[] = [];
    let parent = this.items.get(id)?.parent ?? null;
    while (parent !== null && parent !== ROOT) {
      found.push(parent);
      parent = this.items.get(parent)!.parent;
    }
    return found;
  }

  graph(node: NodeId): GraphData {
    return this.graphOf.get(node)!;
  }

  producer(graph: GraphData, value: string): ItemId | undefined {
    return this.producers.get(graph)?.get(value);
  }

  value(graph: GraphData, name: string): ValueData | undefined {
    return graph.values[name];
  }

  /** The nodes inside an item (itself, where it is one; bodies are left to their node). */
  nodesIn(id: ItemId): NodeData[] {
    const item = this.item(id);
    if (item.kind === "node") return [item.node];
    return (this.children.get(id) ?? []).flatMap((child) => this.nodesIn(child));
  }
}

function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}

/** What a person calls a node: its name, or else its first output's. */
export function nodeName(node: NodeData): string {
  return node.name || node.outputs.find(Boolean) || node.operator;
}

/** The last part of a scoped name, with its scope left to the group that holds it. */
export function shortName(name: string): string {
  const parts = name.split(/[/]/).filter(Boolean);
  return parts.at(-1) ?? name;
}
