/** Gathers what is known of each node: from the model, the profile, the comparison, the statistics. */

import type { Brief, Comparison, Profile } from "../api/types";
import { MEASURES, type Measure, type Measured } from "../graph/measures";
import type { ItemId, Model } from "../graph/model";

export interface Sources {
  profile: Profile | null;
  comparison: Comparison | null;
  statistics: Record<string, Brief> | null;
}

export function measure(model: Model, sources: Sources): Map<string, Measured> {
  const found = new Map<string, Measured>();
  for (const node of model.nodes) {
    const m: Measured = { params: node.parameters };
    if (node.macs !== null) m.macs = node.macs;
    if (node.bytes !== null) m.bytes = node.bytes;
    found.set(node.id, m);
    const value = node.outputs.find(Boolean);
    const brief = value && !node.id.includes(".") ? sources.statistics?.[value] : undefined;
    if (brief) m.sparsity = brief.zeros;
  }
  const { profile, comparison } = sources;
  if (profile) {
    for (const [id, seconds] of Object.entries(profile.nodes)) set(found, id, "time", seconds);
    for (const step of profile.steps) {
      for (const id of step.nodes) {
        if (!profile.nodes[id]) continue; // the step's heaviest node stands for it
        set(found, id, "share", step.share);
        if (step.macs) set(found, id, "rate", step.gflops);
      }
    }
  }
  for (const value of comparison?.values ?? []) {
    if (value.node === null) continue;
    const error = value.max_rel ?? Infinity;
    set(found, value.node, "error", Math.max(error, found.get(value.node)?.error ?? 0));
  }
  return found;
}

function set(found: Map<string, Measured>, id: string, measure: Measure, x: number): void {
  const m = found.get(id);
  if (m) m[measure] = x;
}

/** An item's measure: a group's is the sum of its nodes', or the largest where sums mean nothing. */
export function itemMeasure(
  model: Model,
  measured: Map<string, Measured>,
  id: ItemId,
  by: Measure,
): number | null {
  const numbers = model.nodesIn(id).flatMap((node) => measured.get(node.id)?.[by] ?? []);
  if (!numbers.length) return null;
  if (MEASURES[by].sums) return numbers.reduce((a, b) => a + b, 0);
  return Math.max(...numbers);
}
