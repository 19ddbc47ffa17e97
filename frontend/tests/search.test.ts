import { describe, expect, it } from "vitest";
import type { GraphData, NodeData } from "../src/api/types";
import * as format from "../src/lib/format";
import { at, position, ramp, scaleOver } from "../src/graph/scale";
import { number, parse } from "../src/graph/search";
import { channels, paint, readable, THEMES } from "../src/graph/theme";

const conv: NodeData = {
  ...{ id: "0", name: "layer1/conv1", operator: "Conv", family: "convolution" },
  attributes: { kernel_shape: [3, 3], strides: [2, 2], group: 1, auto_pad: "NOTSET" },
  ...{ inputs: ["x", "w"], outputs: ["y"], group: null, bodies: {} },
  ...{ parameters: 1728, macs: 1e6, bytes: 2e5 },
};
const graph: GraphData = {
  ...{ id: "", name: "", parent: null, inputs: ["x"], outputs: ["y"], captures: 0, nodes: [conv] },
  values: { y: { type: "", dtype: "float32", shape: ["N", 64, 56, 56] } },
};

function holds(query: string): boolean {
  const parsed = parse(query);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.test(conv, graph, { time: 0.002, params: 1728 });
}

describe("search", () => {
  it.each([
    "",
    "conv",
    "op:conv",
    "op:Con*",
    "kernel:3x3",
    "kernel:3",
    "stride:2x2 op:Conv",
    "group:1",
    "group<2",
    "time>1ms",
    "time<=2ms",
    "params>1.7k",
    "shape:56x56",
    "shape:64x?x56",
    "shape:n",
    "name:layer1",
    'name:"layer1/conv1"',
    "-op:Relu",
    "-relu",
    "dtype:float32",
    "auto_pad:notset",
    "family:convolution",
    "input:w output:y",
  ])("finds by %s", (query) => expect(holds(query)).toBe(true));

  it.each([
    "op:ConvTranspose",
    "kernel:1x1",
    "kernel:3x3x3",
    "time>3ms",
    "macs>1",
    "shape:56x64",
    "-conv",
    "axis:1",
    "op:conv name:head",
  ])("doesn't find by %s", (query) => expect(holds(query)).toBe(false));

  it("says what it can't read", () => {
    expect(parse("time>soon")).toEqual({ error: "“soon” is no number" });
    expect(parse("op:")).toEqual({ error: "“op:” lacks what to look for" });
  });

  it.each([
    ["1ms", 1e-3],
    ["2.5M", 2.5e6],
    ["1e-3", 1e-3],
    ["50%", 0.5],
    ["10 us", 1e-5],
    ["ms", null],
    ["1 parsec", null],
  ])("reads %s as %s", (text, x) =>
    x === null ? expect(number(text)).toBeNull() : expect(number(text)).toBeCloseTo(x, 12),
  );
});

describe("scales", () => {
  it("spans what it is made over, at most three powers of ten", () => {
    const scale = scaleOver([1e-9, 1e-3, 0.5, NaN, 0], true);
    expect(scale).toEqual({ least: 0.5e-3, most: 0.5, logarithmic: true });
    expect(position(scale, 1e-9)).toBe(0);
    expect(position(scale, 0.5)).toBe(1);
    expect(at(scale, position(scale, 0.01))).toBeCloseTo(0.01, 9);
    expect(position(scaleOver([0, 4], false), 1)).toBe(0.25);
    expect(scaleOver([], true).most).toBe(1);
  });

  it.each(["light", "dark"] as const)("has colours on which text is read: %s", (theme) => {
    for (let t = 0; t <= 1; t += 0.02) {
      const ground = ramp(theme, t);
      expect(contrast(ground, readable(ground))).toBeGreaterThan(4.5);
    }
    for (const ink of ["text", "soft", "label", "accent", "found", "bad", "good"]) {
      for (const ground of ["ground", "box", "open0", "open1"]) {
        const palette = THEMES[theme];
        expect(
          contrast(paint(palette, ground), paint(palette, ink)),
          `${ink} on ${ground}`,
        ).toBeGreaterThan(4.4);
      }
    }
  });
});

function contrast(a: string, b: string): number {
  const light = (color: string): number => {
    const [r, g, bl] = channels(color).map((x) => {
      const s = x / 255;
      return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * bl!;
  };
  const [x, y] = [light(a), light(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

describe("format", () => {
  it.each([
    [format.count(1234567), "1.23 M"],
    [format.count(999.7), "1 k"],
    [format.count(12), "12"],
    [format.bytes(2048), "2.05 kB"],
    [format.seconds(0.00123), "1.23 ms"],
    [format.seconds(4.2e-5), "42 µs"],
    [format.seconds(0), "0 s"],
    [format.percent(0.034), "3.4 %"],
    [format.scalar(NaN), "NaN"],
    [format.scalar(1e-7), "1.00e-7"],
    [format.shape([1, "N", null]), "1×N×?"],
    [format.shape([]), "scalar"],
    [format.briefShape(["p2o.DynamicDimension.0", 3]), "…nsion.0×3"],
    [format.briefShape(null), "…"],
    [format.tail("abcdefgh", 4), "…fgh"],
  ])("writes %s", (text, wanted) => expect(text).toBe(wanted));
});
