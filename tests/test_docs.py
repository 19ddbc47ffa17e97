"""The pages that are made from the code are up to date."""

import runpy
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"


def test_the_page_of_operators():
    made = runpy.run_path(str(SCRIPTS / "make_docs.py"))
    page = made["PAGE"].read_text(encoding="utf-8")
    if page != made["operators_page"]():
        pytest.fail("docs/operators.md isn't up to date: run `python scripts/make_docs.py`")
