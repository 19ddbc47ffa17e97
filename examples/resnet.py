"""A small ResNet on the digits: the blocks of networks/resnet.py, trained for some epochs.

    python examples/resnet.py [--epochs 6]

Needs scikit-learn.
"""

import argparse
import time

import suanzi as torch
from digits import accuracy, data, train
from networks.resnet import BasicBlock
from suanzi import nn


class SmallResNet(nn.Module):
    """Three stages of two blocks each."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()
        )
        self.stages = nn.Sequential(
            BasicBlock(32, 32), BasicBlock(32, 32), BasicBlock(32, 64, 2), BasicBlock(64, 64),
            BasicBlock(64, 128, 2), BasicBlock(128, 128),
        )  # fmt: skip
        self.head = nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.stages(self.stem(x)).mean((2, 3)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=6)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    (pictures, digits), (held, answers) = data()
    model = SmallResNet()
    start = time.perf_counter()
    losses = train(model, pictures, digits, arguments.epochs)
    print(f"{len(losses)} steps in {time.perf_counter() - start:.1f} s, loss {losses[-1]:.3f}; "
          f"held-out digits: {accuracy(model, held, answers):.2%} right")  # fmt: skip


if __name__ == "__main__":
    main()
