/** Two builds: the page that the server serves, and (`--mode offline`) the one-file page that an
 * export fills with a model: one script and one style, nothing loaded later. */
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig, type Plugin } from "vitest/config";

const STATIC = "../src/suanzi/workbench/static";

/** KaTeX's fonts as WOFF2 alone: every browser that runs the page reads it. */
const woff2: Plugin = {
  name: "woff2",
  enforce: "pre",
  transform(code, id) {
    if (!/katex.*\.css/.test(id)) return null;
    return code.replace(/,url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)/g, "");
  },
};

/** Leaves out what the offline page can't load. */
const alone: Plugin = {
  name: "alone",
  generateBundle(_, bundle) {
    for (const file of Object.keys(bundle)) {
      if (!/^page\.(js|css)$/.test(file)) delete bundle[file];
    }
  },
};

export default defineConfig(({ mode }) => {
  const offline = mode === "offline";
  return {
    base: "./",
    plugins: [svelte(), woff2, ...(offline ? [alone] : [])],
    define: { __OFFLINE__: JSON.stringify(offline) },
    build: {
      outDir: offline ? `${STATIC}/assets/offline` : STATIC,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: false,
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 600, // ECharts, loaded with the first chart
      rolldownOptions: offline
        ? {
            input: "src/offline.ts",
            output: {
              codeSplitting: false,
              entryFileNames: "page.js",
              assetFileNames: "page[extname]",
            },
          }
        : {},
    },
    worker: { format: "es" as const },
    test: { include: ["tests/**/*.test.ts"], environment: "node" },
  };
});
