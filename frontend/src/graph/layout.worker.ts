import type { Problem } from "./geometry";
import { layoutOf } from "./layout";

self.onmessage = ({ data }: MessageEvent<{ key: number; problem: Problem }>) => {
  self.postMessage({ key: data.key, layout: layoutOf(data.problem) });
};
