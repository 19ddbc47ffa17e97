/** Layouts from the worker, each problem solved once: groups of one shape share theirs. */

import type { Layout, Problem } from "./geometry";
import { layoutOf } from "./layout";

const cache = new Map<string, Promise<Layout>>();
const KEPT = 500;
let worker: Worker | null = null;
const waiting = new Map<number, (layout: Layout) => void>();
let keys = 0;

export function solve(problem: Problem): Promise<Layout> {
  const sizes = problem.sizes.map(({ w, h }) => `${w}x${h}`).join();
  const signature = `${sizes};${problem.edges.join(";")}`;
  const known = cache.get(signature);
  if (known) return known;
  const layout = ask(problem);
  cache.set(signature, layout);
  if (cache.size > KEPT) cache.delete(cache.keys().next().value!);
  return layout;
}

function ask(problem: Problem): Promise<Layout> {
  // Two boxes or one need no thread; a page from a file may have none.
  if (__OFFLINE__ || problem.sizes.length < 3) return Promise.resolve(layoutOf(problem));
  if (!worker) {
    worker = new Worker(new URL("./layout.worker.ts", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }: MessageEvent<{ key: number; layout: Layout }>) => {
      waiting.get(data.key)?.(data.layout);
      waiting.delete(data.key);
    };
  }
  return new Promise((resolve) => {
    const key = keys++;
    waiting.set(key, resolve);
    worker!.postMessage({ key, problem });
  });
}
