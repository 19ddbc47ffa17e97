/** Tensors as pictures: numbers to pixels, planes to a grid. */

export type Palette = "grey" | "sequential" | "diverging";

type Rgb = [number, number, number];
const STOPS: Record<Palette, Rgb[]> = {
  grey: [
    [0, 0, 0],
    [255, 255, 255],
  ],
  sequential: [
    [13, 8, 60],
    [78, 22, 120],
    [158, 47, 112],
    [220, 90, 74],
    [249, 160, 63],
    [252, 250, 191],
  ],
  diverging: [
    [24, 66, 150],
    [88, 145, 205],
    [190, 214, 233],
    [247, 247, 247],
    [244, 196, 170],
    [214, 106, 82],
    [150, 20, 40],
  ],
};
const BAD: Rgb = [255, 0, 200]; // NaN and infinity must be seen

function table(palette: Palette): Uint8ClampedArray {
  const stops = STOPS[palette];
  const out = new Uint8ClampedArray(256 * 3);
  for (let i = 0; i < 256; i++) {
    const s = (i / 255) * (stops.length - 1);
    const k = Math.min(stops.length - 2, Math.floor(s));
    for (let c = 0; c < 3; c++) {
      out[3 * i + c] = stops[k]![c]! + (stops[k + 1]![c]! - stops[k]![c]!) * (s - k);
    }
  }
  return out;
}

const TABLES = {
  grey: table("grey"),
  sequential: table("sequential"),
  diverging: table("diverging"),
};

export interface Range {
  least: number;
  most: number;
}

/** The finite range of numbers. */
export function range(data: ArrayLike<number>): Range {
  let [least, most] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!Number.isFinite(x)) continue;
    if (x < least) least = x;
    if (x > most) most = x;
  }
  return least > most ? { least: 0, most: 1 } : { least, most };
}

/** Diverging is even about zero, so that zero is its middle. */
export function rangeFor(palette: Palette, { least, most }: Range): Range {
  if (palette !== "diverging") return { least, most };
  const far = Math.max(Math.abs(least), Math.abs(most)) || 1;
  return { least: -far, most: far };
}

/** Planes [count, h, w] side by side, `columns` in a row, a pixel of nothing between. */
export function grid(
  data: Float32Array,
  count: number,
  h: number,
  w: number,
  columns: number,
  palette: Palette,
  span: Range | null, // null: each plane by its own range
): ImageData {
  const gap = count > 1 ? 1 : 0;
  const rows = Math.ceil(count / columns);
  const image = new ImageData(columns * (w + gap) - gap, rows * (h + gap) - gap);
  const colors = TABLES[palette];
  for (let p = 0; p < count; p++) {
    const plane = data.subarray(p * h * w, (p + 1) * h * w);
    const { least, most } = rangeFor(palette, span ?? range(plane));
    const scale = most > least ? 255 / (most - least) : 0;
    const x0 = (p % columns) * (w + gap);
    const y0 = Math.floor(p / columns) * (h + gap);
    for (let y = 0; y < h; y++) {
      let o = 4 * ((y0 + y) * image.width + x0);
      for (let x = 0; x < w; x++, o += 4) {
        const value = plane[y * w + x]!;
        const at = 3 * Math.round((value - least) * scale);
        const good = Number.isFinite(value);
        for (let c = 0; c < 3; c++) image.data[o + c] = good ? colors[at + c]! : BAD[c]!;
        image.data[o + 3] = 255;
      }
    }
  }
  return image;
}

/** Three planes [3, h, w] (or [h, w, 3]) as one picture in colour, all by one range. */
export function colour(
  data: Float32Array,
  h: number,
  w: number,
  last: boolean,
  span: Range = range(data),
): ImageData {
  const image = new ImageData(w, h);
  const scale = span.most > span.least ? 255 / (span.most - span.least) : 0;
  const [step, plane] = last ? [3, 1] : [1, h * w];
  for (let i = 0; i < h * w; i++) {
    for (let c = 0; c < 3; c++) {
      image.data[4 * i + c] = (data[i * step + c * plane]! - span.least) * scale;
    }
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** How many planes to a row, so that the grid is about as wide as `ratio` times its height. */
export function columnsFor(count: number, h: number, w: number, ratio = 1.4): number {
  return Math.max(1, Math.min(count, Math.round(Math.sqrt((count * h * ratio) / Math.max(1, w)))));
}
