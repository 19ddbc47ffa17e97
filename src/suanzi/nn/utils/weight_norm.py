"""Weight normalization by a hook before `forward`; see `parametrizations.weight_norm` too."""

from typing import Any, TypeVar

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter, is_lazy
from suanzi.tensor import Tensor

M = TypeVar("M", bound=Module)


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """The norm of each slice along `dim`, which keeps its place; of all for None or -1."""
    if dim is None or dim == -1:
        return v.norm()  # type: ignore[no-any-return]
    axes = [axis for axis in range(v.ndim) if axis != dim % v.ndim]
    return (v * v).sum(axes, keepdim=True).sqrt() if axes else v.abs()  # type: ignore[no-any-return]


def normed(g: Tensor, v: Tensor, dim: int | None) -> Tensor:
    """w = g · v / ‖v‖"""
    return v * (g / norm_except(v, dim))


class WeightNorm:
    """The hook: computes the weight from its length `name_g` and direction `name_v`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, dim

    def compute_weight(self, module: Module) -> Tensor:
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return normed(g, v, self.dim)

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def hook_of(module: Module, kind: type, name: str) -> tuple[int, Any] | None:
    """The number and the function of a module's pre-hook of a class, for a parameter's name."""
    hooks = module._hooks.forward_pre if module._hooks else {}
    for number, hook in hooks.items():
        if isinstance(hook.function, kind) and getattr(hook.function, "name", None) == name:
            return number, hook.function
    return None


def weight_norm(module: M, name: str = "weight", dim: int | None = 0) -> M:
    """Makes a weight g · v / ‖v‖: its length, along `dim`, and its direction are trained apart.

    Salimans & Kingma, 2016.
    """
    if hook_of(module, WeightNorm, name):
        raise SuanziError(f"cannot register two weight_norm hooks on the same parameter {name}")
    weight = getattr(module, name)
    if is_lazy(weight):
        raise SuanziError(
            "weight_norm needs an initialized parameter", hint="Call forward() once first"
        )
    function = WeightNorm(name, dim)
    del module._parameters[name]
    module.register_parameter(f"{name}_g", Parameter(norm_except(weight, dim).data))
    module.register_parameter(f"{name}_v", Parameter(weight.data))
    function(module, ())
    module.register_forward_pre_hook(function)
    return module


def remove_weight_norm(module: M, name: str = "weight") -> M:
    """Makes the weight a parameter of its own again."""
    found = hook_of(module, WeightNorm, name)
    if found is None:
        raise SuanziError(f"weight_norm of '{name}' not found in {module}")
    number, function = found
    weight = function.compute_weight(module)
    delattr(module, name)
    del module._parameters[f"{name}_g"], module._parameters[f"{name}_v"]
    setattr(module, name, Parameter(weight.data))
    assert module._hooks is not None
    del module._hooks.forward_pre[number]
    return module
