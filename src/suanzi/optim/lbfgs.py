"""L-BFGS: steps by the curvature that the last steps have shown."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.operators._operator import Array
from suanzi.optim.optimizer import Optimizer, not_negative, within
from suanzi.tensor import Tensor, enable_grad
from suanzi.tensor.autograd import root
from suanzi.tensor.modes import modes

LEAST_CURVATURE = 1e-10
DECREASE, FLATTENING = 1e-4, 0.9  # the strong Wolfe conditions


@dataclass
class Point:
    """A place on the line that is searched: how far, the loss, its gradient, its slope."""

    t: float
    loss: float
    gradient: Array
    slope: float


class LBFGS(Optimizer):
    """Newton's method with the inverse Hessian made of the last `history_size` steps.

    `step` needs a closure that computes the loss and its gradients anew. It makes up to `max_iter`
    iterations, each with one call of it or, by `line_search_fn="strong_wolfe"`, several; `max_eval`
    in all. As torch.optim.LBFGS; Nocedal and Wright, Numerical Optimization, algorithms 7.4, 3.5
    and 3.6. Its steps can't be compiled: what they do depends on the losses.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        not_negative(lr=lr)
        known = line_search_fn in (None, "strong_wolfe")
        within("None or strong_wolfe", known, line_search_fn=line_search_fn)
        defaults = {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        }  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise SuanziError("all parameters are one group", input="params", expected=1,
                              found=len(self.param_groups))  # fmt: skip

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        if closure is None or modes.trace is not None:
            raise SuanziError(
                "L-BFGS computes the loss several times in a step",
                input="closure",
                expected="a function that does, outside suanzi.compile",
            )
        group, (first, *_) = self.param_groups[0], self.param_groups[0]["params"]
        state = self.state[first]
        new = {"func_evals": 0, "n_iter": 0, "old_dirs": [], "old_stps": [], "H_diag": 1.0}
        for name, value in new.items():
            state.setdefault(name, value)
        lr, enough = float(group["lr"]), group["tolerance_change"]

        def evaluate() -> tuple[Any, float, Array]:
            with enable_grad():
                found = closure()
            state["func_evals"] += 1
            return found, float(found), self._gradient()

        before = state["func_evals"]
        result, loss, g = evaluate()
        for iteration in range(1, group["max_iter"] + 1):
            if np.abs(g).max() <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            d = self._direction(g, state, group["history_size"])
            t = lr if state["n_iter"] > 1 else min(1.0, 1.0 / float(np.abs(g).sum())) * lr
            state["prev_flat_grad"], state["prev_loss"] = g.copy(), loss
            state["d"], state["t"] = d, t
            slope = float(g @ d)
            if slope > -enough:
                break
            if group["line_search_fn"]:
                left = group["max_eval"] - (state["func_evals"] - before)
                here = Point(0.0, loss, g, slope)
                found = self._search(here, t, d, evaluate, enough, left)
                t, loss, g = found.t, found.loss, found.gradient
                state["t"] = t
                self._move(d, t)
            else:
                self._move(d, t)
                if iteration < group["max_iter"]:
                    _, loss, g = evaluate()
            if state["func_evals"] - before >= group["max_eval"]:
                break
            if np.abs(d * t).max() <= enough or abs(loss - state["prev_loss"]) < enough:
                break
        return result

    def _direction(self, g: Array, state: dict[str, Any], history_size: int) -> Array:
        """-H · g, H the inverse Hessian by the last steps: the two loops of algorithm 7.4."""
        changes, moves = state["old_dirs"], state["old_stps"]  # of the gradient, of the parameters
        if state["n_iter"] > 1:
            y, s = g - state["prev_flat_grad"], state["d"] * state["t"]
            curvature = float(y @ s)
            if curvature > LEAST_CURVATURE:
                if len(changes) == history_size:
                    del changes[0], moves[0]
                changes.append(y)
                moves.append(s)
                state["H_diag"] = curvature / float(y @ y)
        d = -g
        shares = []
        for y, s in zip(reversed(changes), reversed(moves), strict=True):
            shares.append(float(s @ d) / float(y @ s))
            d -= shares[-1] * y
        d *= state["H_diag"]
        for y, s in zip(changes, moves, strict=True):
            d += (shares.pop() - float(y @ d) / float(y @ s)) * s
        return d

    def _search(
        self,
        start: Point,
        t: float,
        d: Array,
        evaluate: Callable[[], tuple[Any, float, Array]],
        enough: float,
        most: int,
    ) -> Point:
        """A point along d with the strong Wolfe conditions; the parameters stay where they are."""

        def at(t: float) -> Point:
            kept = [p.numpy_().copy() for p in self._params()]
            self._move(d, t)
            _, loss, gradient = evaluate()
            for p, value in zip(self._params(), kept, strict=True):
                p.numpy_()[...] = value
            return Point(t, loss, gradient, float(gradient @ d))

        def too_high(point: Point) -> bool:
            return point.loss > start.loss + DECREASE * point.t * start.slope

        def flat(point: Point) -> bool:
            return abs(point.slope) <= -FLATTENING * start.slope

        before, now, trials = start, at(t), 0
        while True:  # until a minimum lies between two points
            if trials == most:
                return min(start, now, key=lambda point: point.loss)
            if too_high(now) or (trials > 1 and now.loss >= before.loss):
                break
            if flat(now):
                return now
            if now.slope >= 0:
                break
            reach = now.t + 0.01 * (now.t - before.t), now.t * 10
            before, now = now, at(_lowest(before, now, reach))
            trials += 1
        low, high = (before, now) if before.loss <= now.loss else (now, before)
        stuck = False
        while trials < most and abs(high.t - low.t) * np.abs(d).max() >= enough:
            left, right = sorted((low.t, high.t))
            t = _lowest(low, high, (left, right))
            margin = 0.1 * (right - left)
            if min(right - t, t - left) < margin:  # too near an end twice is no progress
                if stuck or t >= right or t <= left:
                    t = right - margin if abs(t - right) < abs(t - left) else left + margin
                    stuck = False
                else:
                    stuck = True
            else:
                stuck = False
            new, trials = at(t), trials + 1
            if too_high(new) or new.loss >= low.loss:
                low, high = (low, new) if low.loss <= new.loss else (new, low)
                continue
            if flat(new):
                return new
            low, high = new, low if new.slope * (high.t - low.t) >= 0 else high
        return low

    def _gradient(self) -> Array:
        """The gradients of all parameters as one vector."""
        return np.concatenate([
            np.zeros(p.numel(), p.dtype) if p.grad is None else p.grad.numpy_().reshape(-1)
            for p in self._params()
        ])  # fmt: skip

    def _move(self, d: Array, t: float) -> None:
        """Adds t · d to the parameters."""
        start = 0
        for p in self._params():
            p.numpy_()[...] += t * d[start : start + p.numel()].reshape(p.shape)
            root(p)._version += 1
            start += p.numel()


def _lowest(a: Point, b: Point, within: tuple[float, float]) -> float:
    """Where the cubic through two points with their slopes is least, kept within bounds."""
    if a.t > b.t:
        a, b = b, a
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return (within[0] + within[1]) / 2
    d2 = math.sqrt(square)
    t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2))
    return min(max(t, within[0]), within[1])
