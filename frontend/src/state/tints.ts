/** The colour of each box on show, by what the tab is coloured by. */

import type { Region } from "../api/types";
import type { PlacedBox } from "../graph/arrange";
import { MEASURES, type Measure } from "../graph/measures";
import type { ItemId, Model } from "../graph/model";
import { position, ramp, type Scale, scaleOver } from "../graph/scale";
import type { Tint } from "../graph/scene";
import { mix, THEMES, type ThemeName } from "../graph/theme";
import { percent } from "../lib/format";
import { itemMeasure } from "./measured";
import type { Tab } from "./tab.svelte";

export interface Tinting {
  tints: Map<ItemId, Tint>;
  /** null: the colours stand for kinds, not for numbers. */
  scale: Scale | null;
}

export function tinting(tab: Tab, model: Model, boxes: PlacedBox[], theme: ThemeName): Tinting {
  switch (tab.colouring) {
    case null:
      return { tints: new Map(), scale: null };
    case "difference":
      return { tints: differences(tab, model, boxes, theme), scale: null };
    case "field":
      return fields(tab, model, boxes, theme);
    default:
      return measures(tab, model, boxes, theme, tab.colouring);
  }
}

function measures(
  tab: Tab,
  model: Model,
  boxes: PlacedBox[],
  theme: ThemeName,
  by: Measure,
): Tinting {
  const { logarithmic, text } = MEASURES[by];
  const numbers = new Map<ItemId, number>();
  for (const box of boxes) {
    const x = itemMeasure(model, tab.measured, box.id, by);
    if (x !== null) numbers.set(box.id, x);
  }
  const closed = boxes.filter((box) => !box.open);
  const scale = scaleOver(
    closed.flatMap((box) => numbers.get(box.id) ?? []),
    logarithmic,
  );
  const [low, high] = tab.thresholds;
  const tints = new Map<ItemId, Tint>();
  for (const [id, x] of numbers) {
    if (x === 0 && logarithmic) continue;
    const t = position(scale, x);
    const within = t >= low && t <= high;
    tints.set(id, { color: within ? ramp(theme, t) : THEMES[theme]["box"]!, text: text(x) });
  }
  return { tints, scale };
}

const CHANGES = { added: "good", removed: "bad", changed: "found" } as const;

function differences(
  tab: Tab,
  model: Model,
  boxes: PlacedBox[],
  theme: ThemeName,
): Map<ItemId, Tint> {
  const changes = new Map(
    (tab.difference?.nodes ?? []).flatMap((n) => (n.ours === null ? [] : [[n.ours, n.change]])),
  );
  const palette = THEMES[theme];
  const tints = new Map<ItemId, Tint>();
  for (const box of boxes) {
    const inside = model.nodesIn(box.id).flatMap((node) => changes.get(node.id) ?? []);
    if (!inside.length) continue;
    const change = inside.every((c) => c === inside[0]) ? inside[0]! : "changed";
    const text = inside.length > 1 ? `${inside.length} ${change}` : change;
    const ink = palette[CHANGES[change as keyof typeof CHANGES]]!;
    tints.set(box.id, { color: mix(ink, palette["box"]!, 0.28), text });
  }
  return tints;
}

/** How much of each value the chosen element depends on. */
function fields(tab: Tab, model: Model, boxes: PlacedBox[], theme: ThemeName): Tinting {
  const scale: Scale = { least: 0, most: 1, logarithmic: false };
  const tints = new Map<ItemId, Tint>();
  const regions = tab.field?.values ?? {};
  for (const box of boxes) {
    if (box.open) continue;
    const found = outputs(model, box.id).flatMap((value) => regions[value] ?? []);
    const region = found.at(-1);
    if (region) tints.set(box.id, { color: ramp(theme, region.share), text: extentText(region) });
  }
  return { tints, scale };
}

function outputs(model: Model, id: ItemId): string[] {
  const item = model.item(id);
  if (item.kind === "input" || item.kind === "output") return [item.value];
  return model.nodesIn(id).flatMap((node) => node.outputs);
}

/** "7×7" of the spatial axes, or the share where there are none. */
export function extentText(region: Region): string {
  const spans = region.box.map(([from, to]) => to - from);
  return spans.length > 2 ? spans.slice(2).join("×") : percent(region.share);
}
