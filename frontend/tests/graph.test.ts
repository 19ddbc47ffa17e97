import { describe, expect, it } from "vitest";
import type { GraphData, ModelDocument, NodeData } from "../src/api/types";
import { arrange } from "../src/graph/arrange";
import { contains, overlaps, type Problem } from "../src/graph/geometry";
import { dagreLayout } from "../src/graph/dagre";
import { layoutOf } from "../src/graph/layout";
import { linearLayout } from "../src/graph/linear";
import { Model, ROOT } from "../src/graph/model";
import { between, reach } from "../src/graph/reach";
import { Scene } from "../src/graph/scene";
import { smooth } from "../src/graph/curve";
import { toSvg } from "../src/graph/svg";
import { THEMES } from "../src/graph/theme";
import { Tiles } from "../src/graph/tiles";

function node(
  id: string,
  inputs: string[],
  outputs: string[],
  more: Partial<NodeData> = {},
): NodeData {
  return {
    ...{ id, name: `node${id}`, operator: "Relu", family: "activation", attributes: {} },
    ...{ inputs, outputs, group: null, bodies: {}, parameters: 0, macs: 0, bytes: 0 },
    ...more,
  };
}

function graph(id: string, nodes: NodeData[], inputs: string[], outputs: string[]): GraphData {
  const names = new Set([...inputs, ...nodes.flatMap((n) => [...n.inputs, ...n.outputs])]);
  const type = { type: "float32[1, 3]", dtype: "float32", shape: [1, 3] };
  const values = Object.fromEntries([...names].map((name) => [name, type]));
  return { id, name: id, parent: null, inputs, outputs, captures: 0, nodes, values };
}

/** in → 0 → [1 → 2] → 3 → out, and 0 → 3 past the group; 3 is an If with a body. */
function sample(): ModelDocument {
  const main = graph(
    "",
    [
      node("0", ["in"], ["a"]),
      node("1", ["a"], ["b"], { group: "g" }),
      node("2", ["b"], ["c"], { group: "g" }),
      node("3", ["c", "a"], ["out"], { operator: "If", bodies: { then_branch: "3.then_branch" } }),
    ],
    ["in"],
    ["out"],
  );
  const body = graph("3.then_branch", [node("3.then_branch.0", ["x"], ["y"])], ["x"], ["y"]);
  body.parent = { node: "3", attribute: "then_branch" };
  const group = { id: "g", name: "g", path: "g", parent: null, graph: "", kind: "scope" as const };
  return {
    ...{ id: "d1", name: "sample.onnx", opsets: {}, inputs: ["in"], outputs: ["out"], symbols: [] },
    graphs: { "": main, "3.then_branch": body },
    groups: [{ ...group, like: null, nodes: 2, parameters: 0, macs: 0 }],
    ...{
      operators: {},
      totals: { nodes: 4, parameters: 0, parameter_bytes: 0, macs: 0 },
      runs: [],
    },
    metadata: {
      ...{ producer_name: "", graph_name: "", domain: "", description: "" },
      ...{ graph_description: "", version: 0, custom_metadata_map: {} },
    },
  };
}

const solve = (problem: Problem) => Promise.resolve(layoutOf(problem));

function ladder(n: number): Problem {
  const edges: [number, number][] = [];
  for (let i = 1; i < n; i++) {
    edges.push([i - 1, i]);
    if (i % 3 === 0) edges.push([i - 3, i]);
  }
  return { sizes: Array.from({ length: n }, (_, i) => ({ w: 100 + (i % 4) * 20, h: 40 })), edges };
}

describe.each([
  ["dagre", dagreLayout],
  ["linear", linearLayout],
])("%s layout", (_, layout) => {
  const problem = ladder(40);
  const { at, lines, w, h } = layout(problem);
  const boxes = at.map((p, i) => ({ ...p, ...problem.sizes[i]! }));

  it("keeps boxes apart and inside", () => {
    boxes.forEach((a, i) => {
      expect(a.x).toBeGreaterThanOrEqual(-1e-6);
      expect(a.x + a.w).toBeLessThanOrEqual(w + 1e-6);
      expect(a.y + a.h).toBeLessThanOrEqual(h + 1e-6);
      for (const b of boxes.slice(i + 1)) expect(overlaps(a, b)).toBe(false);
    });
  });

  it("leads every edge down, from its start to its end", () => {
    problem.edges.forEach(([a, b], i) => {
      expect(boxes[a]!.y + boxes[a]!.h).toBeLessThanOrEqual(boxes[b]!.y);
      expect(lines[i]!.length).toBeGreaterThanOrEqual(2);
    });
  });
});

describe("linear layout", () => {
  it("lays out ten thousand boxes in time", () => {
    const begun = performance.now();
    expect(linearLayout(ladder(10_000)).at).toHaveLength(10_000);
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  it("survives a cycle", () => {
    const sizes = [1, 2, 3].map(() => ({ w: 10, h: 10 }));
    const { at } = linearLayout({
      sizes,
      edges: [
        [0, 1],
        [1, 2],
        [2, 1],
      ],
    });
    expect(at.every((p) => Number.isFinite(p.x) && Number.isFinite(p.y))).toBe(true);
  });
});

describe("arrange", () => {
  const model = new Model(sample());

  it("draws closed groups as one box and leads edges to it", async () => {
    const { boxes, lines } = await arrange(model, new Set(), solve);
    expect(boxes.map((b) => b.id).sort()).toEqual(["g:g", "i::in", "n:0", "n:3", "o::out"]);
    const ends = lines.map((line) => `${line.from} ${line.to}`).sort();
    expect(ends).toEqual(["g:g n:3", "i::in n:0", "n:0 g:g", "n:0 n:3", "n:3 o::out"]);
  });

  it("holds the children of an open group, and leads edges through its border", async () => {
    const { boxes, lines } = await arrange(model, new Set(["g:g"]), solve);
    const outer = boxes.find((b) => b.id === "g:g")!;
    for (const id of ["n:1", "n:2"]) {
      const inner = boxes.find((b) => b.id === id)!;
      expect(inner.depth).toBe(1);
      expect(contains(outer, inner)).toBe(true);
      expect(contains(outer, { x: inner.x + inner.w, y: inner.y + inner.h })).toBe(true);
    }
    const arriving = lines.find((line) => line.from === "n:0" && line.to === "g:g")!;
    const onward = lines.find((line) => line.from === "g:g" && line.to === "n:1")!;
    expect(arriving.points.at(-1)!.x).toBeCloseTo(onward.points[0]!.x);
    expect(arriving.points.at(-1)!.y).toBeCloseTo(outer.y);
    expect(onward.points[0]!.y).toBeCloseTo(outer.y);
  });

  it("opens bodies inside their node", async () => {
    const open = new Set(["n:3", "b:3.then_branch"]);
    const { boxes } = await arrange(model, open, solve);
    const depth = Object.fromEntries(boxes.map((b) => [b.id, b.depth]));
    expect(depth["n:3"]).toBe(0);
    expect(depth["b:3.then_branch"]).toBe(1);
    expect(depth["n:3.then_branch.0"]).toBe(2);
  });
});

describe("bodies", () => {
  it("don't show the constants that they capture", () => {
    const document = sample();
    const body = document.graphs["3.then_branch"]!;
    body.inputs.push("w");
    body.captures = 2;
    const value = { type: "float32[2]", dtype: "float32", shape: [2], constant: { bytes: 8 } };
    document.graphs[""]!.values["w"] = value;
    const shown = new Model(document).children.get("b:3.then_branch");
    expect(shown).toEqual(["i:3.then_branch:x", "n:3.then_branch.0", "o:3.then_branch:y"]);
  });
});

describe("scene", () => {
  it("puts the labels of two outputs on either side", async () => {
    const nodes = [node("0", ["in"], ["a", "b"]), node("1", ["a"], ["c"]), node("2", ["b"], ["d"])];
    const graphs = { "": graph("", nodes, ["in"], ["c", "d"]) };
    const model = new Model({ ...sample(), graphs, groups: [] });
    const scene = new Scene(model, await arrange(model, new Set(), solve), {
      tints: null,
      shapes: {},
    });
    const labels = scene.marks.filter(
      (mark) => mark.kind === "label" && mark.ink === "label" && mark.owner === "n:0",
    );
    const sides = labels.map((mark) => mark.kind === "label" && mark.align);
    expect(new Set(sides)).toEqual(new Set(["left", "right"]));
  });

  it("picks the innermost box, finds closed holders, and writes SVG", async () => {
    const model = new Model(sample());
    const open = await arrange(model, new Set(["g:g"]), solve);
    const scene = new Scene(model, open, { tints: null, shapes: {} });
    const box = scene.boxes.get("n:1")!;
    expect(scene.pick({ x: box.x + 3, y: box.y + 3 })!.id).toBe("n:1");
    expect(scene.shows("n:3.then_branch.0")!.id).toBe("n:3");
    expect(scene.shown(["n:1"])).toEqual(new Set([ROOT, "n:1", "g:g"]));
    const svg = toSvg(scene.marks, scene, THEMES.light, 'a "name" <&>');
    expect(svg).toContain("<title>a &quot;name&quot; &lt;&amp;&gt;</title>");
    expect(svg.match(/<path /g)).toHaveLength(open.lines.length);
    expect(svg).not.toContain("NaN");
  });
});

describe("reach", () => {
  const model = new Model(sample());
  it("finds what comes before, after and between", () => {
    expect(reach(model, "n:1", "ancestors")).toEqual(new Set(["n:1", "n:0", "i::in"]));
    expect(reach(model, "g:g", "descendants")).toEqual(new Set(["n:1", "n:2", "n:3", "o::out"]));
    expect(between(model, "n:1", "o::out")).toEqual(new Set(["n:1", "n:2", "n:3", "o::out"]));
    expect(between(model, "n:2", "n:1").size).toBe(0);
  });
});

describe("tiles and curves", () => {
  it("finds the boxes near an area, in order", () => {
    const boxes = Array.from({ length: 100 }, (_, i) => ({ x: 0, y: i * 100, w: 50, h: 50 }));
    const tiles = new Tiles(boxes, 128);
    const near = tiles.near({ x: 0, y: 1000, w: 10, h: 10 });
    expect(near).toContain(10);
    expect(near).toEqual([...near].sort((a, b) => a - b));
    expect(near.length).toBeLessThan(8);
  });

  it("never turns back", () => {
    const path = smooth([0, 1, 2, 3].map((i) => ({ x: (i % 2) * 50, y: i * 30 })));
    const ys = path.filter((_, i) => i % 2 === 1);
    expect(ys).toEqual([...ys].sort((a, b) => a - b));
  });
});

describe("constants", () => {
  it("are what no input reaches, and aren't drawn unless asked for", async () => {
    const document = sample();
    const main = document.graphs[""]!;
    main.nodes.splice(1, 0, node("k", ["w"], ["k"]), node("l", ["k"], ["l"]));
    main.nodes[0]!.inputs.push("l");
    const model = new Model(document);
    expect(model.constants).toEqual(new Set(["n:k", "n:l"]));
    const { boxes, lines } = await arrange(model, new Set(), solve, model.constants);
    expect(boxes.map((box) => box.id)).not.toContain("n:k");
    expect(lines.some((line) => line.from === "n:l")).toBe(false);
    expect((await arrange(model, new Set(), solve)).boxes.map((box) => box.id)).toContain("n:k");
  });
});
