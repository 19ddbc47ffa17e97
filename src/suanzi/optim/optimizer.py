"""What all optimizers share: groups of parameters, their state, and how a rule is applied.

A rule is elementwise arithmetic in place. It reads the same for arrays and for tensors, so it runs
on the parameters' memory, part by part as the caches hold them, and while `suanzi.compile` traces a
step, on the traced tensors.
"""

import copy
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import numpy as np

from suanzi.errors import SuanziError
from suanzi.tensor import Tensor, eagerly, enable_grad, no_grad, pointwise, scalar, tensor
from suanzi.tensor.autograd import Handle, root
from suanzi.tensor.creation import zeros_like
from suanzi.tensor.modes import modes

Group = dict[str, Any]
State = dict[str, Any]
Update = Callable[[Tensor, Tensor, State], None]

PART = 16_384  # elements of each array that a rule is applied to at once: they stay in the cache


class Optimizer:
    """Changes parameters by their gradients.

    `params` are tensors, (name, tensor) pairs, or dictionaries of a group's "params" and its own
    values of the arguments in `defaults`. A subclass has `_begin`, the state of a parameter before
    its first step, and `_updater`, which reads a group's arguments and returns the update.
    """

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        if defaults.get("differentiable"):
            raise SuanziError(
                "gradients don't pass through a step", input="differentiable", expected="False"
            )
        if isinstance(params, Tensor):
            raise SuanziError("wrong type", input="params", expected="tensors", found="a tensor")
        groups = [*params]
        if not groups:
            raise SuanziError("there is nothing to optimize", input="params", found="none")
        self.defaults = defaults
        self.state: defaultdict[Tensor, State] = defaultdict(dict)
        self.param_groups: list[Group] = []
        self._pre: dict[int, Callable[..., Any]] = {}
        self._post: dict[int, Callable[..., Any]] = {}
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: Group) -> None:
        """Adds parameters; what the group doesn't tell is as in `defaults`."""
        given = param_group["params"]
        if isinstance(given, set):
            raise SuanziError("a set has no order", input="params", expected="a list")
        entries = [given] if isinstance(given, Tensor) else [*given]
        named = [entry for entry in entries if isinstance(entry, tuple)]
        if named and len(named) < len(entries):
            raise SuanziError("names for some alone", input="params", expected="all or none")
        params = [entry[1] if named else entry for entry in entries]
        for param in params:
            if not isinstance(param, Tensor):
                found = type(param).__name__
                raise SuanziError("wrong type", input="params", expected="tensors", found=found)
            if not (param.is_leaf or param.retains_grad):
                raise SuanziError(
                    "a tensor that was computed has no gradient of its own",
                    input="params",
                    expected="leaves, such as parameters",
                )
        if len({*params}) < len(params):
            warnings.warn("a parameter is twice in one group", stacklevel=3)
        if {*params} & {param for group in self.param_groups for param in group["params"]}:
            raise SuanziError("a parameter is in two groups", input="params")
        if any(("param_names" in group) != bool(named) for group in self.param_groups):
            raise SuanziError("names in some groups alone", input="params", expected="all or none")
        param_group["params"] = params
        if named:
            param_group["param_names"] = [entry[0] for entry in named]
        for name, value in self.defaults.items():
            param_group.setdefault(name, value)
        self.param_groups.append(param_group)

    def _begin(self, p: Tensor, group: Group) -> State:
        raise NotImplementedError

    def _updater(self, group: Group) -> Update:
        raise NotImplementedError

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes each parameter that has a gradient. Returns the closure's loss.

        `closure`, if any, computes loss and gradients anew.
        """
        for hook in self._pre.values():
            hook(self, (closure,), {})
        loss = self._step(closure)
        for hook in self._post.values():
            hook(self, (closure,), {})
        return loss

    def _step(self, closure: Callable[[], Any] | None) -> Any:
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        with no_grad():
            for group in self.param_groups:
                update = self._updater(group)
                for p in group["params"]:
                    if p.grad is not None:
                        update(p, p.grad, self._state_of(p, group))
        return loss

    def _state_of(self, p: Tensor, group: Group) -> State:
        state = self.state.get(p)
        if not state:  # a trace takes it as it stands now, and goes on with it at later runs
            with eagerly():
                state = self._begin(p, group)
            if state:
                self.state[p] = state
        return state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the gradients, or sets them to zero."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none:
                    p.grad = None
                elif p.grad is not None:
                    p.grad = p.grad.detach()
                    p.grad.zero_()

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> Handle:
        """Calls `hook(optimizer, args, kwargs)` before each step."""
        return Handle(self._pre, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> Handle:
        """Calls `hook(optimizer, args, kwargs)` after each step."""
        return Handle(self._post, hook)

    def state_dict(self) -> dict[str, Any]:
        """The state by the parameters' numbers, and the groups, as PyTorch has them."""
        numbers: dict[Tensor, int] = {}
        for group in self.param_groups:
            for p in group["params"]:
                numbers.setdefault(p, len(numbers))
        return {
            "state": {numbers.get(p, p): state for p, state in self.state.items()},
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Takes what `state_dict` gave. Floating-point state takes its parameter's type."""
        groups = state_dict["param_groups"]
        found, wanted = (
            [len(group["params"]) for group in of] for of in (groups, self.param_groups)
        )
        if found != wanted:
            raise SuanziError(
                "groups of other sizes", input="state_dict", expected=wanted, found=found
            )
        numbers = chain.from_iterable(group["params"] for group in groups)
        params = dict(zip(numbers, self._params(), strict=True))
        state: defaultdict[Any, State] = defaultdict(dict)
        for number, entries in state_dict["state"].items():
            if number not in params:
                state[number] = copy.deepcopy(entries)
                continue
            p = params[number]
            state[p] = {name: _adapted(name, value, p) for name, value in entries.items()}
        self.state = state
        for group, new in zip(self.param_groups, groups, strict=True):
            own = {"params", "param_names"} & group.keys()  # the rest in place, for compiled steps
            group.update({name: copy.deepcopy(new[name]) for name in new.keys() - own})

    def _params(self) -> Iterator[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def _adapted(name: str, value: Any, p: Tensor) -> Any:
    if not isinstance(value, Tensor):
        return copy.deepcopy(value)
    if name == "step" or not p.is_floating_point():
        return value.detach().clone()
    return value.detach().to(p.dtype, copy=True)


def number(group: Group, name: str, index: int | None = None) -> Any:
    """An argument of a group: a float; traced, a tensor without axes that each run reads again."""
    if index is None:
        return scalar(lambda: float(group[name]))
    return scalar(lambda: float(group[name][index]))


def decay(group: Group) -> Any:
    """The weight decay; 0.0 where there is none, so that it can be left out."""
    return number(group, "weight_decay") if group["weight_decay"] else 0.0


def counter() -> Tensor:
    """The number of steps, before the first."""
    return tensor(0.0)


def count(state: State) -> Any:
    """One more step; how many: a float, or traced, a tensor."""
    step = state["step"]
    if modes.trace is not None:
        return step.add_(1)
    step.numpy_()[...] += 1
    return step.item()


def each(rule: Callable[..., None], grad: Tensor, *tensors: Tensor) -> None:
    """Applies `rule(gradient, *tensors)`, which changes the tensors in place, elementwise."""
    if modes.trace is not None:
        rule(grad, *tensors)
        return
    arrays = [tensor.numpy_() for tensor in tensors]
    gradient = grad.numpy_()
    size = gradient.size
    if size <= PART or not all(array.flags.c_contiguous for array in arrays):
        rule(gradient, *arrays)
    else:
        flat = [array.reshape(-1) for array in (gradient, *arrays)]
        for start in range(0, size, PART):
            rule(*[array[start : start + PART] for array in flat])
    for tensor_ in tensors:
        root(tensor_)._version += 1


def descent(g: Any, p: Any, maximize: bool, weight_decay: Any) -> Any:
    """The gradient of what is minimized: sign turned to maximize, weight_decay / 2 · |p|² added."""
    if maximize:
        g = -g
    if isinstance(weight_decay, Tensor) or weight_decay:
        g = g + p * weight_decay
    return g


def put(x: Any, value: Any) -> None:
    """Writes a value into an array or a tensor."""
    if isinstance(x, Tensor):
        x.copy_(value)
    else:
        x[...] = value


def maximum(a: Any, b: Any) -> Any:
    """The larger, element by element."""
    return a.maximum(b) if isinstance(a, Tensor) else np.maximum(a, b)


def sign(x: Any) -> Any:
    """-1, 0 or 1."""
    return x.sign() if isinstance(x, Tensor) else np.sign(x)


def clip(x: Any, least: float, most: float) -> Any:
    """The elements, kept from `least` to `most`."""
    return x.clamp(least, most) if isinstance(x, Tensor) else np.clip(x, least, most)


def where(condition: Any, a: Any, b: Any) -> Any:
    """a where the condition holds, else b."""
    if isinstance(condition, Tensor):
        return pointwise.where(condition, a, b)
    return np.where(condition, a, b) if isinstance(condition, np.ndarray) else a if condition else b


def zeros(p: Tensor) -> Tensor:
    """State of a parameter's shape, of zeros, one after the other in memory."""
    return zeros_like(p.detach())


def within(expected: str, holds: bool, **values: Any) -> None:
    """Refuses an argument for which it doesn't hold."""
    if not holds:
        ((name, value),) = values.items()
        raise SuanziError("wrong value", input=name, expected=expected, found=value)


def not_negative(**values: Any) -> None:
    """Refuses arguments below 0, and NaN."""
    for name, value in values.items():
        if isinstance(value, Tensor) and value.numel() != 1:
            raise SuanziError("wrong shape", input=name, expected="1 element", found=value.shape)
        within("0 or more", bool(value >= 0), **{name: value})


def fractions(betas: Iterable[float]) -> tuple[float, ...]:
    """The betas of Adam and its kin, which are from 0 up to 1, without 1."""
    betas = tuple(map(float, betas))
    within("two numbers from 0 up to, not with, 1", len(betas) == 2 and all(
        0 <= beta < 1 for beta in betas), betas=betas)  # fmt: skip
    return betas
