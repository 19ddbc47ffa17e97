"""Schedulers made of schedulers, and the one that goes by a metric."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Literal

from suanzi.errors import SuanziError
from suanzi.optim.lr_scheduler.base import (
    LRScheduler,
    for_each_group,
    rate,
    require_optimizer,
    set_rate,
)
from suanzi.optim.optimizer import Optimizer, within


class _Composed(LRScheduler):
    """What has schedulers of one optimizer."""

    def __init__(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        for scheduler in schedulers:
            if isinstance(scheduler, ReduceLROnPlateau) or scheduler.optimizer is not optimizer:
                raise SuanziError(
                    "can't be one of several",
                    input="schedulers",
                    expected="schedulers of the same optimizer that need no metric",
                    found=type(scheduler).__name__,
                )
        self.optimizer, self._schedulers = optimizer, [*schedulers]

    def state_dict(self) -> dict[str, Any]:
        """All that the schedulers know, but the optimizer and functions."""
        states = [scheduler.state_dict() for scheduler in self._schedulers]
        return super().state_dict() | {"_schedulers": states}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        state = dict(state_dict)
        for scheduler, part in zip(self._schedulers, state.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(part)
        super().load_state_dict(state)


class SequentialLR(_Composed):
    """One scheduler after the other: the next begins anew at each of the `milestones`."""

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise SuanziError(
                "as many milestones as changes of the scheduler",
                input="milestones",
                expected=f"{len(schedulers) - 1} for {len(schedulers)} schedulers",
                found=len(milestones),
            )
        super().__init__(require_optimizer(optimizer), schedulers)
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:  # each scheduler has made its first step: undo it
            set_rate(group, group["initial_lr"])
        _undo(self)
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number and self._milestones[number - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _Composed):
        for inner in scheduler._schedulers:
            _undo(inner)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_Composed):
    """Several schedulers at once, each on what the one before has set."""

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if not schedulers:
            raise SuanziError("at least one is needed", input="schedulers", found="none")
        super().__init__(optimizer or schedulers[0].optimizer, schedulers)
        self._last_lr = self._rates()

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = self._rates()


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` when a metric, given to `step`, hasn't improved for `patience` epochs.

    Better is lower ("min") or higher ("max") than the best by more than `threshold`, of it ("rel")
    or as it is ("abs"). After a reduction it rests for `cooldown` epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: Literal["min", "max"] = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_lr: float | list[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        within("below 1", factor < 1, factor=factor)
        within("min or max", mode in ("min", "max"), mode=mode)
        within("rel or abs", threshold_mode in ("rel", "abs"), threshold_mode=threshold_mode)
        self.optimizer = require_optimizer(optimizer)
        self.min_lrs = for_each_group(optimizer, "min_lr", min_lr)
        self.factor, self.patience, self.cooldown, self.eps = factor, patience, cooldown, eps
        self.mode, self.threshold, self.threshold_mode = mode, threshold, threshold_mode
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = self.last_epoch = 0
        self._last_lr = self._rates()

    def step(self, metrics: Any, epoch: int | None = None) -> None:  # type: ignore[override]
        """Takes the metric of one more epoch."""
        current = float(metrics)
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if self.is_better(current, self.best):
            self.best, self.num_bad_epochs = current, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._rates()

    def _reduce(self) -> None:
        for group, least in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            old = rate(group)
            new = max(old * self.factor, least)
            if old - new > self.eps:
                set_rate(group, new)

    def is_better(self, a: float, best: float) -> bool:
        """Whether a value is enough of an improvement."""
        away = -1 if self.mode == "min" else 1
        if self.threshold_mode == "rel":
            bound = best * (1 + away * self.threshold)
        else:
            bound = best + away * self.threshold
        return a < bound if self.mode == "min" else a > bound
