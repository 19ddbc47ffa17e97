"""What lies on the workbench: open models, each with a worker of its own, and jobs."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from suanzi.errors import SuanziError
from suanzi.workbench.download import downloaded
from suanzi.workbench.events import Events
from suanzi.workbench.messages import (
    ErrorInfo,
    MissingError,
    RemoteError,
    Reply,
    TooLargeError,
    encode,
)
from suanzi.workbench.process import Process

MOST_JOBS = 100
"""Finished jobs whose results are kept."""

MOST_OPENING = 2
"""Models that are opened at the same time: a start with many isn't slow for the first."""

MOST_DOCUMENTS = 32

CLOSED = ErrorInfo.plainly("the document was closed", "cancelled")

Source = str | bytes
Kind = Literal["given", "upload", "bundled", "cut", "zoo"]


@dataclass
class Document:
    """A model in a tab. `files` and `runs` are what a new worker needs to go on."""

    id: str
    name: str
    kind: Kind
    source: Source | None
    """None: of the zoo, and not yet here."""
    size: int
    there: int | None = None
    """Bytes that have been downloaded, while they are."""
    state: Literal["opening", "ready", "failed"] = "opening"
    error: ErrorInfo | None = None
    described: Reply | None = None
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    runs: dict[str, Reply] = field(default_factory=dict)
    process: Process | None = None
    opening: asyncio.Task[Process] | None = None

    @property
    def info(self) -> dict[str, Any]:
        return {
            "id": self.id, "name": self.name, "source": self.kind, "bytes": self.size,
            "state": self.state, "error": self.error, "there": self.there,
        }  # fmt: skip


@dataclass
class Job:
    """Work that takes long. `result` is JSON."""

    id: str
    document: str
    kind: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] = "queued"
    note: str = ""
    progress: float | None = None
    result: bytes = b"null"
    error: ErrorInfo | None = None
    task: asyncio.Task[None] | None = None

    def encoded(self) -> bytes:
        told = {
            "id": self.id, "document": self.document, "kind": self.kind, "state": self.state,
            "note": self.note, "progress": self.progress, "error": self.error,
        }  # fmt: skip
        return encode(told)[:-1] + b',"result":' + self.result + b"}"

    @property
    def over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


class Desk:
    """All of it; lives on the server's event loop."""

    def __init__(self, threads: int | None = None) -> None:
        self.threads = threads
        self.events = Events()
        self.documents: dict[str, Document] = {}
        self.jobs: dict[str, Job] = {}
        self._numbers = itertools.count(1)
        self._runs = itertools.count(1)
        self._gate = asyncio.Semaphore(MOST_OPENING)
        self._spare: Process | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # Documents

    def add(self, name: str, kind: Kind, source: Source | None, size: int) -> Document:
        """A new tab, whose model begins to be opened; of the zoo it is downloaded first."""
        if len(self.documents) >= MOST_DOCUMENTS:
            raise TooLargeError("too many models are open", hint="Close some first")
        document = Document(f"d{next(self._numbers)}", name, kind, source, size)
        self.documents[document.id] = document
        self._tell_document(document)
        self._begin(document)
        return document

    def document(self, id: str) -> Document:
        if id not in self.documents:
            raise MissingError("no such document is open", found=id)
        return self.documents[id]

    async def settled(self, document: Document) -> Document:
        """Waits until the model is open, or has failed."""
        if document.opening and document.state == "opening":
            await asyncio.wait([document.opening])
        return document

    def close(self, document: Document) -> None:
        del self.documents[document.id]
        for job in self.jobs.values():
            if job.document == document.id and not job.over:
                self._settle(job, "cancelled")
        self._stop(document, CLOSED)
        self.events.tell(encode({"type": "closed", "id": document.id}))

    def end(self) -> None:
        """Closes everything."""
        why = ErrorInfo.plainly("the workbench ends", "cancelled")
        for document in self.documents.values():
            self._stop(document, why)
        if self._spare:
            self._spare.kill(why)
        self.documents.clear()
        for task in self._tasks:
            task.cancel()
        self.events.close()

    def warm(self) -> None:
        """Starts a worker ahead of the next model."""
        if self._spare is None:
            self._spare = Process()

    async def ask(self, document: Document, method: str, **arguments: Any) -> Reply:
        """A document's answer; its worker is started again if it has died."""
        return await (await self._worker(document)).call(method, **arguments)

    async def add_file(self, document: Document, name: str, contents: bytes) -> Reply:
        id = f"f{next(self._numbers)}"
        told = await self.ask(document, "add_file", id=id, name=name, contents=contents)
        document.files[id] = (name, contents)
        return told

    async def _worker(self, document: Document) -> Process:
        if document.opening is None or (document.process and document.process.ended):
            self._begin(document)
        assert document.opening is not None
        return await asyncio.shield(document.opening)

    def _begin(self, document: Document) -> None:
        document.process = None
        document.opening = self._keep(self._open(document))

    async def _open(self, document: Document) -> Process:
        if document.source is None:
            await self._download(document)
        async with self._gate:
            return await self._opened(document)

    async def _download(self, document: Document) -> None:
        def arrived(there: int) -> None:
            document.there = there
            self._tell_document(document)

        def wanted() -> bool:
            return document.id in self.documents

        try:
            document.source = await downloaded(document.name, wanted, arrived)
        except SuanziError as error:
            document.state, document.error = "failed", ErrorInfo.of(error, document.name)
            raise RemoteError(document.error) from None
        finally:
            document.there = None
            self._tell_document(document)

    async def _opened(self, document: Document) -> Process:
        if document.id not in self.documents:  # closed while it waited
            raise RemoteError(CLOSED)
        process, self._spare = self._spare or Process(), None
        if process.ended:
            process = Process()
        process.lost = lambda info: self._lost(document, info)
        document.process = process
        try:
            document.described = await process.call(
                "open", source=document.source, name=document.name, threads=self.threads
            )
            for id, (name, contents) in document.files.items():
                await process.call("add_file", id=id, name=name, contents=contents)
            for run, told in document.runs.items():
                spec = json.loads(told.body)["spec"]
                await process.call("remember", run=run, spec=spec)
            document.state, document.error = "ready", None
            self.warm()
            return process
        except RemoteError as error:
            document.state, document.error = "failed", error.info
            raise
        finally:
            self._tell_document(document)

    def _stop(self, document: Document, why: ErrorInfo) -> None:
        if document.process:
            document.process.kill(why)

    def _lost(self, document: Document, info: ErrorInfo) -> None:
        """A worker has died by itself: its jobs fail, and the next request starts another."""
        if document.id in self.documents:
            self.events.tell(encode({"type": "lost", "document": document.id, "error": info}))

    def _tell_document(self, document: Document) -> None:
        if document.id in self.documents:
            self.events.tell(encode({"type": "document", "document": document.info}))

    # Jobs

    def start(self, document: Document, kind: str, arguments: dict[str, Any]) -> Job:
        """A job that begins when those before it are done."""
        job = Job(f"j{next(self._numbers)}", document.id, kind)
        self.jobs[job.id] = job
        over = [old for old in self.jobs.values() if old.over]
        for old in over[: max(0, len(over) - MOST_JOBS)]:
            del self.jobs[old.id]
        self.events.tell(_job_event(job))
        job.task = self._keep(self._do(document, job, arguments))
        return job

    def new_run(self) -> str:
        """A name for a run; those of all documents differ."""
        return f"r{next(self._runs)}"

    def job(self, id: str) -> Job:
        if id not in self.jobs:
            raise MissingError("there is no such job", found=id)
        return self.jobs[id]

    def cancel(self, job: Job) -> None:
        """Ends a job. One that runs ends with its worker: nothing else can stop native code."""
        if job.over:
            return
        running = job.state == "running"
        self._settle(job, "cancelled")
        document = self.documents.get(job.document)
        if document and running:
            self._stop(document, ErrorInfo.plainly("the job was cancelled", "cancelled"))
            self._begin(document)

    async def _do(self, document: Document, job: Job, arguments: dict[str, Any]) -> None:
        def progress(note: str, share: float | None) -> None:
            if not job.over:
                job.state, job.note, job.progress = "running", note, share
                self.events.tell(_job_event(job))

        try:
            worker = await self._worker(document)
            done = await worker.call(job.kind, progress, **arguments)
        except RemoteError as error:
            if not job.over:
                self._settle(job, "failed", error=error.info)
            return
        if job.over:
            return
        if job.kind == "run":
            document.runs[arguments["run"]] = done
        self._settle(job, "done", result=done.body)

    def _settle(
        self, job: Job, state: Literal["done", "failed", "cancelled"], result: bytes = b"null",
        error: ErrorInfo | None = None,
    ) -> None:  # fmt: skip
        job.state, job.result, job.error = state, result, error
        if state == "done":
            job.progress = 1.0
        self.events.tell(_job_event(job))

    def _keep(self, work: Any) -> asyncio.Task[Any]:
        """A task that isn't forgotten before it is done, and whose errors are told elsewhere."""
        task: asyncio.Task[Any] = asyncio.ensure_future(work)
        self._tasks.add(task)

        def done(task: asyncio.Task[Any]) -> None:
            self._tasks.discard(task)
            if not task.cancelled():
                task.exception()  # whoever waits for it gets it too

        task.add_done_callback(done)
        return task


def _job_event(job: Job) -> bytes:
    return b'{"type":"job","job":' + job.encoded() + b"}"
