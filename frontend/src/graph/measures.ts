/** What can be measured of a node, by name: the columns of search, colour and tables. */

import { bytes, count, percent, scalar, seconds } from "../lib/format";

export type Measure =
  "time" | "macs" | "bytes" | "params" | "share" | "rate" | "error" | "sparsity";

export interface MeasureInfo {
  label: string;
  text: (x: number) => string;
  /** Large is a lot (orange and red), rather than good (green). */
  logarithmic: boolean;
  /** A group has the sum of its nodes' (else the largest). */
  sums: boolean;
  /** What must be done before it is known. */
  needs: "nothing" | "run" | "profile" | "comparison" | "statistics";
}

export const MEASURES: Record<Measure, MeasureInfo> = {
  time: info("Time", seconds, true, true, "profile"),
  macs: info("Multiply-adds", count, true, true, "nothing"),
  bytes: info("Bytes moved", bytes, true, true, "nothing"),
  params: info("Parameters", count, true, true, "nothing"),
  share: info("Share of the roofline", percent, false, false, "profile"),
  rate: info("Rate (GFLOP/s)", (x) => scalar(x), false, false, "profile"),
  error: info("Difference", (x) => x.toExponential(1), true, false, "comparison"),
  sparsity: info("Zeros in the output", percent, false, false, "statistics"),
};

function info(
  label: string,
  text: (x: number) => string,
  logarithmic: boolean,
  sums: boolean,
  needs: MeasureInfo["needs"],
): MeasureInfo {
  return { label, text, logarithmic, sums, needs };
}

export type Measured = Partial<Record<Measure, number>>;
