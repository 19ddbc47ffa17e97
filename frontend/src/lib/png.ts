/** The whole graph as a PNG, as large as browsers allow. */

import { draw } from "../graph/canvas";
import type { Scene } from "../graph/scene";
import type { Theme } from "../graph/theme";

const MOST = { side: 16_000, area: 120e6 };

export async function toPng(scene: Scene, theme: Theme): Promise<Blob> {
  const pad = 16;
  const size = { w: Math.ceil(scene.w + 2 * pad), h: Math.ceil(scene.h + 2 * pad) };
  const fits = Math.min(
    MOST.side / size.w,
    MOST.side / size.h,
    Math.sqrt(MOST.area / size.w / size.h),
  );
  const ratio = Math.min(2, fits);
  const canvas = document.createElement("canvas");
  canvas.width = Math.floor(size.w * ratio);
  canvas.height = Math.floor(size.h * ratio);
  const context = canvas.getContext("2d");
  if (!context) throw new Error("The browser gives no canvas of this size");
  const emphasis = { selected: new Set<string>(), found: null, lit: null, hover: null };
  draw(context, scene, { x: -pad, y: -pad, scale: 1 }, { ...size, ratio }, theme, emphasis);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => {
      if (blob) resolve(blob);
      else reject(new Error("The browser can't make a picture of this size"));
    });
  });
}
