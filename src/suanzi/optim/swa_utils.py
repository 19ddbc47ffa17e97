"""Averages of a model's weights over its training: `torch.optim.swa_utils`."""

import copy
import math
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, Literal

from suanzi.errors import SuanziError
from suanzi.nn import Module
from suanzi.optim.lr_scheduler.base import LRScheduler, for_each_group, require_optimizer
from suanzi.optim.optimizer import Optimizer, within
from suanzi.tensor import Tensor, no_grad, tensor

Average = Callable[[Tensor, Tensor, Any], Tensor]


def get_swa_avg_fn() -> Average:
    """The mean of all so far."""
    return lambda average, now, count: average + (now - average) / (count + 1)


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """decay · average + (1 - decay) · now"""
    within("0 to 1", 0 <= decay <= 1, decay=decay)
    return lambda average, now, count: average * decay + now * (1 - decay)


class AveragedModel(Module):
    """A copy of a model, whose parameters are averages of those it is given by `update_parameters`.

    `avg_fn(average, now, count)` is the mean if it isn't given. Buffers are averaged too with
    `use_buffers`, and else are the newest ones. Izmailov et al., 2018.
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Average | None = None,
        multi_avg_fn: Callable[[list[Tensor], list[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise SuanziError("one of the two", input="avg_fn", expected="no multi_avg_fn with it")
        self.module = copy.deepcopy(model)
        self.register_buffer("n_averaged", tensor(0))
        self.avg_fn, self.multi_avg_fn = avg_fn or get_swa_avg_fn(), multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the averaged model gives."""
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the model's parameters into the average."""
        averages, values = (
            [x.detach() for x in chain(of.parameters(), of.buffers() if self.use_buffers else ())]
            for of in (self.module, model)
        )
        count = int(self.n_averaged.item())
        with no_grad():
            if count and self.multi_avg_fn is not None:
                self.multi_avg_fn(averages, values, self.n_averaged)
            else:
                for average, now in zip(averages, values, strict=True):
                    average.copy_(self.avg_fn(average, now, count) if count else now)
            if not self.use_buffers:
                for mine, its in zip(self.module.buffers(), model.buffers(), strict=True):
                    mine.copy_(its)
            self.n_averaged.add_(1)


def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Sets the running statistics of batch normalizations anew: their means over the loader's data.

    Of batches that are lists or tuples, the first part is what the model is given.
    """
    norms = [m for m in model.modules() if hasattr(m, "reset_running_stats")]
    momenta = [norm.momentum for norm in norms]
    was_training = model.training
    if not norms:
        return
    model.train()
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # so that the statistics are means over all batches
        with no_grad():
            for batch in loader:
                model(batch[0] if isinstance(batch, list | tuple) else batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """From the learning rate as it is to `swa_lr`, in `anneal_epochs`; then it stays."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        swa_lrs = for_each_group(require_optimizer(optimizer), "swa_lr", swa_lr)
        for group, lr in zip(optimizer.param_groups, swa_lrs, strict=True):
            group["swa_lr"] = lr
        known = anneal_strategy in ("cos", "linear")
        within("cos or linear", known, anneal_strategy=anneal_strategy)
        within("0 or more", anneal_epochs >= 0, anneal_epochs=anneal_epochs)
        self.anneal_epochs, self._anneal_strategy = anneal_epochs, anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        """How much of the way lies behind."""
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group, lr in zip(self.optimizer.param_groups, self._rates(), strict=True):
            end = group["swa_lr"]
            start = end if before == 1 else (lr - before * end) / (1 - before)
            rates.append(end * now + start * (1 - now))
        return rates
