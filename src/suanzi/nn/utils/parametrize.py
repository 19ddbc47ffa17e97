"""Parameters and buffers that are computed from others whenever they are read."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn.containers import ModuleDict, ModuleList
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter
from suanzi.tensor import Tensor, no_grad

_cache: dict[tuple[int, str], Tensor] = {}
_cached = 0
"""How many `cached()` there are around what runs now."""


@contextmanager
def cached() -> Iterator[None]:
    """Within it each parametrized tensor is computed once, when it is first read."""
    global _cached
    _cached += 1
    try:
        yield
    finally:
        _cached -= 1
        if not _cached:
            _cache.clear()


class ParametrizationList(ModuleList):
    """A tensor's parametrizations, with the tensor, or tensors, that the first is given.

    They are `original`, or `original0`, `original1`, ... where the first parametrization's
    `right_inverse` returns several.
    """

    original: Tensor
    unsafe: bool

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise SuanziError("ParametrizationList requires one or more modules")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new = self._inverse(original, needed=False)
        self.is_tensor = isinstance(new, Tensor)
        if self.is_tensor:
            self.ntensors = 1
            _same("right_inverse", new, dtype)
            original.data = new  # the same object, which an optimizer may know
            _register(self, "original", original)
        else:
            self.ntensors = len(new)
            for number, part in enumerate(new):
                if isinstance(original, Parameter):
                    part = Parameter(part, original.requires_grad)
                part.requires_grad_(original.requires_grad)
                _register(self, f"original{number}", part)
        if not unsafe:
            _same("a parametrization", self(), dtype, shape)

    def _inverse(self, value: Any, needed: bool) -> Any:
        """What the first parametrization must be given for the last to give the value."""
        with no_grad():
            for module in reversed(list(self)):
                inverse = getattr(module, "right_inverse", None)
                if inverse is None and needed:
                    raise SuanziError(
                        f"parametrization {type(module).__name__} does not implement right_inverse"
                    )
                if inverse is not None:
                    try:
                        value = inverse(value)
                    except NotImplementedError:
                        if needed:
                            raise
        parts = value if isinstance(value, Sequence) else [value]
        if not all(isinstance(part, Tensor) for part in parts):
            raise SuanziError(
                "'right_inverse' must return a Tensor or a Sequence of tensors",
                found=", ".join(type(part).__name__ for part in parts),
            )
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Changes the originals so that the parametrized tensor becomes the value."""
        new = self._inverse(value, needed=True)
        parts = [new] if self.is_tensor else new
        originals = list(self._originals())
        if isinstance(new, Tensor) != self.is_tensor or len(parts) != len(originals):
            raise SuanziError(
                "'right_inverse' must always return as many tensors", expected=self.ntensors
            )
        for original, part in zip(originals, parts, strict=True):
            _same("right_inverse", part, original.dtype)
            original.data = part

    def _originals(self) -> Iterable[Any]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{number}") for number in range(self.ntensors)]

    def forward(self) -> Any:
        first, *rest = self
        x = first(*self._originals())
        for module in rest:
            x = module(x)
        return x


def _same(who: str, found: Any, dtype: Any, shape: Any = None) -> None:
    if not isinstance(found, Tensor):
        raise SuanziError(f"{who} must return a tensor", found=type(found).__name__)
    if found.dtype != dtype:
        raise SuanziError(f"{who} may not change the dtype", expected=dtype, found=found.dtype)
    if shape is not None and found.shape != shape:
        raise SuanziError(
            f"{who} may not change the shape, unless `unsafe`", expected=shape, found=found.shape
        )


def _register(module: Module, name: str, value: Tensor) -> None:
    if isinstance(value, Parameter):
        module.register_parameter(name, value)
    else:
        module.register_buffer(name, value)


def _property(name: str) -> property:
    """Reads a parametrized tensor by computing it, and writes it by right_inverse."""

    def read(self: Any) -> Tensor:
        if not _cached:
            return self.parametrizations[name]()  # type: ignore[no-any-return]
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def write(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(read, write)


def _reclass(module: Module, before: type[Any], names: Iterable[str]) -> None:
    """Gives the module a class of its own in which these names are computed, or its first class."""
    properties = {name: _property(name) for name in names}
    name = f"Parametrized{before.__name__}"
    module.__class__ = type(name, (before,), properties) if properties else before


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Makes `module.tensor_name` what the parametrization computes from the tensor there now.

    Assigning to it goes through the parametrization's `right_inverse`. `unsafe`: it may change the
    tensor's type and shape.

    >>> import suanzi
    >>> from suanzi import nn
    >>> class Symmetric(nn.Module):
    ...     def forward(self, X):
    ...         return X.triu() + X.triu(1).t()
    >>> holder = nn.Module()
    >>> holder.weight = nn.Parameter(suanzi.tensor([[1.0, 2.0], [3.0, 4.0]]))
    >>> register_parametrization(holder, "weight", Symmetric()).weight.tolist()
    [[1.0, 2.0], [2.0, 4.0]]
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        known = module.parametrizations[tensor_name]
        if not unsafe:
            now = getattr(module, tensor_name)
            changed = parametrization(now)
            _same("a parametrization", changed, now.dtype, now.shape)
            if hasattr(parametrization, "right_inverse"):
                try:
                    inverse = parametrization.right_inverse(changed)
                except NotImplementedError:
                    pass
                else:
                    _same("right_inverse", inverse, now.dtype, now.shape)
        known.append(parametrization)
        known.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        parametrizations = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        before = type_before_parametrizations(module)
        if not is_parametrized(module):
            module.parametrizations = ModuleDict()
        module.parametrizations[tensor_name] = parametrizations
        _reclass(module, before, module.parametrizations)
    else:
        raise SuanziError(
            f"the module has no parameter, buffer or parametrized tensor '{tensor_name}'",
            found=type(module).__name__,
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of the module, or any, is parametrized."""
    known = getattr(module, "parametrizations", None)
    if not isinstance(known, ModuleDict):
        return False
    return len(known) > 0 if tensor_name is None else tensor_name in known


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Makes a parametrized tensor a parameter or buffer again.

    It keeps its value as computed, or, without `leave_parametrized`, gets that of the original.
    """
    if not is_parametrized(module, tensor_name):
        raise SuanziError(f"the module has no parametrization on '{tensor_name}'")
    parametrizations = module.parametrizations[tensor_name]
    if parametrizations.is_tensor:
        original = parametrizations.original
        if leave_parametrized:
            with no_grad():
                original.data = getattr(module, tensor_name)
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise SuanziError(
            "cannot leave unparametrized a tensor that is computed from several",
            hint="leave_parametrized=True",
        )
    before = type_before_parametrizations(module)
    del module.parametrizations[tensor_name]
    _reclass(module, before, module.parametrizations)
    _register(module, tensor_name, original)
    if not len(module.parametrizations):
        del module.parametrizations
    return module


def type_before_parametrizations(module: Module) -> type[Any]:
    """The class that the module had before its first parametrization."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Gives another module the parametrizations, and the originals' values."""
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(source().detach().clone()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        target = to_module.parametrizations[name]
        for own, given in zip(target._originals(), source._originals(), strict=True):
            own.data = given.detach().clone()
    return to_module
