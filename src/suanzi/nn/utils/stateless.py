"""A module called with other tensors in the place of its own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.tensor import Tensor


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """`module(*args, **kwargs)`, with these tensors as its parameters and buffers by path.

    The rest stay the module's own. `tie_weights`: a tensor given for one of several paths of the
    same parameter is used at all of them. `strict`: all paths must be given, and no others.

    >>> import suanzi
    >>> from suanzi import nn
    >>> class Scale(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = nn.Parameter(suanzi.tensor(2.0))
    ...     def forward(self, input):
    ...         return input * self.factor
    >>> functional_call(Scale(), {"factor": suanzi.tensor(5.0)}, suanzi.ones(2))
    tensor([5., 5.])
    """
    given = parameter_and_buffer_dicts
    parts = [given] if isinstance(given, Mapping) else list(given)
    tensors: dict[str, Tensor] = {}
    for part in parts:
        repeated = tensors.keys() & part.keys()
        if repeated:
            raise SuanziError("names appear in several of the dictionaries", found=repeated)
        tensors.update(part)
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _replaced(module, tensors, tie_weights, strict):
        return module(*args, **kwargs or {})


@contextmanager
def _replaced(
    module: Module, tensors: dict[str, Tensor], tie_weights: bool, strict: bool
) -> Iterator[None]:
    own = dict(module.named_parameters(remove_duplicate=False))
    own.update(module.named_buffers(remove_duplicate=False))  # type: ignore[arg-type]
    if strict and tensors.keys() != own.keys():
        raise SuanziError(
            f"missing keys {sorted(own.keys() - tensors.keys())}, unexpected keys "
            f"{sorted(tensors.keys() - own.keys())}"
        )
    unknown = tensors.keys() - own.keys()
    if tie_weights:
        named = {id(own[path]): tensor for path, tensor in tensors.items() if path in own}
        tied = {path: named[id(value)] for path, value in own.items() if id(value) in named}
        tensors = {**tied, **tensors}
    if unknown:
        raise SuanziError("the module has no such parameter or buffer", found=sorted(unknown))
    places = [(*_place(module, path), tensor) for path, tensor in tensors.items()]
    before = [held[name] for held, name, _ in places]
    try:
        for held, name, tensor in places:
            held[name] = tensor
        yield
    finally:
        for (held, name, _), value in zip(places, before, strict=True):
            held[name] = value


def _place(module: Module, path: str) -> tuple[dict[str, Any], str]:
    """The dictionary that holds a parameter or buffer, and its name there."""
    parent, _, name = path.rpartition(".")
    owner = module.get_submodule(parent)
    return (owner._parameters if name in owner._parameters else owner._buffers), name
