/** From a number to a colour: one hue from pale to strong, by steps that the legend shows. */

import { channels, hex, type ThemeName } from "./theme";

/** Pale to strong, evenly spaced to the eye; read well with the text chosen by `readable`. */
const RAMPS: Record<ThemeName, string[]> = {
  light: ["#fff7e6", "#fdd9a0", "#f9a65a", "#e4652c", "#b3261e", "#6e0f1f"],
  dark: ["#2c2a2a", "#5a3a22", "#98551f", "#d57a2c", "#f5ad55", "#ffe9b8"],
};

export interface Scale {
  least: number;
  most: number;
  logarithmic: boolean;
}

/** The scale over numbers: a logarithmic one spans at most three powers of ten. */
export function scaleOver(numbers: Iterable<number>, logarithmic: boolean): Scale {
  let [least, most] = [Infinity, -Infinity];
  for (const x of numbers) {
    if (!Number.isFinite(x) || (logarithmic && x <= 0)) continue;
    least = Math.min(least, x);
    most = Math.max(most, x);
  }
  if (most === -Infinity) return { least: 0, most: 1, logarithmic: false };
  if (!logarithmic) return { least: Math.min(0, least), most, logarithmic };
  return { least: Math.max(least, most / 1e3), most, logarithmic };
}

/** Where a number is on a scale, 0 to 1. */
export function position({ least, most, logarithmic }: Scale, x: number): number {
  if (!(most > least)) return x >= most ? 1 : 0;
  const t = logarithmic
    ? Math.log(Math.max(x, Number.MIN_VALUE) / least) / Math.log(most / least)
    : (x - least) / (most - least);
  return Math.max(0, Math.min(1, t));
}

/** The number at a place on a scale: the other way round. */
export function at({ least, most, logarithmic }: Scale, t: number): number {
  return logarithmic ? least * (most / least) ** t : least + t * (most - least);
}

export function ramp(theme: ThemeName, t: number): string {
  const stops = RAMPS[theme];
  const s = Math.max(0, Math.min(1, t)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(s));
  const [a, b] = [channels(stops[i]!), channels(stops[i + 1]!)];
  return hex(a.map((x, k) => x + (b[k]! - x) * (s - i)));
}
