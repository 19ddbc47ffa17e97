/** Writes the display list as an SVG document. */

import type { Mark } from "./marks";
import { FONT } from "./measure-text";
import { type Theme, paint } from "./theme";

export function toSvg(
  marks: Mark[],
  size: { w: number; h: number },
  theme: Theme,
  title: string,
): string {
  const pad = 16;
  const [w, h] = [Math.ceil(size.w + 2 * pad), Math.ceil(size.h + 2 * pad)];
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" ` +
      `viewBox="${-pad} ${-pad} ${w} ${h}" font-family="${FONT}">`,
    `<title>${escape(title)}</title>`,
    `<rect x="${-pad}" y="${-pad}" width="${w}" height="${h}" fill="${theme["ground"]}"/>`,
    ...marks.map((mark) => write(mark, theme)),
    "</svg>",
  ];
  return parts.join("\n");
}

function write(mark: Mark, theme: Theme): string {
  if (mark.kind === "rect") {
    const fill = mark.fill ? paint(theme, mark.fill) : "none";
    const stroke = mark.stroke ? ` stroke="${paint(theme, mark.stroke)}"` : "";
    const { x, y, w, h, r } = mark;
    return (
      `<rect x="${n(x)}" y="${n(y)}" width="${n(w)}" height="${n(h)}" rx="${n(r)}" ` +
      `fill="${fill}"${stroke}/>`
    );
  }
  if (mark.kind === "label") {
    const anchor = { left: "start", center: "middle", right: "end" }[mark.align];
    const bold = mark.bold ? ' font-weight="600"' : "";
    const halo = mark.halo
      ? ` stroke="${paint(theme, mark.halo)}" stroke-width="3" paint-order="stroke"`
      : "";
    return (
      `<text x="${n(mark.x)}" y="${n(mark.y)}" font-size="${mark.size}" text-anchor="${anchor}" ` +
      `fill="${paint(theme, mark.ink)}"${bold}${halo}>${escape(mark.text)}</text>`
    );
  }
  const p = mark.path;
  let d = `M${n(p[0]!)} ${n(p[1]!)}`;
  for (let i = 2; i < p.length; i += 6)
    d += `C${p
      .slice(i, i + 6)
      .map(n)
      .join(" ")}`;
  if (mark.arrow) {
    const [x, y] = [p.at(-2)!, p.at(-1)!];
    d += `M${n(x - 3.5)} ${n(y - 6)}L${n(x)} ${n(y - 0.5)}L${n(x + 3.5)} ${n(y - 6)}`;
  }
  const dash = mark.dashed ? ' stroke-dasharray="5 4"' : "";
  return (
    `<path d="${d}" fill="none" stroke="${paint(theme, mark.ink)}" ` +
    `stroke-width="${mark.width}"${dash}/>`
  );
}

function n(x: number): string {
  return String(Math.round(x * 100) / 100);
}

function escape(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!,
  );
}
