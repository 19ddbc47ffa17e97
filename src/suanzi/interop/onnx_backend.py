"""ONNX's Backend interface over InferenceSession, as `onnxruntime.backend` has it.

>>> from onnx.helper import make_node
>>> run_node(make_node("Relu", ["X"], ["Y"]), [np.float32([-1, 2])])
(array([0., 2.], dtype=float32),)
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, TypeProto, helper
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from suanzi.errors import SuanziError
from suanzi.onnx.nodes import NEWEST_OPSET
from suanzi.session import InferenceSession


class SuanziRep(BackendRep):
    """A model that is ready to run."""

    def __init__(self, session: InferenceSession) -> None:
        self.session = session

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for inputs in the model's order, by name, or for the only one."""
        names = self.session.graph.inputs
        if not isinstance(inputs, Mapping):
            given = list(inputs) if isinstance(inputs, list | tuple) else [inputs]
            if len(given) > len(names):
                expected = ", ".join(names) or "none"
                raise SuanziError("too many inputs", expected=expected, found=len(given))
            inputs = dict(zip(names, given, strict=False))
        return tuple(self.session.run(None, inputs))


class SuanziBackend(Backend):
    """What `onnx.backend.test.BackendTest` and other users of the interface are given."""

    @classmethod
    def supports_device(cls, device: str) -> bool:
        return bool(Device(device).type == DeviceType.CPU)

    @classmethod
    def prepare(cls, model: ModelProto, device: str = "CPU", **kwargs: Any) -> SuanziRep:
        return SuanziRep(InferenceSession(model, **kwargs))

    @classmethod
    def run_node(
        cls,
        node: NodeProto,
        inputs: Any,
        device: str = "CPU",
        outputs_info: Sequence[tuple[Any, tuple[int, ...]]] | None = None,
        **kwargs: Any,
    ) -> tuple[Any, ...]:
        """One node's outputs; `opset_version` is the newest unless given."""
        opset = kwargs.pop("opset_version", NEWEST_OPSET)
        arrays = [np.asarray(x) for x in inputs]
        names = [name for name in node.input if name]
        graph = helper.make_graph(
            [node],
            "node",
            [
                helper.make_tensor_value_info(
                    name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape
                )
                for name, x in zip(names, arrays, strict=True)
            ],
            [helper.make_value_info(name, TypeProto()) for name in node.output if name],
        )
        opsets = [helper.make_opsetid(node.domain, opset)]
        model = helper.make_model(graph, opset_imports=opsets)
        return cls.prepare(model, device, **kwargs).run(arrays)


is_compatible = SuanziBackend.is_compatible
prepare = SuanziBackend.prepare
run_model = SuanziBackend.run_model
run_node = SuanziBackend.run_node
supports_device = SuanziBackend.supports_device
