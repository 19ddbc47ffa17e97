/** Which part of a tensor is drawn, and as what: planes [count, h, w] cut out of any shape. */

import type { TensorInfo, TensorLayout } from "../api/types";

export interface Planes {
  /** NumPy's index of the part, for the server. */
  index: string;
  count: number;
  /** All planes there are. */
  of: number;
  h: number;
  w: number;
  /** Three planes that are one picture in colour; "last": the channels come last. */
  rgb: "first" | "last" | null;
  /** What a plane is called: "channel 3". */
  plane: string;
}

/** Larger planes are thinned out: a screen shows no more. */
const MOST = { side: 512, elements: 2_000_000, planes: 256 };

export function planes(info: Pick<TensorInfo, "shape" | "layout">, item: number): Planes | null {
  const { shape, layout } = info;
  const rank = shape.length;
  if (rank < 2 || shape.some((d) => d === 0) || layout === "scalar") return null;
  if (layout === "image" && rank === 4) return image(shape, item);
  if (layout === "filters" && rank === 4) return filters(shape);
  const [h, w] = [shape[rank - 2]!, shape[rank - 1]!];
  const steps = [thin(h), thin(w)];
  const [ph, pw] = [Math.ceil(h / steps[0]!), Math.ceil(w / steps[1]!)];
  const of = rank > 2 ? shape[rank - 3]! : 1;
  const fits = Math.max(1, Math.floor(MOST.elements / (ph * pw)));
  const count = Math.min(of, MOST.planes, fits);
  const lead = shape
    .slice(0, Math.max(0, rank - 3))
    .map((d, i) => String(i ? 0 : Math.min(item, d - 1)));
  const index = [...lead, ...(rank > 2 ? [`0:${count}`] : []), every(steps[0]!), every(steps[1]!)];
  return { index: index.join(), count, of, h: ph, w: pw, rgb: null, plane: "channel" };
}

function thin(size: number): number {
  return Math.max(1, Math.ceil(size / MOST.side));
}

function every(step: number): string {
  return step === 1 ? ":" : `::${step}`;
}

function image(shape: number[], item: number): Planes | null {
  const last = (shape[3] === 3 || shape[3] === 1) && shape[1]! > 4;
  const [c, h, w] = last ? [shape[3]!, shape[1]!, shape[2]!] : [shape[1]!, shape[2]!, shape[3]!];
  const [sh, sw] = [thin(h), thin(w)];
  const n = Math.min(item, shape[0]! - 1);
  const index = last ? `${n},${every(sh)},${every(sw)},:` : `${n},:,${every(sh)},${every(sw)}`;
  const size = { h: Math.ceil(h / sh), w: Math.ceil(w / sw) };
  const rgb = c === 3 ? (last ? ("last" as const) : ("first" as const)) : null;
  return { index, count: rgb ? 1 : c, of: c, ...size, rgb, plane: "channel" };
}

/** A convolution's weight [O, I, h, w]: a picture for each of its outputs, of the first inputs. */
function filters(shape: number[]): Planes {
  const [o, i, h, w] = shape as [number, number, number, number];
  const count = Math.min(o * i, MOST.planes);
  const inputs = Math.min(i, MOST.planes);
  const outputs = Math.max(1, Math.floor(count / inputs));
  const index = `0:${outputs},0:${inputs},:,:`;
  return { index, count: outputs * inputs, of: o * i, h, w, rgb: null, plane: "filter" };
}

/** How many leading items (the batch) there are to choose from. */
export function items(info: { shape: number[]; layout: TensorLayout }): number {
  return info.shape.length > 3 && info.layout !== "filters" ? info.shape[0]! : 1;
}
