"""What all schedulers share: they count epochs, and set the learning rate of each group."""

from collections.abc import Callable
from typing import Any

from suanzi.errors import SuanziError
from suanzi.optim.optimizer import Group, Optimizer
from suanzi.tensor import Tensor


class LRScheduler:
    """Sets each group's learning rate as a function of the epochs so far.

    A subclass has `get_lr`, the rates of the groups now; or `multiplier`, by which the last are
    multiplied. `base_lrs` are the rates at the begin, `last_epoch` is the number of this epoch:
    give it to go on with a schedule whose optimizer was loaded, -1 to begin one.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        self.optimizer = require_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", rate(group))
            elif "initial_lr" not in group:
                raise SuanziError(
                    f"group {i} doesn't know its first learning rate",
                    input="last_epoch",
                    expected="-1, or an optimizer whose state was loaded",
                    found=last_epoch,
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch: Any = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        self.step()
        self._is_initial = False

    def step(self, epoch: int | None = None) -> None:
        """Goes on to the next epoch, or to this one."""
        self._step_count += 1
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            known = [self.at_epoch(lr) for lr in self.base_lrs]
            rates = self.get_lr() if None in known else known
        self._set(rates)

    def _set(self, rates: list[Any]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, lr)
        self._last_lr = self._rates()

    def _rates(self) -> list[float]:
        return [rate(group) for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """The learning rates of the groups, as last set."""
        return self._last_lr

    def get_lr(self) -> list[float]:
        """The learning rates for this epoch."""
        factor = self.multiplier()
        return [lr * factor for lr in self._rates()]

    def multiplier(self) -> float:
        """What this epoch multiplies the learning rates with."""
        raise NotImplementedError("a subclass of LRScheduler defines get_lr")

    def at_epoch(self, base_lr: float) -> Any:
        """The learning rate of this epoch from the first one; None where it needs the last one."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows, but the optimizer and functions."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name != "optimizer" and not callable(value)
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        self.__dict__.update(state_dict)


def require_optimizer(optimizer: Any) -> Optimizer:
    if not isinstance(optimizer, Optimizer):
        raise SuanziError(
            "wrong type",
            input="optimizer",
            expected="an Optimizer",
            found=type(optimizer).__name__,
        )
    return optimizer


def rate(group: Group) -> float:
    """A group's learning rate as a number."""
    lr: Any = group["lr"]
    return float(lr) if isinstance(lr, Tensor) else lr


def set_rate(group: Group, lr: float) -> None:
    """Sets a group's learning rate, within its tensor where it is one."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(lr)
    else:
        group["lr"] = lr


def for_each_group(optimizer: Optimizer, name: str, value: Any) -> list[Any]:
    """A value a group: one for all, or a list of as many."""
    count = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * count
    if len(value) != count:
        raise SuanziError(
            "one for each group of parameters", input=name, expected=count, found=len(value)
        )
    return [*value]


def set_momentum(group: Group, momentum: float) -> None:
    """Sets the momentum, which Adam and its kin call the first beta."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def begin_momentum(
    optimizer: Optimizer, base_momentum: Any, max_momentum: Any, begin: bool
) -> None:
    """Tells each group between which momenta it cycles, and begins at the largest."""
    if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
        raise SuanziError(
            "the optimizer has no momentum",
            input="cycle_momentum",
            expected="False",
            found=type(optimizer).__name__,
        )
    most = for_each_group(optimizer, "max_momentum", max_momentum)
    least = for_each_group(optimizer, "base_momentum", base_momentum)
    if begin:
        for group, high, low in zip(optimizer.param_groups, most, least, strict=True):
            set_momentum(group, high)
            group["max_momentum"], group["base_momentum"] = high, low


Curve = Callable[[int], float]
