"""Rprop, by the signs of gradients alone, and ASGD, which averages where it has been."""

from typing import Any

from suanzi.optim.optimizer import (
    Group,
    Optimizer,
    State,
    Update,
    clip,
    count,
    counter,
    decay,
    descent,
    each,
    maximum,
    not_negative,
    number,
    put,
    sign,
    where,
    within,
    zeros,
)
from suanzi.tensor import Tensor, tensor
from suanzi.tensor.creation import full_like


class Rprop(Optimizer):
    """p ← p - sign(g) · s; s grows by etas[1] while g keeps its sign, and shrinks by etas[0] else.

    Where the sign changes the element rests for one step. As torch.optim.Rprop; Riedmiller and
    Braun, 1993. It needs whole batches.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_negative(lr=lr)
        within("0 < etas[0] < 1 < etas[1]", 0 < etas[0] < 1 < etas[1], etas=etas)
        defaults = {
            "lr": lr, "etas": etas, "step_sizes": step_sizes, "foreach": foreach,
            "maximize": maximize, "differentiable": differentiable, "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        size = full_like(p.detach(), float(group["lr"]))
        return {"step": counter(), "prev": zeros(p), "step_size": size}

    def _updater(self, group: Group) -> Update:
        (shrink, grow), reach = group["etas"], group["step_sizes"]
        maximize = group["maximize"]

        def rule(g: Any, p: Any, before: Any, size: Any) -> None:
            g = descent(g, p, maximize, 0)
            turn = sign(g * before)
            turned = turn < 0
            changed = where(turned, size * shrink, where(turn > 0, size * grow, size))
            put(size, clip(changed, *reach))
            g = where(turned, g * 0, g)
            p -= sign(g) * size
            put(before, g)

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            count(state)
            each(rule, grad, p, state["prev"], state["step_size"])

        return update


class ASGD(Optimizer):
    """p ← (1 - lambd · η) · p - η · g; "ax" in the state is the mean of p from step t0 on.

    η = lr / (1 + lambd · lr · t)^alpha. As torch.optim.ASGD; Polyak and Juditsky, 1992.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_negative(lr=lr, weight_decay=weight_decay)
        defaults = {
            "lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay,
            "foreach": foreach, "maximize": maximize, "differentiable": differentiable,
            "capturable": capturable,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        eta = tensor(float(group["lr"]))
        return {"step": counter(), "eta": eta, "mu": tensor(1.0), "ax": zeros(p)}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay = number(group, "lr"), decay(group)
        lambd, alpha, t0, maximize = group["lambd"], group["alpha"], group["t0"], group["maximize"]

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            t = count(state)
            traced = isinstance(t, Tensor)
            eta, mu = (x if traced else x.item() for x in (state["eta"], state["mu"]))

            def rule(g: Any, p: Any, mean: Any) -> None:
                g = descent(g, p, maximize, weight_decay)
                p *= 1 - lambd * eta
                p -= g * eta
                mean += (p - mean) * mu

            each(rule, grad, p, state["ax"])
            late = maximum(t - t0, t * 0 + 1) if traced else max(1.0, t - t0)
            for name, value in (("eta", lr / (1 + lambd * lr * t) ** alpha), ("mu", 1 / late)):
                state[name].copy_(value if traced else tensor(value))

        return update
