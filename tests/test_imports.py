"""Imports run one way: what each layer may see, by the source itself."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import suanzi

ROOT = Path(suanzi.__file__).parent

LAYERS = {
    "errors": set(),
    "operators": {"errors"},
    "graph": {"operators", "errors"},
    "onnx": {"graph", "operators", "errors"},
    "lang": {"errors"},
    "runtime": {"lang", "operators", "errors"},
    "kernels": {
        "lang", "operators", "graph.fused", "graph.quantized", "graph.depth", "errors"
    },
    "placement": {"graph", "operators", "runtime", "lang", "errors"},
    "packing": {"kernels", "graph", "operators"},
    "program": {"graph", "operators", "runtime", "errors"},
    "compiler": {
        "program", "placement", "packing", "kernels", "runtime", "graph", "lang", "operators",
        "errors",
    },
    "stages": {"compiler", "program", "graph", "operators", "errors"},
    "arguments": {"operators", "errors"},
    "options": {"errors"},
    "binding": {"arguments", "operators", "errors"},
    "session": {
        "arguments", "binding", "options", "stages",
        "compiler", "program", "kernels", "onnx", "runtime", "graph", "lang", "operators", "errors",
        "inspect",
    },
    "inspect": {
        "session", "stages", "compiler", "placement", "program", "kernels", "runtime", "onnx",
        "graph", "lang", "operators", "errors",
    },
    "atlas": {"inspect", "onnx", "graph", "kernels", "lang", "operators", "errors"},
    "workbench": {
        "session", "inspect", "atlas", "data", "zoo", "onnx", "runtime", "graph", "lang",
        "operators", "errors",
    },
    "tensor": {
        "compiler", "program", "runtime", "graph", "lang", "operators", "errors",
        "onnx",  # when a module is exported
    },
    "nn": {"tensor", "operators", "errors"},
    "optim": {"tensor", "nn", "operators", "errors"},
    "utils": {"tensor", "errors"},
    "func": {"nn", "tensor"},
    "autograd": {"tensor", "errors"},
    "linalg": {"tensor"},
    "special": {"tensor", "operators"},
    "cuda": set(),
    "interop": {"session", "onnx", "nn", "tensor", "graph", "operators", "errors"},
    "data": {"operators"},
    "zoo": {"session", "inspect", "operators", "errors"},
    "cli": {
        "session", "inspect", "atlas", "workbench", "data", "zoo", "kernels", "runtime", "graph",
        "onnx", "operators", "errors",
    },
}  # fmt: skip
"""What a module or package of `suanzi` may import of `suanzi`, beside itself."""

LIBRARIES = {
    "operators": {"numpy", "ml_dtypes", "PIL"},  # PIL when a picture is decoded
    "graph": {"numpy", "ml_dtypes"},
    "onnx": {"numpy", "ml_dtypes", "onnx", "google"},
    "lang": {"numpy", "llvmlite"},
    "runtime": {"numpy", "llvmlite", "platformdirs"},
    "kernels": {"numpy"},
    "placement": set(),
    "packing": {"numpy"},
    "program": {"numpy"},
    "compiler": {"numpy"},
    "stages": {"numpy"},
    "arguments": {"numpy"},
    "options": set(),
    "binding": {"numpy"},
    "session": {"numpy"},
    "inspect": {"numpy", "PIL", "onnxruntime", "openvino", "torch"},
    "tensor": {"numpy", "ml_dtypes", "safetensors"},
    "nn": {"numpy"},
    "optim": {"numpy"},
    "utils": {"numpy"},
    "func": set(),
    "autograd": {"numpy"},
    "linalg": {"numpy"},
    "special": {"numpy"},
    "cuda": set(),
    "atlas": {"numpy"},
    "workbench": {"numpy", "starlette", "uvicorn"},
    "interop": {"numpy", "onnx", "torch"},
    "data": {"numpy", "PIL"},
    "zoo": {"numpy", "PIL", "filelock", "platformdirs"},
    "cli": {"numpy", "PIL", "rich", "typer"},
}
"""Which libraries beside the standard one."""


def modules():
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[0] not in ("__init__", "__main__"):
            yield pytest.param(path, parts[0], id=".".join(parts))


def imported(path):
    """The names of the modules that a file imports, but not those for the type checker alone."""
    tree = ast.parse(path.read_text())
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            if node.module == "suanzi":
                yield from (f"suanzi.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize(("path", "layer"), [*modules()])
def test_direction(path, layer):
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top != "suanzi":
            known = top in sys.stdlib_module_names or top in LIBRARIES.get(layer, ())
            assert known, f"{layer} imports {name}"
        elif rest and not f"{rest}.".startswith(f"{layer}."):
            seen = any(f"{rest}.".startswith(f"{allowed}.") for allowed in LAYERS[layer])
            assert seen, f"{layer} imports {name}"


def test_every_layer_is_told_of():
    assert {path.values[1] for path in modules()} == LAYERS.keys()


def test_importing_suanzi_is_light():
    source = (
        "import sys, suanzi; heavy = {'onnx', 'llvmlite', 'typer', 'rich', 'PIL', 'numpy'};"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys();"
        "suanzi.InferenceSession; assert not {'onnx', 'typer', 'rich', 'PIL'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", source], check=True, env={"PYTHONPATH": str(ROOT.parent)})
