/** The view as a part of the page's address, so that a link reopens it. */

import { MEASURES, type Measure } from "../graph/measures";
import type { ItemId } from "../graph/model";
import type { Colouring, Highlight, Tab, View } from "./tab.svelte";

/** Longer lists of open groups aren't written: some programs cut long links. */
const LONGEST = 6000;

export function readLink(hash: string): URLSearchParams {
  return new URLSearchParams(hash.replace(/^#/, ""));
}

export function writeLink(tab: Tab): string {
  const link = new URLSearchParams({ model: tab.info.name });
  const put = (key: string, text: string): void => {
    if (text && text.length < LONGEST) link.set(key, text);
  };
  put("open", JSON.stringify([...tab.open]).slice(1, -1));
  put("select", JSON.stringify([...tab.selected]).slice(1, -1));
  put("find", tab.query);
  put("colour", tab.colouring ?? "");
  put("constants", tab.constants ? "1" : "");
  put("view", tab.view === "graph" ? "" : tab.view);
  if (tab.highlight) put("light", JSON.stringify(tab.highlight));
  if (tab.camera) {
    const { x, y, scale } = tab.camera;
    put("at", [x.toFixed(1), y.toFixed(1), scale.toPrecision(4)].join());
  }
  return `#${link.toString()}`;
}

export function applyLink(tab: Tab, link: URLSearchParams): void {
  const ids = (key: string): ItemId[] => {
    const list = parseJson<unknown[]>(`[${link.get(key) ?? ""}]`) ?? [];
    return list.filter((id): id is ItemId => typeof id === "string" && tab.model!.items.has(id));
  };
  tab.open = new Set(ids("open"));
  tab.selected = new Set(ids("select"));
  tab.query = link.get("find") ?? "";
  tab.constants = link.has("constants");
  const view = link.get("view");
  if (view === "profile" || view === "compare") tab.view = view satisfies View;
  const colour = link.get("colour");
  if (colour && colour in MEASURES) tab.colour(colour as Measure satisfies Colouring);
  const light = parseJson<Highlight>(link.get("light") ?? "null");
  if (light && tab.model!.items.has(light.from)) tab.highlight = light;
  const [x, y, scale] = (link.get("at") ?? "").split(",").map(Number);
  if (x !== undefined && y !== undefined && scale && Number.isFinite(x + y + scale)) {
    tab.camera = { x, y, scale };
  }
}

function parseJson<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
