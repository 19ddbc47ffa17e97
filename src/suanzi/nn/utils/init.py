"""Modules without first values."""

from typing import Any, TypeVar

from suanzi.errors import SuanziError
from suanzi.nn.init import skipped
from suanzi.nn.module import Module

M = TypeVar("M", bound=Module)


def skip_init(module_cls: type[M], *args: Any, **kwargs: Any) -> M:
    """`module_cls(*args, **kwargs)`, whose parameters aren't given first values.

    For modules about to be loaded.
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise SuanziError("wrong class", expected="a subclass of nn.Module", found=module_cls)
    with skipped():
        return module_cls(*args, **kwargs)
