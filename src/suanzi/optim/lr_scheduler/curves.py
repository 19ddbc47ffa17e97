"""Learning rates that follow one curve."""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from typing import Any

from suanzi.errors import SuanziError
from suanzi.optim.lr_scheduler.base import Curve, LRScheduler, for_each_group, require_optimizer
from suanzi.optim.optimizer import Optimizer, within


class LambdaLR(LRScheduler):
    """base_lr · lr_lambda(epoch)"""

    def __init__(
        self, optimizer: Optimizer, lr_lambda: Curve | list[Curve], last_epoch: int = -1
    ) -> None:
        self.lr_lambdas = for_each_group(require_optimizer(optimizer), "lr_lambda", lr_lambda)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        pairs = zip(self.base_lrs, self.lr_lambdas, strict=True)
        return [base_lr * curve(self.last_epoch) for base_lr, curve in pairs]

    def state_dict(self) -> dict[str, Any]:
        """All but the functions; of objects that are called, their attributes."""
        state = super().state_dict()
        state["lr_lambdas"] = [
            None if hasattr(curve, "__code__") else dict(curve.__dict__)
            for curve in self.lr_lambdas
        ]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        state = dict(state_dict)
        for curve, attributes in zip(self.lr_lambdas, state.pop("lr_lambdas"), strict=True):
            if attributes is not None:
                curve.__dict__.update(attributes)
        super().load_state_dict(state)


class MultiplicativeLR(LambdaLR):
    """The last rate · lr_lambda(epoch)"""

    def get_lr(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        pairs = zip(self._rates(), self.lr_lambdas, strict=True)
        return [lr * curve(self.last_epoch) for lr, curve in pairs]


class StepLR(LRScheduler):
    """Times `gamma` every `step_size` epochs."""

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        return self.gamma if self.last_epoch and self.last_epoch % self.step_size == 0 else 1.0

    def at_epoch(self, base_lr: float) -> float:
        return float(base_lr * self.gamma ** (self.last_epoch // self.step_size))


class MultiStepLR(LRScheduler):
    """Times `gamma` at each of the `milestones`."""

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        return float(self.gamma ** self.milestones.get(self.last_epoch, 0))

    def at_epoch(self, base_lr: float) -> float:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return float(base_lr * self.gamma**passed)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self.milestones = Counter(self.milestones)


class ConstantLR(LRScheduler):
    """Times `factor` for the first `total_iters` epochs."""

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        within("0 to 1", 0 <= factor <= 1, factor=factor)
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        if self.last_epoch == 0:
            return self.factor
        return 1.0 / self.factor if self.last_epoch == self.total_iters else 1.0

    def at_epoch(self, base_lr: float) -> float:
        ended = self.last_epoch >= self.total_iters
        return float(base_lr * (self.factor + ended * (1 - self.factor)))


class LinearLR(LRScheduler):
    """Times a factor that goes straight from `start_factor` to `end_factor` in `total_iters`."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        within("above 0, at most 1", 0 < start_factor <= 1, start_factor=start_factor)
        within("0 to 1", 0 <= end_factor <= 1, end_factor=end_factor)
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        if self.last_epoch == 0:
            return self.start_factor
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        rise = self.end_factor - self.start_factor
        return float(
            1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise)
        )

    def at_epoch(self, base_lr: float) -> float:
        rise = self.end_factor - self.start_factor
        done = min(self.total_iters, self.last_epoch)
        return float(base_lr * (self.start_factor + rise * done / self.total_iters))


class ExponentialLR(LRScheduler):
    """Times `gamma` every epoch."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        return 1.0 if self._is_initial else self.gamma

    def at_epoch(self, base_lr: float) -> float:
        return float(base_lr * self.gamma**self.last_epoch)


class PolynomialLR(LRScheduler):
    """base_lr · (1 - epoch / total_iters)^power, and then 0."""

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def multiplier(self) -> float:
        if self._is_initial or self.last_epoch > self.total_iters:
            return 1.0
        now = 1.0 - self.last_epoch / self.total_iters
        before = 1.0 - (self.last_epoch - 1) / self.total_iters
        return float((now / before) ** self.power)

    def at_epoch(self, base_lr: float) -> float:
        done = min(self.total_iters, self.last_epoch)
        return float(base_lr * (1.0 - done / self.total_iters) ** self.power)


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base_lr - eta_min) · (1 + cos(π · epoch / T_max)) / 2

    As PyTorch's it goes on from the last rate, so that others may change it in between.
    """

    def __init__(
        self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        epoch, period, least = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return self._rates()
        if self._step_count == 1 and epoch > 0:
            return [
                least + (base - least) * (1 + math.cos(epoch * math.pi / period)) / 2
                for base in self.base_lrs
            ]
        if (epoch - 1 - period) % (2 * period) == 0:
            return [
                lr + (base - least) * (1 - math.cos(math.pi / period)) / 2
                for base, lr in zip(self.base_lrs, self._rates(), strict=True)
            ]
        now = 1 + math.cos(math.pi * epoch / period)
        before = 1 + math.cos(math.pi * (epoch - 1) / period)
        return [now / before * (lr - least) + least for lr in self._rates()]

    def at_epoch(self, base_lr: float) -> float:
        return _cosine(base_lr, self.eta_min, self.last_epoch, self.T_max)


class CosineAnnealingWarmRestarts(LRScheduler):
    """The cosine of CosineAnnealingLR, begun anew after T_0 epochs, then T_0 · T_mult, and so on.

    `step` may be given a fraction of an epoch.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,
        T_mult: int = 1,
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        for name, value in (("T_0", T_0), ("T_mult", T_mult)):
            within("a whole number above 0", isinstance(value, int) and value > 0, **{name: value})
        self.T_0, self.T_i, self.T_mult, self.eta_min = T_0, T_0, T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        return [_cosine(base, self.eta_min, self.T_cur, self.T_i) for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes on to the next epoch, or to this one, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur = self.T_cur % self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise SuanziError("wrong value", input="epoch", expected="0 or more", found=epoch)
        elif epoch < self.T_0 or self.T_mult == 1:
            self.T_i, self.T_cur = self.T_0, epoch % self.T_0
        else:
            ratio = self.T_mult
            n = int(math.log(epoch / self.T_0 * (ratio - 1) + 1, ratio))
            self.T_cur = epoch - self.T_0 * (ratio**n - 1) / (ratio - 1)
            self.T_i = self.T_0 * ratio**n
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())


def _cosine(base_lr: float, least: float, epoch: float, period: int) -> float:
    return least + (base_lr - least) * (1 + math.cos(math.pi * epoch / period)) / 2
