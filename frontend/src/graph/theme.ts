/** The colours of the drawing, light and dark, by name. Contrast of text is 4.5 or more on its ground. */

export type ThemeName = "light" | "dark";
export type Theme = Record<string, string>;

const LIGHT: Theme = {
  ground: "#f7f8fa",
  box: "#ffffff",
  border: "#b9c0cb",
  text: "#1b2230",
  soft: "#586173",
  line: "#9aa3b2",
  label: "#586173",
  accent: "#1f5fd6",
  found: "#964c00",
  good: "#1d7a46",
  bad: "#c02b2b",
  open0: "#eef1f5",
  open1: "#e6eaf0",
  group: "#5b6b86",
  input: "#1d7a46",
  output: "#7a3fb0",
  data: "#8a93a3",
  convolution: "#2c6bd1",
  linear: "#2f53b5",
  attention: "#6a45c2",
  normalization: "#16807a",
  activation: "#c2411f",
  pooling: "#2f8a3c",
  shape: "#8a6d1b",
  arithmetic: "#9a3f73",
  reduction: "#a05a00",
  quantization: "#0f7894",
  recurrent: "#7b4a9e",
  control: "#b02a50",
};

const DARK: Theme = {
  ground: "#14171d",
  box: "#20252e",
  border: "#4a5362",
  text: "#e8ebf0",
  soft: "#a9b2c0",
  line: "#667084",
  label: "#a9b2c0",
  accent: "#76a7ff",
  found: "#ffb454",
  good: "#62c98a",
  bad: "#ff7b72",
  open0: "#1a1e26",
  open1: "#1f242d",
  group: "#8fa1bf",
  input: "#62c98a",
  output: "#c99bf5",
  data: "#8a93a3",
  convolution: "#6ea2f7",
  linear: "#8ba0f0",
  attention: "#a88df2",
  normalization: "#4fc2ba",
  activation: "#f58a68",
  pooling: "#74c983",
  shape: "#d3b657",
  arithmetic: "#e08ab9",
  reduction: "#eda04d",
  quantization: "#57bcd9",
  recurrent: "#c596e6",
  control: "#f0789a",
};

export const THEMES: Record<ThemeName, Theme> = { light: LIGHT, dark: DARK };

/** The families of operators that share another's colour; those not named have "data"'s. */
const FAMILIES: Record<string, string> = {
  logic: "arithmetic",
  bitwise: "arithmetic",
  trigonometry: "arithmetic",
  softmax: "activation",
  dropout: "activation",
  joining: "shape",
  indexing: "shape",
  cast: "shape",
  resize: "pooling",
  vision: "pooling",
  signal: "pooling",
  loss: "reduction",
  training: "reduction",
  "control flow": "control",
  sequence: "control",
  optional: "control",
};

export function familyInk(family: string): string {
  return family in LIGHT ? family : (FAMILIES[family] ?? "data");
}

export function paint(theme: Theme, ink: string): string {
  return theme[ink] ?? ink;
}

/** "#rrggbb" at some strength over another colour. */
export function mix(over: string, under: string, share: number): string {
  const [a, b] = [channels(over), channels(under)];
  return hex(a.map((x, i) => x * share + b[i]! * (1 - share)));
}

/** Black or white, whichever is easier to read on a colour. */
export function readable(ground: string): string {
  const [r, g, b] = channels(ground).map((x) => {
    const s = x / 255;
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b! > 0.179 ? "#000000" : "#ffffff";
}

export function channels(color: string): number[] {
  return [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
}

export function hex(rgb: number[]): string {
  return `#${rgb.map((x) => Math.round(x).toString(16).padStart(2, "0")).join("")}`;
}
