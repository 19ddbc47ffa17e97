/** Cameras: fitting, zooming about a point, keeping in sight. */

import type { Camera } from "./canvas";
import type { Box, Point } from "./geometry";

export interface Size {
  w: number;
  h: number;
}

/** What lies over the top of the picture. */
const TOOLS = 60;

export const ZOOM = { least: 0.004, most: 4 };

/** All of it, where that can be read; else its width, from the top. */
export function fit(scene: Size, size: Size, all = false, middle = scene.w / 2): Camera {
  const pad = 28;
  const wide = (size.w - 2 * pad) / Math.max(1, scene.w);
  const free = size.h - TOOLS - pad; // below the tools
  const high = free / Math.max(1, scene.h);
  let scale = Math.min(wide, high, 1.1);
  if (!all && scale < 0.55) scale = Math.min(1, Math.max(scale, Math.min(wide, 0.9), 0.2));
  scale = clamp(scale, ZOOM.least, ZOOM.most);
  const narrow = scene.w * scale <= size.w;
  const x = (narrow || all ? scene.w / 2 : middle) - size.w / 2 / scale;
  const spare = Math.max(0, free - scene.h * scale);
  const y = -(TOOLS + spare / 2) / scale;
  return { x, y, scale };
}

/** Zooms so that the point of the world under `at` (on the screen) stays there. */
export function zoom(camera: Camera, at: Point, factor: number): Camera {
  const scale = clamp(camera.scale * factor, ZOOM.least, ZOOM.most);
  const moved = 1 / camera.scale - 1 / scale;
  return { x: camera.x + at.x * moved, y: camera.y + at.y * moved, scale };
}

/** Moves no further than it takes to have a box in sight; one far away comes to the middle. */
export function bring(camera: Camera, box: Box, size: Size): Camera {
  const scale = Math.max(camera.scale, 0.55);
  const view = { w: size.w / scale, h: size.h / scale };
  const edge = 60 / scale;
  if (scale === camera.scale) {
    const x = nudged(camera.x, view.w, box.x, box.w, edge);
    const y = nudged(camera.y, view.h, box.y, box.h, edge);
    if (Math.abs(x - camera.x) < view.w / 2 && Math.abs(y - camera.y) < view.h / 2) {
      return { x, y, scale };
    }
  }
  const y = box.h > view.h ? box.y - edge : box.y + box.h / 2 - view.h / 2;
  return { x: box.x + box.w / 2 - view.w / 2, y, scale };
}

/** Where a window begins so that it shows a span, moved as little as it can be. */
function nudged(start: number, length: number, from: number, span: number, edge: number): number {
  if (from - edge < start || span + 2 * edge > length)
    return from - edge < start ? from - edge : start;
  return Math.max(start, from + span + edge - length);
}

function clamp(x: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, x));
}
