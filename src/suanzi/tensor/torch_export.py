"""PyTorch's signature of `torch.onnx.export`."""

import enum
import os
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any

from suanzi.errors import SuanziError
from suanzi.tensor.exporting import DynamicAxes
from suanzi.tensor.exporting import export as _export


class TrainingMode(enum.Enum):
    """What `training` may be."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


def export(
    model: Callable[..., Any], args: Any = (), f: str | os.PathLike[str] | IO[bytes] | None = None,
    *, kwargs: Mapping[str, Any] | None = None, input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None, opset_version: int | None = None,
    dynamic_axes: DynamicAxes | None = None, training: TrainingMode = TrainingMode.EVAL,
    export_params: bool = True, keep_initializers_as_inputs: bool = False, **_options: Any,
) -> Any:  # fmt: skip
    """Writes a module to a file as ONNX; see `suanzi.export`.

    PyTorch's further options (verbose, dynamo, do_constant_folding, ...) are taken and mean
    nothing here.
    """
    for name, found, only in (
        ("export_params", export_params, True),
        ("keep_initializers_as_inputs", keep_initializers_as_inputs, False),
    ):
        if bool(found) is not only:
            raise SuanziError("isn't supported", input=name, expected=only, found=found)
    preserved = training is TrainingMode.PRESERVE and getattr(model, "training", False)
    stream = f if hasattr(f, "write") else None
    made = _export(
        model, args, None if stream else f, kwargs=kwargs, input_names=input_names,
        output_names=output_names, dynamic_axes=dynamic_axes, opset_version=opset_version,
        training=training is TrainingMode.TRAINING or preserved,
    )  # fmt: skip
    if stream is not None:
        stream.write(made.SerializeToString())
    return made
