"""Suanzi (算子): deep-learning operators to read, to see and to run."""

from typing import TYPE_CHECKING, Any

from suanzi.errors import SuanziError

if TYPE_CHECKING:
    from suanzi.operators import OPERATORS as operators  # noqa: N811
    from suanzi.session import InferenceSession

__version__ = "0.1.0"
__all__ = ["InferenceSession", "SuanziError", "__version__", "operators"]


def __getattr__(name: str) -> Any:
    """The parts that take time to import come when they are first used."""
    if name == "InferenceSession":
        from suanzi.session import InferenceSession

        return InferenceSession
    if name == "operators":  # only until it is imported
        import suanzi.graph.control_flow  # it adds those with bodies to the table
        import suanzi.operators

        return suanzi.operators
    raise AttributeError(f"module 'suanzi' has no attribute '{name}'")
