/** How wide a text is drawn; guessed where there is no canvas to ask (a test). */

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";

export interface Style {
  size: number;
  bold: boolean;
}

const known = new Map<string, number>();
let context: CanvasRenderingContext2D | null | undefined;

export function width(text: string, { size, bold }: Style): number {
  const key = `${size}${bold ? "b" : ""}${text}`;
  let w = known.get(key);
  if (w === undefined) {
    w = measured(text, size, bold);
    if (known.size > 50_000) known.clear();
    known.set(key, w);
  }
  return w;
}

function measured(text: string, size: number, bold: boolean): number {
  if (context === undefined) {
    const canvas = typeof document === "undefined" ? null : document.createElement("canvas");
    context = canvas?.getContext("2d") ?? null;
  }
  if (!context) return text.length * size * (bold ? 0.6 : 0.54);
  context.font = `${bold ? "600 " : ""}${size}px ${FONT}`;
  return context.measureText(text).width;
}

/** The text, its end cut off where it is wider than the room. */
export function fit(text: string, room: number, style: Style): string {
  if (width(text, style) <= room) return text;
  let [low, high] = [0, text.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (width(`${text.slice(0, middle)}…`, style) <= room) low = middle;
    else high = middle - 1;
  }
  return `${text.slice(0, low)}…`;
}
