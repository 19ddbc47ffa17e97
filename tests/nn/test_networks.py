"""The example networks: their parameters' names and shapes are torchvision's and timm's, and they
compute what the same source does with PyTorch.

data/state_dicts.json lists what torchvision 0.29.1 and timm 1.0.31 build.
"""

import json
import types
from pathlib import Path

import numpy as np
import pytest

import suanzi

HERE = Path(__file__).parent
STATES = json.loads((HERE.parent / "data/state_dicts.json").read_text())
NETWORKS = {
    "torchvision/resnet50": ("resnet", "resnet50"),
    "timm/resnet50": ("resnet", "resnet50"),
    "torchvision/mobilenet_v3_large": ("mobile", "MobileNetV3"),
    "timm/mobilenetv3_large_100": ("mobile", "TimmMobileNetV3"),
    "torchvision/efficientnet_b0": ("mobile", "EfficientNet"),
    "timm/efficientnet_b0": ("mobile", "TimmEfficientNet"),
    "torchvision/vit_b_16": ("vit", "VisionTransformer"),
    "timm/vit_base_patch16_224": ("vit", "TimmVisionTransformer"),
    "torchvision/convnext_tiny": ("convnext", "ConvNeXt"),
    "timm/convnext_tiny": ("convnext", "TimmConvNeXt"),
}


def network(module, name, library, **options):
    """The network of an example, whose source is PyTorch's but for the library's name."""
    source = (HERE.parent.parent / f"examples/networks/{module}.py").read_text()
    made = types.ModuleType(module)
    exec(compile(source.replace("suanzi", library), module, "exec"), made.__dict__)
    return getattr(made, name)(**options)


def test_all_are_there():
    assert NETWORKS.keys() == STATES.keys()


@pytest.mark.parametrize("name", NETWORKS)
def test_states_are_theirs(name):
    with suanzi.no_grad(), pytest.MonkeyPatch.context() as patch:
        for function in ("kaiming_uniform_", "xavier_uniform_"):  # the names alone count here
            patch.setattr(suanzi.nn.init, function, lambda t, *_, **__: t)
        state = network(*NETWORKS[name], "suanzi").state_dict()
    assert {k: list(v.shape) for k, v in state.items()} == STATES[name]
    assert list(state) == list(STATES[name])


@pytest.mark.parametrize("name", sorted({*NETWORKS} - {"timm/resnet50"}))
def test_as_pytorch(name):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    options = {"num_classes": 10}
    if "vit" in name:
        options |= {"image": 64, "layers": 2}
    theirs = network(*NETWORKS[name], "torch", **options).eval()
    with torch.no_grad():
        for parameter in theirs.parameters():  # so that nothing vanishes on the way
            if parameter.ndim > 1 and "scale" not in name:
                parameter.mul_(1.5)
    mine = network(*NETWORKS[name], "suanzi", **options).eval()
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = theirs(x).numpy()
    with suanzi.no_grad():
        made = suanzi.compile(mine)(suanzi.tensor(x.numpy())).numpy()
    np.testing.assert_allclose(made, expected, atol=2e-4 * np.abs(expected).max())
