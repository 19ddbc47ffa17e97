"""Spectral normalization by a hook before `forward`; see `parametrizations.spectral_norm` too."""

from typing import Any, TypeVar

from suanzi.errors import SuanziError
from suanzi.nn.module import Module
from suanzi.nn.parameter import Parameter, is_lazy
from suanzi.nn.utils._spectral import as_matrix, default_dim, iterate, random_unit, sigma
from suanzi.nn.utils.weight_norm import hook_of
from suanzi.tensor import Tensor, no_grad

M = TypeVar("M", bound=Module)


class SpectralNorm:
    """The hook: computes the weight from `name_orig`, with `name_u` and `name_v`."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise SuanziError(
                "n_power_iterations must be positive",
                input="n_power_iterations",
                expected="at least 1",
                found=n_power_iterations,
            )
        self.name, self.dim, self.eps = name, dim, eps
        self.n_power_iterations = n_power_iterations

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Tensor:
        weight, u, v = (getattr(module, self.name + end) for end in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            iterate(matrix, u, v, self.n_power_iterations, self.eps, v_first=True)
            u, v = u.clone(), v.clone()  # the next iteration must not change what backward reads
        return weight / sigma(matrix, u, v)  # type: ignore[no-any-return]

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divides a weight by its largest singular value, which is followed by power iteration.

    Miyato et al., 2018.
    """
    if hook_of(module, SpectralNorm, name):
        raise SuanziError(f"cannot register two spectral_norm hooks on the same parameter {name}")
    function = SpectralNorm(
        name, n_power_iterations, default_dim(module) if dim is None else dim, eps
    )
    weight = module._parameters[name]
    if weight is None or is_lazy(weight):
        raise SuanziError(f"spectral_norm needs an initialized parameter '{name}'", found=weight)
    with no_grad():
        rows, columns = as_matrix(weight, function.dim).shape
        u, v = (random_unit(weight, size, eps) for size in (rows, columns))
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(f"{name}_u", u)
    module.register_buffer(f"{name}_v", v)
    module.register_forward_pre_hook(function)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Makes the weight, as it is now, a parameter of its own again."""
    found = hook_of(module, SpectralNorm, name)
    if found is None:
        raise SuanziError(f"spectral_norm of '{name}' not found in {module}")
    number, function = found
    with no_grad():
        weight = function.compute_weight(module, do_power_iteration=False)
    for end in ("", "_u", "_v", "_orig"):
        delattr(module, name + end)
    module.register_parameter(name, Parameter(weight.detach()))
    assert module._hooks is not None
    del module._hooks.forward_pre[number]
    return module
