/** Numbers as people read them: three figures, and the unit that fits. */

const LARGE = ["", "k", "M", "G", "T", "P"];

function figures(x: number): string {
  const a = Math.abs(x);
  return a >= 100 ? x.toFixed(0) : a >= 10 ? trim(x.toFixed(1)) : trim(x.toFixed(2));
}

function trim(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** 1234567 → "1.23 M" */
export function count(x: number): string {
  if (!Number.isFinite(x)) return "–";
  let power = 0;
  while (Math.abs(x) >= 999.5 && power < LARGE.length - 1) {
    x /= 1000;
    power += 1;
  }
  return power ? `${figures(x)} ${LARGE[power]}` : figures(x);
}

/** Bytes in kB, MB, … of 1000. */
export function bytes(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const text = count(x);
  return text.includes(" ") ? `${text}B` : `${text} B`;
}

/** Seconds as s, ms, µs or ns. */
export function seconds(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const a = Math.abs(x);
  if (a === 0) return "0 s";
  if (a >= 1) return `${figures(x)} s`;
  if (a >= 1e-3) return `${figures(x * 1e3)} ms`;
  if (a >= 1e-6) return `${figures(x * 1e6)} µs`;
  return `${figures(x * 1e9)} ns`;
}

export function percent(x: number): string {
  if (!Number.isFinite(x)) return "–";
  const p = 100 * x;
  return `${Math.abs(p) >= 10 ? p.toFixed(0) : trim(p.toFixed(1))} %`;
}

/** A tensor's element: plain where it fits, else in powers of ten. */
export function scalar(x: number | null | undefined): string {
  if (x === null || x === undefined) return "–";
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (Number.isInteger(x) && Math.abs(x) < 1e9) return String(x);
  const a = Math.abs(x);
  return a >= 1e5 || a < 1e-3 ? x.toExponential(2) : String(Number(x.toPrecision(4)));
}

export type Dim = number | string | null;

/** "1×64×H×?" ; a scalar is "scalar". */
export function shape(dims: readonly Dim[] | null | undefined): string {
  if (dims === null || dims === undefined) return "…";
  return dims.length ? dims.map((d) => d ?? "?").join("×") : "scalar";
}

/** A shape where there is little room: of long symbolic names the ends. */
export function briefShape(dims: readonly Dim[] | null | undefined): string {
  return shape(dims?.map((d) => (typeof d === "string" ? tail(d, 8) : d)));
}

/** The end of a long name, where names differ. */
export function tail(text: string, length: number): string {
  return text.length <= length ? text : `…${text.slice(text.length - length + 1)}`;
}

/** The beginning of a long text. */
export function head(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
