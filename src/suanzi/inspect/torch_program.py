"""What a program that PyTorch exported computes, value by value, on a run's inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from suanzi.errors import SuanziError

if TYPE_CHECKING:
    from suanzi.inspect.values import Values


def program_values(path: Path, values: Values) -> dict[str, Any]:
    """The values of a .pt2 file (`torch.export.save`) by the names of the model's: its outputs in
    order, and what is inside where PyTorch's name, type and shape are those of a value of ours.

    Loading such a file may run what is in it: open only those that you trust.
    """
    try:
        import torch
    except ImportError:
        raise SuanziError("PyTorch isn't installed", hint="pip install torch") from None
    names = values.session.graph.inputs
    try:
        module = torch.export.load(path).module()
    except Exception as error:  # whatever a file that isn't one makes it raise
        raise SuanziError(f"can't load the program: {error}", found=str(path)) from None
    found: dict[str, Any] = {}

    class Recorder(torch.fx.Interpreter):  # type: ignore[misc, name-defined, unused-ignore]
        def run_node(self, n: Any) -> Any:
            made = super().run_node(n)
            if isinstance(made, torch.Tensor):
                found[n.name] = made.detach().numpy()
            return made

    try:
        with torch.no_grad():
            inputs = [torch.from_numpy(np.array(values.feeds[name])) for name in names]
            made = Recorder(module).run(*inputs)
    except Exception as error:
        raise SuanziError(
            f"PyTorch can't run the program on these inputs: {error}",
            found=str(path),
            expected=f"a program that takes {', '.join(names)}, in this order",
        ) from None
    outputs = [y for y in torch.utils._pytree.tree_leaves(made) if isinstance(y, torch.Tensor)]
    wanted = values.session.graph.outputs
    if len(outputs) != len(wanted):
        raise SuanziError(
            "the program has another number of outputs", expected=len(wanted), found=len(outputs)
        )
    inside = {name: x for name, x in found.items() if _like(values, name, x)}
    return {**inside, **{n: y.numpy() for n, y in zip(wanted, outputs, strict=True)}}


def _like(values: Values, name: str, x: Any) -> bool:
    t = values.graph.types.get(name)
    return t is not None and t.is_tensor and t.shape == x.shape and t.dtype == x.dtype
