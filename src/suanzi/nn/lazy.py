"""Modules that learn the sizes of their parameters from their first input."""

from typing import Any

from suanzi.errors import SuanziError
from suanzi.nn import _state
from suanzi.nn.module import Module
from suanzi.nn.parameter import is_lazy


class LazyModuleMixin(Module):
    """Comes before the class that a lazy one becomes: `class LazyX(LazyModuleMixin, X)`.

    The class makes `UninitializedParameter`s, and its `initialize_parameters`, called with the
    first input before `forward`, materializes them. The module's class is then `cls_to_become`.
    """

    cls_to_become: type[Module] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(
            LazyModuleMixin._lazy_load_hook, with_module=True
        )
        self._initialize_hook = self.register_forward_pre_hook(
            LazyModuleMixin._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Materializes the parameters for an input; each lazy class defines it."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether some parameter or buffer of its own has no shape yet."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def _lazy_load_hook(self, state_dict: dict[str, Any], prefix: str, *_: Any) -> None:
        """What isn't initialized takes the shapes of what is loaded."""
        for name, value in _state.own_state(self).items():
            given = state_dict.get(prefix + name)
            if is_lazy(value) and given is not None and not is_lazy(given):
                value.materialize(given.shape)

    def _infer_parameters(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Before the first `forward`: afterwards the module is of the class that it becomes."""
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise SuanziError(
                f"module {type(self).__name__} has not been fully initialized",
                hint="initialize_parameters must materialize all parameters and buffers",
            )
        for name in ("_initialize_hook", "_load_hook"):
            self.__dict__.pop(name).remove()
        if self.cls_to_become is not None:
            self.__class__ = self.cls_to_become  # type: ignore[assignment]
