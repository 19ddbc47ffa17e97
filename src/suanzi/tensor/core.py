"""Tensor: an array, what is known of how it came about, and PyTorch's interface to both.

This module is the core: memory, views, in-place changes, and `apply`, through which every operation
goes. The other modules of this package add the functions, and the methods by `method`.

A tensor's value is a NumPy array; while a function is traced (tracing.py) it is a symbol. A view
shares its base's memory, as NumPy's views do. It remembers the operators that made it from the
base, so that after an in-place change of either the gradients, and in a trace the values, follow.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators import Identity, Reshape, ScatterElements, Where
from suanzi.operators._operator import Array, Operator, TensorType
from suanzi.tensor import autograd, dtypes
from suanzi.tensor.autograd import root
from suanzi.tensor.device import CPU, device
from suanzi.tensor.direct import compute
from suanzi.tensor.eager import execute
from suanzi.tensor.modes import modes

F = TypeVar("F", bound=Callable[..., Any])
Step = tuple[Operator, tuple[Sequence[int], ...]]
"""An operator with its further inputs, that makes a view."""
Chain = tuple[Step, ...]
"""What makes a view from its base."""
Make = Callable[..., Sequence[Step]]
"""Tells the steps that make a view from a shape and arguments; they are rarely asked for."""


class Size(tuple[int, ...]):
    """A shape.

    >>> Size((2, 3)), Size((2, 3)).numel()
    (suanzi.Size([2, 3]), 6)
    """

    __slots__ = ()

    def numel(self) -> int:
        return math.prod(self)

    def __repr__(self) -> str:
        return f"suanzi.Size([{', '.join(map(str, self))}])"

    def __add__(self, other: Any) -> "Size":
        return Size((*self, *other))

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Size(found) if isinstance(index, slice) else found


class Tensor:
    """An n-dimensional array with PyTorch's interface; gradients where they are asked for.

    >>> import suanzi
    >>> x = suanzi.tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4., 6.])
    """

    # What most tensors don't have is found here, in the class, so that making one is cheap.
    _value: Any
    _requires_grad = False
    _node: autograd.Node | None = None
    _slot = 0
    _grad: "Tensor | None" = None
    _base: "Tensor | None" = None
    _way: "tuple[Any, Make, Any, Any] | None" = None
    """Of a view: its source's way, and what tells the steps from there."""
    _version = 0
    """How many times the memory of a base was written to."""
    _shared = False
    """Of a base: whether others have its memory too, as an array, and may write to it unseen."""
    _generation = 0
    """Of a base: how many writes its views' histories must follow. Of a view: how many it has."""
    _follows = True
    """Of a view: whether gradients pass between it and the base; not where it was detached, or
    made while nothing was recorded."""
    _detached = False
    """Whether it is a detached tensor itself, which may have a history of its own."""
    _origin: "Tensor | None" = None
    """Of a leaf as it was saved in a trace: the leaf."""
    _hooks: dict[int, Callable[..., Any]] | None = None
    _after_hooks: dict[int, Callable[..., Any]] | None = None

    __array_priority__ = 1000  # NumPy's arrays leave arithmetic with tensors to them
    __hash__ = object.__hash__

    def __init__(self, *data: Any) -> None:
        default = dtypes.get_default_dtype()
        if len(data) == 1 and not isinstance(data[0], int):
            source = data[0]
            source = source._value if isinstance(source, Tensor) else source
            self._value = np.array(source, default)
        else:
            self._value = np.zeros(data or (0,), default)

    if TYPE_CHECKING:  # the methods that other modules of this package add

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> "Tensor": ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> "Tensor": ...
        def __sub__(self, other: Any) -> "Tensor": ...
        def __mul__(self, other: Any) -> "Tensor": ...
        def __truediv__(self, other: Any) -> "Tensor": ...
        def __floordiv__(self, other: Any) -> "Tensor": ...
        def __mod__(self, other: Any) -> "Tensor": ...
        def __pow__(self, other: Any) -> "Tensor": ...
        def __matmul__(self, other: Any) -> "Tensor": ...
        def __and__(self, other: Any) -> "Tensor": ...
        def __or__(self, other: Any) -> "Tensor": ...
        def __xor__(self, other: Any) -> "Tensor": ...
        def __radd__(self, other: Any) -> "Tensor": ...
        def __rsub__(self, other: Any) -> "Tensor": ...
        def __rmul__(self, other: Any) -> "Tensor": ...
        def __rtruediv__(self, other: Any) -> "Tensor": ...
        def __rpow__(self, other: Any) -> "Tensor": ...
        def __eq__(self, other: Any) -> "Tensor": ...  # type: ignore[override]
        def __ne__(self, other: Any) -> "Tensor": ...  # type: ignore[override]
        def __lt__(self, other: Any) -> "Tensor": ...
        def __le__(self, other: Any) -> "Tensor": ...
        def __gt__(self, other: Any) -> "Tensor": ...
        def __ge__(self, other: Any) -> "Tensor": ...
        def __neg__(self) -> "Tensor": ...
        def __invert__(self) -> "Tensor": ...

    # --- what it is

    @property
    def shape(self) -> Size:
        return Size(self._value.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along one axis."""
        return Size(self._value.shape) if dim is None else self.shape[axis(self, dim)]

    @property
    def ndim(self) -> int:
        return len(self._value.shape)

    def dim(self) -> int:
        return len(self._value.shape)

    ndimension = dim

    def numel(self) -> int:
        return math.prod(self._value.shape)

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of_numpy(self._value.dtype)

    @property
    def device(self) -> device:
        return CPU

    @property
    def layout(self) -> str:
        return "strided"

    @property
    def itemsize(self) -> int:
        return int(self._value.dtype.itemsize)

    element_size = lambda self: self.itemsize  # noqa: E731

    @property
    def nbytes(self) -> int:
        return self.numel() * self.itemsize

    def is_floating_point(self) -> bool:
        return self.dtype.is_floating_point

    def is_complex(self) -> bool:
        return False

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def is_sparse(self) -> bool:
        return False

    @property
    def is_quantized(self) -> bool:
        return False

    def get_device(self) -> int:
        return -1

    def __len__(self) -> int:
        if not self._value.shape:
            raise SuanziError("a tensor without axes has no length", expected="at least 1 axis")
        return int(self._value.shape[0])

    def __iter__(self) -> Iterator["Tensor"]:
        if not self._value.shape:
            raise SuanziError("a tensor without axes can't be gone through", expected="an axis")
        return iter(self.unbind(0))

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise SuanziError(
                "the truth of several values at once is ambiguous", expected="a single value",
                found=self.shape, hint="Use .any() or .all().",
            )  # fmt: skip
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.dtype.is_floating_point:
            raise SuanziError("only whole numbers serve as an index", found=self.dtype)
        return int(self.item())

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any().item())

    def __format__(self, how: str) -> str:
        return format(self.item(), how) if how and not self._value.shape else str(self)

    def __repr__(self) -> str:
        from suanzi.tensor.printing import text

        return text(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self._node is not None:
            raise SuanziError(
                "only leaves of the gradients' graph can be copied deeply",
                hint="Detach the tensor first.",
            )
        made = object.__new__(type(self))
        memo[id(self)] = made
        made.__dict__.update(self.__dict__)
        made._value = np.array(self.numpy_())
        made._base, made._way = None, None
        made._grad = None if self._grad is None else self._grad.__deepcopy__(memo)
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuilt, (type(self), self.numpy_(), self._requires_grad)

    # --- the memory

    def numpy_(self) -> Array:
        """The array itself, whether or not gradients pass; an error while it is traced."""
        if type(self._value) is not np.ndarray:
            raise SuanziError(
                "the value isn't known while a function is traced",
                found=f"a traced tensor, {self._value.type}",
                hint="Leave out .item(), .numpy() and branches on values, or use suanzi.where.",
            )
        if modes.trace is not None:
            modes.trace.require_unchanged(self)
        return cast(Array, self._value)

    def numpy(self, *, force: bool = False) -> Array:
        """The memory as NumPy's array, without a copy."""
        if self.requires_grad and not force:
            raise SuanziError(
                "an array can't carry gradients", expected="a tensor that needs none",
                found="requires_grad=True", hint="Use tensor.detach().numpy().",
            )  # fmt: skip
        root(self)._shared = True
        return self.numpy_()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy_() if copy else self.numpy(), dtype, copy=copy)

    def __array_wrap__(self, array: Array, context: Any = None, scalar: bool = False) -> "Tensor":
        return leaf(np.asarray(array))  # what NumPy's functions make of tensors

    def __dlpack__(self, **options: Any) -> Any:
        return self.numpy().__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (1, 0)  # kDLCPU

    def item(self) -> Any:
        """The only element, as Python's number."""
        if self.numel() != 1:
            raise SuanziError("item() wants a single element", expected=1, found=self.numel())
        return self.numpy_().item()

    def tolist(self) -> Any:
        return self.numpy_().tolist()

    def data_ptr(self) -> int:
        return int(self.numpy_().ctypes.data)

    def storage_offset(self) -> int:
        base = root(self)
        return (self.data_ptr() - base.data_ptr()) // self.itemsize

    def stride(self, dim: int | None = None) -> Any:
        """Elements between neighbours along each axis."""
        value = self._value
        if type(value) is np.ndarray:
            steps = tuple(s // self.itemsize for s in value.strides)
        else:
            steps = tuple(math.prod(self.shape[i + 1 :]) for i in range(self.ndim))
        return steps if dim is None else steps[dim]

    def is_contiguous(self, memory_format: Any = None) -> bool:
        return bool(self._laid_out().flags.c_contiguous)

    def _laid_out(self) -> Array:
        """An array that lies in memory as the tensor does, whatever it holds."""
        if type(self._value) is np.ndarray:
            return self._value
        if self._base is None:
            return np.empty(self._value.shape, np.int8)
        made = self._base._laid_out()
        for operator, constants in self._chain:
            made = operator.numpy(made, *arrays(constants))
        return made

    def contiguous(self, memory_format: Any = None) -> "Tensor":
        return self if self.is_contiguous() else self.clone()

    @property
    def data(self) -> "Tensor":
        """The same memory, apart from the gradients."""
        return self.detach()

    @data.setter
    def data(self, new: "Tensor") -> None:
        if modes.trace is not None:
            self._write(new)
        else:
            self._value, self._base, self._way = new._value, None, None
            self._shared = root(new)._shared = True

    def detach(self) -> "Tensor":
        """The same memory, apart from the gradients."""
        made = wrap(self._value)
        made._base = root(self)
        made._way = self._way
        made._generation = self._generation if self._base is not None else made._base._generation
        made._follows, made._detached = False, True
        return made

    # --- gradients

    @property
    def requires_grad(self) -> bool:
        if self._base is not None:
            self._refresh()
        return self._requires_grad or self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        if requires_grad and not self.dtype.is_floating_point:
            raise SuanziError(
                "only floating-point tensors have gradients", expected="a floating-point type",
                found=self.dtype,
            )  # fmt: skip
        if self._node is not None:
            if not requires_grad:
                raise SuanziError(
                    "only a leaf's requires_grad can be switched off",
                    hint="Use detach() for a tensor apart from the gradients.",
                )
            return self
        self._requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        if self._base is not None:
            self._refresh()
        return self._node is None

    @property
    def grad_fn(self) -> autograd.Node | None:
        if self._base is not None:
            self._refresh()
        return self._node

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that `backward` has summed up here; None where there is none."""
        if modes.trace is not None:
            modes.trace.gradient_of(self)
        return self._grad

    @grad.setter
    def grad(self, new: "Tensor | None") -> None:
        if new is not None and (new.shape != self.shape or new.dtype is not self.dtype):
            raise SuanziError(
                "a gradient has the shape and the type of its tensor", input="grad",
                expected=f"{self.dtype} {tuple(self.shape)}",
                found=f"{new.dtype} {tuple(new.shape)}",
            )  # fmt: skip
        if modes.trace is not None:
            modes.trace.assign(self)
        self._grad = new

    def backward(
        self,
        gradient: Any = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Adds to each leaf's `.grad` what this tensor, times `gradient`, gains with it."""
        given = None if gradient is None else [gradient]
        autograd.backward([self], given, retain_graph, create_graph, inputs)

    def register_hook(self, hook: Callable[..., Any]) -> autograd.Handle:
        """Calls `hook(gradient)` when this tensor's gradient is known; it may return another."""
        if not self.requires_grad:
            raise SuanziError("a tensor that needs no gradient has no hooks", found="leaf")
        if self._node is not None:
            self._node.hooks = self._node.hooks or {}
            return autograd.Handle(self._node.hooks.setdefault(self._slot, {}), hook)
        self._hooks = {} if self._hooks is None else self._hooks
        return autograd.Handle(self._hooks, hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[..., Any]) -> autograd.Handle:
        """Calls `hook(tensor)` after a leaf's `.grad` has been added to."""
        if not self.is_leaf or not self.requires_grad:
            raise SuanziError("such hooks are for leaves that need gradients")
        self._after_hooks = {} if self._after_hooks is None else self._after_hooks
        return autograd.Handle(self._after_hooks, hook)

    def retain_grad(self) -> None:
        """Keeps `.grad` though this isn't a leaf."""
        if not self.requires_grad:
            raise SuanziError("a tensor that needs no gradient can't keep it")
        if self._node is not None:
            self._node.keep(self, self._slot)

    @property
    def retains_grad(self) -> bool:
        return bool(self._node and self._node.kept and self._slot in self._node.kept)

    # --- views and in-place changes

    @property
    def _chain(self) -> Chain:
        """The steps that make this view from its base."""
        parts, way = [], self._way
        while way is not None:
            way, make, shape, args = way
            parts.append(make(shape, *args))
        return tuple([step for steps in reversed(parts) for step in steps])

    def _view(self, value: Any, make: Make, *args: Any) -> "Tensor":
        """A tensor over the same memory: `value`, which the steps that `make(shape, *args)` tells
        make from this one's."""
        shape = self._value.shape
        if modes.trace is not None:
            x: Tensor = self
            for operator, constants in make(shape, *args):
                x = apply(operator, x, *arrays(constants))
            made = wrap(x._value) if x is self else x
        else:
            made = _new(Tensor)
            made._value = value
            if modes.grad and self.requires_grad:
                self._record_view(made, make(shape, *args))
        base = self if self._base is None else self._base
        made._base, made._way = base, (self._way, make, shape, args)
        if not (modes.grad and self._follows):
            made._follows = False
        if base._generation:
            made._generation = base._generation
        return made

    def _record_view(self, made: "Tensor", steps: Sequence[Step]) -> None:
        """The steps' nodes; the values between them aren't made, their rules read types alone."""
        x: Tensor = self
        for number, (operator, constants) in enumerate(steps):
            last, given = number == len(steps) - 1, arrays(constants)
            y = made if last else wrap(operator.numpy(x._value, *given))
            autograd.Node(operator, (x, *given), (y,))
            x = y

    def _refresh(self) -> None:
        """Follows what in-place changes did to the base's history since this view was made."""
        base = self._base
        if base is None or self._generation == base._generation:
            return
        trace = modes.trace
        if trace is None and not self._follows:
            self._generation = base._generation
            return
        if trace is not None:
            trace.remember(self)
        self._generation = base._generation
        before, modes.grad = modes.grad, self._follows
        try:
            x: Tensor = base if trace is None else base._frozen()
            for operator, constants in self._chain:
                value = operator.numpy(x._value, *arrays(constants)) if trace is None else None
                x = x._view(value, _one_step, (operator, constants))
        finally:
            modes.grad = before
        if self._follows:
            self._node, self._slot = x._node, x._slot
        if type(self._value) is not np.ndarray:
            self._value = x._value

    def _write(self, new: "Tensor") -> "Tensor":
        """Puts a result into this tensor's memory; gradients then pass through what made it."""
        base = root(self)
        recorded = modes.grad and (new.requires_grad or self.requires_grad)
        if recorded and not (self._follows or self._detached):
            raise SuanziError(
                "a view of a detached tensor, or one made under no_grad, can't be changed with "
                "gradients", hint="Clone the detached tensor before it is changed.",
            )  # fmt: skip
        leaf_ = base if self._follows else self
        if recorded and leaf_._requires_grad and leaf_._node is None:
            raise SuanziError(
                "a leaf that requires a gradient can't be changed in place",
                hint="Change it under suanzi.no_grad(), or out of place.",
            )
        if new._value.shape != self._value.shape:
            new = new.expand(self.shape)
        if new._value.dtype != self._value.dtype:
            require_cast(new.dtype, self.dtype)
            new = new.to(self.dtype)
        if recorded and new._requires_grad and new._node is None:
            new = apply(Identity(), new)
        elif recorded and not new.requires_grad and (self._base is None or not self._follows):
            # What was there has a gradient still: of zeros.
            new = apply(Where(), leaf(np.zeros((), bool)), self, new)
        if modes.trace is not None:
            modes.trace.write(self, base, new, recorded)
            return self
        memory = self.numpy_()
        if not memory.flags.writeable:
            raise SuanziError("the tensor's memory can't be written to", found="a read-only array")
        if recorded and new._node is not None:
            autograd.let_go(new._node, self)
        np.copyto(memory, new._value)
        base._version += 1
        if recorded:
            if self._base is None or not self._follows:
                self._node, self._slot = new._node, new._slot
            else:
                self._node, self._slot = new._node, new._slot
                base._node, base._slot = _spliced(base, self._chain, new)
            if self._follows:
                base._generation += 1
            if self._base is not None:
                self._refresh()
        return self

    def _frozen(self) -> "Tensor":
        """This tensor as it is now, whatever a trace does to it later."""
        if modes.trace is None:
            return self
        made = wrap(modes.trace.symbol(self))
        made._node, made._slot = self._node, self._slot
        made._requires_grad, made._origin = (
            self._requires_grad,
            self if self._origin is None else self._origin,
        )
        return made

    def __operate__(self, operator: Operator, values: Sequence[Any]) -> Any:
        return apply(operator, *values)

    def __pos__(self) -> "Tensor":
        return self


class Stale(Tensor):
    """Stands for a value that was kept for a gradient and has been changed in place since: to
    read it is an error. Its shape and its type are still true."""

    def __init__(self, kind: TensorType, title: str, version: int, now: int) -> None:
        self.kind, self.title, self.was, self.now = kind, title, version, now

    @property
    def _value(self) -> Any:
        raise SuanziError(
            f"a value that the gradient of {self.title} needs has been modified by an in-place "
            "operation",
            expected=f"version {self.was}",
            found=f"version {self.now}",
            hint="Clone the tensor before it is changed, or change it out of place.",
        )

    @property
    def shape(self) -> Size:
        return Size(self.kind.sizes)

    @property
    def dtype(self) -> dtypes.dtype:
        return dtypes.of_numpy(self.kind.dtype)


def _rebuilt(cls: type[Tensor], array: Array, requires_grad: bool) -> Tensor:
    made = object.__new__(cls)
    made._value, made._requires_grad = array, requires_grad
    return made


_new = object.__new__


def wrap(value: Any) -> Tensor:
    """A tensor over an array, or of a symbol."""
    made = _new(Tensor)
    made._value = value
    return made


def leaf(array: Array, requires_grad: bool = False) -> Tensor:
    """A tensor that begins here: while a function is traced, a constant of the trace."""
    result = wrap(array if modes.trace is None else modes.trace.constant(array))
    if requires_grad:
        result.requires_grad_()
    return result


def derived(base: Tensor, chain: Chain) -> Tensor:
    """The view that these steps make."""
    for operator, constants in chain:
        value = operator.numpy(base._value, *arrays(constants))
        if np.may_share_memory(value, base._value):
            base = base._view(value, _one_step, (operator, constants))
        else:
            base = apply(operator, base, *arrays(constants))
    return base


def _one_step(_shape: Any, step: Step) -> Sequence[Step]:
    return (step,)


def apply(operator: Operator, *inputs: Any) -> Any:
    """The operator's output, or outputs, for tensors, arrays (constants), and None (left out).

    What needs gradients is recorded; while a function is traced, all is, as the trace's nodes.
    """
    trace = modes.trace
    if trace is not None:
        outputs = [wrap(symbol) for symbol in trace.apply(operator, inputs)]
    else:
        values = tuple([x._value if isinstance(x, Tensor) else x for x in inputs])
        value = compute(operator, values)
        if value is not None:
            return recorded(operator, inputs, value)
        constant = tuple([not isinstance(x, Tensor) and x is not None for x in inputs])
        outputs = [wrap(y) for y in execute(operator, values, constant)]
    if modes.grad and operator.grad is not None and any_requires_grad(inputs):
        autograd.Node(operator, inputs, outputs)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def first(operator: Operator, *inputs: Any) -> Tensor:
    """The first of an operator's outputs; the others are made where its gradient needs them."""
    recording = modes.grad and any_requires_grad(inputs)
    rule = autograd.rule_of(type(operator)) if recording else None  # type: ignore[arg-type]
    if modes.trace is not None or (rule is not None and rule.outputs):
        return cast(Tensor, apply(operator, *inputs)[0])
    values = tuple([x._value if isinstance(x, Tensor) else x for x in inputs])
    constant = tuple([not isinstance(x, Tensor) and x is not None for x in inputs])
    result = wrap(execute(operator, values, constant, first=True)[0])
    if recording:
        autograd.Node(operator, inputs, (result, None))
    return result


def any_requires_grad(inputs: Sequence[Any]) -> bool:
    """Whether gradients pass through any of the inputs."""
    for x in inputs:  # noqa: SIM110  (a generator takes longer)
        if isinstance(x, Tensor) and x.requires_grad:
            return True
    return False


def recorded(operator: Operator, inputs: Sequence[Any], value: Array) -> Tensor:
    """An operator's only output, computed already, as a tensor with its history."""
    result = _new(Tensor)
    result._value = value
    if modes.grad and operator.grad is not None and any_requires_grad(inputs):
        autograd.Node(operator, inputs, (result,))
    return result


def pointwise(operator: Operator, a: Tensor, b: Tensor) -> Tensor:
    """`apply` for two tensors of one type."""
    if modes.trace is not None:
        return cast(Tensor, apply(operator, a, b))
    value = compute(operator, (a._value, b._value))
    if value is None:
        return cast(Tensor, apply(operator, a, b))
    result = _new(Tensor)
    result._value = value
    if modes.grad and operator.grad is not None and (a.requires_grad or b.requires_grad):
        autograd.Node(operator, (a, b), (result,))
    return result


def require_cast(found: dtypes.dtype, to: dtypes.dtype) -> None:
    """That a result may be put into a tensor of another type."""
    if not dtypes.can_cast(found, to):
        raise SuanziError(
            "the result doesn't fit the tensor that it is put into", expected=to, found=found
        )


def positions(shape: Sequence[int], chain: Chain) -> Array:
    """Where each element of a view lies in its base, counted in the base's own order."""
    places: Array = np.arange(math.prod(shape)).reshape(tuple(shape))
    for operator, constants in chain:
        places = operator.numpy(places, *arrays(constants))
    return places


def arrays(constants: Sequence[Sequence[int]]) -> list[Array]:
    """An operator's further inputs, which a view keeps as tuples, as it takes them."""
    return [np.array(c, np.int64) for c in constants]


def spliced(base: Tensor, chain: Chain, new: Tensor) -> Tensor:
    """The base's value with the view's places taken from `new`."""
    places = positions(base.shape, chain).reshape(-1)
    flat = apply(Reshape(), base, np.array([-1]))
    parts = apply(Reshape(), new, np.array([-1]))
    mixed = apply(ScatterElements(axis=0), flat, places, parts)
    return cast(Tensor, apply(Reshape(), mixed, np.array(base.shape, np.int64)))


def _spliced(base: Tensor, chain: Chain, new: Tensor) -> tuple[Any, int]:
    """The history of the base after a write to one of its views."""
    before = wrap(base._value)
    before._node, before._slot = base._node, base._slot
    mixed = spliced(before, chain, new)
    return mixed._node, mixed._slot


def into(out: Tensor | None, made: Tensor) -> Tensor:
    """A result, put into `out` where that is given."""
    if out is None:
        return made
    if modes.grad and (made.requires_grad or out.requires_grad):
        raise SuanziError("gradients don't pass through out=", input="out")
    return out._write(made)


def axis(tensor: Tensor, dim: int, extra: int = 0) -> int:
    """An axis counted from the front; out of range is an error. `extra` axes are to be made."""
    return axis_of(dim, len(tensor._value.shape) + extra)


def axis_of(dim: int, rank: int) -> int:
    """An axis of so many, counted from the front; out of range is an error."""
    reach = rank or 1
    if not -reach <= dim < reach:
        raise SuanziError(
            "there is no such axis", input="dim", expected=f"{-reach} to {reach - 1}", found=dim
        )
    return dim % reach


def length_of(tensor: Tensor, dim: int) -> int:
    """The size of an axis; a tensor without axes has none."""
    at = axis(tensor, dim)
    if not tensor._value.shape:
        raise SuanziError("a tensor without axes has no such axis", input="dim", found=dim)
    return int(tensor._value.shape[at])


def method(function: F) -> F:
    """Makes a function of a tensor its method as well."""
    setattr(Tensor, function.__name__, function)
    return function


def in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """The method with an underscore at its end: the function, whose result goes into its input."""

    def change(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return self._write(function(self, *args, **kwargs))

    change.__name__ = f"{function.__name__}_"
    change.__doc__ = f"As `{function.__name__}`, in place."
    return method(change)
