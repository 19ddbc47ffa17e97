"""Tensors that a module knows by name: parameters, which are trained, and buffers."""

from collections.abc import Sequence
from typing import Any

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, dtypes, empty, no_grad


class Parameter(Tensor):
    """A tensor that becomes a module's parameter when it is assigned to an attribute.

    It shares the memory of `data`.

    >>> import suanzi
    >>> Parameter(suanzi.tensor([1.0, 2.0]))
    Parameter containing:
    tensor([1., 2.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        self._value = _tensor(data)._value
        if requires_grad:
            self.requires_grad_()

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parameter":
        with no_grad():
            copied = type(self)(self.detach().clone(), self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that becomes a module's buffer when it is assigned to an attribute.

    A persistent one is in the module's `state_dict`.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True) -> None:
        data = _tensor(data)
        self._value, self.persistent = data._value, persistent
        self._requires_grad = data._requires_grad


def _tensor(data: Tensor | None) -> Tensor:
    if data is None:
        return empty(0)
    if not isinstance(data, Tensor):
        raise SuanziError(
            "wrong data", input="data", expected="a Tensor", found=type(data).__name__
        )
    return data


class _Uninitialized(Tensor):
    """What has no shape and no elements yet; `materialize` gives it both."""

    cls_to_become: type[Tensor]

    @property
    def _value(self) -> Any:
        raise SuanziError(
            f"an {type(self).__name__} has no shape and no elements yet",
            hint="Call forward() once, so that the lazy module sees its input's shape, or load a "
            "state dict.",
        )

    @property
    def dtype(self) -> dtypes.dtype:
        return self._dtype

    def _begin(self, dtype: Any) -> None:
        self._dtype = dtype or dtypes.get_default_dtype()

    def to(self, dtype: dtypes.dtype) -> "_Uninitialized":
        """Sets the type that the elements will have."""
        self._dtype = dtype
        return self

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Becomes a tensor of this shape, whose elements are yet to be written."""
        value = empty(tuple(shape), dtype=dtype or self._dtype, device=device)._value
        del self._dtype
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self._value = value  # type: ignore[misc]

    def detach(self) -> "_Uninitialized":
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A parameter whose shape isn't known yet."""

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Any = None) -> None:
        self._begin(dtype)
        self._requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> "UninitializedParameter":
        copied = memo[id(self)] = type(self)(self.requires_grad, dtype=self.dtype)
        return copied


class UninitializedBuffer(_Uninitialized, Buffer):
    """A buffer whose shape isn't known yet."""

    cls_to_become = Buffer

    def __init__(
        self,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> None:
        self._begin(dtype)
        self._requires_grad, self.persistent = requires_grad, persistent

    def __deepcopy__(self, memo: dict[int, Any]) -> "UninitializedBuffer":
        copied = memo[id(self)] = type(self)(
            self.requires_grad, dtype=self.dtype, persistent=self.persistent
        )
        return copied


def is_lazy(value: Any) -> bool:
    """Whether a parameter or buffer is uninitialized."""
    return isinstance(value, _Uninitialized)
