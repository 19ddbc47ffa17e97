/** The whole page: the server, its models in tabs, what went wrong, light or dark. */

import { api, errorInfo } from "../api/client";
import type {
  DocumentInfo,
  ErrorInfo,
  Job,
  RunResult,
  ServerEvent,
  ServerState,
} from "../api/types";
import type { ThemeName } from "../graph/theme";
import { askAgain, onJob } from "./jobs.svelte";
import { applyLink, readLink } from "./link";
import { Tab } from "./tab.svelte";

const DARK = "(prefers-color-scheme: dark)";

class Workbench {
  server = $state.raw<ServerState | null>(null);
  tabs = $state.raw<Tab[]>([]);
  activeId = $state<string | null>(null);
  errors = $state.raw<{ key: number; error: ErrorInfo }[]>([]);
  disconnected = $state(false);
  /** Models that are being sent. */
  opening = $state.raw<string[]>([]);
  private system = $state<ThemeName>(matchMedia(DARK).matches ? "dark" : "light");
  private chosen = $state<ThemeName | null>(storedTheme());
  private keys = 0;
  /** The view that the page's address asked for, until it is shown. */
  private link: URLSearchParams | null = readLink(location.hash);

  readonly active = $derived(this.tabs.find((tab) => tab.id === this.activeId) ?? null);
  readonly theme: ThemeName = $derived(this.chosen ?? this.system);

  constructor() {
    matchMedia(DARK).addEventListener("change", (event) => {
      this.system = event.matches ? "dark" : "light";
    });
  }

  setTheme(theme: ThemeName): void {
    this.chosen = theme;
    localStorage.setItem("theme", theme);
  }

  async start(): Promise<void> {
    api.listen(
      (event) => this.hear(event),
      (broken) => (this.disconnected = broken),
    );
    await this.attempt(() => this.refresh());
  }

  private async refresh(): Promise<void> {
    const first = this.server === null;
    this.server = await api.state();
    this.tabs = this.server.documents.map((info) => {
      const tab = this.tabs.find((t) => t.id === info.id) ?? new Tab(info);
      tab.follow(info);
      return tab;
    });
    const linked = first && this.tabs.find((tab) => tab.info.name === this.link?.get("model"));
    this.activeId = (linked || this.active || this.tabs[0])?.id ?? null;
  }

  /** Fetches what a tab shows; the tab that the page's address names is shown as it says. */
  async load(tab: Tab): Promise<void> {
    await tab.load();
    const { link } = this;
    if (!tab.model || link?.get("model") !== tab.info.name) return;
    this.link = null;
    applyLink(tab, link);
  }

  private hear(event: ServerEvent): void {
    switch (event.type) {
      case "hello":
        if (this.server)
          void this.attempt(async () => {
            await this.refresh();
            await askAgain();
          });
        break;
      case "document":
        this.take(event.document, false);
        break;
      case "closed":
        this.drop(event.id);
        break;
      case "job":
        onJob(event.job);
        this.takeResult(event.job);
        break;
      case "lost":
        this.tabs.find((tab) => tab.id === event.document)?.lost(event.error);
        break;
    }
  }

  private takeResult(job: Job): void {
    if (job.state !== "done" || job.kind !== "run") return;
    this.tabs.find((tab) => tab.id === job.document)?.takeRun(job.result as RunResult);
  }

  /** Puts a document into its tab, a new one where it has none. */
  take(info: DocumentInfo, show: boolean): void {
    let tab = this.tabs.find((t) => t.id === info.id);
    if (!tab) {
      tab = new Tab(info);
      this.tabs = [...this.tabs, tab];
    }
    if (show) this.activeId = tab.id;
    tab.follow(info);
  }

  async openFiles(files: Iterable<File>): Promise<void> {
    for (const file of files) {
      const most = this.server?.limits.upload ?? Infinity;
      await this.open(file.name, async () => {
        if (file.size > most) throw new Error(`${file.name} is larger than ${most} bytes`);
        return api.upload(file);
      });
    }
  }

  openBundled(): Promise<void> {
    return this.open("the bundled model", () => api.bundled());
  }

  openZoo(name: string): Promise<void> {
    return this.open(name, () => api.openZoo(name));
  }

  private async open(name: string, ask: () => Promise<DocumentInfo>): Promise<void> {
    this.opening = [...this.opening, name];
    const info = await this.attempt(ask);
    if (info) this.take(info, true);
    this.opening = this.opening.filter((n) => n !== name);
  }

  async close(tab: Tab): Promise<void> {
    await this.attempt(() => api.close(tab.id));
    this.drop(tab.id);
  }

  private drop(id: string): void {
    const index = this.tabs.findIndex((tab) => tab.id === id);
    if (index < 0) return;
    this.tabs = this.tabs.filter((tab) => tab.id !== id);
    if (this.activeId === id) this.activeId = this.tabs[Math.max(0, index - 1)]?.id ?? null;
  }

  /** Does something; what goes wrong is shown, and the page goes on. */
  async attempt<T>(work: () => Promise<T>): Promise<T | null> {
    try {
      return await work();
    } catch (thrown) {
      this.errors = [...this.errors.slice(-3), { key: this.keys++, error: errorInfo(thrown) }];
      return null;
    }
  }

  dismiss(key: number): void {
    this.errors = this.errors.filter((error) => error.key !== key);
  }
}

function storedTheme(): ThemeName | null {
  const stored = localStorage.getItem("theme");
  return stored === "light" || stored === "dark" ? stored : null;
}

export const workbench = new Workbench();
