"""Whether operations are recorded for gradients, thread by thread."""

import contextvars
import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import numpy as np

F = TypeVar("F", bound=Callable[..., Any])


class _Modes(threading.local):
    """Each thread's own."""

    def __init__(self) -> None:
        context = contextvars.Context()
        context.run(functools.partial(np.seterr, all="ignore"))
        self.quietly = context.run
        """Calls a function of NumPy's without its warnings: infinities and NaN are answers. It
        is what np.errstate does, several times as fast."""

    grad = True
    inference = False
    trace: Any = None
    """What records operations as a graph in place of doing them; see tracing.py."""


modes = _Modes()


def is_grad_enabled() -> bool:
    """Whether operations are recorded for gradients in this thread."""
    return modes.grad


def is_inference_mode_enabled() -> bool:
    return modes.inference


class set_grad_enabled:
    """Switches recording on or off: at once, in a `with`, or for a function that it decorates.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self.mode, self.before = bool(mode), modes.grad
        modes.grad = self.mode

    def __enter__(self) -> Self:
        modes.grad = self.mode
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None
    ) -> None:
        modes.grad = self.before

    def __call__(self, function: F) -> F:
        modes.grad = self.before  # it is the calls that are switched, not what comes now
        return _decorated(function, lambda: set_grad_enabled(self.mode))


class _Switch:
    """A `with`, or a decorator, that sets recording to `mode` and back."""

    mode: bool

    def __new__(cls, function: Any = None) -> Any:
        made = super().__new__(cls)
        return made if function is None else _decorated(function, cls)

    def __init__(self) -> None:
        self.before: list[bool] = []

    def __enter__(self) -> None:
        self.before.append(modes.grad)
        modes.grad = self.mode

    def __exit__(self, *_: object) -> None:
        modes.grad = self.before.pop()

    def __call__(self, function: F) -> F:
        return _decorated(function, type(self))


class no_grad(_Switch):
    """Nothing inside is recorded for gradients. A `with`, or a decorator.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """

    mode = False


class enable_grad(_Switch):
    """What is inside is recorded for gradients, within `no_grad` too."""

    mode = True


class inference_mode(_Switch):
    """As `no_grad`."""

    mode = False

    def __new__(cls, mode: Any = True) -> Any:
        if mode is False:
            return enable_grad()
        return super().__new__(cls, None if mode is True else mode)

    def __init__(self, mode: Any = True) -> None:
        super().__init__()

    def __enter__(self) -> None:
        super().__enter__()
        modes.inference = True

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        modes.inference = False


def _decorated(function: F, context: Callable[[], Any]) -> F:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        with context():
            return function(*args, **kwargs)

    return wrapper  # type: ignore[return-value]
