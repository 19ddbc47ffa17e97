"""Where tensors are: the processor's memory, under PyTorch's names."""

from typing import Any

from suanzi.errors import SuanziError


class device:
    """A place for tensors; there is one, the CPU.

    >>> device("cpu")
    device(type='cpu')
    """

    type = "cpu"
    index: int | None = None

    def __init__(self, name: Any = "cpu", index: int | None = None) -> None:
        if isinstance(name, device):
            return
        if str(name).partition(":")[0] != "cpu":
            raise SuanziError("there is no such device here", expected="cpu", found=name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) or other == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")

    def __str__(self) -> str:
        return "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"


CPU = device()
