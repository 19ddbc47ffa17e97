"""What passes between the page, the server and its workers: errors, and what JSON must hold."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from suanzi.errors import SuanziError
from suanzi.graph import Graph
from suanzi.inspect.feeds import GIVEN, OPEN
from suanzi.inspect.nodes import all_nodes
from suanzi.inspect.plain import plain

T = TypeVar("T")

Kind = Literal["user", "lost", "cancelled", "internal", "missing", "large"]
UNNAMED = "<bytes>"
"""What a model is called that came as bytes."""
STATUSES: dict[Kind, int] = {
    "user": 400, "missing": 404, "cancelled": 409, "large": 413, "internal": 500, "lost": 503,
}  # fmt: skip


@dataclass(frozen=True)
class ErrorInfo:
    """An error as the page shows it; `text` is all of it in one line."""

    message: str
    text: str
    kind: Kind = "user"
    model: str | None = None
    node: str | None = None
    input: str | None = None
    expected: str | None = None
    found: str | None = None
    hint: str | None = None
    node_id: str | None = None

    @staticmethod
    def plainly(message: str, kind: Kind, model: str | None = None) -> ErrorInfo:
        return ErrorInfo(message, f"{model}: {message}" if model else message, kind, model)

    @staticmethod
    def of(error: BaseException, model: str | None = None, graph: Graph | None = None) -> ErrorInfo:
        """What an error says; of one that isn't the user's, that it is ours."""
        if not isinstance(error, SuanziError):
            message = f"the workbench made a mistake: {type(error).__name__}: {error}"
            return ErrorInfo.plainly(message, "internal", model)
        if error.model in (None, UNNAMED):
            error.model = model
        if error.hint in (OPEN, GIVEN):  # words for the command line
            error.hint = "Choose the inputs' sizes and contents under Run"
        told: dict[str, Any] = {
            name: None if (value := getattr(error, name)) is None else str(value)
            for name in ("model", "node", "input", "expected", "found", "hint")
        }
        kinds: dict[type, Kind] = {MissingError: "missing", TooLargeError: "large"}
        kind = kinds.get(type(error), "user")
        node_id = _node_id(error.node, graph)
        return ErrorInfo(error.message, str(error), kind, **told, node_id=node_id)


class MissingError(SuanziError):
    """What was asked for isn't there."""


class TooLargeError(SuanziError):
    """More was asked for, or sent, than goes at once."""


class RemoteError(Exception):
    """An error of a worker, as it told it."""

    def __init__(self, info: ErrorInfo) -> None:
        super().__init__(info.text)
        self.info = info


def _node_id(label: str | None, graph: Graph | None) -> str | None:
    if label is None or graph is None:
        return None
    return next((id for id, node, _ in all_nodes(graph) if node.label == label), None)


@dataclass(frozen=True)
class Reply:
    """An answer's body and what it is."""

    body: bytes
    kind: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


def reply(value: Any) -> Reply:
    """Data as JSON."""
    return Reply(encode(value))


def encode(value: Any) -> bytes:
    try:
        found = _JSON.encode(value)
    except ValueError:  # a number that JSON lacks is rare, and this takes thrice the time
        found = _JSON.encode(plain(value))
    return found.encode()


def _known(value: Any) -> Any:
    """What JSON's encoder can go on with, in place of what it doesn't know."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: getattr(value, name) for name in _fields(type(value))}
    return plain(value)


@functools.cache
def _fields(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(kind))


_JSON = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_known)


def take(request: Any, key: str, kind: type[T], default: Any = ...) -> T:
    """A field of a request, of some type; an error where it isn't.

    >>> take({"rounds": 3}, "rounds", int)
    3
    """
    if not isinstance(request, dict):
        raise SuanziError("the request isn't understood", expected="a JSON object")
    value = request.get(key, default)
    if value is ...:
        raise SuanziError("the request isn't understood", expected=f"a field {key}")
    if value is None and default is None:
        return value  # type: ignore[return-value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)  # type: ignore[return-value]
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise SuanziError(
            "the request isn't understood",
            expected=f"{key} as {kind.__name__}",
            found=str(value)[:40],
        )
    return value


def numbers(request: Any, key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    """A field that holds a list of numbers."""
    found = take(request, key, list, list(default))
    if not all(isinstance(x, int | float) and not isinstance(x, bool) for x in found):
        raise SuanziError("the request isn't understood", expected=f"{key} as numbers")
    return tuple(float(x) for x in found)


def sizes(request: Any) -> tuple[dict[str, int], dict[str, tuple[int, ...]]]:
    """Symbolic dimensions and whole shapes of a request."""
    dims = take(request, "dims", dict, {})
    shapes = take(request, "shapes", dict, {})
    for size in (*dims.values(), *(d for shape in shapes.values() for d in _listed(shape))):
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 1 << 40:
            raise SuanziError("not a size", expected="a whole number", found=str(size)[:40])
    return dims, {name: tuple(shape) for name, shape in shapes.items()}


def _listed(shape: object) -> list[Any]:
    if not isinstance(shape, list):
        raise SuanziError("not a shape", expected="a list of sizes", found=str(shape)[:40])
    return shape
