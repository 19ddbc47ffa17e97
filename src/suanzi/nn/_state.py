"""A module's state as a dictionary from paths to tensors, and back."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from suanzi.errors import SuanziError
from suanzi.nn.parameter import Parameter, is_lazy
from suanzi.tensor import Tensor, as_tensor, no_grad

if TYPE_CHECKING:
    from suanzi.nn.module import Module

State = dict[str, Any]
EXTRA = "_extra_state"
"""The key's end of what `get_extra_state` gives."""
ASSIGN = "assign_to_params_buffers"
"""In the metadata: that tensors become the module's, rather than being copied."""


class _Keys(NamedTuple):
    missing_keys: list[str]
    unexpected_keys: list[str]


class IncompatibleKeys(_Keys):
    """What `load_state_dict` found to be missing, and what the module has no place for."""

    def __repr__(self) -> str:
        if self.missing_keys or self.unexpected_keys:
            return super().__repr__()
        return "<All keys matched successfully>"


def own_state(module: "Module") -> dict[str, Tensor]:
    """A module's own parameters and persistent buffers by name."""
    hidden = module._non_persistent_buffers_set
    buffers = {name: x for name, x in module._buffers.items() if name not in hidden}
    return {name: x for name, x in {**module._parameters, **buffers}.items() if x is not None}


def save_own(module: "Module", destination: State, prefix: str, keep_vars: bool) -> None:
    """Adds a module's own state under the prefix."""
    for name, value in own_state(module).items():
        destination[prefix + name] = value if keep_vars else value.detach()
    if module._has_extra_state():
        destination[prefix + EXTRA] = module.get_extra_state()


def state_dict(module: "Module", destination: State | None, prefix: str, keep_vars: bool) -> State:
    """The module's state and that of the modules inside."""
    if destination is None:
        destination = OrderedDict()
        destination._metadata = OrderedDict()  # type: ignore[attr-defined]
    metadata = {"version": module._version}
    if hasattr(destination, "_metadata"):
        destination._metadata[prefix[:-1]] = metadata
    hooks = module._hooks
    for hook in list(hooks.state_pre.values()) if hooks else ():
        hook.function(module, prefix, keep_vars)
    module._save_to_state_dict(destination, prefix, keep_vars)
    for name, child in module._modules.items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )
    for hook in list(hooks.state.values()) if hooks else ():
        found = hook.function(module, destination, prefix, metadata)
        if found is not None:
            if not hook.returns:
                raise SuanziError("a state_dict post-hook must return None", found=found)
            destination = found
    return destination


def load_own(
    module: "Module",
    state: State,
    prefix: str,
    metadata: Mapping[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Copies what lies under the prefix into a module's own parameters and buffers.

    What doesn't fit is added to the lists.
    """
    for hook in list(module._hooks.load_pre.values()) if module._hooks else ():
        module_first = (module,) if hook.with_module else ()
        hook.function(*module_first, state, prefix, metadata, strict, missing, unexpected, errors)
    own = own_state(module)
    for name, value in own.items():
        key = prefix + name
        if key not in state:
            if strict:
                missing.append(key)
            continue
        given = state[key]
        if not isinstance(given, Tensor | np.ndarray):
            errors.append(
                f'While copying the parameter named "{key}", expected a Tensor or an array from '
                f"checkpoint but received {type(given).__name__}"
            )
            continue
        if is_lazy(given):
            if not is_lazy(value):
                errors.append(f"{key} isn't initialized in checkpoint, but is in current model.")
            continue
        if not is_lazy(value) and tuple(given.shape) != tuple(value.shape):
            errors.append(
                f"size mismatch for {key}: copying a param with shape {list(given.shape)} from "
                f"checkpoint, the shape in current model is {list(value.shape)}."
            )
            continue
        _put(module, name, value, as_tensor(given), bool(metadata.get(ASSIGN)))
    _load_extra(module, state, prefix, strict, missing, unexpected)
    if strict:
        for key in state:
            if not key.startswith(prefix) or key == prefix + EXTRA:
                continue
            name, *inside = key[len(prefix) :].split(".", 1)
            if name not in (module._modules if inside else own):
                unexpected.append(key)


def _put(module: "Module", name: str, value: Tensor, given: Tensor, assign: bool) -> None:
    with no_grad():
        if not assign:
            value.copy_(given)
        elif isinstance(value, Parameter):
            if not isinstance(given, Parameter):
                given = Parameter(given, requires_grad=value.requires_grad)
            else:
                given.requires_grad_(value.requires_grad)
            setattr(module, name, given)
        else:
            setattr(module, name, given)


def _load_extra(
    module: "Module",
    state: State,
    prefix: str,
    strict: bool,
    missing: list[str],
    unexpected: list[str],
) -> None:
    key, wanted = prefix + EXTRA, module._has_extra_state()
    if wanted and key in state:
        module.set_extra_state(state[key])
    elif wanted and strict:
        missing.append(key)
    elif key in state and strict:
        unexpected.append(key)


def load_state_dict(
    module: "Module", given: Mapping[str, Any], strict: bool, assign: bool
) -> IncompatibleKeys:
    """Loads the state of a module and of those inside, and tells all that doesn't fit at once."""
    if not isinstance(given, Mapping):
        raise SuanziError(
            "wrong state_dict",
            input="state_dict",
            expected="a dict from names to tensors",
            found=type(given).__name__,
        )
    keys = IncompatibleKeys([], [])
    errors: list[str] = []
    versions = getattr(given, "_metadata", None) or {}
    _load(module, OrderedDict(given), "", versions, strict, assign, keys, errors)
    if strict and keys.unexpected_keys:
        errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(keys.unexpected_keys)}.")
    if strict and keys.missing_keys:
        errors.insert(0, f"Missing key(s) in state_dict: {_quoted(keys.missing_keys)}.")
    if errors:
        raise SuanziError(
            "\n\t".join([f"Error(s) in loading state_dict for {type(module).__name__}:", *errors])
        )
    return keys


def _load(
    module: "Module",
    state: State,
    prefix: str,
    versions: Mapping[str, Any],
    strict: bool,
    assign: bool,
    keys: IncompatibleKeys,
    errors: list[str],
) -> None:
    metadata = dict(versions.get(prefix[:-1], {}))
    if assign:
        metadata[ASSIGN] = True
    missing, unexpected = keys
    # Strict here, whatever the caller wants: what is missing is returned in any case.
    module._load_from_state_dict(state, prefix, metadata, True, missing, unexpected, errors)
    for name, child in module._modules.items():
        if child is not None:
            inside = f"{prefix}{name}."
            part = {key: value for key, value in state.items() if key.startswith(inside)}
            _load(child, part, inside, versions, strict, assign, keys, errors)
    for hook in list(module._hooks.load_post.values()) if module._hooks else ():
        if hook.function(module, keys) is not None:
            raise SuanziError("a load_state_dict post-hook must return None, changing in place")


def _quoted(keys: list[str]) -> str:
    return ", ".join(f'"{key}"' for key in keys)
