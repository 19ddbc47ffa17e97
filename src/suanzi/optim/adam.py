"""Adam and its kin: steps by the mean of gradients over the root of the mean of their squares."""

from typing import Any

from suanzi.optim.optimizer import (
    Group,
    Optimizer,
    State,
    Update,
    count,
    counter,
    decay,
    descent,
    each,
    fractions,
    maximum,
    not_negative,
    number,
    put,
    where,
    zeros,
)
from suanzi.tensor import Tensor, tensor


class Adam(Optimizer):
    """p ← p - lr · m̂ / (√v̂ + eps).

    m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², m̂ = m / (1 - β₁ᵗ), v̂ = v / (1 - β₂ᵗ). With
    `amsgrad` the largest v so far takes v's place; with `decoupled_weight_decay` the parameters
    decay apart from the gradient. As torch.optim.Adam; Kingma and Ba, 2014.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": fractions(betas), "eps": eps, "weight_decay": weight_decay,
            "amsgrad": amsgrad, "maximize": maximize, "foreach": foreach,
            "capturable": capturable, "differentiable": differentiable, "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        state = {"step": counter(), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}
        return state | {"max_exp_avg_sq": zeros(p)} if group["amsgrad"] else state

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        beta1, beta2 = number(group, "betas", 0), number(group, "betas", 1)
        maximize = group["maximize"]
        coupled, kept = _decays(group, weight_decay, lr)

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            t = count(state)
            size = lr / (1 - beta1**t)
            root_of_rest = (1 - beta2**t) ** 0.5

            def rule(g: Any, p: Any, m: Any, v: Any, largest: Any = None) -> None:
                g = descent(g, p, maximize, coupled)
                if kept is not None:
                    p *= kept
                m *= beta1
                m += g * (1 - beta1)
                v *= beta2
                v += g * g * (1 - beta2)
                if largest is not None:
                    put(largest, maximum(largest, v))
                    v = largest
                p -= m / (v**0.5 / root_of_rest + eps) * size

            of = [p, state["exp_avg"], state["exp_avg_sq"]]
            each(rule, grad, *of, *([state["max_exp_avg_sq"]] if group["amsgrad"] else []))

        return update


class AdamW(Adam):
    """Adam with decoupled weight decay: p ← (1 - lr · weight_decay) · p before each step.

    As torch.optim.AdamW; Loshchilov and Hutter, 2017.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, differentiable=differentiable, fused=fused,
            decoupled_weight_decay=True,
        )  # fmt: skip


class Adamax(Optimizer):
    """p ← p - lr / (1 - β₁ᵗ) · m / u, where u ← max(β₂ u, |g| + eps) and m is Adam's.

    As torch.optim.Adamax; Kingma and Ba, 2014.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": fractions(betas), "eps": eps, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        return {"step": counter(), "exp_avg": zeros(p), "exp_inf": zeros(p)}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        beta1, beta2 = number(group, "betas", 0), number(group, "betas", 1)
        maximize = group["maximize"]

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            size = lr / (1 - beta1 ** count(state))

            def rule(g: Any, p: Any, m: Any, u: Any) -> None:
                g = descent(g, p, maximize, weight_decay)
                m *= beta1
                m += g * (1 - beta1)
                put(u, maximum(u * beta2, maximum(g, -g) + eps))
                p -= m / u * size

            each(rule, grad, p, state["exp_avg"], state["exp_inf"])

        return update


class NAdam(Optimizer):
    """Adam with Nesterov's momentum. As torch.optim.NAdam; Dozat, 2016.

    With μₜ = β₁ (1 - ½ · 0.96^(t · momentum_decay)) and Π the product of all μ so far:
    p ← p - lr / (√v̂ + eps) · ((1 - μₜ) / (1 - Π) · g + μₜ₊₁ / (1 - Π μₜ₊₁) · m).
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults = {
            "lr": lr, "betas": fractions(betas), "eps": eps, "weight_decay": weight_decay,
            "momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        state = {"step": counter(), "mu_product": tensor(1.0)}
        return state | {"exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        beta1, beta2 = number(group, "betas", 0), number(group, "betas", 1)
        maximize, slowing = group["maximize"], group["momentum_decay"]
        coupled, kept = _decays(group, weight_decay, lr)

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            t = count(state)
            mu = beta1 * (1 - 0.5 * 0.96 ** (t * slowing))
            mu_next = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * slowing))
            state["mu_product"].mul_(mu)
            product = state["mu_product"] if isinstance(t, Tensor) else state["mu_product"].item()
            of_g = lr * (1 - mu) / (1 - product)
            of_m = lr * mu_next / (1 - product * mu_next)
            rest = 1 - beta2**t

            def rule(g: Any, p: Any, m: Any, v: Any) -> None:
                g = descent(g, p, maximize, coupled)
                if kept is not None:
                    p *= kept
                m *= beta1
                m += g * (1 - beta1)
                v *= beta2
                v += g * g * (1 - beta2)
                p -= (g * of_g + m * of_m) / ((v / rest) ** 0.5 + eps)

            each(rule, grad, p, state["exp_avg"], state["exp_avg_sq"])

        return update


class RAdam(Optimizer):
    """Adam whose variance is rectified. As torch.optim.RAdam; Liu et al., 2019.

    With ρ∞ = 2 / (1 - β₂) - 1 and ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ): p ← p - lr · m̂ · r / (√v + eps)
    · √(1 - β₂ᵗ) where ρ > 5, r = √((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)); else p ← p - lr · m̂.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "betas": fractions(betas), "eps": eps, "weight_decay": weight_decay,
            "maximize": maximize, "foreach": foreach, "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        return {"step": counter(), "exp_avg": zeros(p), "exp_avg_sq": zeros(p)}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        beta1, beta2 = number(group, "betas", 0), number(group, "betas", 1)
        maximize = group["maximize"]
        coupled, kept = _decays(group, weight_decay, lr)
        end = 2 / (1 - beta2) - 1

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            t = count(state)
            rest = 1 - beta2**t
            size = lr / (1 - beta1**t)
            rho = end - 2 * t * beta2**t / rest
            rectified = rho > 5
            rho = where(rectified, rho, 5.0)  # its root is taken in any case
            factor = ((rho - 4) * (rho - 2) * end / ((end - 4) * (end - 2) * rho) * rest) ** 0.5

            def rule(g: Any, p: Any, m: Any, v: Any) -> None:
                g = descent(g, p, maximize, coupled)
                if kept is not None:
                    p *= kept
                m *= beta1
                m += g * (1 - beta1)
                v *= beta2
                v += g * g * (1 - beta2)
                p -= m * size * where(rectified, factor / (v**0.5 + eps), 1.0)

            each(rule, grad, p, state["exp_avg"], state["exp_avg_sq"])

        return update


def _decays(group: Group, weight_decay: Any, lr: Any) -> tuple[Any, Any]:
    """The weight decay as a part of the gradient, and the share of p that is kept apart from it."""
    if group["decoupled_weight_decay"]:
        return 0.0, 1 - lr * weight_decay if group["weight_decay"] else None
    return weight_decay, None
