"""Stochastic gradient descent, with momentum."""

from functools import partial
from typing import Any

from suanzi.errors import SuanziError
from suanzi.optim.optimizer import (
    Group,
    Optimizer,
    State,
    Update,
    decay,
    descent,
    each,
    not_negative,
    number,
    zeros,
)
from suanzi.tensor import Tensor, eagerly
from suanzi.tensor.modes import modes


class SGD(Optimizer):
    """p ← p - lr · b, where b ← momentum · b + (1 - dampening) · g, and b = g at the first step.

    With `nesterov`: p ← p - lr · (g + momentum · b). As torch.optim.SGD.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_negative(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise SuanziError(
                "Nesterov's method needs momentum, and no dampening",
                input="nesterov",
                found=f"momentum {momentum}, dampening {dampening}",
            )
        defaults = {
            "lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
            "nesterov": nesterov, "maximize": maximize, "foreach": foreach,
            "differentiable": differentiable, "fused": fused,
        }  # fmt: skip
        super().__init__(params, defaults)

    def _begin(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": None} if group["momentum"] else {}

    def _updater(self, group: Group) -> Update:
        lr, weight_decay = number(group, "lr"), decay(group)
        momentum = number(group, "momentum") if group["momentum"] else None
        maximize, nesterov, share = group["maximize"], group["nesterov"], 1 - group["dampening"]

        def plain(g: Any, p: Any) -> None:
            p -= descent(g, p, maximize, weight_decay) * lr

        def heavy(g: Any, p: Any, b: Any, share: float = share) -> None:
            g = descent(g, p, maximize, weight_decay)
            b *= momentum
            b += g if share == 1 else g * share
            p -= (g + b * momentum if nesterov else b) * lr

        def update(p: Tensor, grad: Tensor, state: State) -> None:
            if momentum is None:
                each(plain, grad, p)
            elif (buffer := state["momentum_buffer"]) is not None:
                each(heavy, grad, p, buffer)
            else:
                if share != 1 and modes.trace is not None:
                    raise SuanziError(
                        "the first step, which isn't damped, can't be compiled as the others",
                        input="dampening",
                        hint="Make one step before the compiled ones",
                    )
                with eagerly():
                    state["momentum_buffer"] = buffer = zeros(p)
                each(partial(heavy, share=1), grad, p, buffer)

        return update
