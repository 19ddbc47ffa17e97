"""A small transformer reads the digits row by row, and writes what it has learnt of them.

    python examples/transformer.py [--epochs 12]

Each of a picture's 8 rows is a token of 8 numbers. Needs scikit-learn.
"""

import argparse
import time

import suanzi as torch
from digits import accuracy, data, train
from suanzi import nn


class Reader(nn.Module):
    """Rows embedded, with their places; two encoder layers; the mean of all rows classified."""

    def __init__(self, dim=64, heads=4, layers=2):
        super().__init__()
        self.embed = nn.Linear(8, dim)
        self.places = nn.Parameter(torch.randn(8, dim) * 0.02)
        layer = nn.TransformerEncoderLayer(
            dim, heads, 4 * dim, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, layers, nn.LayerNorm(dim), enable_nested_tensor=False
        )
        self.head = nn.Linear(dim, 10)

    def forward(self, x):
        rows = self.embed(x.squeeze(1)) + self.places
        return self.head(self.encoder(rows).mean(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    (pictures, digits), (held, answers) = data()
    model = Reader()
    start = time.perf_counter()
    losses = train(model, pictures, digits, arguments.epochs)
    print(f"{len(losses)} steps in {time.perf_counter() - start:.1f} s, loss {losses[-1]:.3f}; "
          f"held-out digits: {accuracy(model, held, answers):.2%} right")  # fmt: skip


if __name__ == "__main__":
    main()
