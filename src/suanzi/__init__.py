"""Suanzi (算子): deep-learning operators to read, to see and to run."""

import importlib
from typing import TYPE_CHECKING, Any

from suanzi.errors import SuanziError

if TYPE_CHECKING:
    from suanzi import nn, optim, utils
    from suanzi.operators import OPERATORS as operators  # noqa: N811
    from suanzi.session import InferenceSession
    from suanzi.tensor import *  # noqa: F403

__version__ = "0.1.0"
__all__ = ["InferenceSession", "SuanziError", "__version__", "operators"]

PACKAGES = {"autograd", "func", "linalg", "nn", "optim", "tensor", "utils"}


def __getattr__(name: str) -> Any:
    """The parts that take time to import come when they are first used."""
    if name == "InferenceSession":
        from suanzi.session import InferenceSession

        return InferenceSession
    if name == "operators":  # only until it is imported
        import suanzi.graph.control_flow  # it adds those with bodies to the table
        import suanzi.operators

        return suanzi.operators
    if name in PACKAGES:
        return importlib.import_module(f"suanzi.{name}")
    if not name.startswith("__"):
        tensor = importlib.import_module("suanzi.tensor")
        if hasattr(tensor, name):
            return getattr(tensor, name)
    raise AttributeError(f"module 'suanzi' has no attribute '{name}'")
