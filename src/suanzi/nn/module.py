"""`Module`: parameters, buffers and modules inside, and a `forward` that computes with them."""

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from suanzi.errors import SuanziError
from suanzi.nn import _state
from suanzi.nn._hooks import Hook, Hooks
from suanzi.nn._members import Members
from suanzi.nn._state import IncompatibleKeys
from suanzi.nn.parameter import is_lazy
from suanzi.tensor import Tensor, dtypes, empty_like, no_grad
from suanzi.tensor.autograd import Handle
from suanzi.tensor.device import device as device_type
from suanzi.tensor.modes import modes

Function = Callable[..., Any]


class Module(Members):
    """The base of all layers and networks, with PyTorch's interface.

    A subclass calls `super().__init__()`, assigns its parameters and layers to attributes, and
    defines `forward`.

    >>> import suanzi
    >>> class Scale(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = suanzi.nn.Parameter(suanzi.tensor(2.0))
    ...     def forward(self, input):
    ...         return input * self.factor
    >>> scale = Scale()
    >>> [name for name, _ in scale.named_parameters()], scale(suanzi.ones(2)).tolist()
    (['factor'], [2.0, 2.0])
    """

    training: bool
    call_super_init = False
    """Whether `__init__` goes on to the next class, for which it passes on its arguments."""
    _version = 1
    """Goes into a state dict's metadata, for classes whose keys have changed."""
    _hooks: Hooks | None = None
    """Nothing until a hook is registered: a call is then `forward` alone."""
    _compiled: Function | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and (args or kwargs):
            raise SuanziError(
                f"{type(self).__name__}.__init__() takes no further arguments",
                found=[*args, *kwargs],
            )
        self._start()
        self.__dict__["training"] = True
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # --- calling

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; each subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._hooks is None and modes.trace is None:
            return self.forward(*args, **kwargs)
        return self._call_fully(args, kwargs)

    def _call_fully(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if modes.trace is not None:
            modes.trace.visit(self)
        if self._compiled is not None:
            return self._compiled(*args, **kwargs)
        if self._hooks is not None and self._hooks.any():
            return self._hooks.call(self, args, kwargs)
        self._hooks = None  # all were removed: calls are plain again
        return self.forward(*args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compiles this module's calls, as `suanzi.compile` does, in place."""
        import suanzi

        hooks = self._hooks = self._hooks or Hooks()

        def run(*inputs: Any, **options: Any) -> Any:
            return hooks.call(self, inputs, options)

        self._compiled = suanzi.compile(run, *args, **kwargs)

    # --- hooks

    def _hook(self, kind: str, hook: Hook, prepend: bool = False) -> Handle:
        self._hooks = self._hooks or Hooks()
        hooks = getattr(self._hooks, kind)
        handle = Handle(hooks, hook)  # type: ignore[arg-type]
        if prepend:
            hooks.move_to_end(handle.id, last=False)
        return handle

    def register_forward_pre_hook(
        self, hook: Function, *, prepend: bool = False, with_kwargs: bool = False
    ) -> Handle:
        """`hook(module, args)` before `forward`; what it returns takes the arguments' place."""
        return self._hook("forward_pre", Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Function,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> Handle:
        """`hook(module, args, output)` after `forward`; what it returns takes the output's place.

        With `always_call` it is called even if `forward` raises.
        """
        return self._hook("forward", Hook(hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(self, hook: Function, prepend: bool = False) -> Handle:
        """`hook(module, grad_output)` when the gradients of the outputs are known."""
        return self._hook("backward_pre", Hook(hook), prepend)

    def register_full_backward_hook(self, hook: Function, prepend: bool = False) -> Handle:
        """`hook(module, grad_input, grad_output)` when the inputs' gradients are known."""
        return self._hook("backward", Hook(hook), prepend)

    def register_state_dict_pre_hook(self, hook: Function) -> Handle:
        """`hook(module, prefix, keep_vars)` before the module's state is taken."""
        return self._hook("state_pre", Hook(hook))

    def register_state_dict_post_hook(self, hook: Function) -> Handle:
        """`hook(module, state_dict, prefix, local_metadata)` after it; it changes it in place."""
        return self._hook("state", Hook(hook))

    def _register_state_dict_hook(self, hook: Function) -> Handle:
        """As `register_state_dict_post_hook`, but what it returns takes the state's place."""
        return self._hook("state", Hook(hook, returns=True))

    def register_load_state_dict_pre_hook(self, hook: Function) -> Handle:
        """`hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before the module's own state is loaded."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Function, with_module: bool = False
    ) -> Handle:
        return self._hook("load_pre", Hook(hook, with_module=with_module))

    def register_load_state_dict_post_hook(self, hook: Function) -> Handle:
        """`hook(module, incompatible_keys)` after the module's state is loaded."""
        return self._hook("load_post", Hook(hook))

    # --- state

    def state_dict(
        self,
        *args: Any,
        destination: dict[str, Any] | None = None,
        prefix: str = "",
        keep_vars: bool = False,
    ) -> dict[str, Any]:
        """All parameters and persistent buffers by path, detached unless `keep_vars`."""
        if args:
            raise SuanziError("state_dict() takes its arguments by name", found=args)
        return _state.state_dict(self, destination, prefix, keep_vars)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        _state.save_own(self, destination, prefix, keep_vars)

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copies a state dict's tensors into the parameters and buffers.

        `strict`: the keys must be exactly the module's. `assign`: the tensors become the module's,
        rather than being copied. All that doesn't fit is told in one error.
        """
        return _state.load_state_dict(self, state_dict, strict, assign)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Loads this module's own part; a class whose keys have changed overrides it."""
        _state.load_own(
            self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
            error_msgs,
        )  # fmt: skip

    def get_extra_state(self) -> Any:
        """What else a state dict holds of this module; to be overridden."""
        raise NotImplementedError("override get_extra_state() and set_extra_state()")

    def set_extra_state(self, state: Any) -> None:
        """Takes what `get_extra_state` gave; to be overridden."""
        raise NotImplementedError("override get_extra_state() and set_extra_state()")

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Module.get_extra_state

    def __getstate__(self) -> dict[str, Any]:
        """A copy's attributes: what was compiled for this module isn't the copy's."""
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}

    def __copy__(self) -> Self:
        """Another module with the same members, which are added to and replaced on their own."""
        made = object.__new__(type(self))
        for name, value in self.__getstate__().items():
            made.__dict__[name] = copy.copy(value) if isinstance(value, dict | set) else value
        return made

    # --- changing all at once

    def apply(self, fn: Callable[["Module"], None]) -> Self:
        """Calls `fn` on all modules inside, and at last on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation: dropout, running statistics and their like follow it."""
        if not isinstance(mode, bool):
            raise SuanziError("training mode is expected to be boolean", found=mode)
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Whether the parameters' gradients are recorded."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forgets the parameters' gradients, or sets them to zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad = parameter.grad.detach()
                    parameter.grad.zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Puts all parameters, their gradients and buffers through `fn`."""
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                changed = fn(parameter)
                if not is_lazy(parameter):
                    parameter.data = changed
                if parameter.grad is not None:
                    parameter.grad = fn(parameter.grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def _cast(self, dtype: dtypes.dtype) -> Self:
        """The floating-point ones to another type."""
        return self._apply(lambda t: t.to(dtype) if t.dtype.is_floating_point else t)

    def to(
        self,
        *args: Any,
        device: Any = None,
        dtype: Any = None,
        tensor: Tensor | None = None,
        non_blocking: bool = False,
        memory_format: Any = None,
    ) -> Self:
        """`to(device)`, `to(dtype)`, `to(tensor)`: floating-point members to another type.

        There is one device, "cpu".
        """
        wanted: dtypes.dtype | None = None
        for value in (*args, device, dtype, tensor):
            if isinstance(value, Tensor):
                wanted = value.dtype
            elif isinstance(value, dtypes.dtype):
                wanted = value
            elif isinstance(value, str | device_type):
                device_type(value)
            elif value is not None and not isinstance(value, bool):  # bool: non_blocking
                raise SuanziError(
                    "wrong argument of to()", expected="a device, a dtype or a Tensor", found=value
                )
        if wanted is not None and not wanted.is_floating_point:
            raise SuanziError("to() only accepts floating-point dtypes", found=wanted)
        return self if wanted is None else self._cast(wanted)

    def float(self) -> Self:
        """Floating-point members to float32."""
        return self._cast(dtypes.float32)

    def double(self) -> Self:
        """Floating-point members to float64."""
        return self._cast(dtypes.float64)

    def half(self) -> Self:
        """Floating-point members to float16."""
        return self._cast(dtypes.float16)

    def bfloat16(self) -> Self:
        """Floating-point members to bfloat16."""
        return self._cast(dtypes.bfloat16)

    def type(self, dst_type: dtypes.dtype) -> Self:
        """All members to another type."""
        return self._apply(lambda t: t.to(dst_type))

    def cpu(self) -> Self:
        """The module: it is where it is asked to be."""
        return self

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """New memory for all members, whose contents are yet to be written."""
        device_type(device)
        return self._apply(empty_like, recurse)

    def share_memory(self) -> Self:
        """The module: threads share its memory as it is."""
        return self

    # --- as text

    def extra_repr(self) -> str:
        """What `repr` tells of the module itself; to be overridden."""
        return ""

    def _get_name(self) -> str:
        return self.__class__.__name__

    def __repr__(self) -> str:
        return self._written((f"({n})", repr(m)) for n, m in self._modules.items())

    def _written(self, parts: Iterable[tuple[str, str]]) -> str:
        """The module's name, what it tells of itself, and its parts line by line."""
        extra = self.extra_repr()
        told = extra.split("\n") if extra else []
        lines = [f"{name}: {text}".replace("\n", "\n  ") for name, text in parts]
        if len(told) == 1 and not lines:
            return f"{self._get_name()}({extra})"
        if not told and not lines:
            return f"{self._get_name()}()"
        return "\n  ".join([f"{self._get_name()}(", *told, *lines]) + "\n)"
