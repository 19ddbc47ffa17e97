"""What a module holds by name: parameters, buffers and modules."""

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from suanzi.errors import SuanziError
from suanzi.nn.parameter import Buffer, Parameter
from suanzi.tensor import Tensor

if TYPE_CHECKING:
    from suanzi.nn.module import Module

T = TypeVar("T")


class Members:
    """Attributes that are parameters, buffers or modules, found by name and in order."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, "Module | None"]
    _non_persistent_buffers_set: set[str]

    def _start(self) -> None:
        self.__dict__.update(
            _parameters={}, _buffers={}, _modules={}, _non_persistent_buffers_set=set()
        )

    # Attributes

    def __getattr__(self, name: str) -> Any:
        """Called for what isn't found otherwise."""
        members = self.__dict__
        for kind in ("_parameters", "_buffers", "_modules"):
            held = members.get(kind)
            if held is not None and name in held:
                return held[name]
        if hasattr(type(self), name):  # a property that failed: again, for its own error
            return object.__getattribute__(self, name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        members = self.__dict__
        if isinstance(value, Parameter):
            self._free(name, "_parameters")
            self.register_parameter(name, value)
        elif name in members.get("_parameters", ()):
            if value is not None:
                raise _unassignable("parameter", name, "a nn.Parameter or None", value)
            self._parameters[name] = None
        elif isinstance(value, Members):
            self._free(name, "_modules")
            self._modules[name] = value  # type: ignore[assignment]
        elif name in members.get("_modules", ()):
            if value is not None:
                raise _unassignable("child module", name, "a nn.Module or None", value)
            self._modules[name] = None
        elif isinstance(value, Buffer):
            self._free(name, "_buffers")
            self._hold_buffer(name, value, value.persistent)
        elif name in members.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise _unassignable("buffer", name, "a Tensor or None", value)
            self._buffers[name] = value
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        for held in (self._parameters, self._buffers, self._modules):
            if name in held:
                del held[name]
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> Iterable[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[:1].isdigit())

    def _free(self, name: str, keep: str) -> None:
        """Takes a name from members of other kinds; in its own kind it keeps its place."""
        self._started(name)
        for kind in ("_parameters", "_buffers", "_modules"):
            if kind != keep:
                self.__dict__[kind].pop(name, None)
        self.__dict__.pop(name, None)

    def _started(self, name: Any) -> None:
        if "_modules" not in self.__dict__:
            raise SuanziError(
                f"cannot assign {name}: Module.__init__() wasn't called",
                hint=f"Call super().__init__() first in {type(self).__name__}.__init__",
            )

    # Registration

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter, which is an attribute from then on; None keeps a name's place."""
        self._check(name, self._parameters, "parameter")
        if param is not None and not isinstance(param, Parameter):
            raise _unassignable("parameter", name, "a nn.Parameter or None", param)
        if param is not None and param.grad_fn is not None:
            raise SuanziError(
                f"cannot assign a Tensor that isn't a leaf as parameter '{name}'",
                hint="Model parameters must be created explicitly; to express one as a function "
                "of another Tensor, compute it in forward()",
            )
        self._parameters[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a tensor that isn't trained; `state_dict` has it if it is persistent."""
        self._check(name, self._buffers, "buffer")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise _unassignable("buffer", name, "a Tensor or None", tensor)
        self._hold_buffer(name, tensor, persistent)

    def _hold_buffer(self, name: str, tensor: Tensor | None, persistent: bool) -> None:
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name: str, module: "Module | None") -> None:
        """Adds a module, which is an attribute from then on; None keeps a name's place."""
        self._check(name, self._modules, "module")
        if module is not None and not isinstance(module, Members):
            raise _unassignable("child module", name, "a nn.Module or None", module)
        self._modules[name] = module

    def add_module(self, name: str, module: "Module | None") -> None:
        """`register_module` by its older name."""
        self.register_module(name, module)

    def _check(self, name: Any, held: dict[str, Any], kind: str) -> None:
        self._started(name)
        if not isinstance(name, str):
            raise SuanziError(f"a {kind}'s name must be a str", found=type(name).__name__)
        if "." in name or not name:
            raise SuanziError(f"a {kind}'s name can't be empty or contain '.'", found=repr(name))
        if hasattr(self, name) and name not in held:
            raise SuanziError(f"attribute '{name}' already exists")

    # By name

    def get_submodule(self, target: str) -> "Module":
        """The module at a path such as "net.0.conv"; the module itself at ""."""
        module: Any = self
        for name in target.split(".") if target else ():
            found = getattr(module, name, None)
            if not isinstance(found, Members):
                what = "is not an nn.Module" if hasattr(module, name) else "doesn't exist"
                raise AttributeError(f"{type(module).__name__}: '{name}' of '{target}' {what}")
            module = found
        return module  # type: ignore[no-any-return]

    def set_submodule(self, target: str, module: "Module", strict: bool = False) -> None:
        """Puts a module at a path; strict: only where there is one already."""
        parent, _, name = target.rpartition(".")
        owner = self.get_submodule(parent)
        if not name or not isinstance(module, Members):
            raise SuanziError("can't set a submodule", expected="a path and a nn.Module")
        if strict:
            self.get_submodule(target)
        setattr(owner, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path."""
        return self._tensor_at(target, Parameter, lambda owner: owner._parameters)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path."""
        return self._tensor_at(target, Tensor, lambda owner: owner._buffers)

    def _tensor_at(
        self, target: str, kind: type[T], held: "Callable[[Module], dict[str, Any]]"
    ) -> T:
        path, _, name = target.rpartition(".")
        owner = self.get_submodule(path)
        value = getattr(owner, name, None) if name in held(owner) else None
        if not isinstance(value, kind):
            raise AttributeError(f"{type(owner).__name__}: no {kind.__name__} '{name}'")
        return value

    # All of a kind

    def _named_members(
        self,
        of: "Callable[[Module], Iterable[tuple[str, Tensor | None]]]",
        prefix: str = "",
        recurse: bool = True,
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules: Any = [(prefix, self)]
        if recurse:
            modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules:
            for name, value in of(module):
                if value is None or id(value) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, each once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their paths."""
        return self._named_members(
            lambda module: module._parameters.items(), prefix, recurse, remove_duplicate
        )

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers, each once."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths."""
        return self._named_members(
            lambda module: module._buffers.items(), prefix, recurse, remove_duplicate
        )

    def children(self) -> Iterator["Module"]:
        """The modules directly inside, each once."""
        return (module for _, module in self.named_children())

    def named_children(self) -> Iterator[tuple[str, "Module"]]:
        """The modules directly inside with their names."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator["Module"]:
        """This module and all inside, parents first."""
        return (module for _, module in self.named_modules(remove_duplicate=remove_duplicate))

    def named_modules(
        self,
        memo: "set[Module] | None" = None,
        prefix: str = "",
        remove_duplicate: bool = True,
    ) -> Iterator[tuple[str, "Module"]]:
        """This module and all inside with their paths, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)  # type: ignore[arg-type]
        yield prefix, self  # type: ignore[misc]
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)


def _unassignable(kind: str, name: str, expected: str, value: Any) -> SuanziError:
    return SuanziError(
        f"cannot assign {type(value).__name__} as {kind} '{name}'", expected=expected
    )
