"""autograd.Function: a function with a gradient of the user's own."""

from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Operator
from suanzi.tensor.autograd import Node
from suanzi.tensor.core import Tensor, leaf, wrap
from suanzi.tensor.modes import modes, no_grad


class Context:
    """What a function's forward leaves for its backward."""

    def __init__(self) -> None:
        self.saved_tensors: tuple[Any, ...] = ()
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize = True
        self.undifferentiable: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Any) -> None:
        """Keeps tensors for backward, which finds them in `saved_tensors`."""
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says that inputs were changed in place."""

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says which outputs have no gradients."""
        self.undifferentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients that nothing depends on come as zeros, or as None."""
        self.materialize = value


class _Own(Operator):
    """Stands in the gradients' graph for a user's function."""

    def __init__(self, function: "type[Function]", context: Context) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "context", context)

    @property
    def title(self) -> str:
        return str(self.__dict__["function"].__name__)

    def grad(self, dY: Any, _Y: Any, *_inputs: Any) -> list[Any]:
        context: Context = self.__dict__["context"]
        parts = dY if isinstance(dY, tuple) else (dY,)
        if context.materialize:
            kinds = _Y if isinstance(_Y, tuple) else (_Y,)
            parts = tuple(
                leaf(np.zeros(kind.sizes, kind.dtype)) if part is None else part
                for part, kind in zip(parts, kinds, strict=True)
            )
        made = self.__dict__["function"].backward(context, *parts)
        return [*made] if isinstance(made, tuple | list) else [made]


class Function:
    """A function whose gradient is given: a subclass has static `forward` and `backward`.

    >>> import suanzi
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x * x
    ...     @staticmethod
    ...     def backward(ctx, d):
    ...         (x,) = ctx.saved_tensors
    ...         return 3 * x * x * d
    >>> x = suanzi.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        raise NotImplementedError

    setup_context: Any = None

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward`; its gradient is `backward`'s."""
        context = Context()
        context.needs_input_grad = tuple(isinstance(x, Tensor) and x.requires_grad for x in args)
        with no_grad():
            if cls.setup_context is None:
                result = cls.forward(context, *args, **kwargs)
            else:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(context, args, result)
        outputs = result if isinstance(result, tuple) else (result,)
        if modes.grad and any(context.needs_input_grad):
            # What is handed through is a tensor of its own, with a history of its own.
            outputs = tuple(wrap(y._value) if any(y is x for x in args) else y for y in outputs)
            for y in outputs:
                if not isinstance(y, Tensor):
                    raise SuanziError("forward returns tensors", found=type(y))
            Node(_Own(cls, context), args, outputs)
            for y in outputs:
                if any(y is other for other in context.undifferentiable):
                    y._node = None
        return outputs if isinstance(result, tuple) else outputs[0]
