"""Learning rates that rise and fall, with the momentum against them."""

import math
from collections.abc import Callable
from typing import Any, Literal

from suanzi.errors import SuanziError
from suanzi.optim.lr_scheduler.base import (
    LRScheduler,
    begin_momentum,
    for_each_group,
    require_optimizer,
    set_momentum,
    set_rate,
)
from suanzi.optim.optimizer import Optimizer, within


class CyclicLR(LRScheduler):
    """Straight up from base_lr to max_lr in step_size_up steps, and down in step_size_down.

    The height of a cycle is scaled: not at all ("triangular"), by a half each cycle
    ("triangular2"), by gamma^step ("exp_range"), or by `scale_fn` of the cycle or of the step
    (`scale_mode` "cycle" or "iterations"). Smith, 2015. `step` comes after each batch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        base_lrs = for_each_group(require_optimizer(optimizer), "base_lr", base_lr)
        if last_epoch == -1:
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, lr)
        self.max_lrs = for_each_group(optimizer, "max_lr", max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        known = ("triangular", "triangular2", "exp_range")
        if scale_fn is None:
            within(", ".join(known), mode in known, mode=mode)
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.mode, self.gamma, self.scale_mode = mode, gamma, scale_mode
        self._scale_fn = scale_fn
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """What the height of cycle x, or of the cycle at step x, is multiplied with."""
        if self._scale_fn is not None:
            return self._scale_fn(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def get_lr(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x <= self.step_ratio
        height = x / self.step_ratio if up else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                high, low = group["max_momentum"], group["base_momentum"]
                set_momentum(group, high - (high - low) * height * scale)
        pairs = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in pairs]

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows, but the optimizer and functions."""
        return {name: value for name, value in super().state_dict().items() if name != "_scale_fn"}


class OneCycleLR(LRScheduler):
    """From max_lr / div_factor up to max_lr, then down to 1 / final_div_factor of the begin.

    `pct_start` is the rising share of `total_steps`, or of epochs · steps_per_epoch. In
    `three_phase` it first falls as it has risen. Smith and Topin, 2017. `step` comes after each
    batch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        require_optimizer(optimizer)
        if total_steps is None:
            if epochs is None or steps_per_epoch is None:
                raise SuanziError(
                    "how long the cycle is", input="total_steps",
                    expected="total_steps, or both epochs and steps_per_epoch",
                )  # fmt: skip
            for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
                within("above 0", isinstance(value, int) and value > 0, **{name: value})
            total_steps = epochs * steps_per_epoch
        within("above 0", isinstance(total_steps, int) and total_steps > 0, total_steps=total_steps)
        within(
            "a float from 0 to 1", isinstance(pct_start, float) and 0 <= pct_start <= 1,
            pct_start=pct_start,
        )  # fmt: skip
        within("cos or linear", anneal_strategy in ("cos", "linear"),
               anneal_strategy=anneal_strategy)  # fmt: skip
        self.total_steps = total_steps
        self._linear = anneal_strategy == "linear"
        top, last = float(pct_start * total_steps) - 1, total_steps - 1
        self._phases = [(top, ("initial_lr", "max_lr"), ("max_momentum", "base_momentum"))]
        """The last step of each phase, and from where to where it leads."""
        if three_phase:
            middle = float(2 * pct_start * total_steps) - 2
            down, rest = ("max_lr", "initial_lr"), ("initial_lr", "min_lr")
            self._phases.append((middle, down, ("base_momentum", "max_momentum")))
            self._phases.append((last, rest, ("max_momentum", "max_momentum")))
        else:
            self._phases.append((last, ("max_lr", "min_lr"), ("base_momentum", "max_momentum")))
        max_lrs = for_each_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, most in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = most / div_factor
                group["max_lr"] = most
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            begin_momentum(optimizer, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        step = self.last_epoch
        if step > self.total_steps:
            raise SuanziError(
                "the cycle is over", input="total_steps", expected=self.total_steps, found=step
            )
        last = len(self._phases) - 1
        number = next(i for i, (end, *_) in enumerate(self._phases) if step <= end or i == last)
        start = self._phases[number - 1][0] if number else 0.0
        end, lrs, momenta = self._phases[number]
        part = (step - start) / (end - start)
        if self.cycle_momentum:
            for group in self.optimizer.param_groups:
                set_momentum(group, self._between(group[momenta[0]], group[momenta[1]], part))
        groups = self.optimizer.param_groups
        return [self._between(group[lrs[0]], group[lrs[1]], part) for group in groups]

    def _between(self, start: float, end: float, part: float) -> float:
        if self._linear:
            return (end - start) * part + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
