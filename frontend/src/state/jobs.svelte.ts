/** Work that takes the server a while: started here, heard of by its events. */

import { api, errorInfo } from "../api/client";
import type { ErrorInfo, Job, JobRequest } from "../api/types";

const ENDED = new Set(["done", "failed", "cancelled"]);

/** One piece of work as the page shows it. */
export class Work<T> {
  job = $state.raw<Job | null>(null);
  error = $state.raw<ErrorInfo | null>(null);
  readonly running = $derived(this.job !== null && !ENDED.has(this.job.state));

  /** The result; null where it failed (see `error`) or was cancelled. */
  async start(document: string, request: JobRequest): Promise<T | null> {
    this.error = null;
    try {
      this.job = await api.start(document, request);
      const done = await ended(this.job, (job) => (this.job = job));
      this.job = done;
      if (done.state === "failed") this.error = done.error;
      return done.state === "done" ? (done.result as T) : null;
    } catch (thrown) {
      this.job = null;
      this.error = errorInfo(thrown);
      return null;
    }
  }

  async cancel(): Promise<void> {
    try {
      if (this.job) await api.cancel(this.job.id);
    } catch (thrown) {
      this.error = errorInfo(thrown);
    }
  }
}

const latest = new Map<string, Job>();
const heard = new Map<string, (job: Job) => void>();

/** Called with every event of a job. */
export function onJob(job: Job): void {
  const listener = heard.get(job.id);
  if (listener) listener(job);
  else if (!ENDED.has(latest.get(job.id)?.state ?? "")) latest.set(job.id, job);
}

/** After the connection was lost, events may have been missed. */
export async function askAgain(): Promise<void> {
  for (const [id, listener] of heard) listener(await api.job(id));
}

function ended(started: Job, changed: (job: Job) => void): Promise<Job> {
  return new Promise((resolve) => {
    const listen = (job: Job): void => {
      changed(job);
      if (!ENDED.has(job.state)) return;
      heard.delete(job.id);
      resolve(job);
    };
    heard.set(started.id, listen);
    // The first events may have come before the answer to the request.
    const early = latest.get(started.id);
    latest.delete(started.id);
    listen(early ?? started);
  });
}
