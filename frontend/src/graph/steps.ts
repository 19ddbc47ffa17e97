/** Where the arrow keys lead from a box. */

import type { PlacedBox } from "./arrange";
import type { ItemId } from "./model";
import type { Scene } from "./scene";

export type Arrow = "ArrowUp" | "ArrowDown" | "ArrowLeft" | "ArrowRight";

/** Along an edge up or down; to the nearest box beside, left or right. */
export function step(scene: Scene, from: ItemId, arrow: Arrow): ItemId | null {
  const box = scene.boxes.get(from);
  if (!box) return scene.arrangement.boxes[0]?.id ?? null;
  if (arrow === "ArrowUp" || arrow === "ArrowDown") {
    const down = arrow === "ArrowDown";
    const ends = scene.arrangement.lines
      .filter((line) => (down ? line.from : line.to) === from)
      .map((line) => scene.boxes.get(down ? line.to : line.from)!)
      .filter((other) => other !== undefined && other !== box);
    return nearest(box, ends);
  }
  const right = arrow === "ArrowRight";
  const beside = scene.arrangement.boxes.filter(
    (other) =>
      other.depth === box.depth &&
      other.y < box.y + box.h &&
      box.y < other.y + other.h &&
      (right ? other.x > box.x : other.x < box.x),
  );
  return nearest(box, beside);
}

function nearest(box: PlacedBox, others: PlacedBox[]): ItemId | null {
  let best: PlacedBox | null = null;
  const far = (b: PlacedBox): number =>
    Math.abs(b.x + b.w / 2 - box.x - box.w / 2) + Math.abs(b.y - box.y);
  for (const other of others) if (!best || far(other) < far(best)) best = other;
  return best?.id ?? null;
}
