"""Steps of a size of its own for each element, by the squares of its gradients."""

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
    not_negative,
    number,
    within,
    zeros,
)
from suanzi.tensor import Tensor
from suanzi.tensor.creation import full_like


class Adagrad(Optimizer):
    """p ← p - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps), s the sum of all g².

    As torch.optim.Adagrad; Duchi et al., 2011.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_negative(
            lr=lr, lr_decay=lr_decay, weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value, eps=eps,
        )  # fmt: skip
        defaults = {
            "lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)
        for group in self.param_groups:  # as PyTorch: before the first step
            for p in group["params"]:
                self.state[p] = self._begin(p, group)

    def _begin(self, p: Tensor, group: Group) -> State:
        return {
            "step": counter(), "sum": full_like(p.detach(), group["initial_accumulator_value"])
        }  # fmt: skip

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        maximize, lr_decay = group["maximize"], group["lr_decay"]

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            t = count(state)
            size = lr / (1 + (t - 1) * lr_decay) if lr_decay else lr

            def rule(g: Any, p: Any, s: Any) -> None:
                g = descent(g, p, maximize, weight_decay)
                s += g * g
                p -= g / (s**0.5 + eps) * size

            each(rule, grad, p, state["sum"])

        return update


class RMSprop(Optimizer):
    """p ← p - lr · b, where b ← momentum · b + g / (√v + eps), v ← α v + (1 - α) g².

    With `centered` the square of the mean gradient is taken from v. As torch.optim.RMSprop;
    Hinton's lecture of 2012.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults = {
            "lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered,
            "weight_decay": weight_decay, "capturable": capturable, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        state = {"step": counter(), "square_avg": zeros(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = zeros(p)
        if group["centered"]:
            state["grad_avg"] = zeros(p)
        return state

    def _updater(self, group: Group) -> Update:
        lr, weight_decay, eps = number(group, "lr"), decay(group), group["eps"]
        alpha, maximize, centered = group["alpha"], group["maximize"], group["centered"]
        momentum = number(group, "momentum") if group["momentum"] > 0 else None

        def rule(g: Any, p: Any, v: Any, *rest: Any) -> None:
            g = descent(g, p, maximize, weight_decay)
            v *= alpha
            v += g * g * (1 - alpha)
            if centered:
                mean = rest[0]
                mean *= alpha
                mean += g * (1 - alpha)
                v = v - mean * mean
            move = g / (v**0.5 + eps)
            if momentum is not None:
                b = rest[-1]
                b *= momentum
                b += move
                move = b
            p -= move * lr

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            count(state)
            rest = [state[name] for name in ("grad_avg", "momentum_buffer") if name in state]
            each(rule, grad, p, state["square_avg"], *rest)

        return update


class Adadelta(Optimizer):
    """p ← p - lr · d, where d = √(a + eps) / √(v + eps) · g.

    v ← ρ v + (1 - ρ) g², a ← ρ a + (1 - ρ) d². As torch.optim.Adadelta; Zeiler, 2012.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr, eps=eps, weight_decay=weight_decay)
        within("0 to 1", 0 <= rho <= 1, rho=rho)
        defaults = {
            "lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize,
            "capturable": capturable, "foreach": foreach, "differentiable": differentiable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        return {"step": counter(), "square_avg": zeros(p), "acc_delta": zeros(p)}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay = number(group, "lr"), decay(group)
        rho, eps, maximize = group["rho"], group["eps"], group["maximize"]

        def rule(g: Any, p: Any, v: Any, a: Any) -> None:
            g = descent(g, p, maximize, weight_decay)
            v *= rho
            v += g * g * (1 - rho)
            d = (a + eps) ** 0.5 / (v + eps) ** 0.5 * g
            a *= rho
            a += d * d * (1 - rho)
            p -= d * lr

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            count(state)
            each(rule, grad, p, state["square_avg"], state["acc_delta"])

        return update
