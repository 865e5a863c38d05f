"""`npm run check` of the console: its types follow the API, its rules hold, its functions compute.

It needs the packages that `run.py` installs to build the console. A copy that was lent a built console
has none: it says so and passes, except where CI is set.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    run = runpy.run_path(str(ROOT / "run.py"))
    console: Path = run["CONSOLE"]
    if not (console / "node_modules" / "vitest").is_dir():
        print("Not checked: `npm ci` in console/ installs what the check needs.")
        return 1 if os.environ.get("CI") else 0
    node, npm = run["node_of_system"]() or run["node_of_pip"]()
    path = os.pathsep.join([str(Path(node).parent), os.environ.get("PATH", "")])
    command = [*npm, "run", "--silent", "check"]
    return subprocess.run(command, cwd=console, env={**os.environ, "PATH": path}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
