"""``python -m backend.backtest.warming``: compiles the engine, so that nobody has to wait for it.

With ``--attached`` it ends when its standard input does.
"""

import sys

from backend.backtest.compiling import prepare
from backend.backtest.lifetime import end_with
from backend.backtest.running import warm


def main() -> int:
    """Compile what is not there yet."""
    if "--attached" in sys.argv[1:]:
        end_with(sys.stdin.buffer)
    prepare()
    warm()
    return 0


if __name__ == "__main__":
    sys.exit(main())
