"""Shows a module's backward hooks the gradients that pass its outputs and its inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from suanzi.errors import SuanziError
from suanzi.operators._operator import Operator
from suanzi.tensor import Tensor, is_grad_enabled, zeros
from suanzi.tensor.autograd import Node
from suanzi.tensor.core import wrap

if TYPE_CHECKING:
    from suanzi.nn._hooks import Hooks
    from suanzi.nn.module import Module

Values = tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Passage(Operator):
    """Leaves values as they are; their gradients are shown to `seen`, which gives what goes on."""

    seen: Callable[[Values], Values]

    def grad(self, dY: Any, _Y: Any, *_X: Any) -> Values:
        return self.seen(dY if isinstance(dY, tuple) else (dY,))


class PassageNode(Node):
    """It keeps nothing that could be freed, so that its outputs may have backward apart."""

    __slots__ = ()

    def free(self) -> None:
        pass


def watch(module: "Module", hooks: "Hooks", args: Values) -> tuple[Values, Callable[[Any], Any]]:
    """The arguments for `forward`, and what to put its result through.

    Backwards, the gradients of the outputs come first: the pre-hooks see them. Those of the inputs
    come last: the hooks see both. Where no input needs a gradient, the hooks come at once.
    """
    outputs: Values = ()  # their gradients, on the way to the hooks

    kinds = [(tuple(x.shape), x.dtype) if isinstance(x, Tensor) else None for x in args]

    def entering(gradients: Values) -> Values:
        if inside:  # as in PyTorch: only what isn't a tensor is told of as None
            gradients = tuple(
                zeros(kind[0], dtype=kind[1]) if gradient is None and kind else gradient
                for gradient, kind in zip(gradients, kinds, strict=True)
            )
        for hook in list(hooks.backward.values()):
            gradients = _changed(gradients, hook.function(module, gradients, outputs))
        return gradients

    entered, inside = _through(args, entering)

    def leaving(gradients: Values) -> Values:
        nonlocal outputs
        for hook in list(hooks.backward_pre.values()):
            gradients = _changed(gradients, hook.function(module, gradients))
        outputs = gradients
        if not inside:
            entering((None,) * len(args))
        return gradients

    def finish(result: Any) -> Any:
        if isinstance(result, tuple):
            return type(result)(_through(result, leaving)[0])
        return _through((result,), leaving)[0][0]

    return entered, finish


def _through(values: Values, seen: Callable[[Values], Values]) -> tuple[Values, bool]:
    """The values, with a passage on the way of those that need gradients; whether any does.

    What nothing depends on, and what needs no gradient, is seen as None.
    """
    places = [i for i, x in enumerate(values) if isinstance(x, Tensor) and x.requires_grad]
    if not places or not is_grad_enabled():
        return values, False

    def spread(gradients: Values) -> Values:
        found: list[Any] = [None] * len(values)
        for place, gradient in zip(places, gradients, strict=True):
            found[place] = gradient
        changed = seen(tuple(found))
        return tuple(changed[place] for place in places)

    passed = list(values)
    for place in places:
        passed[place] = wrap(values[place]._value)
    node_inputs, node_outputs = ([held[i] for i in places] for held in (values, passed))
    PassageNode(Passage(seen=spread), node_inputs, node_outputs)
    return tuple(passed), True


def _changed(before: Values, found: Any) -> Values:
    if found is None:
        return before
    result: Values = found if isinstance(found, tuple) else (found,)
    if len(result) != len(before):
        raise SuanziError(
            "a backward hook returned a wrong number of gradients",
            expected=len(before),
            found=len(result),
        )
    return result
