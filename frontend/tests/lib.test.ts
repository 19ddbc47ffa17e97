import { describe, expect, it } from "vitest";
import type { Profile } from "../src/api/types";
import { THEMES } from "../src/graph/theme";
import { memoryMap, memoryUsed, roofline, timeline } from "../src/lib/charts";
import { formulas, latex } from "../src/lib/formula";
import type { Dim } from "../src/lib/format";
import { usual, usualSymbol } from "../src/lib/sizes";
import { columnsFor, range, rangeFor } from "../src/lib/pixels";
import { items, planes } from "../src/lib/slices";

describe("formulas", () => {
  it("are found among prose", () => {
    const doc = `Slides each filter over the input and sums the products.

    Y[n,m,y,x] = B[m] + Σ_c,u,v X[n, c, y·s+u·d-p, x·s+v·d-p] · W[m,c,u,v], X being 0 outside.

    X [N, C, *sizes], W [M, C/group, *kernel].`;
    const found = formulas(doc);
    expect(found).toEqual([
      "Y[n,m,y,x] = B[m] + Σ_c,u,v X[n, c, y·s+u·d-p, x·s+v·d-p] · W[m,c,u,v]",
    ]);
    expect(formulas("Y = the largest element that the window sees.")).toEqual([]);
    expect(formulas("Y = exp(X) / Σ exp(X), the sum along `axis`.")).toEqual([
      "Y = exp(X) / Σ exp(X)",
    ]);
  });

  it.each([
    ["Y = exp(X) / Σ exp(X)", "Y = \\exp (X) / \\sum  \\exp (X)"],
    ["Y = √(var + ε)", "Y = \\sqrt{\\mathrm{var} + \\varepsilon }"],
    ["Y[n,c] = Σ_k X[k]²", "Y_{n,c} = \\sum_{k}  X_{k}^{2}"],
    ["Y = X^(a+1) · 2", "Y = X^{a+1} \\cdot  2"],
    ["H_t = f", "H_{t} = f"],
  ])("%s is %s", (text, wanted) => expect(latex(text)).toBe(wanted));
});

describe("planes", () => {
  it.each([
    ["maps", [2, 8, 28, 28], "1,0:8,:,:", 8, 28],
    ["filters", [8, 3, 5, 5], "0:8,0:3,:,:", 24, 5],
    ["matrix", [1000, 600], "::2,::2", 1, 500],
    ["matrix", [6000, 100], "::12,:", 1, 500],
    ["maps", [1, 300, 4, 4], "0,0:256,:,:", 256, 4],
  ] as const)("of %s %j", (layout, shape, index, count, h) => {
    expect(planes({ layout, shape: [...shape] }, 1)).toMatchObject({ index, count, h });
  });

  it("of a picture in colour, whichever axis has the channels", () => {
    expect(planes({ layout: "image", shape: [1, 3, 8, 9] }, 0)).toMatchObject({
      ...{ index: "0,:,:,:", rgb: "first", h: 8, w: 9 },
    });
    expect(planes({ layout: "image", shape: [1, 8, 9, 3] }, 0)).toMatchObject({
      ...{ index: "0,:,:,:", rgb: "last", h: 8, w: 9 },
    });
  });

  it("aren't there for one element, or none", () => {
    expect(planes({ layout: "scalar", shape: [1, 1] }, 0)).toBeNull();
    expect(planes({ layout: "matrix", shape: [0, 4] }, 0)).toBeNull();
    expect(items({ layout: "maps", shape: [5, 2, 3, 3] })).toBe(5);
  });
});

describe("pixels", () => {
  it("span what is finite, evenly about zero where that matters", () => {
    expect(range([1, NaN, -3, Infinity])).toEqual({ least: -3, most: 1 });
    expect(range([])).toEqual({ least: 0, most: 1 });
    expect(rangeFor("diverging", { least: -3, most: 1 })).toEqual({ least: -3, most: 3 });
    expect(columnsFor(1, 10, 10)).toBe(1);
    expect(columnsFor(64, 10, 10)).toBeGreaterThanOrEqual(8);
  });
});

describe("charts", () => {
  const step = {
    ...{ node: "<n>", operator: "Conv", kernel: "k", plan: "", why: "", shape: [1], seconds: 1e-3 },
    ...{ macs: 1e6, bytes: 1e4, share: 0.5, gflops: 2, intensity: 200, id: "s0", nodes: ["0"] },
    threads: 1,
  };
  const profile: Profile = {
    ...{ model: "m", seconds: 1e-3, rounds: 1, macs: 1e6, gflops: 2, nodes: { "0": 1e-3 } },
    roofline: { gflops: 100, gigabytes: 10, threads: 2 },
    steps: [step, { ...step, intensity: null, gflops: 0 }],
    memory: {
      ...{ arena_bytes: 100, weight_bytes: 10, peak_step: 0, used: [100, 50] },
      storages: [{ name: "a", bytes: 100, offset: 0, first: 0, last: 0, values: ["a"] }],
    },
    timeline: [{ step: 0, thread: 1, start: 0, seconds: 1e-3 }],
  };
  const family = (): string => "convolution";
  type Made = { series: { data: unknown[] }[]; tooltip: { formatter: (p: unknown) => string } };

  it("draw each step that has an intensity, beneath the roof", () => {
    const made = roofline(profile, THEMES.light, family) as unknown as Made;
    expect(made.series[1]!.data).toHaveLength(1);
    expect(made.series[0]!.data[1]).toEqual([10, 100]);
    expect(made.tooltip.formatter({ data: { step: 0 } })).toContain("&#60;n&#62;");
  });

  it("draw threads and memory", () => {
    const threads = timeline(profile, THEMES.dark, family) as unknown as Made;
    expect(threads.series[0]!.data).toHaveLength(1);
    const used = memoryUsed(profile.memory!, THEMES.dark) as unknown as Made;
    expect(used.series[0]!.data).toEqual([
      [0, 100],
      [1, 50],
    ]);
    const map = memoryMap(profile.memory!, THEMES.dark) as unknown as Made;
    expect(map.series[0]!.data).toEqual([[0, 1, 0, 100]]);
  });
});

describe("open sizes", () => {
  const image = (h: Dim, w: Dim) => ({ dtype: "float32", shape: ["N", 3, h, w] });
  it("of pictures, tokens and samples", () => {
    expect(usual(image("H", "W"), 2)).toBe(224);
    expect(usual(image(48, "W"), 3)).toBe(320);
    expect(usual(image("H", 640), 2)).toBe(640);
    expect(usual({ dtype: "float32", shape: ["N", "H", "W", 3] }, 1)).toBe(224);
    expect(usual({ dtype: "int64", shape: ["N", "L"] }, 1)).toBe(16);
    expect(usual({ dtype: "float32", shape: [null, null] }, 1)).toBe(512);
    expect(usual({ dtype: "float32", shape: [2, null, 128] }, 1)).toBe(1);
  });
  it("a symbol is the first input's that has it", () => {
    const inputs = [{ dtype: "float32", shape: [2, "B", 128] }, image("B", "W")];
    expect(usualSymbol(inputs, "B")).toBe(1);
    expect(usualSymbol(inputs, "W")).toBe(224);
    expect(usualSymbol(inputs, "unknown")).toBe(1);
  });
});
