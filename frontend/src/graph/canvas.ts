/** Draws the display list on a canvas: only what is in sight, in as much detail as its size bears. */

import type { Box } from "./geometry";
import type { Label, Line, Mark, Rect } from "./marks";
import { FONT } from "./measure-text";
import type { ItemId } from "./model";
import type { Scene } from "./scene";
import { type Theme, paint } from "./theme";

/** World to screen: screen = (world - origin) * scale. */
export interface Camera {
  x: number;
  y: number;
  scale: number;
}

/** What stands out just now; the display list knows nothing of it. */
export interface Emphasis {
  selected: Set<ItemId>;
  found: Set<ItemId> | null;
  /** All else is drawn faintly. */
  lit: Set<ItemId> | null;
  hover: ItemId | null;
}

/** Letters and lines smaller than this (in pixels) can't be seen. */
const LEGIBLE = 4.5;
/** Boxes lower than this (in pixels) say what they are by their colour alone. */
const FAR = 15;

export function draw(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  camera: Camera,
  size: { w: number; h: number; ratio: number },
  theme: Theme,
  emphasis: Emphasis,
): void {
  const { scale } = camera;
  ctx.setTransform(size.ratio, 0, 0, size.ratio, 0, 0);
  ctx.fillStyle = theme["ground"]!;
  ctx.fillRect(0, 0, size.w, size.h);
  const k = size.ratio * scale;
  ctx.setTransform(k, 0, 0, k, -camera.x * k, -camera.y * k);
  const area: Box = { x: camera.x, y: camera.y, w: size.w / scale, h: size.h / scale };
  const pen = new Pen(ctx, theme, scale, emphasis);
  let last = { x: NaN, y: NaN }; // the pixel drawn last, where boxes are smaller than pixels
  for (const i of scene.tiles.near(area)) {
    const box = scene.extents[i]!;
    if (box.x > area.x + area.w || box.x + box.w < area.x) continue;
    if (box.y > area.y + area.h || box.y + box.h < area.y) continue;
    const mark = scene.marks[i]!;
    if (mark.kind === "rect" && mark.h * scale < 1) {
      const at = { x: Math.round(box.x * scale), y: Math.round(box.y * scale) };
      if (at.x === last.x && at.y === last.y) continue;
      last = at;
    }
    pen.draw(mark);
  }
  pen.flush();
  outlines(ctx, scene, theme, scale, emphasis, area);
}

class Pen {
  private faint = false;
  /** Plain lines wait to be stroked together: a stroke each is slow. */
  private waiting = new Map<string, { path: Path2D; ink: string; width: number; faint: boolean }>();

  constructor(
    private readonly ctx: CanvasRenderingContext2D,
    private readonly theme: Theme,
    private readonly scale: number,
    private readonly emphasis: Emphasis,
  ) {}

  draw(mark: Mark): void {
    const { lit } = this.emphasis;
    if (mark.kind === "line") {
      this.line(mark, lit !== null && !(lit.has(mark.from) && lit.has(mark.to)));
      return;
    }
    if (this.waiting.size) this.flush();
    this.alpha(lit !== null && !lit.has(mark.owner));
    if (mark.kind === "rect") this.rect(mark);
    else this.label(mark);
  }

  private alpha(faint: boolean): void {
    if (faint === this.faint) return;
    this.faint = faint;
    this.ctx.globalAlpha = faint ? 0.22 : 1;
  }

  private rect(mark: Rect): void {
    const { ctx, scale } = this;
    if (mark.w * scale < 1.2 && !mark.stroke) return;
    const small = mark.h * scale < FAR;
    const fill = (small ? mark.far : undefined) ?? mark.fill;
    if (mark.h * scale < 5) {
      ctx.fillStyle = paint(this.theme, fill ?? "border");
      const least = 1 / scale;
      ctx.fillRect(mark.x, mark.y, Math.max(mark.w, least), Math.max(mark.h, least));
      return;
    }
    ctx.beginPath();
    if (mark.r * scale < 1.5) ctx.rect(mark.x, mark.y, mark.w, mark.h);
    else ctx.roundRect(mark.x, mark.y, mark.w, mark.h, mark.r);
    if (fill) {
      ctx.fillStyle = paint(this.theme, fill);
      ctx.fill();
    }
    if (mark.stroke) {
      ctx.lineWidth = Math.max(1, 1 / scale) * Math.min(1, scale * 3);
      ctx.strokeStyle = paint(this.theme, mark.stroke);
      ctx.stroke();
    }
  }

  private label(mark: Label): void {
    const { ctx, scale } = this;
    if (mark.size * scale < (mark.halo ? LEGIBLE + 1 : LEGIBLE)) return;
    const font = `${mark.bold ? "600 " : ""}${mark.size}px ${FONT}`;
    if (ctx.font !== font) ctx.font = font;
    ctx.textAlign = mark.align;
    if (mark.halo) {
      ctx.strokeStyle = paint(this.theme, mark.halo);
      ctx.lineWidth = 3;
      ctx.lineJoin = "round";
      ctx.strokeText(mark.text, mark.x, mark.y);
    }
    ctx.fillStyle = paint(this.theme, mark.ink);
    ctx.fillText(mark.text, mark.x, mark.y);
  }

  private line(mark: Line, faint: boolean): void {
    const { path: p, width } = mark;
    const long = Math.abs(p.at(-1)! - p[1]!) + Math.abs(p.at(-2)! - p[0]!);
    if (long * this.scale < 3) return;
    const dashed = mark.dashed && this.scale > 0.35;
    const key = `${mark.ink} ${width} ${faint} ${dashed}`;
    let bundle = this.waiting.get(key);
    if (!bundle) {
      this.waiting.set(key, (bundle = { path: new Path2D(), ink: mark.ink, width, faint }));
      if (dashed) Object.assign(bundle, { dash: [5, 4] });
    }
    const { path } = bundle;
    path.moveTo(p[0]!, p[1]!);
    if (this.scale < 0.12) {
      for (let i = 6; i < p.length; i += 6) path.lineTo(p[i]!, p[i + 1]!);
    } else {
      for (let i = 2; i < p.length; i += 6) {
        path.bezierCurveTo(p[i]!, p[i + 1]!, p[i + 2]!, p[i + 3]!, p[i + 4]!, p[i + 5]!);
      }
    }
    if (mark.arrow && this.scale > 0.3) {
      const [x, y] = [p.at(-2)!, p.at(-1)!];
      path.moveTo(x - 3.5, y - 6);
      path.lineTo(x, y - 0.5);
      path.lineTo(x + 3.5, y - 6);
    }
  }

  flush(): void {
    for (const bundle of this.waiting.values()) {
      this.alpha(bundle.faint);
      this.ctx.strokeStyle = paint(this.theme, bundle.ink);
      this.ctx.lineWidth = Math.max(bundle.width, 0.7 / this.scale);
      this.ctx.setLineDash("dash" in bundle ? (bundle.dash as number[]) : []);
      this.ctx.stroke(bundle.path);
    }
    this.ctx.setLineDash([]);
    this.waiting.clear();
    this.alpha(false);
  }
}

/** Around what is selected, found or under the pointer. */
function outlines(
  ctx: CanvasRenderingContext2D,
  scene: Scene,
  theme: Theme,
  scale: number,
  emphasis: Emphasis,
  area: Box,
): void {
  const around = (ids: Iterable<ItemId>, ink: string, width: number): void => {
    ctx.strokeStyle = paint(theme, ink);
    ctx.lineWidth = width / Math.min(1.5, scale);
    ctx.beginPath();
    const out = 2 / Math.min(1, scale);
    for (const id of ids) {
      const b = scene.boxes.get(id);
      if (!b || b.y > area.y + area.h || b.y + b.h < area.y) continue;
      ctx.roundRect(b.x - out, b.y - out, b.w + 2 * out, b.h + 2 * out, 8);
    }
    ctx.stroke();
  };
  if (emphasis.found) around(emphasis.found, "found", 2);
  if (emphasis.hover && !emphasis.selected.has(emphasis.hover)) {
    around([emphasis.hover], "accent", 1);
  }
  around(emphasis.selected, "accent", 2.4);
}
