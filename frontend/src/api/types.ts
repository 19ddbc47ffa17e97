/** What the server says and is told; null stands for what isn't known. Held to suanzi/workbench. */

import type { Dim } from "../lib/format";

export type NodeId = string;
export type GraphId = string;
export type GroupId = string;
export type Shape = Dim[] | null;

export interface ErrorInfo {
  message: string;
  text: string;
  model: string | null;
  node: string | null;
  input: string | null;
  expected: string | null;
  found: string | null;
  hint: string | null;
  node_id: NodeId | null;
  kind: "user" | "lost" | "cancelled" | "internal";
}

export interface DocumentInfo {
  id: string;
  name: string;
  source: "given" | "upload" | "bundled" | "zoo" | "cut";
  bytes: number;
  state: "opening" | "ready" | "failed";
  error: ErrorInfo | null;
  /** Bytes that have been downloaded, while they are. */
  there: number | null;
}

export interface ZooModel {
  name: string;
  title: string;
  precision: string;
  opset: number;
  bytes: number;
  tags: string[];
}

export interface ServerState {
  version: string;
  machine: { target: string; targets: string[]; threads: number; cpu: string };
  runtimes: { name: string; installed: boolean; version: string | null }[];
  documents: DocumentInfo[];
  samples: { name: string; kind: "image" }[];
  limits: { upload: number; slice: number };
}

export type AttributeValue =
  | number
  | string
  | number[]
  | string[]
  | { tensor: string }
  | { graph: GraphId }
  | { type: string };

export interface ValueData {
  type: string;
  dtype: string;
  shape: Shape;
  constant?: { bytes: number; small?: (number | string | boolean | null)[] } | null;
}

export interface NodeData {
  id: NodeId;
  name: string;
  operator: string;
  family: string;
  attributes: Record<string, AttributeValue>;
  inputs: string[];
  outputs: string[];
  group: GroupId | null;
  bodies: Record<string, GraphId>;
  parameters: number;
  macs: number | null;
  bytes: number | null;
}

export interface GraphData {
  id: GraphId;
  name: string;
  parent: { node: NodeId; attribute: string } | null;
  inputs: string[];
  outputs: string[];
  captures: number;
  nodes: NodeData[];
  values: Record<string, ValueData>;
}

export interface Group {
  id: GroupId;
  name: string;
  path: string;
  parent: GroupId | null;
  graph: GraphId;
  kind: "scope" | "block";
  like: string | null;
  nodes: number;
  parameters: number;
  macs: number | null;
}

export interface ModelDocument {
  id: string;
  name: string;
  metadata: {
    producer_name: string;
    producer_version?: string;
    graph_name: string;
    domain: string;
    description: string;
    graph_description: string;
    version: number;
    custom_metadata_map: Record<string, string>;
  };
  opsets: Record<string, number>;
  inputs: string[];
  outputs: string[];
  symbols: string[];
  graphs: Record<GraphId, GraphData>;
  groups: Group[];
  operators: Record<string, { count: number; family: string; domain: string }>;
  totals: { nodes: number; parameters: number; parameter_bytes: number; macs: number | null };
  runs: RunResult[];
}

export interface Port {
  parameter: string;
  value: string;
  type: string;
  shape: Shape;
  constant: boolean;
  option: string;
}

export interface NodeDetail {
  id: NodeId;
  name: string;
  operator: string;
  domain: string;
  family: string;
  since: number[];
  summary: string;
  doc: string;
  torch: string | null;
  onnx_url: string | null;
  attributes: {
    name: string;
    type: string;
    default: string;
    value: AttributeValue | null;
    given: boolean;
  }[];
  inputs: Port[];
  outputs: Port[];
  definition: { file: string; line: number; source: string };
  code: { pytorch: string | null; suanzi: string; onnx: string };
  file_node: string | null;
  steps: PlanStep[];
}

export interface Sizes {
  dims?: Record<string, number>;
  shapes?: Record<string, number[]>;
}

export interface PlanStep {
  id: string;
  name: string;
  operator: string;
  inputs: string[];
  outputs: string[];
  layout: string;
  kernel: string[];
  chunks: number[];
  why: string[];
  plan: string[];
  free: boolean;
  nodes: NodeId[];
}

export interface Plan {
  target: string;
  threads: number;
  passes: { name: string; nodes: number }[];
  steps: PlanStep[];
  constants: string[];
  inputs: string[];
  outputs: string[];
  types: Record<string, { type: string; lanes: number; constant: boolean }>;
}

export interface FileInfo {
  file: string;
  name: string;
  bytes: number;
  kind: "image" | "wav" | "npy" | "npz" | "pb" | "labels";
  width?: number;
  height?: number;
  rate?: number;
  channels?: number;
  frames?: number;
  arrays?: { name: string; type: string; shape: number[] }[];
  labels?: number;
}

export type Feed =
  | { kind: "random"; seed: number; low?: number; high?: number }
  | { kind: "constant"; value: number }
  | {
      kind: "image";
      file: string;
      layout?: "NCHW" | "NHWC";
      resize?: "stretch" | "crop" | "pad";
      color?: "RGB" | "BGR" | "L";
      scale?: number;
      mean?: number[];
      std?: number[];
    }
  | { kind: "sample"; name: string }
  | { kind: "wav"; file: string; rate?: number; start?: number }
  | { kind: "array"; file: string; key?: string }
  | { kind: "text"; text: string };

export interface RunSpec extends Sizes {
  feeds: Record<string, Feed>;
  threads?: number;
  labels?: string;
}

export interface OutputInfo {
  value: string;
  type: string;
  shape: number[] | null;
  info: TensorInfo | null;
  top?: { index: number[]; value: number; share: number; label: string | null }[];
  text?: string;
}

export interface RunResult {
  run: string;
  name: string;
  seconds: number;
  compile_seconds: number;
  spec: RunSpec;
  types: Record<string, { type: string; shape: (number | null)[] | null }>;
  inputs: OutputInfo[];
  outputs: OutputInfo[];
}

export interface Brief {
  least: number | null;
  mean: number | null;
  largest: number | null;
  std: number | null;
  zeros: number;
  nan: number;
  inf: number;
  size: number;
}

export interface Job {
  id: string;
  document: string;
  kind: string;
  state: "queued" | "running" | "done" | "failed" | "cancelled";
  note: string;
  progress: number | null;
  result: unknown;
  error: ErrorInfo | null;
}

export type JobRequest =
  | { kind: "run"; spec: RunSpec; name?: string }
  | { kind: "statistics"; run: string }
  | { kind: "profile"; run: string; rounds?: number }
  | { kind: "compare"; run: string; against: string; tolerance?: number }
  | { kind: "diff"; other: string };

export type ServerEvent =
  | { type: "hello"; state: number }
  | { type: "document"; document: DocumentInfo }
  | { type: "closed"; id: string }
  | { type: "job"; job: Job }
  | { type: "lost"; document: string; error: ErrorInfo };

export type TensorLayout =
  "image" | "maps" | "sequence" | "matrix" | "vector" | "scalar" | "filters";

export interface TensorInfo {
  value: string;
  dtype: string;
  shape: number[];
  bytes: number;
  layout: TensorLayout;
}

export interface TensorStatistics extends Brief {
  value: string;
  dtype: string;
  shape: number[];
  histogram: { edges: number[]; counts: number[] };
  quantiles: { at: number[]; values: number[] };
  first_bad: number[] | null;
  axis: number | null;
  channels: Brief[] | null;
}

export interface StepProfile {
  node: string;
  operator: string;
  kernel: string;
  plan: string;
  why: string;
  shape: number[];
  seconds: number;
  macs: number;
  bytes: number;
  share: number;
  gflops: number;
  intensity: number | null;
  id: string;
  nodes: NodeId[];
  threads: number;
}

export interface Memory {
  arena_bytes: number;
  weight_bytes: number;
  peak_step: number;
  storages: {
    name: string;
    bytes: number;
    offset: number;
    first: number;
    last: number;
    values: string[];
  }[];
  used: number[];
}

export interface Profile {
  model: string;
  seconds: number;
  rounds: number;
  macs: number;
  gflops: number;
  roofline: { gflops: number; gigabytes: number; threads: number };
  steps: StepProfile[];
  nodes: Record<NodeId, number>;
  memory: Memory | null;
  timeline: { step: number; thread: number; start: number; seconds: number }[];
}

export interface Comparison {
  ours: string;
  against: string;
  tolerance: number;
  values: {
    value: string;
    node: NodeId | null;
    operator: string;
    max_abs: number | null;
    ulps: number | null;
    max_rel: number | null;
    mean_abs: number | null;
    scale: number;
    at: number[] | null;
    ours: number | null;
    theirs: number | null;
    apart: boolean;
    note: string;
  }[];
  first: NodeId | null;
  worst: NodeId | null;
  missing: string[];
}

export interface NodeDiff {
  ours: NodeId | null;
  theirs: NodeId | null;
  name: string;
  operator: string;
  change: "added" | "removed" | "changed";
  what: {
    kind: "operator" | "attribute" | "input" | "weight" | "type";
    name: string;
    ours: string;
    theirs: string;
    max_abs?: number | null;
  }[];
}

export interface ModelDiff {
  ours: string;
  theirs: string;
  same: boolean;
  inputs: string[];
  outputs: string[];
  nodes: NodeDiff[];
  counts: { same: number; added: number; removed: number; changed: number };
}

export interface Region {
  shape: number[];
  box: [number, number][];
  steps: number[];
  exact: boolean;
  share: number;
  size: number;
}

export interface ReceptiveField {
  value: string;
  values: Record<string, Region>;
}

export interface InTwoLanguages {
  en: string;
  zh: string;
}

/** What may be changed of a figure. */
export interface FigureControl {
  name: string;
  label: InTwoLanguages;
  kind: "int" | "float" | "bool" | "choice" | "ints";
  value: number | boolean | string | number[];
  minimum: number | null;
  maximum: number | null;
  choices: string[];
}

/** An operator's figure at one step; no `figures` where it has none. */
export interface NodeFigure {
  figures: { id: string; title: InTwoLanguages }[];
  figure?: string;
  steps?: number;
  controls?: FigureControl[];
  text?: InTwoLanguages | null;
  svg?: string;
}
