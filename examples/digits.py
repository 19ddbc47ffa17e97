"""A convolutional network learns scikit-learn's handwritten digits, leaves as an ONNX file, and
gives the same answers in onnxruntime.

    python examples/digits.py [--epochs 12] [--folder OUT]

1,797 pictures of 8x8 pixels; a fifth of them is held out. Needs scikit-learn, and for the last step
onnxruntime.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.progress import track
from sklearn.datasets import load_digits

import suanzi as torch
import suanzi.nn.functional as F
from plots import plot
from suanzi import nn
from suanzi.utils.data import DataLoader, TensorDataset


class Digits(nn.Module):
    """Three convolutions, each normalised, and a classifier."""

    def __init__(self, norm=nn.BatchNorm2d):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1, bias=False), norm(32), nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1, bias=False), norm(64), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(64, 64, 3, padding=1, bias=False), norm(64), nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Linear(256, 10)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def data():
    """Pictures and digits, to train with and held out."""
    found = load_digits()
    pictures = torch.from_numpy((found.images[:, None] / 16).astype(np.float32))
    digits = torch.from_numpy(found.target.astype(np.int64))
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(digits)))
    cut = len(digits) * 4 // 5
    train, held = order[:cut], order[cut:]
    return (pictures[train], digits[train]), (pictures[held], digits[held])


def training_step(model, optimizer):
    """Forward, backward and update, as one compiled program."""

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def train(model, pictures, digits, epochs=12, batch=64, progress=True):
    """The loss of each step. Every epoch draws its batches anew; what doesn't fill one is left."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05)
    loader = DataLoader(TensorDataset(pictures, digits), batch, shuffle=True, drop_last=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=6e-3, total_steps=epochs * len(loader)
    )
    step = training_step(model.train(), optimizer)
    losses = []
    turns = range(epochs)
    for _ in track(turns, description="training") if progress else turns:
        for x, y in loader:
            losses.append(step(x, y).item())
            schedule.step()
    return losses


def accuracy(model, pictures, digits):
    """The share of the pictures that it reads right."""
    model.eval()
    with torch.no_grad():
        return (torch.compile(model)(pictures).argmax(1) == digits).float().mean().item()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--folder", type=Path, default=Path())
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(0)
    (pictures, digits), (held, answers) = data()
    model = Digits()
    start = time.perf_counter()
    losses = train(model, pictures, digits, arguments.epochs)
    taken = time.perf_counter() - start
    print(f"{len(losses)} steps in {taken:.1f} s; held-out digits: "
          f"{accuracy(model, held, answers):.2%} right")  # fmt: skip
    plot({"loss": losses}, arguments.folder / "loss.svg", "step", "loss")

    path = arguments.folder / "digits.onnx"
    torch.export(model, (held[:1],), path, input_names=["picture"], output_names=["scores"],
                 dynamic_axes={"picture": {0: "batch"}, "scores": {0: "batch"}})  # fmt: skip
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    (scores,) = session.run(None, {"picture": held.numpy()})
    with torch.no_grad():
        ours = model(held).numpy()
    right = (scores.argmax(1) == answers.numpy()).mean()
    print(f"{path} in onnxruntime: {right:.2%} right, scores differ by "
          f"{np.abs(scores - ours).max():.1e} at most")  # fmt: skip


if __name__ == "__main__":
    main()
