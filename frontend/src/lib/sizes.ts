/** Open sizes to begin with, by what an input looks like; the visitor may change them. */

import type { ValueData } from "../api/types";
import type { Dim } from "./format";

/** What usually comes at an axis whose size is open: a picture's side, tokens, samples, or 1. */
export function usual(value: Pick<ValueData, "dtype" | "shape">, axis: number): number {
  const shape = value.shape ?? [];
  if (axis === 0) return 1; // the batch
  if (shape.length === 4 && axis > 1 && colours(shape[1])) return beside(shape, axis) ?? 224;
  if (shape.length === 4 && axis < 3 && colours(shape[3])) return beside(shape, axis) ?? 224;
  if (shape.length === 2) return value.dtype.startsWith("int") ? 16 : 512;
  return 1;
}

function colours(size: Dim | undefined): boolean {
  return size === 1 || size === 3;
}

/** The other side of a picture, where it is known: recognition of lines has wide ones. */
function beside(shape: Dim[], axis: number): number | null {
  const first = shape[1] === 1 || shape[1] === 3 ? 2 : 1;
  const other = shape[axis === first ? first + 1 : first];
  return typeof other !== "number" ? null : axis === first ? other : other < 100 ? 320 : other;
}

/** Of a symbol: by the first input that has it. */
export function usualSymbol(values: Pick<ValueData, "dtype" | "shape">[], symbol: string): number {
  for (const value of values) {
    const axis = value.shape?.indexOf(symbol) ?? -1;
    if (axis >= 0) return usual(value, axis);
  }
  return 1;
}
