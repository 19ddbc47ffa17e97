/** Which layout a group gets. Runs in the worker (and, in the offline page, where it's called). */

import { dagreLayout } from "./dagre";
import type { Layout, Problem } from "./geometry";
import { linearLayout } from "./linear";

/** Beyond this dagre takes too long to wait for. */
export const CAREFUL = 260;

export function layoutOf(problem: Problem): Layout {
  const large = problem.sizes.length > CAREFUL || problem.edges.length > 3 * CAREFUL;
  return large ? linearLayout(problem) : dagreLayout(problem);
}
