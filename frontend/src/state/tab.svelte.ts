/** One open model: what is known of it and how it is looked at. */

import { api, errorInfo } from "../api/client";
import type {
  Brief,
  Comparison,
  DocumentInfo,
  ErrorInfo,
  ModelDiff,
  Plan,
  Profile,
  ReceptiveField,
  RunResult,
  RunSpec,
} from "../api/types";
import type { Camera } from "../graph/canvas";
import { MEASURES, type Measure, type Measured } from "../graph/measures";
import { type ItemId, Model, nodeItem } from "../graph/model";
import { between, type Direction, reach } from "../graph/reach";
import { parse } from "../graph/search";
import { Work } from "./jobs.svelte";
import { measure } from "./measured";

export type View = "graph" | "profile" | "compare";
export type Panel = "inspect" | "run";
export interface Highlight {
  kind: Direction | "way";
  from: ItemId;
  to?: ItemId;
}
/** What the boxes are coloured by. */
export type Colouring = Measure | "difference" | "field" | null;

export class Tab {
  info = $state.raw<DocumentInfo>() as DocumentInfo;
  model = $state.raw<Model | null>(null);
  error = $state.raw<ErrorInfo | null>(null);

  view = $state<View>("graph");
  panel = $state<Panel>("inspect");
  open = $state.raw<Set<ItemId>>(new Set());
  selected = $state.raw<Set<ItemId>>(new Set());
  camera = $state.raw<Camera | null>(null);
  /** Whether nodes that no input reaches are drawn. */
  constants = $state(false);
  query = $state("");
  highlight = $state.raw<Highlight | null>(null);
  colouring = $state<Colouring>(null);
  /** What is below and above the legend's thresholds isn't coloured. */
  thresholds = $state.raw<[number, number]>([0, 1]);

  runs = $state.raw<RunResult[]>([]);
  run = $state.raw<RunResult | null>(null);
  profile = $state.raw<Profile | null>(null);
  plan = $state.raw<Plan | null>(null);
  comparison = $state.raw<Comparison | null>(null);
  difference = $state.raw<ModelDiff | null>(null);
  field = $state.raw<ReceptiveField | null>(null);
  statistics = $state.raw<Record<string, Brief> | null>(null);

  readonly running = new Work<RunResult>();
  readonly profiling = new Work<Profile>();
  readonly comparing = new Work<Comparison>();
  readonly differing = new Work<ModelDiff>();
  readonly measuring = new Work<{ values: Record<string, Brief> }>();

  readonly parsed = $derived(parse(this.query));
  readonly measured: Map<string, Measured> = $derived(
    this.model ? measure(this.model, this) : new Map<string, Measured>(),
  );
  /** What the find box finds; null where it is empty or can't be read. */
  readonly found: ItemId[] | null = $derived.by(() => {
    const { model, parsed } = this;
    if (!model || !this.query.trim() || "error" in parsed) return null;
    const { test } = parsed;
    return model.nodes
      .filter((node) => test(node, model.graph(node.id), this.measured.get(node.id) ?? {}))
      .map((node) => nodeItem(node.id));
  });
  readonly lit: Set<ItemId> | null = $derived.by(() => {
    const { model, highlight } = this;
    if (!model || !highlight || !model.items.has(highlight.from)) return null;
    if (highlight.kind !== "way") return reach(model, highlight.from, highlight.kind);
    return highlight.to ? between(model, highlight.from, highlight.to) : null;
  });

  private loading = false;

  constructor(info: DocumentInfo) {
    this.info = info;
  }

  get id(): string {
    return this.info.id;
  }

  /** Takes news of the document. */
  follow(info: DocumentInfo): void {
    this.info = info;
    if (info.state === "failed") this.error = info.error;
  }

  /** Fetches the document, once: only a tab that is looked at needs it. */
  async load(): Promise<void> {
    if (this.model || this.loading) return;
    this.loading = true;
    try {
      const document = await api.document(this.id);
      this.runs = document.runs;
      this.run = document.runs.at(-1) ?? null;
      this.model = new Model(document);
    } catch (thrown) {
      this.error = errorInfo(thrown);
    } finally {
      this.loading = false;
    }
  }

  toggle(id: ItemId): void {
    const open = new Set(this.open);
    if (open.delete(id)) {
      this.open = open;
      return;
    }
    open.add(id);
    // A node opens its bodies with it.
    for (const child of this.model?.children.get(id) ?? []) {
      if (child.startsWith("b:")) open.add(child);
    }
    this.open = open;
  }

  openAll(): void {
    if (this.model) this.open = new Set(this.model.children.keys());
  }

  closeAll(): void {
    this.open = new Set();
  }

  /** Opens all that hides an item. */
  reveal(id: ItemId): void {
    const holders = this.model?.holders(id) ?? [];
    if (this.model?.constants.has(id)) this.constants = true;
    if (holders.some((holder) => !this.open.has(holder))) {
      this.open = new Set([...this.open, ...holders]);
    }
  }

  select(id: ItemId | null, more = false): void {
    if (id === null) {
      this.selected = new Set();
      return;
    }
    const selected = new Set(more ? this.selected : []);
    if (more && selected.has(id)) selected.delete(id);
    else selected.add(id);
    this.selected = selected;
  }

  /** Lights up what comes before or after an item; a second time, all again. */
  light(kind: Direction, from: ItemId): void {
    const same = this.highlight?.kind === kind && this.highlight.from === from;
    this.highlight = same ? null : { kind, from };
  }

  /** The one item that is selected, else null. */
  get one(): ItemId | null {
    const [first] = this.selected;
    return this.selected.size === 1 ? first! : null;
  }

  /** The nodes of the main graph that are selected, groups with all they hold. */
  get selectedNodes(): string[] {
    const { model } = this;
    if (!model) return [];
    const nodes = [...this.selected].flatMap((id) =>
      model.items.has(id) ? model.nodesIn(id) : [],
    );
    return [...new Set(nodes.map((node) => node.id))].filter((id) => !id.includes("."));
  }

  async doRun(spec: RunSpec): Promise<void> {
    const result = await this.running.start(this.id, { kind: "run", spec });
    if (result) this.takeRun(result);
  }

  /** Shows a run that has ended: this page's, or one that another began. */
  takeRun(result: RunResult): void {
    if (this.runs.some((run) => run.run === result.run)) return;
    this.runs = [...this.runs, result];
    this.run = result;
    this.statistics = null;
  }

  /** The run on show, made with random data where there was none. */
  async needRun(): Promise<RunResult | null> {
    if (!this.run) await this.doRun({ feeds: {} });
    if (!this.run) this.panel = "run"; // most often sizes are open, which are chosen there
    return this.run;
  }

  /** Ends whatever runs; a profile or comparison may still be at the run that it needs. */
  async cancel(): Promise<void> {
    const works = [this.running, this.profiling, this.comparing, this.differing, this.measuring];
    await Promise.all(works.filter((work) => work.running).map((work) => work.cancel()));
  }

  async doProfile(rounds: number): Promise<void> {
    const run = await this.needRun();
    if (!run) {
      this.profiling.error = this.running.error;
      return;
    }
    const request = { kind: "profile" as const, run: run.run, rounds };
    this.profile = (await this.profiling.start(this.id, request)) ?? this.profile;
  }

  async doCompare(against: string, tolerance: number): Promise<void> {
    const run = await this.needRun();
    if (!run) {
      this.comparing.error = this.running.error;
      return;
    }
    const request = { kind: "compare" as const, run: run.run, against, tolerance };
    const comparison = await this.comparing.start(this.id, request);
    if (!comparison) return;
    this.comparison = comparison;
    this.colour("error");
    if (comparison.first) this.select(nodeItem(comparison.first));
  }

  async doDiff(other: string): Promise<void> {
    const difference = await this.differing.start(this.id, { kind: "diff", other });
    if (!difference) return;
    this.difference = difference;
    this.colour("difference");
  }

  async doStatistics(): Promise<void> {
    const run = await this.needRun();
    if (!run || this.statistics) return;
    const result = await this.measuring.start(this.id, { kind: "statistics", run: run.run });
    this.statistics = result?.values ?? null;
  }

  /** Colours by something, and sees that it becomes known. */
  colour(by: Colouring): void {
    this.colouring = by;
    this.thresholds = [0, 1];
    if (by === null || by === "difference" || by === "field") return;
    const { needs } = MEASURES[by];
    if (needs === "profile" && !this.profile && !this.profiling.running) void this.doProfile(10);
    if (needs === "statistics" && !this.measuring.running) void this.doStatistics();
  }

  /** The server lost what it kept of this model's runs. */
  lost(error: ErrorInfo): void {
    this.error = error;
    this.runs = [];
    this.run = null;
    this.statistics = null;
  }
}
