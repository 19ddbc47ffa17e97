"""Functions that a module calls around its forward and backward passes and its state's journeys."""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from suanzi.errors import SuanziError
from suanzi.nn._backward import watch

if TYPE_CHECKING:
    from suanzi.nn.module import Module


class Hook(NamedTuple):
    """A function and how it is to be called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False
    returns: bool = False  # whether what a state_dict hook returns takes the dictionary's place
    with_module: bool = False  # whether a hook before loading is given the module


Kind = OrderedDict[int, Hook]


@dataclass
class Hooks:
    """A module's hooks, in the order they are called."""

    forward_pre: Kind = field(default_factory=OrderedDict)
    forward: Kind = field(default_factory=OrderedDict)
    backward_pre: Kind = field(default_factory=OrderedDict)
    backward: Kind = field(default_factory=OrderedDict)
    state_pre: Kind = field(default_factory=OrderedDict)
    state: Kind = field(default_factory=OrderedDict)
    load_pre: Kind = field(default_factory=OrderedDict)
    load_post: Kind = field(default_factory=OrderedDict)

    def any(self) -> bool:
        return any(vars(self).values())

    def call(self, module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """forward with the hooks around it."""
        result: Any = None
        called: set[int] = set()
        try:
            args, kwargs = self._before(module, args, kwargs)
            watched = bool(self.backward or self.backward_pre)
            if watched:
                args, finish = watch(module, self, args)
            result = module.forward(*args, **kwargs)
            for number, hook in list(self.forward.items()):
                called.add(number)
                result = _after(hook, module, args, kwargs, result)
            return finish(result) if watched else result
        except Exception:
            for number, hook in list(self.forward.items()):
                if hook.always_call and number not in called:
                    try:
                        result = _after(hook, module, args, kwargs, result)
                    except Exception as error:  # the first error is the one to tell
                        text = f"a forward hook with always_call=True raised {error!r}"
                        warnings.warn(text, stacklevel=3)
            raise

    def _before(
        self, module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for hook in list(self.forward_pre.values()):
            if hook.with_kwargs:
                found = hook.function(module, args, kwargs)
                if isinstance(found, tuple) and len(found) == 2:
                    args, kwargs = found
                elif found is not None:
                    raise SuanziError(
                        "wrong result of a forward pre-hook",
                        expected="None or a tuple of (new_args, new_kwargs)",
                        found=found,
                    )
            else:
                found = hook.function(module, args)
                if found is not None:
                    args = found if isinstance(found, tuple) else (found,)
        return args, kwargs


def _after(
    hook: Hook, module: "Module", args: tuple[Any, ...], kwargs: dict[str, Any], result: Any
) -> Any:
    if hook.with_kwargs:
        found = hook.function(module, args, kwargs, result)
    else:
        found = hook.function(module, args, result)
    return result if found is None else found
