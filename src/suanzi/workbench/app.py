"""The server's addresses: what each asks of the desk."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import resources
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from suanzi import data
from suanzi.errors import SuanziError
from suanzi.runtime.threads import default_threads
from suanzi.workbench.about import about
from suanzi.workbench.desk import Desk, Document
from suanzi.workbench.download import find, zoo
from suanzi.workbench.guard import Guard
from suanzi.workbench.messages import (
    STATUSES,
    ErrorInfo,
    MissingError,
    RemoteError,
    Reply,
    TooLargeError,
    encode,
    reply,
    take,
)
from suanzi.workbench.tensors import MOST_SLICE

STATIC = Path(__file__).parent / "static"
UNBUILT = "The page isn't built: run `npm ci && npm run build` in frontend/.\n"
MOST_UPLOAD = 2 << 30
MOST_REQUEST = 4 << 20
"""Bytes of a request that is JSON."""
BUNDLED = "mnist-8.onnx"

Handler = Callable[[Request], Awaitable[Reply]]


def application(desk_of: Callable[[], Desk], token: str, most_upload: int = MOST_UPLOAD) -> ASGIApp:
    """The server around a desk, which is made when the event loop runs."""
    return Guard(Workbench(desk_of, most_upload).app, token)


class Workbench:
    """The routes; `desk` is there while the server runs."""

    desk: Desk

    def __init__(self, desk_of: Callable[[], Desk], most_upload: int) -> None:
        self.desk_of, self.most_upload = desk_of, most_upload
        get, post = self._get, self._post
        document = "/api/documents/{id}"
        routes: list[BaseRoute] = [
            Route("/", self._index),
            get("/api/state", self._state),
            Route("/api/events", self._events),
            get("/api/samples/{name}", self._sample),
            post("/api/documents", self._upload),
            post("/api/documents/bundled", self._bundled),
            get("/api/zoo", self._zoo),
            post("/api/documents/zoo", self._from_zoo),
            Route(document, self._answer(self._close), methods=["DELETE"]),
            get(document, self._describe),
            get(document + "/nodes/{node}", self._node),
            get(document + "/nodes/{node}/code", self._code),
            get(document + "/nodes/{node}/figure", self._figure),
            post(document + "/sizes", self._ask("sizes")),
            post(document + "/plan", self._ask("plan")),
            post(document + "/preview", self._ask("preview")),
            post(document + "/receptive", self._ask("receptive")),
            post(document + "/extract", self._extract),
            post(document + "/files", self._file),
            post(document + "/jobs", self._start),
            get(document + "/tensor/{what}", self._tensor),
            get(document + "/profile/{what}", self._profile),
            get("/api/jobs/{job}", self._job),
            Route("/api/jobs/{job}", self._answer(self._cancel), methods=["DELETE"]),
        ]
        if (STATIC / "assets").is_dir():
            routes.append(Mount("/assets", StaticFiles(directory=STATIC / "assets")))
        handlers: Any = {HTTPException: _http_error}
        self.app = Starlette(routes=routes, lifespan=self._life, exception_handlers=handlers)

    @contextlib.asynccontextmanager
    async def _life(self, app: Starlette) -> AsyncIterator[None]:
        self.desk = self.desk_of()
        try:
            yield
        finally:
            self.desk.end()

    # How requests are answered

    def _get(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answer(handler), methods=["GET"])

    def _post(self, path: str, handler: Handler) -> Route:
        return Route(path, self._answer(handler), methods=["POST"])

    def _answer(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            try:
                found = await handler(request)
            except RemoteError as error:
                return _failure(error.info)
            except SuanziError as error:
                return _failure(ErrorInfo.of(error))
            return Response(found.body, 200, dict(found.headers), found.kind)

        return answer

    def _ask(self, method: str) -> Handler:
        """Hands a JSON request to a document's worker."""

        async def handler(request: Request) -> Reply:
            body = await self._json(request)
            return await self.desk.ask(self._document(request), method, request=body)

        return handler

    def _document(self, request: Request) -> Document:
        return self.desk.document(request.path_params["id"])

    async def _body(self, request: Request, most: int) -> bytes:
        """A request's contents, read no further than what is allowed."""
        too_large = TooLargeError("too much was sent", expected=f"at most {most:,} bytes")
        with contextlib.suppress(ValueError):
            if int(request.headers.get("content-length", "0")) > most:
                raise too_large
        parts, size = [], 0
        async for part in request.stream():
            size += len(part)
            if size > most:
                raise too_large
            parts.append(part)
        return b"".join(parts)

    async def _json(self, request: Request) -> dict[str, Any]:
        try:
            found = json.loads(await self._body(request, MOST_REQUEST) or b"{}")
        except (ValueError, RecursionError):
            raise SuanziError("the request isn't JSON") from None
        if not isinstance(found, dict):
            raise SuanziError("the request isn't understood", expected="a JSON object")
        return found

    # The page and the state

    async def _index(self, request: Request) -> Response:
        page = STATIC / "index.html"
        return FileResponse(page) if page.is_file() else PlainTextResponse(UNBUILT)

    async def _state(self, request: Request) -> Reply:
        threads = self.desk.threads or default_threads()
        documents = [document.info for document in self.desk.documents.values()]
        limits = {"upload": self.most_upload, "slice": MOST_SLICE}
        return reply({**about(threads), "documents": documents, "limits": limits})

    async def _events(self, request: Request) -> Response:
        return StreamingResponse(self.desk.events.stream(), media_type="text/event-stream")

    async def _sample(self, request: Request) -> Reply:
        name = request.path_params["name"]
        if name not in data.digits():
            raise MissingError("no such sample", found=name)
        picture = (resources.files(data) / "digits" / name).read_bytes()
        return Reply(picture, "image/png")

    # Documents

    async def _upload(self, request: Request) -> Reply:
        name = _label(request.query_params.get("name", ""), "model.onnx")
        contents = await self._body(request, self.most_upload)
        document = self.desk.add(name, "upload", contents, len(contents))
        return reply((await self.desk.settled(document)).info)

    async def _bundled(self, request: Request) -> Reply:
        return reply((await self.desk.settled(open_bundled(self.desk))).info)

    async def _zoo(self, request: Request) -> Reply:
        return reply(zoo())

    async def _from_zoo(self, request: Request) -> Reply:
        """At once: the document's events tell of the download."""
        label, size = find(request.query_params.get("name", "")[:200])
        return reply(self.desk.add(label, "zoo", None, size).info)

    async def _describe(self, request: Request) -> Reply:
        document = await self.desk.settled(self._document(request))
        if document.described is None:
            raise RemoteError(
                document.error or ErrorInfo.plainly("the model isn't open", "missing")
            )
        runs = b",".join(run.body for run in document.runs.values())
        head = encode({"id": document.id})[:-1]
        return Reply(head + b',"runs":[' + runs + b"]," + document.described.body[1:])

    async def _close(self, request: Request) -> Reply:
        self.desk.close(self._document(request))
        return reply({})

    async def _node(self, request: Request) -> Reply:
        run = request.query_params.get("run")
        node = request.path_params["node"]
        return await self.desk.ask(self._document(request), "node", id=node, run=run)

    async def _code(self, request: Request) -> Reply:
        asked = request.query_params
        return await self.desk.ask(
            self._document(request),
            "code",
            id=request.path_params["node"],
            stage=asked.get("stage", "ir"),
            run=asked.get("run"),
        )

    async def _figure(self, request: Request) -> Reply:
        asked = request.query_params
        try:
            parameters = json.loads(asked.get("parameters", "{}")[:2000])
        except ValueError:
            raise SuanziError("no JSON", input="parameters") from None
        return await self.desk.ask(
            self._document(request),
            "figure",
            id=request.path_params["node"],
            kind=asked.get("figure") or None,
            step=_number(asked.get("step", "0")),
            theme=asked.get("theme", "light"),
            parameters=parameters,
        )

    async def _file(self, request: Request) -> Reply:
        document = self._document(request)
        name = _label(request.query_params.get("name", ""), "file")
        return await self.desk.add_file(document, name, await self._body(request, self.most_upload))

    async def _extract(self, request: Request) -> Reply:
        body = await self._json(request)
        document = self._document(request)
        opens = take(body, "open", bool, False)
        found = await self.desk.ask(document, "extract", request=body)
        if not opens:
            return found
        stem = document.name.removesuffix(".onnx")
        made = self.desk.add(f"{stem} (part).onnx", "cut", found.body, len(found.body))
        return reply((await self.desk.settled(made)).info)

    # Tensors and profiles

    async def _tensor(self, request: Request) -> Reply:
        asked = request.query_params
        what = request.path_params["what"]
        common = {
            "value": asked.get("value", ""),
            "run": asked.get("run"),
            "graph": asked.get("graph", ""),
        }
        more: dict[str, Any]
        match what:
            case "info" | "file":
                more = {}
            case "statistics":
                axis = asked.get("axis")
                more = {
                    "bins": _number(asked.get("bins", "64")),
                    "axis": _number(axis) if axis else None,
                }
            case "data":
                more = {"index": asked.get("index", ""), "kind": asked.get("as", "float32")}
            case "text":
                more = {"index": asked.get("index", "")}
            case _:
                raise MissingError("there is no such view of a tensor", found=what)
        return await self.desk.ask(self._document(request), f"tensor_{what}", **common, **more)

    async def _profile(self, request: Request) -> Reply:
        job = self.desk.job(request.query_params.get("job", ""))
        what = request.path_params["what"]
        if job.kind != "profile" or job.state != "done" or what not in ("json", "trace"):
            raise MissingError("there is no such profile", found=job.id)
        found = job.result
        if what == "trace":
            from suanzi.inspect.chrome import chrome_trace

            found = encode(chrome_trace(json.loads(found)))
        disposition = f'attachment; filename="{what}.json"'
        return Reply(found, headers=(("Content-Disposition", disposition),))

    # Jobs

    async def _start(self, request: Request) -> Reply:
        document = self._document(request)
        body = await self._json(request)
        kind = take(body, "kind", str)
        job = self.desk.start(document, kind, self._arguments(kind, body))
        return Reply(job.encoded())

    def _arguments(self, kind: str, body: dict[str, Any]) -> dict[str, Any]:
        """What a worker's method takes, from the page's words."""
        match kind:
            case "run":
                spec = take(body, "spec", dict)
                run = self.desk.new_run()
                return {"run": run, "spec": spec, "name": take(body, "name", str, run)}
            case "statistics":
                return {"run": take(body, "run", str)}
            case "profile":
                rounds = min(1000, max(1, take(body, "rounds", int, 20)))
                return {"run": take(body, "run", str), "rounds": rounds}
            case "compare":
                return {
                    "run": take(body, "run", str),
                    "against": take(body, "against", str),
                    "tolerance": take(body, "tolerance", float, 1e-3),
                }
            case "diff":
                other = self.desk.document(take(body, "other", str))
                if other.source is None:
                    raise SuanziError("the model isn't here yet", model=other.name)
                return {"other": other.source, "name": other.name}
        raise SuanziError(
            "no such job", expected="run, statistics, profile, compare or diff", found=kind
        )

    async def _job(self, request: Request) -> Reply:
        return Reply(self.desk.job(request.path_params["job"]).encoded())

    async def _cancel(self, request: Request) -> Reply:
        job = self.desk.job(request.path_params["job"])
        self.desk.cancel(job)
        return Reply(job.encoded())


def open_bundled(desk: Desk) -> Document:
    """The digits model in a new tab."""
    model = data.digits_model()
    return desk.add(BUNDLED, "bundled", model, len(model))


def _failure(info: ErrorInfo) -> Response:
    return Response(encode(info), STATUSES[info.kind], media_type="application/json")


async def _http_error(request: Request, error: HTTPException) -> Response:
    info = ErrorInfo.plainly(str(error.detail), "missing" if error.status_code == 404 else "user")
    return Response(encode(info), error.status_code, media_type="application/json")


def _label(name: str, otherwise: str) -> str:
    """A file's name as a label: never a path."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(c for c in last if c.isprintable())[:200]
    return kept or otherwise


def _number(word: str) -> int:
    try:
        return int(word[:10])
    except ValueError:
        raise SuanziError("not a number", found=word[:40]) from None
