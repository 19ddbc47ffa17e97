/** What the keys do on the graph. */

import type { ItemId } from "../graph/model";
import type { Scene } from "../graph/scene";
import { type Arrow, step } from "../graph/steps";
import { fit, type Size, zoom } from "../graph/view";
import type { Tab } from "../state/tab.svelte";

export interface Place {
  tab: Tab;
  scene: Scene;
  size: Size;
  toggle: (id: ItemId) => void;
  bring: (id: ItemId) => Promise<void>;
}

const PANS: Record<Arrow, [number, number]> = {
  ArrowUp: [0, -80],
  ArrowDown: [0, 80],
  ArrowLeft: [-80, 0],
  ArrowRight: [80, 0],
};

/** Whether the key meant something here. */
export function pressed(event: KeyboardEvent, place: Place): boolean {
  const { tab, scene, size } = place;
  if (!tab.camera || event.ctrlKey || event.metaKey || event.altKey) return false;
  const middle = { x: size.w / 2, y: size.h / 2 };
  switch (event.key) {
    case "ArrowUp":
    case "ArrowDown":
    case "ArrowLeft":
    case "ArrowRight":
      if (event.shiftKey) pan(tab, event.key);
      else go(place, event.key);
      return true;
    case "Enter":
    case " ":
      if (tab.one) place.toggle(tab.one);
      return true;
    case "Escape":
      tab.select(null);
      tab.highlight = null;
      return true;
    case "+":
    case "=":
      tab.camera = zoom(tab.camera, middle, 1.25);
      return true;
    case "-":
      tab.camera = zoom(tab.camera, middle, 0.8);
      return true;
    case "0":
      tab.camera = fit(scene, size, true);
      return true;
    case "a":
    case "d":
      if (tab.one) tab.light(event.key === "a" ? "ancestors" : "descendants", tab.one);
      return true;
    default:
      return false;
  }
}

function pan(tab: Tab, arrow: Arrow): void {
  const { x, y, scale } = tab.camera!;
  const [dx, dy] = PANS[arrow];
  tab.camera = { x: x + dx / scale, y: y + dy / scale, scale };
}

function go({ tab, scene, bring }: Place, arrow: Arrow): void {
  const id = step(scene, tab.one ?? "", arrow);
  if (id === null) return;
  tab.select(id);
  void bring(id);
}
