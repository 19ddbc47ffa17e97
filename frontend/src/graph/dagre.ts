/** Layers by dagre: the careful layout, for up to a few hundred boxes. */

import { Graph, layout } from "@dagrejs/dagre";
import { GAP, type Layout, type Problem } from "./geometry";

interface Placed {
  x: number;
  y: number;
  width: number;
  height: number;
}

export function dagreLayout({ sizes, edges }: Problem): Layout {
  const graph = new Graph({ multigraph: true });
  graph.setGraph({
    ranker: "tight-tree",
    ranksep: GAP.rank,
    nodesep: GAP.node,
    edgesep: 14,
    marginx: 0,
    marginy: 0,
  });
  graph.setDefaultEdgeLabel(() => ({}));
  sizes.forEach(({ w, h }, i) => graph.setNode(String(i), { width: w, height: h }));
  edges.forEach(([a, b], i) => graph.setEdge(String(a), String(b), {}, String(i)));
  layout(graph);
  const at = sizes.map((_, i) => {
    const n = graph.node(String(i)) as unknown as Placed;
    return { x: n.x - n.width / 2, y: n.y - n.height / 2 };
  });
  const lines = edges.map(([a, b], i) => {
    const edge = graph.edge({ v: String(a), w: String(b), name: String(i) }) as unknown as {
      points: { x: number; y: number }[];
    };
    // dagre bends every line between ranks too: bends within ranks, every second one, are enough.
    const bends = edge.points.filter((_, k) => k % 2 === 0 && k < edge.points.length - 1);
    return [...bends, edge.points.at(-1)!].map(({ x, y }) => ({ x, y }));
  });
  const size = graph.graph() as unknown as { width: number; height: number };
  return { w: size.width, h: size.height, at, lines };
}
