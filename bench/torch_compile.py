"""torch.compile(model, backend="suanzi") beside PyTorch eager, and inductor where that compiles.

    python bench/torch_compile.py [--threads 2] [--seconds 6] [--keep NAME]

The networks are PyTorch's own layers, in evaluation without gradients; all three run the same
module, in interleaved rounds. *Ratio* is a peer's median over ours.
"""

import argparse
import math
import shutil
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import torch
from torch import nn

from kept import keep
from pytorch import library
from suanzi.inspect.bench import interleaved
from suanzi.interop.torch_compile import backend


class Bert(nn.Module):
    """Four encoder layers of width 256, as PyTorch has them."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(1000, 256), nn.Embedding(128, 256)
        self.norm = nn.LayerNorm(256)
        layer = nn.TransformerEncoderLayer(256, 8, 1024, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)
        self.head = nn.Linear(256, 2)

    def forward(self, tokens: Any) -> Any:
        x = self.norm(self.tokens(tokens) + self.places(torch.arange(tokens.shape[1])))
        return self.head(self.encoder(x)[:, 0].tanh())


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[int], Any]]] = {
    "ResNet-18": (lambda: library("torch", "resnet").resnet18(), lambda n: picture(n)),
    "MobileNetV3-Large": (lambda: library("torch", "mobile").MobileNetV3(), lambda n: picture(n)),
    "ViT-S/16": (
        lambda: library("torch", "vit").TimmVisionTransformer(dim=384, heads=6),
        lambda n: picture(n),
    ),
    "BERT, 4 layers, 64 tokens": (Bert, lambda n: torch.randint(0, 1000, (n, 64))),
}


def picture(batch: int) -> Any:
    return torch.randn(batch, 3, 224, 224)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--keep", metavar="NAME")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    warnings.simplefilter("ignore")
    rows = []
    print(f"{'':38} {'ours ms':>9} {'eager':>7} {'inductor':>9}  difference")
    for name, (build, make) in NETWORKS.items():
        for batch in (1, 8):
            row = measure(f"{name}, batch {batch}", build().eval(), make(batch), given.seconds)
            rows.append(row)
            ratios = [f"{row[k]:.2f}" if row.get(k) else "–" for k in ("eager", "inductor")]
            print(f"{row['name']:38} {row['ours'] * 1e3:9.2f} {ratios[0]:>7} {ratios[1]:>9}"
                  f"  {row['difference']:.0e}")  # fmt: skip
    for peer in ("eager", "inductor"):
        found = [row[peer] for row in rows if row.get(peer)]
        if found:
            mean = math.exp(sum(map(math.log, found)) / len(found))
            print(f"geometric mean of {peer} / ours: {mean:.2f}")
    if given.keep:
        keep(given.keep, {"torch": version("torch"), "threads": given.threads, "networks": rows})


def measure(name: str, model: nn.Module, x: Any, seconds: float) -> dict[str, Any]:
    torch._dynamo.reset()
    with torch.no_grad():
        ours = torch.compile(model, backend=backend)
        runs = {"ours": lambda: ours(x), "eager": lambda: model(x)}
        if shutil.which("g++") or shutil.which("clang++"):
            torch._dynamo.reset()
            inductor = torch.compile(model)
            runs["inductor"] = lambda: inductor(x)
        outputs = {key: run() for key, run in runs.items()}
        scale = outputs["eager"].abs().max()
        difference = float((outputs["ours"] - outputs["eager"]).abs().max() / scale)
        times = interleaved(runs, seconds, 1000)
    medians = {key: sorted(found)[len(found) // 2] for key, found in times.items()}
    return {
        "name": name,
        "ours": medians["ours"],
        "difference": difference,
        **{key: medians[key] / medians["ours"] for key in medians if key != "ours"},
    }


if __name__ == "__main__":
    main()
