/** One HTML file that shows the model without a server: the model's data, the view, and the code. */

import type { DocumentInfo, ModelDocument, Profile, RunResult } from "../api/types";
import type { Tab } from "../state/tab.svelte";

/** What the file holds of a tab. */
export interface Kept {
  info: DocumentInfo;
  document: ModelDocument;
  run: RunResult | null;
  profile: Profile | null;
  view: string;
}

export async function offlinePage(tab: Tab, view: string): Promise<string> {
  const [code, style] = await Promise.all([
    text("assets/offline/page.js"),
    text("assets/offline/page.css"),
  ]);
  const kept: Kept = {
    info: tab.info,
    document: { ...tab.model!.document, runs: [] },
    run: tab.run,
    profile: tab.profile,
    view,
  };
  // "<" must not end the script early, whatever the model's names are.
  const data = JSON.stringify(kept).replaceAll("<", "\\u003c");
  const title = tab.info.name.replace(/[&<>]/g, "");
  return [
    "<!doctype html>",
    `<html lang="en"><head><meta charset="utf-8"><title>${title}</title>`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<style>${style}</style></head><body><div id="app"></div>`,
    `<script type="application/json" id="kept">${data}</script>`,
    `<script type="module">${code.replaceAll("</script", "<\\/script")}</script>`,
    "</body></html>",
  ].join("\n");
}

async function text(path: string): Promise<string> {
  // These names have no hash in them: what the browser keeps may be of an older version.
  const response = await fetch(path, { cache: "reload" });
  if (!response.ok) throw new Error(`The server has no ${path}: build the page again`);
  return response.text();
}
