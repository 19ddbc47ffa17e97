"""Questions about tensors, as functions; and switches of PyTorch's that change nothing here."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.tensor.core import Tensor, method
from suanzi.tensor.device import device


def is_floating_point(input: Tensor) -> bool:
    """Whether the elements are floating-point numbers."""
    return input.is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Whether the elements are complex numbers: never."""
    return False


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element isn't zero."""
    return bool(input)


@method
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have one shape."""
    return bool(input.shape == other.shape)


def typename(obj: Any) -> str:
    """The name of its type."""
    return str(obj.type()) if isinstance(obj, Tensor) else type(obj).__qualname__


def get_default_device() -> device:
    """Where tensors are made: the CPU."""
    return device("cpu")


def set_default_device(name: Any) -> None:
    """Says where tensors are made: on the CPU."""
    device(name or "cpu")


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Nothing: all algorithms here give the same results for the same inputs."""


def are_deterministic_algorithms_enabled() -> bool:
    return True


def set_float32_matmul_precision(precision: str) -> None:
    """Nothing: products of float32 are float32's."""
    if precision not in ("highest", "high", "medium"):
        raise SuanziError("wrong precision", input="precision",
                          expected="highest, high or medium", found=precision)  # fmt: skip


__all__ = [
    "are_deterministic_algorithms_enabled", "get_default_device", "is_complex",
    "is_floating_point", "is_nonzero", "is_same_size", "set_default_device",
    "set_float32_matmul_precision", "typename", "use_deterministic_algorithms",
]  # fmt: skip
