/** The one door to the server: every request of the page is made here. */

import type {
  DocumentInfo,
  ErrorInfo,
  FileInfo,
  Job,
  JobRequest,
  ModelDocument,
  NodeDetail,
  NodeFigure,
  NodeId,
  Plan,
  ReceptiveField,
  RunSpec,
  ServerEvent,
  ServerState,
  Shape,
  Sizes,
  TensorInfo,
  TensorStatistics,
  ZooModel,
} from "./types";

/** What the server answered instead of data. */
export class ServerError extends Error {
  constructor(readonly info: ErrorInfo) {
    super(info.message);
  }
}

/** What went wrong, for people, whatever was thrown. */
export function errorInfo(thrown: unknown): ErrorInfo {
  if (thrown instanceof ServerError) return thrown.info;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const none = { model: null, node: null, input: null, expected: null, found: null };
  return { ...none, message, text: message, hint: null, node_id: null, kind: "internal" };
}

async function answer(path: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`api/${path}`, init);
  } catch {
    throw new Error("The server doesn't answer. Is `suanzi open` still running?");
  }
  if (response.ok) return response;
  let info: ErrorInfo;
  try {
    info = (await response.json()) as ErrorInfo;
  } catch {
    throw new Error(`The server answered ${response.status} ${response.statusText}`);
  }
  throw new ServerError(info);
}

async function get<T>(path: string): Promise<T> {
  return (await answer(path)).json() as Promise<T>;
}

async function post<T>(path: string, body?: unknown): Promise<T> {
  const json = body !== undefined && !(body instanceof Blob);
  const init: RequestInit = { method: "POST" };
  if (body !== undefined) {
    init.body = json ? JSON.stringify(body) : (body as Blob);
    init.headers = { "Content-Type": json ? "application/json" : "application/octet-stream" };
  }
  return (await answer(path, init)).json() as Promise<T>;
}

const encode = encodeURIComponent;
const doc = (id: string): string => `documents/${encode(id)}`;

/** A tensor: of a run, or a constant of a graph. */
export interface TensorRef {
  document: string;
  value: string;
  run?: string | undefined;
  graph?: string | undefined;
}

function tensorPath(what: string, ref: TensorRef, more: Record<string, string> = {}): string {
  const query = new URLSearchParams({ value: ref.value, ...more });
  if (ref.run !== undefined) query.set("run", ref.run);
  else query.set("graph", ref.graph ?? "");
  return `${doc(ref.document)}/tensor/${what}?${query.toString()}`;
}

export interface TensorData {
  shape: number[];
  data: Float32Array;
}

export const api = {
  state: () => get<ServerState>("state"),
  document: (id: string) => get<ModelDocument>(doc(id)),
  upload: (file: File) => post<DocumentInfo>(`documents?name=${encode(file.name)}`, file),
  bundled: () => post<DocumentInfo>("documents/bundled"),
  zoo: () => get<ZooModel[]>("zoo"),
  openZoo: (name: string) => post<DocumentInfo>(`documents/zoo?name=${encode(name)}`),
  close: async (id: string) => void (await answer(doc(id), { method: "DELETE" })),

  node: (id: string, node: NodeId, run?: string) =>
    get<NodeDetail>(`${doc(id)}/nodes/${encode(node)}${run ? `?run=${encode(run)}` : ""}`),
  figure: (id: string, node: NodeId, asked: Record<string, string>) =>
    get<NodeFigure>(`${doc(id)}/nodes/${encode(node)}/figure?${new URLSearchParams(asked)}`),
  code: (id: string, node: NodeId, stage: "ir" | "asm", run?: string) =>
    get<{ kernels: { symbol: string; text: string }[] }>(
      `${doc(id)}/nodes/${encode(node)}/code?stage=${stage}${run ? `&run=${encode(run)}` : ""}`,
    ),

  sizes: (id: string, sizes: Sizes) =>
    post<{
      types: Record<string, { type: string; shape: Shape }>;
      macs: number | null;
      open: string[];
    }>(`${doc(id)}/sizes`, sizes),
  plan: (id: string, sizes: Sizes) => post<Plan>(`${doc(id)}/plan`, sizes),
  file: (id: string, file: File) =>
    post<FileInfo>(`${doc(id)}/files?name=${encode(file.name)}`, file),
  preview: (id: string, spec: RunSpec, input: string) =>
    post<{ run: string; value: string; info: TensorInfo }>(`${doc(id)}/preview`, { spec, input }),

  start: (id: string, request: JobRequest) => post<Job>(`${doc(id)}/jobs`, request),
  job: (id: string) => get<Job>(`jobs/${encode(id)}`),
  cancel: async (id: string) =>
    (await answer(`jobs/${encode(id)}`, { method: "DELETE" })).json() as Promise<Job>,

  info: (ref: TensorRef) => get<TensorInfo>(tensorPath("info", ref)),
  statistics: (ref: TensorRef, axis?: number) =>
    get<TensorStatistics>(
      tensorPath("statistics", ref, axis === undefined ? {} : { axis: String(axis) }),
    ),
  async data(ref: TensorRef, index?: string): Promise<TensorData> {
    const response = await answer(tensorPath("data", ref, index ? { index } : {}));
    const shape = response.headers.get("X-Suanzi-Shape") ?? "";
    const data = new Float32Array(await response.arrayBuffer());
    return { shape: shape ? shape.split(",").map(Number) : [], data };
  },
  text: (ref: TensorRef, index?: string) =>
    get<{ shape: number[]; values: unknown }>(tensorPath("text", ref, index ? { index } : {})),
  npy: (ref: TensorRef) => `api/${tensorPath("file", ref)}`,
  sample: (name: string) => `api/samples/${encode(name)}`,
  trace: (id: string, job: string) => `api/${doc(id)}/profile/trace?job=${encode(job)}`,
  profileJson: (id: string, job: string) => `api/${doc(id)}/profile/json?job=${encode(job)}`,

  receptive: (id: string, body: Sizes & { value: string; box: [number, number][]; run?: string }) =>
    post<ReceptiveField>(`${doc(id)}/receptive`, body),
  async cut(id: string, nodes: NodeId[]): Promise<Blob> {
    const init = {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ nodes }),
    };
    return (await answer(`${doc(id)}/extract`, init)).blob();
  },
  cutOpen: (id: string, nodes: NodeId[]) =>
    post<DocumentInfo>(`${doc(id)}/extract`, { nodes, open: true }),

  /** Calls `heard` at each event, until the page closes; the browser connects again by itself. */
  listen(heard: (event: ServerEvent) => void, broken: (isBroken: boolean) => void): void {
    const source = new EventSource("api/events");
    source.onopen = () => broken(false);
    source.onerror = () => broken(true);
    source.onmessage = (message: MessageEvent<string>) =>
      heard(JSON.parse(message.data) as ServerEvent);
  },
};
