"""Optimizers and the schedules of their learning rates: `torch.optim`."""

from suanzi.optim import lr_scheduler, swa_utils
from suanzi.optim.adam import Adam, Adamax, AdamW, NAdam, RAdam
from suanzi.optim.adaptive import Adadelta, Adagrad, RMSprop
from suanzi.optim.lbfgs import LBFGS
from suanzi.optim.optimizer import Optimizer
from suanzi.optim.rprop import ASGD, Rprop
from suanzi.optim.sgd import SGD

__all__ = [
    "ASGD",
    "LBFGS",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "lr_scheduler",
    "swa_utils",
]
