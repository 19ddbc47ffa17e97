/** The charts of a profile as ECharts options: data in, options out, nothing drawn here. */

import type { EChartsCoreOption } from "echarts/core";
import type { Memory, Profile } from "../api/types";
import { familyInk, paint, type Theme } from "../graph/theme";
import { bytes, count, percent, scalar, seconds } from "./format";

/** What the functions that draw custom series are given and return, as far as used here. */
interface DrawApi {
  value(i: number): number;
  coord(point: [number, number]): [number, number];
  size(extent: [number, number]): [number, number];
}

const axis = (theme: Theme, name: string, more: object): object => ({
  name,
  nameLocation: "middle",
  nameTextStyle: { color: theme["soft"], fontSize: 12 },
  axisLabel: { color: theme["soft"], fontSize: 11, hideOverlap: true },
  axisLine: { lineStyle: { color: theme["border"] } },
  axisTick: { lineStyle: { color: theme["border"] } },
  splitLine: { lineStyle: { color: theme["open1"] } },
  minorSplitLine: { show: false },
  ...more,
});

const tip = (theme: Theme): object => ({
  backgroundColor: theme["box"],
  borderColor: theme["border"],
  textStyle: { color: theme["text"], fontSize: 12 },
  confine: true,
});

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}

export type FamilyOf = (step: Profile["steps"][number]) => string;

/** Every step at its intensity and rate, beneath what memory and arithmetic allow. */
export function roofline(profile: Profile, theme: Theme, familyOf: FamilyOf): EChartsCoreOption {
  const { gflops, gigabytes } = profile.roofline;
  const ridge = gflops / gigabytes;
  const steps = profile.steps.flatMap((step, i) =>
    step.intensity && step.gflops > 0 ? [{ step, i }] : [],
  );
  const xs = steps.map(({ step }) => step.intensity!);
  const least = Math.min(ridge / 30, ...xs) / 2;
  const most = Math.max(ridge * 10, ...xs) * 2;
  const low = Math.min(gflops / 100, ...steps.map(({ step }) => step.gflops)) / 1.5;
  const longest = Math.max(...profile.steps.map((s) => s.seconds), 1e-12);
  const roof = [
    [Math.max(least, low / gigabytes), Math.max(low, least * gigabytes)],
    [ridge, gflops],
    [most, gflops],
  ];
  return {
    animation: false,
    grid: { left: 74, right: 26, top: 34, bottom: 52 },
    tooltip: {
      ...tip(theme),
      trigger: "item",
      formatter: (p: { data?: { step?: number } }) => {
        const step = profile.steps[p.data?.step ?? -1];
        if (!step) return "";
        return [
          `<b>${escape(step.operator)}</b> ${escape(step.node)}`,
          `${seconds(step.seconds)} · ${scalar(step.gflops)} GFLOP/s`,
          `${scalar(step.intensity)} flop/byte · ${percent(step.share)} of the limit`,
          escape(step.kernel),
        ].join("<br>");
      },
    },
    xAxis: axis(theme, "Intensity (flop per byte)", {
      type: "log",
      min: least,
      max: most,
      nameGap: 30,
      axisLabel: { color: theme["soft"], formatter: (x: number) => scalar(x) },
    }),
    yAxis: axis(theme, "GFLOP/s", {
      type: "log",
      min: low,
      max: gflops * 1.6,
      nameGap: 52,
      axisLabel: {
        color: theme["soft"],
        formatter: (x: number) => scalar(Number(x.toPrecision(2))),
      },
    }),
    series: [
      {
        ...{ type: "line", data: roof, symbol: "none", silent: true },
        lineStyle: { color: theme["text"], width: 1.6 },
      },
      {
        type: "scatter",
        data: steps.map(({ step, i }) => ({
          value: [step.intensity, step.gflops],
          step: i,
          symbolSize: 7 + 24 * Math.sqrt(step.seconds / longest),
          itemStyle: {
            color: paint(theme, familyInk(familyOf(step))),
            opacity: 0.72,
            borderColor: theme["box"],
          },
        })),
      },
    ],
  };
}

/** What each thread did when. */
export function timeline(profile: Profile, theme: Theme, familyOf: FamilyOf): EChartsCoreOption {
  const threads = Math.max(profile.roofline.threads, ...profile.timeline.map((t) => t.thread + 1));
  return {
    animation: false,
    // A few threads lie close together; many share the room there is.
    grid: {
      left: 80,
      right: 26,
      top: 16,
      ...(threads > 4 ? { bottom: 76 } : { height: 64 * threads }),
    },
    tooltip: {
      ...tip(theme),
      formatter: (p: { value: number[] }) => {
        const step = profile.steps[p.value[3]!];
        return step
          ? `<b>${escape(step.operator)}</b> ${escape(step.node)}<br>${seconds(p.value[2]! - p.value[1]!)} from ${seconds(p.value[1]!)}<br>${escape(step.kernel)}`
          : "";
      },
    },
    dataZoom: [
      { type: "inside", filterMode: "weakFilter", zoomOnMouseWheel: true },
      {
        ...{ type: "slider", filterMode: "weakFilter", height: 18, bottom: 10 },
        ...{ showDetail: false, borderColor: theme["border"] },
      },
    ],
    xAxis: axis(theme, "", {
      type: "value",
      min: 0,
      axisLabel: { color: theme["soft"], formatter: seconds, hideOverlap: true },
    }),
    yAxis: axis(theme, "", {
      type: "category",
      inverse: true,
      data: Array.from({ length: threads }, (_, i) => `thread ${i}`),
    }),
    series: [
      {
        type: "custom",
        encode: { x: [1, 2], y: 0 },
        data: profile.timeline.map((t) => ({
          value: [t.thread, t.start, t.start + t.seconds, t.step],
          itemStyle: { color: paint(theme, familyInk(familyOf(profile.steps[t.step]!))) },
        })),
        renderItem: (params: { dataIndex: number }, api: DrawApi) =>
          block(api, api.value(0), api.value(1), api.value(2), 0.66, {
            fill: paint(
              theme,
              familyInk(familyOf(profile.steps[profile.timeline[params.dataIndex]!.step]!)),
            ),
            stroke: theme["box"],
            lineWidth: 0.5,
          }),
      },
    ],
  };
}

function block(
  api: DrawApi,
  row: number,
  from: number,
  to: number,
  part: number,
  style: object,
): object {
  const [x0, y] = api.coord([from, row]);
  const [x1] = api.coord([to, row]);
  const h = Math.min(44, api.size([0, 1])[1] * part);
  return {
    type: "rect",
    shape: { x: x0, y: y - h / 2, width: Math.max(1, x1 - x0), height: h },
    style,
  };
}

/** Bytes alive at each step. */
export function memoryUsed(memory: Memory, theme: Theme): EChartsCoreOption {
  return {
    animation: false,
    grid: { left: 80, right: 26, top: 26, bottom: 44 },
    tooltip: {
      ...tip(theme),
      trigger: "axis",
      formatter: (p: { value: number[] }[]) =>
        `step ${p[0]?.value[0]}<br>${bytes(p[0]?.value[1] ?? 0)}`,
    },
    xAxis: axis(theme, "Step", {
      type: "value",
      min: 0,
      max: memory.used.length - 1,
      nameGap: 26,
      minInterval: 1,
    }),
    yAxis: axis(theme, "", {
      type: "value",
      axisLabel: { color: theme["soft"], formatter: bytes },
    }),
    series: [
      {
        ...{ type: "line", step: "middle", symbol: "none", areaStyle: { opacity: 0.2 } },
        ...{ lineStyle: { color: theme["accent"] }, itemStyle: { color: theme["accent"] } },
        data: memory.used.map((x, i) => [i, x]),
      },
    ],
  };
}

/** Where in the arena each storage lies, and from which step to which it lives. */
export function memoryMap(memory: Memory, theme: Theme): EChartsCoreOption {
  const inks = ["convolution", "pooling", "activation", "normalization", "attention", "shape"];
  return {
    animation: false,
    grid: { left: 80, right: 26, top: 16, bottom: 44 },
    tooltip: {
      ...tip(theme),
      formatter: (p: { dataIndex: number }) => {
        const s = memory.storages[p.dataIndex]!;
        const names = s.values.slice(0, 6).map(escape).join("<br>");
        return `<b>${bytes(s.bytes)}</b>, steps ${s.first} to ${s.last}<br>${names}`;
      },
    },
    xAxis: axis(theme, "Step", {
      type: "value",
      min: 0,
      max: memory.used.length,
      nameGap: 26,
      minInterval: 1,
    }),
    yAxis: axis(theme, "", {
      type: "value",
      min: 0,
      max: memory.arena_bytes || 1,
      axisLabel: { color: theme["soft"], formatter: bytes },
    }),
    series: [
      {
        type: "custom",
        clip: true,
        encode: { x: [0, 1], y: [2, 3] },
        data: memory.storages.map((s) => [s.first, s.last + 1, s.offset, s.offset + s.bytes]),
        renderItem: (params: { dataIndex: number }, api: DrawApi) => {
          const [x0, y1] = api.coord([api.value(0), api.value(2)]);
          const [x1, y0] = api.coord([api.value(1), api.value(3)]);
          const shape = { x: x0, y: y0, width: Math.max(1, x1 - x0), height: Math.max(1, y1 - y0) };
          const fill = paint(theme, inks[params.dataIndex % inks.length]!);
          return { type: "rect", shape, style: { fill, opacity: 0.75, stroke: theme["box"] } };
        },
      },
    ],
  };
}

export function summary(profile: Profile): [string, string][] {
  return [
    ["Time", seconds(profile.seconds)],
    ["Multiply-adds", count(profile.macs)],
    ["Rate", `${scalar(Number(profile.gflops.toPrecision(3)))} GFLOP/s`],
    ["Rounds", String(profile.rounds)],
    [
      "Machine",
      `${count(profile.roofline.gflops * 1e9)}FLOP/s, ${scalar(Math.round(profile.roofline.gigabytes))} GB/s`,
    ],
    ["Threads", String(profile.roofline.threads)],
  ];
}
