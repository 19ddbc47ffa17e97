"""Writes the pages of the documentation that are made from the code: docs/operators.md.

python scripts/make_docs.py
"""

from itertools import groupby
from pathlib import Path

from suanzi.cli.ops import brief_kernels, brief_types
from suanzi.inspect.operators import FACETS, OperatorFacts, every_operator

PAGE = Path(__file__).resolve().parent.parent / "docs" / "operators.md"

HEAD = """# Operators

Every operator that a model may have, by family. `suanzi ops NAME` tells all of one: attributes,
inputs and outputs, formula, versions, examples with numbers; `suanzi ops --json` prints this page
as data. *Versions* are the opsets at which ONNX changed it, *types* the element types that it
admits, *kernel* the algorithms in `suanzi.kernels` that run it on all targets ({targets}) or on
those named; what has none runs by its definition in NumPy. {{n}} stands for the number of spatial
axes.

This page is made from the code: `python scripts/make_docs.py`.
"""


def operators_page() -> str:
    """The whole page."""
    known = every_operator()
    ours = [each for each in known if each.definition]
    parts = [
        HEAD.format(targets=", ".join(ours[0].kernels)),
        table(["", "operators"], [[facet, sum(f.has(facet) for f in ours)] for facet in FACETS]),
    ]
    columns = ["operator", "versions", "types", "kernel", "PyTorch", "what it does"]
    for family, members in groupby(ours, lambda each: each.family):
        parts += [f"## {family.capitalize()}\n", table(columns, map(row, members))]
    parts += [
        "## Written in others\n",
        "Those in whose place the reader puts others: older names, and onnxruntime's own.\n",
        table(
            ["operator", "what it means"],
            [[f"`{each.name}`", each.read_as] for each in known if not each.definition],
        ),
    ]
    return "\n".join(parts)


def row(known: OperatorFacts) -> list[str]:
    """An operator's cells."""
    return [
        f"`{known.name}`",
        ", ".join(map(str, known.versions)),
        brief_types(known.types),
        brief_kernels(known).replace("\n", ", "),
        f"`{known.torch}`" if known.torch else "",
        known.summary,
    ]


def table(columns, rows) -> str:
    """In Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    cells = [[str(cell).replace("|", "\\|").replace("*", "\\*") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"


if __name__ == "__main__":
    PAGE.write_text(operators_page(), encoding="utf-8")
    print(f"{PAGE}: written")
