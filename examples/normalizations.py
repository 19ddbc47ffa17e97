"""Batch, layer, instance and group normalization on the digits, at batch sizes from 2 to 64.

    python examples/normalizations.py [--epochs 4] [--folder OUT]

Each is trained for as many pictures; what it reads right of the held-out ones is measured in
evaluation, where batch normalization takes its running statistics, and once more as in training,
where it takes those of the very batch. Needs scikit-learn.
"""

import argparse
from pathlib import Path

from rich.progress import track

import suanzi as torch
from digits import Digits, accuracy, data, train
from plots import plot
from suanzi import nn

NORMS = {
    "batch": nn.BatchNorm2d,
    "layer": lambda channels: nn.GroupNorm(1, channels),  # over C, H and W of each sample
    "instance": lambda channels: nn.InstanceNorm2d(channels, affine=True),
    "group (8)": lambda channels: nn.GroupNorm(8, channels),
}
BATCHES = (2, 4, 8, 16, 32, 64)


def accuracy_in_training(model, pictures, digits, batch):
    """As `accuracy`, with the statistics of each batch, and none of them kept."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    whole = len(digits) // batch * batch
    forward = torch.compile(model)
    with torch.no_grad():
        right = [
            (forward(pictures[i : i + batch]).argmax(1) == digits[i : i + batch]).float().sum()
            for i in range(0, whole, batch)
        ]
    return sum(r.item() for r in right) / whole


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (pictures, digits), (held, answers) = data()
    evaluated = {name: [] for name in NORMS}
    trained = {name: [] for name in NORMS}
    runs = [(name, batch) for name in NORMS for batch in BATCHES]
    for name, batch in track(runs, description="training"):
        torch.manual_seed(0)
        model = Digits(NORMS[name])
        train(model, pictures, digits, arguments.epochs, batch, progress=False)
        evaluated[name].append(accuracy(model, held, answers))
        trained[name].append(accuracy_in_training(model, held, answers, batch))
    for title, found in (("evaluation", evaluated), ("training", trained)):
        print(f"\nheld-out digits read right, as in {title}\n")
        print(f"{'batch size':12s}" + "".join(f"{b:>8d}" for b in BATCHES))
        for name, line in found.items():
            print(f"{name:12s}" + "".join(f"{share:8.1%}" for share in line))
    wrong = {name: [100 * (1 - share) for share in line] for name, line in evaluated.items()}
    plot(wrong, arguments.folder / "normalizations.svg", "batch size", "% read wrong", BATCHES)


if __name__ == "__main__":
    main()
